"""Tests of runs on a Slurm cluster, which they start themselves."""
