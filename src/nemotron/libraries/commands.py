"""Running the programs that an installation consists of: logged, heard of, and ended with us."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Report = Callable[[str], None]

_SILENCE_SECONDS = 15.0
_GRACE_SECONDS = 10.0
_NOISE = (" + ", " - ", " ~ ", "Using ", "Creating ", "Activate ")


class CommandFailed(Exception):
    """A program ended with another status than 0: its argv, the status and what it printed."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        super().__init__(f"{argv[0]} ended with status {status}")
        self.argv = list(argv)
        self.status = status
        self.output = output


@dataclass
class Commands:
    """Runs programs in `folder`, writing what they print to `log` and telling `report` the gist.

    They inherit the file descriptor `lock`, and see `environment` as theirs.
    """

    folder: Path
    log: Path
    lock: int
    report: Report
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def run(self, argv: Sequence[str], doing: str, *, quiet: bool = False) -> str:
        """Run a program to its end and return what it printed; raises CommandFailed.

        Whatever interrupts us ends the program first. `doing` says what it does, for when it is silent for
        long; `quiet` keeps its own lines out of the report.
        """
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(f"$ {shlex.join(argv)}\n")
            log.flush()
            process = subprocess.Popen(
                argv,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=(self.lock,),
            )
            printed = []
            try:
                for line in self._lines(process, doing):
                    printed.append(line)
                    log.write(line + "\n")
                    log.flush()
                    if not quiet and _is_gist(line):
                        self.report(line.strip())
                status = process.wait()
            finally:
                _end(process)
        if status != 0:
            raise CommandFailed(argv, status, "\n".join(printed))
        return "\n".join(printed)

    def _lines(self, process: subprocess.Popen[bytes], doing: str) -> Iterator[str]:
        """What the process prints, line by line; reports that it goes on when it is silent for long."""
        assert process.stdout is not None
        descriptor, started, pending = process.stdout.fileno(), time.monotonic(), b""
        while True:
            if not select.select([descriptor], [], [], _SILENCE_SECONDS)[0]:
                self.report(f"… {doing}, {time.monotonic() - started:.0f} s")
                continue
            received = os.read(descriptor, 65536)
            *lines, pending = (pending + received).split(b"\n")
            if not received and pending:
                lines = [pending]
            yield from (line.decode(errors="replace").rstrip() for line in lines)
            if not received:
                return


def _is_gist(line: str) -> bool:
    """Whether a line of uv's tells a person something: not the list of packages, nor the folder."""
    return bool(line.strip()) and not line.startswith(_NOISE)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdout is not None:
        process.stdout.close()
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
