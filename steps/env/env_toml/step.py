"""Runs env/env_toml: `python step.py --config config.yaml` in the attempt's folder."""

from nemotron.backends import env_toml, job

job.run(env_toml.main)
