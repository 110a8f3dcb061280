"""Where `sbatch` is: this machine, or one that the `ssh` program reaches. Starts ssh, bash, rsync and tar.

Whatever stands in ~/.ssh/config works. One connection serves all commands of this process, unless that file
shares connections by itself already.
"""

from __future__ import annotations

import atexit
import contextlib
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from nemotron.diagnostic import Diagnostic, Failure, Severity

if TYPE_CHECKING:
    from nemotron.profiles.profile import Profile

_CONNECT_SECONDS = 15
_ANSWER_SECONDS = 120
LONG_SECONDS = 1800  # for copying, and for what goes through many files
_SSH_FAILED = 255
_NO_RSYNC = "rsync: command not found", "rsync: not found"


class Unanswered(Failure):
    """A host or a scheduler that did not answer: exit code 4."""

    @property
    def exit_code(self) -> int:
        return 4


@dataclass(frozen=True)
class Answer:
    """How a command ended on the host."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Host:
    """A machine with `sbatch`; `name` is None for this one."""

    name: str | None = None
    user: str | None = None
    port: int | None = None
    identity: str | None = None

    @classmethod
    def of(cls, profile: Profile) -> Host:
        """The host that a profile names."""
        return cls(profile.host, profile.user, profile.port, profile.identity)

    def __str__(self) -> str:
        return self.name or "this machine"

    def run(self, script: str, seconds: float = _ANSWER_SECONDS) -> Answer:
        """Run a bash script there. Failure NMT650 (exit code 4) where the host does not answer in time."""
        return self._ask([*self._prefix, *self._shell("-s")], script, seconds)

    def start(self, script: str, errors: IO[str]) -> subprocess.Popen[str]:
        """Start a script that lies there, to talk to it: its stdin and stdout are pipes."""
        return subprocess.Popen(
            [*self._prefix, *self._shell(shlex.quote(script) if self.name else script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
        )

    def send(self, folder: Path, names: Sequence[str], target: str) -> None:
        """Copy what has these names in a folder into one there, links as what they point to. NMT650."""
        place = shlex.quote(target)
        options = ["-aLR", "--exclude=__pycache__"]
        if not self._rsync(
            f"umask 077; mkdir -p {place}", options, [f"{folder}/./{n}" for n in names], target
        ):
            pack = ["tar", "-C", str(folder), "-chzf", "-", "--exclude=__pycache__", *names]
            unpack = f"umask 077; mkdir -p {place} && tar -C {place} -xzf -"
            self._pipe(pack, [*self._prefix, *self._shell("-c", self._quoted(unpack))])

    def fetch(self, source: str, folder: Path, names: Sequence[str], depth: int) -> None:
        """Copy what is new of the files of these names, at most `depth` folders down. Failure NMT650."""
        folder.mkdir(parents=True, exist_ok=True)
        chosen = [option for name in names for option in ("--include", name)]
        options = ["-rt", "--no-links", "--prune-empty-dirs", "--exclude=/code", "--include=*/", *chosen]
        if self._rsync("", [*options, "--exclude=*"], [f"{source}/"], str(folder), fetches=True):
            return
        matching = " -o ".join(f"-name {shlex.quote(name)}" for name in names)
        place = shlex.quote(source)
        pack = (
            f"cd {place} && find . -maxdepth {depth} -path ./code -prune -o -type f "
            f"\\( {matching} \\) -print0 | tar -czf - --null -T -"
        )
        packed = [*self._prefix, *self._shell("-c", self._quoted(pack))]
        self._pipe(packed, ["tar", "-C", str(folder), "-xzf", "-"])

    def _rsync(
        self, before: str, options: list[str], sources: list[str], target: str, *, fetches: bool = False
    ) -> bool:
        """Whether rsync copied it; False where a side has no rsync."""
        if shutil.which("rsync") is None:
            return False
        if self.name is None:
            if before:
                self.run(before)
            argv = ["rsync", *options, *sources, target]
        else:
            ssh, there = self._prefix[:-1], self._prefix[-1]
            far = [f"--rsync-path={before} && rsync"] if before else []
            ends = [f"{there}:{sources[0]}", target] if fetches else [*sources, f"{there}:{target}"]
            argv = ["rsync", *options, *far, "--protect-args", "-e", shlex.join(ssh), *ends]
        answer = self._ask(argv, "", LONG_SECONDS)
        if any(sign in answer.errors for sign in _NO_RSYNC):
            return False
        if answer.code not in (0, 24):  # 24: a file went away while it was copied
            raise unanswered(self, argv, answer.errors)
        return True

    def _pipe(self, first: list[str], second: list[str]) -> None:
        """Run two commands, one's stdout the other's stdin. Failure NMT650 where one fails."""
        nothing = subprocess.DEVNULL
        with subprocess.Popen(first, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing) as source:
            done = subprocess.run(
                second, stdin=source.stdout, capture_output=True, text=True, errors="replace"
            )
        if done.returncode or source.returncode:
            raise unanswered(self, second if done.returncode else first, done.stderr)

    def _ask(self, argv: list[str], stdin: str, seconds: float) -> Answer:
        try:
            done = subprocess.run(
                argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=seconds
            )
        except FileNotFoundError as problem:
            raise unanswered(self, argv, str(problem)) from problem
        except subprocess.TimeoutExpired as problem:
            raise unanswered(self, argv, f"no answer within {seconds:.0f} s") from problem
        if done.returncode == _SSH_FAILED and self.name is not None:
            raise unanswered(self, argv, done.stderr)
        return Answer(done.returncode, done.stdout, done.stderr)

    def _shell(self, *arguments: str) -> list[str]:
        """bash; over ssh a login shell, as clusters set PATH in their profile scripts."""
        return ["bash", *(["-l"] if self.name else []), *arguments]

    def _quoted(self, script: str) -> str:
        """One argument of a command line there: ssh hands its arguments to a shell."""
        return shlex.quote(script) if self.name else script

    @cached_property
    def _prefix(self) -> list[str]:
        """`ssh … HOST`; nothing for this machine."""
        if self.name is None:
            return []
        login = [
            *(["-l", self.user] if self.user else []),
            *(["-p", str(self.port)] if self.port else []),
            *(["-i", str(Path(self.identity).expanduser())] if self.identity else []),
        ]
        keep = ["ServerAliveInterval=15", "ServerAliveCountMax=4", f"ConnectTimeout={_CONNECT_SECONDS}"]
        options = [word for option in ["BatchMode=yes", *keep] for word in ("-o", option)]
        return ["ssh", *login, *options, *self._sharing([*login, self.name]), self.name]

    def _sharing(self, destination: list[str]) -> list[str]:
        """Options that share one connection while this process lives; none where the user's do."""
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            told = subprocess.run(
                ["ssh", "-G", *destination], capture_output=True, text=True, timeout=_CONNECT_SECONDS
            )
            if any(line.startswith("controlpath ") for line in told.stdout.splitlines()):
                return []
        # Sockets have short names: not below a project's own folder.
        folder = tempfile.mkdtemp(prefix="nemotron-ssh-")
        path = f"ControlPath={folder}/%C"
        atexit.register(_end_sharing, folder, ["ssh", "-o", path, "-O", "exit", *destination])
        return ["-o", "ControlMaster=auto", "-o", path, "-o", "ControlPersist=60"]


def _end_sharing(folder: str, command: list[str]) -> None:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, capture_output=True, timeout=5)
    shutil.rmtree(folder, ignore_errors=True)


def unanswered(host: Host, argv: Sequence[str], errors: str) -> Unanswered:
    """The failure of a host that did not answer: the command that failed, and its error."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("ssh:")] or lines
    return Unanswered(
        Diagnostic(
            "NMT650",
            Severity.BLOCKED,
            f"{host} did not answer: {said[-1] if said else 'it said nothing'}",
            detail=f"the command that failed: {shlex.join(_without_options(argv))}",
            fix="try it by hand; `nemotron env check PROFILE` looks at every part of the way",
        )
    )


def _without_options(argv: Sequence[str]) -> list[str]:
    """A command without the ssh options that we add."""
    short: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "-o":
            next(words, None)
        else:
            short.append(word)
    return short
