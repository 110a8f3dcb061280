"""Runs eval/model_eval: `python step.py --config config.yaml` in the attempt's folder."""

from nemotron.backends import evaluation, job

if __name__ == "__main__":
    job.run(evaluation.main)
