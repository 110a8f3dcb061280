"""A Slurm of the tests' own: four nodes with pretended GPUs on this machine, and an ssh server before it.

Starts munged, slurmctld, a slurmd for each node, sshd, and with accounting slurmdbd and a database, all in
the foreground as children of the test process, with sockets, keys and ports of their own below one folder.
`stop` ends them by their ids; they end too when the test process dies, however it dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cluster_files as files
from cluster_files import GPUS, NODES, SBIN, free_ports
from process_tree import descendants, environment_of, name_of, sessions

_PR_SET_PDEATHSIG = 1


@dataclass
class Cluster:
    """A cluster in `folder`, a short path as sockets lie in it. `conf` is its slurm.conf."""

    folder: Path
    accounting: bool = False
    daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def conf(self) -> Path:
        return self.folder / "etc" / "slurm.conf"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh" / "config"

    @property
    def bin(self) -> Path:
        """A folder for the PATH, whose `ssh` knows the host `cluster`."""
        return self.folder / "bin"

    def start(self) -> None:
        """Start everything and wait until every node is idle."""
        for name in ("etc", "run", "log", "state", "spool", "dev", "ssh"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.ports = free_ports(4 + NODES)
        self._start_munge()
        (self.folder / "etc" / "plugstack.conf").touch()
        self.conf.write_text(files.slurm_conf(self.folder, self.ports, accounting=self.accounting))
        (self.folder / "etc" / "gres.conf").write_text(files.gres_conf(self.folder))
        for number in range(GPUS):  # slurmd drops GPUs without a device; nothing opens these
            device = self.folder / "dev" / f"nvidia{number}"
            os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(195, number))
        if self.accounting:
            self._start_accounting()
        self._daemon("slurmctld", "slurmctld", "-D", "-i")
        for node in range(1, NODES + 1):
            (self.folder / "spool" / f"n{node}").mkdir()
            self._daemon(f"slurmd-n{node}", "slurmd", "-D", "-N", f"n{node}")
        self._start_sshd()
        idle = ["sinfo", "-h", "-N", "-p", "batch", "-t", "idle", "-o", "%N"]
        self._wait(lambda: len(self.command(*idle).split()) == NODES, "idle nodes")

    def stop(self) -> None:
        """End every daemon, those that were started last first."""
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
        for daemon in reversed(self.daemons.values()):
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.daemons.clear()

    def command(self, *argv: str) -> str:
        """What a command of Slurm prints; empty when it fails."""
        environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60).stdout

    def jobs(self) -> dict[str, str]:
        """Name → state of every job in the queue, none that has ended."""
        rows = self.command("squeue", "-h", "-o", "%j|%T").splitlines()
        return dict(row.split("|") for row in rows)

    def stop_sshd(self) -> None:
        """The host cannot be reached any more, and those connected to it are cut off."""
        sshd = self.daemons.pop("sshd")
        self._kill(sessions(sshd.pid))
        sshd.kill()
        sshd.wait()

    def start_sshd(self) -> None:
        self._daemon(
            "sshd", self._program("sshd"), "-D", "-f", str(self.folder / "ssh" / "sshd_config"), "-e"
        )
        self._wait(self._answers, "ssh server")

    def cut_connections(self) -> None:
        """End every ssh connection that there is; new ones are taken, and what was started goes on."""
        self._kill(sessions(self.daemons["sshd"].pid))

    def kill_sessions(self) -> None:
        """End every ssh connection, and what was started through it: the host itself went down."""
        self._kill(descendants(self.daemons["sshd"].pid))

    def pause_scheduler(self) -> None:
        """The controller answers nobody until `continue_scheduler`."""
        self.daemons["slurmctld"].send_signal(signal.SIGSTOP)

    def continue_scheduler(self) -> None:
        self.daemons["slurmctld"].send_signal(signal.SIGCONT)

    def fail_node(self, node: str) -> None:
        """A node dies with everything that runs on it, in a moment; Slurm is told."""
        marked = f"SLURM_CONF={self.conf}"
        steps = [
            int(folder.name)
            for folder in Path("/proc").iterdir()
            if folder.name.isdigit() and name_of(int(folder.name)) == "slurmstepd"
        ]
        own = [pid for pid in steps if marked in environment_of(pid)]
        self._kill([each for pid in own for each in (pid, *descendants(pid))])
        self.command("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")

    def forget_jobs(self) -> None:
        """What has left the queue is forgotten by all but the accounting."""
        text = self.conf.read_text(encoding="utf-8").replace("MinJobAge=600", "MinJobAge=2")
        self.conf.write_text(text, encoding="utf-8")
        self.command("scontrol", "reconfigure")
        self._wait(lambda: not self.command("squeue", "-h", "-t", "all"), "empty memory")

    def repair_node(self, node: str) -> None:
        self.command("scontrol", "update", f"NodeName={node}", "State=RESUME")

    def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.ports[3])) == 0

    def _start_munge(self) -> None:
        key = self.folder / "run" / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        run = self.folder / "run"
        self._daemon(
            "munged",
            "munged",
            "--foreground",
            "--force",
            f"--key-file={key}",
            f"--socket={run / 'munge.sock'}",
            f"--pid-file={run / 'munged.pid'}",
            f"--log-file={self.folder / 'log' / 'munged.log'}",
            f"--seed-file={run / 'munge.seed'}",
        )
        self._wait((run / "munge.sock").exists, "munge socket")

    def _start_accounting(self) -> None:
        database, run = self.folder / "mysql", self.folder / "run"
        user = ["--no-defaults", "--user=root", f"--datadir={database}"]
        made = ["mariadb-install-db", *user, "--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run(made, check=True, capture_output=True, timeout=120)
        address = [f"--socket={run / 'mysql.sock'}", f"--port={self.ports[2]}", "--bind-address=127.0.0.1"]
        self._daemon("mariadbd", "mariadbd", *user, *address, "--innodb-buffer-pool-size=128M")
        client = ["mariadb", "--no-defaults", "-uroot", "-S", str(run / "mysql.sock"), "-e"]
        self._wait(lambda: subprocess.run([*client, ""], capture_output=True).returncode == 0, "database")
        grants = [
            f"create user slurm@'{host}' identified by 'slurm'; "
            f"grant all on slurm_acct_db.* to slurm@'{host}';"
            for host in ("localhost", "127.0.0.1")
        ]
        subprocess.run([*client, "".join(grants)], check=True, capture_output=True)
        file = self.folder / "etc" / "slurmdbd.conf"
        file.write_text(files.slurmdbd_conf(self.folder, self.ports), encoding="utf-8")
        file.chmod(0o600)
        self._daemon("slurmdbd", "slurmdbd", "-D")
        clusters = ["sacctmgr", "-n", "-i", "add", "cluster", "tests"]
        self._wait(lambda: "tests" in self.command(*clusters), "accounting")
        self.command("sacctmgr", "-i", "add", "account", "default", "Description=d", "Organization=o")
        self.command("sacctmgr", "-i", "add", "user", "root", "DefaultAccount=default")

    def _start_sshd(self) -> None:
        folder = self.folder / "ssh"
        folder.chmod(0o700)
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd insists on it
        for name in ("host_key", "id"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True
            )
        shutil.copy(folder / "id.pub", folder / "authorized_keys")
        server = files.sshd_config(folder, self.ports, self.conf)
        (folder / "sshd_config").write_text(server, encoding="utf-8")
        host_key = (folder / "host_key.pub").read_text(encoding="utf-8").split()[:2]
        known = f"[127.0.0.1]:{self.ports[3]} {' '.join(host_key)}\n"
        (folder / "known_hosts").write_text(known, encoding="utf-8")
        self.ssh_config.write_text(files.ssh_config(folder, self.ports), encoding="utf-8")
        # ssh reads the configuration of the account, not of $HOME: this `ssh` reads the cluster's.
        self.bin.mkdir()
        wrapper = self.bin / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {self._program("ssh")} -F {self.ssh_config} "$@"\n')
        wrapper.chmod(0o755)
        self.start_sshd()

    def _program(self, name: str) -> str:
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")
        assert found is not None, f"{name} is not installed"
        return found

    def _daemon(self, name: str, program: str, *arguments: str) -> None:
        environment = {**os.environ, "SLURM_CONF": str(self.conf)}
        with open(self.folder / "log" / f"{name}.out", "ab") as log:
            self.daemons[name] = subprocess.Popen(
                [self._program(program), *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
                cwd=self.folder,
            )

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            dead = [name for name, daemon in self.daemons.items() if daemon.poll() is not None]
            if dead or time.monotonic() > deadline:
                logs = {name: self._end_of_log(name) for name in dead or self.daemons}
                raise RuntimeError(f"no {what}: {logs}")
            time.sleep(0.05)

    def _end_of_log(self, name: str) -> str:
        return (self.folder / "log" / f"{name}.out").read_text(errors="replace")[-500:]


def _end_with_parent() -> None:
    """The kernel sends TERM to this process when the one that started it dies."""
    os.setsid()  # Ctrl-C in the terminal is for the tests alone; they end the daemons
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
