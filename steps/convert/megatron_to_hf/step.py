"""Runs convert/megatron_to_hf: `python step.py --config config.yaml` in the attempt's folder."""

from nemotron.backends import job
from nemotron.backends.megatron import convert

if __name__ == "__main__":
    job.run(convert.megatron_to_hf)
