"""Runs data_prep/sft_packing: `python step.py --config config.yaml` in the attempt's folder."""

from nemotron.backends import job, sft_packing

if __name__ == "__main__":  # worker processes import this file too
    job.run(sft_packing.main)
