"""Runs convert/merge_lora: `python step.py --config config.yaml` in the attempt's folder."""

from nemotron.backends import job, merge_lora

if __name__ == "__main__":
    job.run(merge_lora.main)
