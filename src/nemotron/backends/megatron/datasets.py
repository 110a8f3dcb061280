"""The `dataset` section as the library's config: packed conversations, chat JSONL, or bin/idx shards.

The library writes index files beside the data that it reads, so JSONL is linked into the attempt's folder
first. It also waits for ever on a split with less than one global batch: that is found here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.backends import blend
from nemotron.backends.job import Job, JobError
from nemotron.backends.megatron.fields import Setter

CHAT = {"chat": True, "use_hf_tokenizer_chat_template": True}
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
_BLOCK = 1 << 24
_METADATA = "metadata.json"


@dataclass(frozen=True)
class Splits:
    """The files of the training and of the validation split; None where there is no validation data."""

    train: Path
    validation: Path | None


def pretraining(section: Mapping[str, Any], setter: Setter) -> Any:
    """Bin/idx shards: a blend.json, or weights and prefixes in turn."""
    from megatron.bridge.training.config import GPTDatasetConfig
    from megatron.core.datasets.utils import get_blend_from_list

    section = dict(section)
    paths = section.pop("data_paths")
    dataset = GPTDatasetConfig(
        seq_length=section["seq_length"],
        random_seed=1234,
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        dataloader_type="single",
    )
    file = blend.file_of(paths)
    if file is not None:
        splits = blend.read(file)
        dataset.blend_per_split = [
            get_blend_from_list(splits.get(name)) for name in ("train", "valid", "test")
        ]
    elif isinstance(paths, list):
        dataset.blend = get_blend_from_list([str(entry) for entry in paths])
    else:
        raise JobError(
            "NMT843",
            f"'dataset.data_paths' names no bin/idx data: {paths}",
            file=setter.file,
            fix="dataset.data_paths=FOLDER, one that data_prep/pretrain_prep made",
        )
    setter.set_all(dataset, section, ("dataset",))
    return dataset


def has_validation(dataset: Any) -> bool:
    """Whether a bin/idx data set has a validation split; one that the library splits itself does."""
    splits = dataset.blend_per_split
    return splits is None or splits[1] is not None


def conversations(job: Job, section: Mapping[str, Any], setter: Setter, global_batch: int) -> Any:
    """Packed conversations, or chat JSONL. JobError NMT843 when there are none, NMT844 for too few."""
    from megatron.bridge.data.datasets.packed_sequence import PackedSequenceSpecs
    from megatron.bridge.training.config import FinetuningDatasetConfig

    section, packing = dict(section), dict(section.get("packed_sequence_specs") or {})
    folder = job.folder / "data"
    dataset = FinetuningDatasetConfig(seq_length=section["seq_length"], dataset_root=folder, do_test=False)
    named = packing.pop("packed_train_data_path", None)
    if named:
        splits = packed_splits(Path(named), packing.pop("packed_val_data_path", None))
        dataset.packed_sequence_specs = PackedSequenceSpecs(
            packed_train_data_path=str(splits.train),
            packed_val_data_path=str(splits.validation) if splits.validation else None,
            packed_metadata_path=str(_metadata(splits.train, folder)),
        )
        setter.set_all(dataset.packed_sequence_specs, packing, ("dataset", "packed_sequence_specs"))
    else:
        splits = chat_splits(section.get("dataset_root"))
        dataset.dataset_kwargs = dict(CHAT)
    if job.is_main:
        _link(folder, splits, packed=bool(named))
    for key in ("packed_sequence_specs", "dataset_root"):
        section.pop(key, None)
    setter.set_all(dataset, section, ("dataset",))
    _check_sizes(dataset, splits, global_batch)
    return dataset


def packed_splits(named: Path, validation: str | None) -> Splits:
    """The `.npy` files of an artifact of packed conversations, or of files that are named themselves."""
    train = _one_packed(named, "train")
    if train is None:
        raise JobError(
            "NMT843",
            f"no packed conversations as .npy in {named}",
            file=named,
            fix="pack them with data_prep/sft_packing and format=npy, or format=both",
        )
    beside = _one_packed(Path(validation) if validation else named, "valid")
    return Splits(train, beside if beside != train else None)


def _one_packed(named: Path, split: str) -> Path | None:
    if named.suffix == ".npy":
        return named if named.is_file() else None
    for pattern in (f"{split}/*.npy", f"{split}*.npy"):
        if found := sorted(named.glob(pattern)):
            return found[0]
    return None


def _metadata(packs: Path, folder: Path) -> Path:
    """What was measured of the packs; the library opens it even where it reads nothing from it."""
    beside = packs.with_name(_METADATA)
    return beside if beside.is_file() else folder / _METADATA


def chat_splits(named: str | None) -> Splits:
    """A JSONL file, or a folder with training.jsonl and, if there is one, validation.jsonl."""
    path = Path(named) if named else None
    if path is not None and path.is_file():
        return Splits(path, None)
    if path is not None and (path / "training.jsonl").is_file():
        validation = path / "validation.jsonl"
        return Splits(path / "training.jsonl", validation if validation.is_file() else None)
    raise JobError(
        "NMT843",
        f"no conversations at {named}" if named else "the config names no data",
        file=path,
        fix="dataset.dataset_root=FILE.jsonl, or a folder with training.jsonl and validation.jsonl",
    )


def require_generation_markers(tokenizer_folder: Path) -> None:
    """JobError NMT846 when the chat template does not mark the assistant's turns.

    The library would then train on every token of a conversation, the user's words included.
    """
    from transformers import AutoTokenizer

    template = AutoTokenizer.from_pretrained(tokenizer_folder).chat_template
    if isinstance(template, str) and _GENERATION.search(template):
        return
    raise JobError(
        "NMT846",
        "the chat template does not mark the assistant's turns with {% generation %}: "
        "conversations that are not packed would be learnt whole, the user's words included",
        file=tokenizer_folder,
        fix="pack them first with data_prep/sft_packing, which finds the assistant's turns itself",
    )


def _link(folder: Path, splits: Splits, *, packed: bool) -> None:
    """Link JSONL to where the library looks for it; make the folder that it takes either way."""
    folder.mkdir(exist_ok=True)
    if packed:
        (folder / _METADATA).write_text("[]", encoding="utf-8")
        return
    for name, file in (("training", splits.train), ("validation", splits.validation)):
        link = folder / f"{name}.jsonl"
        if file is not None and not link.is_symlink():
            link.symlink_to(file.resolve())


def _check_sizes(dataset: Any, splits: Splits, global_batch: int) -> None:
    """Turn validation off where there is too little; JobError NMT844 when training has too little."""
    if (records := _count(splits.train)) < global_batch:
        raise JobError(
            "NMT844",
            f"{splits.train.name} holds {records} records, fewer than one global batch ({global_batch})",
            file=splits.train,
            fix=f"train.global_batch_size={records}, or more data",
        )
    if not dataset.do_validation:
        return
    held = _count(splits.validation) if splits.validation else 0
    if held < global_batch:
        print(f"no validation: there are {held} records for it, and a global batch takes {global_batch}")
        dataset.do_validation = False


def _count(file: Path) -> int:
    """The packs of a .npy file, or the lines of a JSONL file."""
    if file.suffix == ".npy":
        from numpy.lib import format as npy

        with open(file, "rb") as stream:
            read = (
                npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
            )
            return int(read(stream)[0][0])
    with open(file, "rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(_BLOCK), b""))
