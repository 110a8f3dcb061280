"""Work-arounds apply where their condition is seen, and only there. The library is a few files made here."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nemotron.backends.megatron import compat

UTILS = "def compile_helpers():\n    raise SystemExit('make: no targets')\n"
INITIALIZE = "from megatron.core.datasets.utils import compile_helpers\n"


@pytest.fixture
def megatron(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package `megatron` whose data set helpers are compiled, as in the wheel; its folder."""
    folder = tmp_path / "megatron"
    files = {
        "core/datasets/utils.py": UTILS,
        "core/datasets/helpers_cpp.py": "",
        "bridge/training/initialize.py": INITIALIZE,
    }
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "megatron"]:
        del sys.modules[name]


def compiles() -> bool:
    """Whether training gets past its call of `compile_helpers`."""
    initialize = importlib.import_module("megatron.bridge.training.initialize")
    compat.use_compiled_dataset_helpers()
    try:
        initialize.compile_helpers()
    except SystemExit:
        return False
    return "megatron.core.datasets.helpers_cpp" in sys.modules


def test_compiled_helpers_are_imported_where_nothing_can_compile_them(megatron: Path) -> None:
    assert compiles()


def test_a_makefile_does_its_work(megatron: Path) -> None:
    (megatron / "core" / "datasets" / "Makefile").write_text("all:\n")
    assert not compiles()


def test_without_compiled_helpers_the_library_is_left_alone(megatron: Path) -> None:
    (megatron / "core" / "datasets" / "helpers_cpp.py").unlink()
    assert not compiles()


def test_a_package_for_vision_data_that_is_not_there_is_empty(megatron: Path) -> None:
    compat.import_without_vision_data()
    compat.import_without_vision_data()
    module = importlib.import_module("megatron.energon.flavors.base_dataset")

    base = module.Sample

    class Sample(base[int]):  # type: ignore[misc]
        cooker = module.Cooker(print)

    assert issubclass(Sample, base)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("megatron.other")


def test_a_package_for_vision_data_that_is_there_is_taken(megatron: Path) -> None:
    (megatron / "energon").mkdir()
    (megatron / "energon" / "__init__.py").write_text("REAL = True\n")
    compat.import_without_vision_data()
    assert importlib.import_module("megatron.energon").REAL
