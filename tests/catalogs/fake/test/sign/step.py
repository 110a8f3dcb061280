"""Signs records with the secret of its config, and with the one of its environment."""

from __future__ import annotations

import hmac
import os
from pathlib import Path

from nemotron.backends import job


def main(run: job.Job) -> list[job.Output]:
    records = Path(run.config["data"]).read_bytes().splitlines()
    secrets = {"config": run.config["signing"]["token"], "environment": os.environ.get("SIGNING_SECRET", "")}
    folder = Path(run.config["output"])
    for name, secret in secrets.items():
        signatures = [hmac.new(secret.encode(), record, "sha256").hexdigest() for record in records]
        job.write_json(folder / f"{name}.json", signatures)
    return [job.Output("signatures", folder)]


if __name__ == "__main__":
    job.run(main)
