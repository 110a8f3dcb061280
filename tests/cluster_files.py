"""What a cluster of the tests consists of: packages, ports, and the text of its configuration files."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

NODES, CPUS, GPUS = 4, 8, 8
PROGRAMS = {
    "slurmctld": "slurmctld",
    "slurmd": "slurmd",
    "sbatch": "slurm-client",
    "munged": "munge",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "rsync": "rsync",
}
ACCOUNTING_PROGRAMS = {"slurmdbd": "slurmdbd", "mariadbd": "mariadb-server"}
SBIN = "/usr/sbin:/usr/local/sbin:/sbin"


def missing_packages() -> list[str]:
    """The packages that a cluster of tests needs and this machine has not; it needs to be root as well."""
    path = f"{os.environ.get('PATH', '')}:{SBIN}"
    wanted = {**PROGRAMS, **ACCOUNTING_PROGRAMS}
    missing = [package for program, package in wanted.items() if shutil.which(program, path=path) is None]
    return missing if os.getuid() == 0 else [*missing, "(and to be root)"]


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def slurm_conf(folder: Path, ports: list[int], *, accounting: bool) -> str:
    """slurm.conf. Preempted jobs of `spot` get a notice and a minute; those of `batch` two seconds."""
    host = socket.gethostname().split(".")[0]
    run, log = folder / "run", folder / "log"
    nodes = "".join(
        f"NodeName=n{n} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[3 + n]} CPUs={CPUS} "
        f"RealMemory=4000 Gres=gpu:{GPUS} State=UNKNOWN\n"
        for n in range(1, NODES + 1)
    )
    kind = "accounting_storage/slurmdbd" if accounting else "accounting_storage/none"
    storage = (
        f"AccountingStorageHost=localhost\nAccountingStoragePort={ports[1]}\n"
        f"AccountingStoragePass={run / 'munge.sock'}\n"
    )
    # Requeued jobs wait until their credential is out of date: two minutes, also for less than 5.
    return f"""\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={run / "munge.sock"},cred_expire=5
CredType=cred/munge
SlurmctldPort={ports[0]}
StateSaveLocation={folder / "state"}
SlurmdSpoolDir={folder / "spool"}/%n
SlurmctldPidFile={run / "slurmctld.pid"}
SlurmdPidFile={run}/slurmd-%n.pid
SlurmctldLogFile={log / "slurmctld.log"}
SlurmdLogFile={log}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=0,bf_interval=1,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=2
MinJobAge=600
AccountingStorageType={kind}
{storage if accounting else ""}\
GresTypes=gpu
PlugStackConfig={folder / "etc" / "plugstack.conf"}
{nodes}\
PartitionName=batch Nodes=n[1-{NODES}] Default=YES PriorityTier=1 PreemptMode=REQUEUE
PartitionName=spot Nodes=n[1-{NODES}] PriorityTier=1 PreemptMode=REQUEUE GraceTime=60
PartitionName=urgent Nodes=n[1-{NODES}] PriorityTier=10 PreemptMode=OFF
"""


def gres_conf(folder: Path) -> str:
    devices = f"{folder / 'dev'}/nvidia[0-{GPUS - 1}]"
    return "".join(f"NodeName=n{n} Name=gpu Count={GPUS} File={devices}\n" for n in range(1, NODES + 1))


def slurmdbd_conf(folder: Path, ports: list[int]) -> str:
    return f"""\
AuthType=auth/munge
AuthInfo=socket={folder / "run" / "munge.sock"}
DbdHost=localhost
DbdPort={ports[1]}
SlurmUser=root
LogFile={folder / "log" / "slurmdbd.log"}
PidFile={folder / "run" / "slurmdbd.pid"}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[2]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
CommitDelay=1
"""


def sshd_config(folder: Path, ports: list[int], conf: Path) -> str:
    return f"""\
Port {ports[3]}
ListenAddress 127.0.0.1
HostKey {folder / "host_key"}
PidFile {folder / "sshd.pid"}
AuthorizedKeysFile {folder / "authorized_keys"}
PasswordAuthentication no
UsePAM no
PermitRootLogin prohibit-password
StrictModes no
SetEnv SLURM_CONF={conf}
"""


def ssh_config(folder: Path, ports: list[int]) -> str:
    return f"""\
Host cluster
  HostName 127.0.0.1
  Port {ports[3]}
  User root
  IdentityFile {folder / "id"}
  IdentitiesOnly yes
  UserKnownHostsFile {folder / "known_hosts"}
"""
