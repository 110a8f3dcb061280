"""Ways to end badly. Each function is one of them; `how` in the config names it."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

from nemotron.backends import job

MIB = 1 << 20


def raises(run: job.Job) -> None:
    raise ValueError("the third wheel came off")


def exits(run: job.Job) -> None:
    print("giving up")
    sys.exit(7)


def known_errors(run: job.Job) -> None:
    print("starting\ncable 12 is loose\nsome more\nvoltage 110 is wrong\nOSError: [Errno 28] No space left")
    sys.exit(1)


def explains(run: job.Job) -> None:
    raise job.JobError("NMT215", "line 3 is odd", file=run.config["where"], line=3, fix="make it even")


def says_nothing(run: job.Job) -> None:
    os._exit(0)


def tears_its_outputs(run: job.Job) -> None:
    (run.folder / "outputs.json").write_text('[{"port": "result", "pa', encoding="utf-8")
    os._exit(0)


def tells_nonsense(run: job.Job) -> None:
    job.write_json(run.folder / "outputs.json", [{"port": "result"}, 3, {"port": 4, "path": None}])
    os._exit(0)


def makes_nothing(run: job.Job) -> list[job.Output]:
    return [job.Output("result", Path(run.config["output"]) / "not there")]


def is_killed(run: job.Job) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crashes(run: job.Job) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def runs_out_of_address_space(run: job.Job) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (512 * MIB, 512 * MIB))
    blocks = []
    while True:
        blocks.append(bytearray(64 * MIB))


def eats_memory(run: job.Job) -> None:
    """Up to 1 GiB, touched; meant for a control group that allows less."""
    blocks = [bytearray(b"x" * MIB) for _ in range(1024)]
    sys.exit(f"{len(blocks)} MiB were there")


def fills_the_disk(run: job.Job) -> None:
    with open(Path(run.config["output"]) / "weights.bin", "wb") as stream:
        for _ in range(64):
            stream.write(os.urandom(MIB))
            stream.flush()
    sys.exit("64 MiB were there")


def writes_odd_progress(run: job.Job) -> list[job.Output]:
    odd = [
        "not JSON",
        "[1]",
        '{"step": null}',
        '{"step": "x"}',
        '{"step": 1, "total": "many", "loss": "low"}',
    ]
    odd += ['{"step": 2, "total": 0, "loss": NaN}', '{"step": -1, "total": 3}', '{"step": Infinity}', "{"]
    (run.folder / "progress.jsonl").write_text("\n".join(odd), encoding="utf-8")
    sys.stdout.buffer.write(b"\xff\xfe is not UTF-8\n\x1b[31mred\x1b[0m\n")
    return good(run)


def leaves_a_child(run: job.Job) -> list[job.Output]:
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; sleep 1000"], start_new_session=True)
    job.write_json(run.folder / "helpers.json", [child.pid])
    return good(run)


def prints_a_secret(run: job.Job) -> list[job.Output]:
    print("logged in with hf_" + "a1B2" * 8)
    return good(run)


def good(run: job.Job) -> list[job.Output]:
    folder = Path(run.config["output"])
    job.write_json(folder / "result.json", {"ok": True})
    return [job.Output("result", folder)]


def main(run: job.Job) -> list[job.Output]:
    print(f"will fail: {run.config['how']}", flush=True)
    return globals()[run.config["how"]](run)


if __name__ == "__main__":
    job.run(main)
