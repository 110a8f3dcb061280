"""The schemas that are shipped are those of the libraries, made anew from their sources."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SHIPPED = REPOSITORY / "src" / "nemotron" / "checking" / "schemas"
MAKE = REPOSITORY / "scripts" / "make_schemas.py"
# A folder with the unpacked wheels of megatron-bridge and megatron-core: `make_schemas.py` says how.
MEGATRON_SOURCES = "NEMOTRON_MEGATRON_SOURCES"
TYPES = {"integer", "number", "boolean", "string"}


@pytest.fixture(scope="module")
def automodel(automodel_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The schema of the library that is installed, made anew."""
    ask = [str(automodel_python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
    return made_from(site, "automodel", tmp_path_factory.mktemp("schemas"))


@pytest.mark.training
def test_the_shipped_schema_is_what_the_installed_library_says(automodel: dict[str, Any]) -> None:
    # The build of torch is chosen for the machine, so what is said of torch may differ a little.
    assert without_torch(shipped("automodel")) == without_torch(automodel)


@pytest.mark.training
def test_no_keyword_of_the_installed_torch_is_refused(automodel: dict[str, Any]) -> None:
    ours = shipped("automodel")
    for name in (name for name in automodel["targets"] if name.startswith("torch.")):
        assert set(automodel["targets"][name]["keys"]) <= set(ours["targets"][name]["keys"])


def test_the_shipped_schema_is_what_the_sources_of_megatron_bridge_say(tmp_path: Path) -> None:
    sources = os.environ.get(MEGATRON_SOURCES) or fetched(tmp_path / "sources")
    assert made_from(sources, "megatron_bridge", tmp_path) == shipped("megatron_bridge")


def fetched(folder: Path) -> str:
    """The two packages by themselves: they are read, not imported. Without an index the test is skipped."""
    wheels = ["megatron-bridge==0.3.1", "megatron-core==0.16.1"]
    install = ["uv", "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
    done = subprocess.run(
        [*install, "--target", str(folder), *wheels], capture_output=True, text=True, timeout=300
    )
    if done.returncode:
        pytest.skip(f"{' '.join(wheels)} cannot be fetched; {MEGATRON_SOURCES} names a folder that has them")
    return str(folder)


def test_megatron_bridges_schema_has_every_section_of_its_config() -> None:
    schema = shipped("megatron_bridge")
    assert (schema["library"], schema["version"]) == ("megatron_bridge", "0.3.1")
    top = set(schema["sections"][""]["keys"])
    assert {"train", "model", "optimizer", "ddp", "scheduler", "dataset", "logger", "tokenizer"} <= top
    assert {"checkpoint", "dist", "rng", "rerun_state_machine", "mixed_precision", "comm_overlap"} <= top
    assert {"peft", "profiling", "straggler", "nvrx_straggler", "ft", "inprocess_restart"} <= top
    assert sorted(top - schema["sections"].keys()) == []


@pytest.mark.parametrize(
    ("section", "key", "kind"),
    [
        ("train", "global_batch_size", "integer"),
        ("model", "tensor_model_parallel_size", "integer"),  # of megatron-core's ModelParallelConfig
        ("model", "calculate_per_token_loss", "boolean"),  # of megatron-core's TransformerConfig
        ("model", "seq_length", "integer"),  # of the model providers
        ("model", "hybrid_override_pattern", "string"),  # of the Mamba provider
        ("model", "q_lora_rank", "integer"),  # of megatron-core's MLATransformerConfig
        ("model", "pipeline_model_parallel_layout", None),
        ("optimizer", "lr", "number"),
        ("ddp", "average_in_collective", "boolean"),
        ("dataset", "seq_length", "integer"),
        ("dataset", "dataset_root", None),
        ("dataset", "path_to_cache", "string"),
        ("dataset.packed_sequence_specs", "packed_sequence_size", "integer"),
        ("checkpoint", "pretrained_checkpoint", "string"),
        ("tokenizer", "tokenizer_model", None),
        ("peft", "dim", "integer"),
        ("peft", "target_modules", None),
    ],
)
def test_megatron_bridges_schema_knows_a_field_and_its_simple_type(
    section: str, key: str, kind: str | None
) -> None:
    found = shipped("megatron_bridge")["sections"][section]
    assert key in found["keys"]
    assert found["types"].get(key) == kind


def test_what_the_library_sets_itself_is_no_key() -> None:
    sections = shipped("megatron_bridge")["sections"]
    assert "lr_warmup_steps" not in sections["scheduler"]["keys"]
    assert "params_to_save" not in sections["peft"]["keys"]


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.json")), ids=lambda file: file.stem)
def test_a_schema_has_the_shape_that_is_read(file: Path) -> None:
    schema = shipped(file.stem)
    assert schema["library"] == file.stem
    assert schema["sections"][""]["unread"] is not None
    for name, section in schema["sections"].items():
        assert section["keys"] == sorted(set(section["keys"])), name
        assert section.get("types", {}).keys() <= set(section["keys"]), name
        assert set(section.get("types", {}).values()) <= TYPES, name
    for name, target in schema["targets"].items():
        assert target.get("same_as", name) in schema["targets"], name


def made_from(folder: str, library: str, output: Path) -> dict[str, Any]:
    subprocess.run([sys.executable, str(MAKE), folder, "--output", str(output)], check=True)
    return read_schema(output / f"{library}.json")


def shipped(library: str) -> dict[str, Any]:
    return read_schema(SHIPPED / f"{library}.json")


def read_schema(file: Path) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def without_torch(schema: dict[str, Any]) -> dict[str, Any]:
    targets = {name: entry for name, entry in schema["targets"].items() if not name.startswith("torch.")}
    return {**schema, "targets": targets}
