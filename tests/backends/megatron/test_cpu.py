"""The stand-ins for CUDA: none on a machine that has it. Jobs of other tests show what they do without."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from nemotron.backends.megatron import cpu


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A torch that has CUDA."""
    module = ModuleType("torch")
    module.cuda = ModuleType("torch.cuda")  # type: ignore[attr-defined]
    module.cuda.is_available = lambda: True
    module.nn = ModuleType("torch.nn")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


def test_nothing_is_replaced_on_a_machine_with_cuda(torch: ModuleType) -> None:
    before = {part: dict(vars(getattr(torch, part))) for part in ("cuda", "nn")}
    assert cpu.stand_in_for_cuda() is False
    assert {part: dict(vars(getattr(torch, part))) for part in before} == before
