"""Who may run at the same time: the GPUs and cores of this machine, handed out to steps. Asks the machine."""

from __future__ import annotations

from dataclasses import dataclass, field

from nemotron.execution.command import processes_wanted
from nemotron.hardware import probe
from nemotron.planning.request import StepRequest


@dataclass
class Room:
    """The GPUs, by what CUDA calls them, and the cores that are free.

    A step takes its GPUs and a core for each of its processes. One that has to wait keeps its claim: those
    that come after it get only what it leaves, so that a large step is never passed for ever.
    """

    devices: list[str] = field(default_factory=lambda: [gpu.device for gpu in probe.gpus()])
    cores: int = field(default_factory=probe.cores)
    taken: dict[str, tuple[tuple[str, ...], int]] = field(default_factory=dict)
    _claimed_gpus: int = 0
    _claimed_cores: int = 0

    def forget_claims(self) -> None:
        """Begin a new round of asking."""
        self._claimed_gpus = self._claimed_cores = 0

    def enter(self, name: str, request: StepRequest) -> tuple[str, ...] | None:
        """The GPUs that a step may use; None when it has to wait. More cores than there are count as all."""
        cores = min(processes_wanted(request), self.cores)
        used = {device for devices, _ in self.taken.values() for device in devices}
        free = [device for device in self.devices if device not in used]
        free_cores = self.cores - sum(count for _, count in self.taken.values())
        gpus = min(request.gpus, len(self.devices))
        lacks_gpus = gpus > 0 and gpus > len(free) - self._claimed_gpus
        if lacks_gpus or cores > free_cores - self._claimed_cores:
            self._claimed_gpus += gpus
            self._claimed_cores += cores
            return None
        self.taken[name] = tuple(free[:gpus]), cores
        return self.taken[name][0]

    def leave(self, name: str) -> None:
        """A step has ended; what it had is free."""
        self.taken.pop(name, None)
