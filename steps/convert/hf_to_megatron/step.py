"""Runs convert/hf_to_megatron: `python step.py --config config.yaml` in the attempt's folder."""

from nemotron.backends import job
from nemotron.backends.megatron import convert

if __name__ == "__main__":
    job.run(convert.hf_to_megatron)
