"""Runs data_prep/pretrain_prep: `python step.py --config config.yaml` in the attempt's folder."""

from nemotron.backends import job, pretrain_prep

if __name__ == "__main__":  # worker processes import this file too
    job.run(pretrain_prep.main)
