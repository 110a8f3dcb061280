"""The job of this step: trains with Megatron-Bridge as its config says."""

from nemotron.backends import job
from nemotron.backends.megatron import train

if __name__ == "__main__":
    job.run(train.main)
