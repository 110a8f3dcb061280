"""One profile: where steps run and with what, as `env.toml` writes it. Pure; `load` reads the files."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from nemotron.diagnostic import Place
from nemotron.files import home
from nemotron.nearest import did_you_mean

LOCAL, SLURM = "local", "slurm"
# Names of executors that people know from elsewhere, and what is missing here to use them.
GAPS = {
    "lepton": "DGX Cloud Lepton is not reached yet",
    "dgxcloud": "DGX Cloud (Run:ai) is not reached yet",
    "kubernetes": "Kubernetes is not reached yet",
    "kubeflow": "Kubeflow is not reached yet",
    "skypilot": "SkyPilot is not reached yet",
    "docker": "containers are started through Slurm only",
}
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIME = re.compile(r"(?:(\d+)-)?(\d{1,3}):([0-5]\d):([0-5]\d)")


class Mount(NamedTuple):
    """A folder of this machine and what it is called where the job runs."""

    local: PurePosixPath
    cluster: PurePosixPath

    def __str__(self) -> str:
        return str(self.local) if self.local == self.cluster else f"{self.local}:{self.cluster}"


def _mount(value: Any) -> Any:
    """`local:cluster`, or one path that is the same on both sides."""
    if not isinstance(value, str):
        return value
    local, colon, cluster = value.partition(":")
    paths = [_expanded(local), PurePosixPath(cluster) if colon else _expanded(local)]
    if not all(path.is_absolute() for path in paths):
        raise ValueError(f"'{value}' must be LOCAL:CLUSTER, or one path, each absolute (or below ~ here)")
    return Mount(*paths)


def _expanded(path: str) -> PurePosixPath:
    own = home()
    if own is not None and (path == "~" or path.startswith("~/")):
        return PurePosixPath(own) / path[2:]
    return PurePosixPath(path)


def _text(value: Any) -> Any:
    """A variable as a process gets it: a boolean as `true` or `false`, a number by its digits."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _variable(name: str) -> str:
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"'{name}' is no name of an environment variable")
    return name


def _option(value: str) -> str:
    if not re.match(r"-[A-Za-z]|--[a-z]", value) or "\n" in value:
        raise ValueError(f"'{value}' is no option of sbatch, as in --comment=text")
    return value


Variable = Annotated[str, BeforeValidator(_variable)]
Text = Annotated[str, BeforeValidator(_text, json_schema_input_type=str | int | float | bool)]
Word = Annotated[str, Field(pattern=r"^[^\s'\"$`\\]+$")]
Lines = tuple[Annotated[str, Field(min_length=1)], ...]


class Settings(BaseModel):
    """The keys of a profile's table. A key that is absent is not asked for; README and env.example.toml
    say the same for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extends: str | None = Field(None, description="The profile that this one builds on.")
    executor: str = Field(LOCAL, description="`local`, or `slurm`.")
    nodes: int | None = Field(None, ge=1, description="Nodes of a step, and the most that one may ask for.")
    gpus_per_node: int | None = Field(None, ge=0, description="GPUs of each node; 0 has none.")
    gpu: str | None = Field(None, description="The kind of the GPUs: h100, h200, …")
    libraries: tuple[str, ...] | None = Field(
        None, description="The libraries that it serves; absent: every one."
    )
    container_image: str | None = Field(None, description="The image that steps run in (pyxis).")
    mounts: tuple[Annotated[Mount, BeforeValidator(_mount, json_schema_input_type=str)], ...] = Field(
        (), description="`local:cluster`, or one path that is the same on both sides."
    )
    env_vars: dict[Variable, Text] = Field(
        default_factory=dict, description="Variables of the job; never a secret."
    )
    setup: Lines = Field((), description="Shell commands before the job's, as in a module load.")
    python: str | None = Field(None, description="The job's Python; absent: that of the step's library.")
    remote_job_dir: str | None = Field(None, description="A folder that all nodes of the cluster see.")
    secrets: tuple[Variable, ...] = Field(
        (), description="Names of environment variables whose values are handed on."
    )
    host: Word | None = Field(
        None, description="Where sbatch is: a name of ~/.ssh/config; absent: this machine."
    )
    user: Word | None = Field(None, description="The user there.")
    identity: str | None = Field(None, description="The file of the ssh key.")
    port: int | None = Field(None, ge=1, le=65535, description="The port of ssh.")
    account: Word | None = Field(None, description="The account that is charged.")
    partition: Word | None = Field(None, description="The partition; several with commas.")
    qos: Word | None = Field(None, description="The quality of service.")
    time: str | None = Field(None, description="The longest that a job may take: HH:MM:SS or D-HH:MM:SS.")
    mem: str | None = Field(None, pattern=r"^\d+[KMGT]?$", description="Memory of a node: 64G; 0 is all.")
    cpus_per_task: int | None = Field(None, ge=1, description="CPU cores of each node that a job gets.")
    exclusive: bool = Field(False, description="Share the nodes with no other job.")
    constraint: str | None = Field(None, min_length=1, description="Features that the nodes must have.")
    retries: int = Field(0, ge=0, description="How often a job that failed is tried again.")
    sbatch: tuple[Annotated[str, BeforeValidator(_option)], ...] = Field(
        (), description="Further options of sbatch, as in --comment=text."
    )

    @field_validator("executor")
    @classmethod
    def _known_executor(cls, value: str) -> str:
        known = (LOCAL, SLURM, *GAPS)
        if value not in known:
            hint = did_you_mean(value, known) or f"one of {LOCAL}, {SLURM}"
            raise ValueError(f"there is no executor '{value}': {hint}")
        return value

    @field_validator("time")
    @classmethod
    def _a_time(cls, value: str | None) -> str | None:
        if value is not None and not _TIME.fullmatch(value):
            raise ValueError(f"'{value}' must be HH:MM:SS or D-HH:MM:SS")
        return value

    @field_validator("remote_job_dir")
    @classmethod
    def _a_folder(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("/"):
            raise ValueError(f"'{value}' must be an absolute path")
        return value


class Profile(Settings):
    """A resolved profile: what it extends is merged in. `places` says where each dotted key was stated."""

    name: str
    file: Path
    places: dict[str, Place] = Field(default_factory=dict, repr=False)

    @property
    def is_local(self) -> bool:
        return self.executor == LOCAL

    @property
    def time_seconds(self) -> int | None:
        """`time` in seconds."""
        if self.time is None:
            return None
        match = _TIME.fullmatch(self.time)
        assert match is not None  # the validator saw to it
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds

    @property
    def gpus(self) -> int | None:
        """All GPUs that it has: nodes × GPUs per node."""
        return None if self.gpus_per_node is None else (self.nodes or 1) * self.gpus_per_node

    def place(self, key: str) -> Place:
        """Where a dotted key was stated, else the table around it."""
        parts = key.split(".")
        around = (".".join(parts[:end]) for end in range(len(parts), -1, -1))
        return next((self.places[each] for each in around if each in self.places), Place(str(self.file)))
