"""What exists: step manifests, artifact types, where they are found. Reads TOML files, nothing else."""
