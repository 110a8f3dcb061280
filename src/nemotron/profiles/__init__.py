"""Where a step runs: the profiles of env.toml. Reads those files; asks no host."""
