"""The commands, one file each: parses, calls one function below, prints; nothing else."""
