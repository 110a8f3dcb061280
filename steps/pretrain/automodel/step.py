"""The job of this step: runs the AutoModel recipe that its config names."""

from nemotron.backends import job
from nemotron.backends.automodel import train

if __name__ == "__main__":
    job.run(train.main)
