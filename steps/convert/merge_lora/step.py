"""Runs convert/merge_lora: `python step.py --config config.yaml` in the attempt's folder."""

from nemotron.backends import job, merge_lora
from nemotron.backends.megatron import merge

MERGES = {"peft": merge_lora.main, "megatron": merge.main}

if __name__ == "__main__":
    job.run(lambda given: MERGES[given.config.get("adapter_format", "peft")](given))
