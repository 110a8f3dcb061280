"""Is what lies at an input the artifact that its port takes? Reads names and the beginning of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from nemotron.artifacts import megatron, weights
from nemotron.artifacts.detect import candidates
from nemotron.config.tree import join_key
from nemotron.diagnostic import Diagnostic, Place, error
from nemotron.planning.request import BoundInput, Source, StepRequest

MEGATRON = "checkpoint_megatron"
SHARDS = "binidx"
WEIGHTS = "checkpoint_hf"


def looks_like_the_type(request: StepRequest) -> Iterator[Diagnostic]:
    """What has no record of its own is recognised by its looks, and taken for nothing else."""
    types = request.types
    for bound, source, file in _things(request):
        wanted = bound.port.type
        if source.record() is not None or wanted not in types:
            continue
        found = candidates(file, types)
        if not found or any(types.accepts(wanted, f) or types.accepts(f, wanted) for f in found):
            continue
        converter = next((to for f in found if (to := types[f].convert_to.get(wanted))), None)
        yield error(
            "NMT302",
            f"{source.value} looks like {' or '.join(found)}, and '{bound.port.name}' takes {wanted}",
            where=_place(request, source),
            fix=f"convert it first: nemotron steps run {converter}"
            if converter
            else f"give {wanted}: {join_key(source.key)}=PATH",
        )


def folders_are_folders(request: StepRequest) -> Iterator[Diagnostic]:
    """A checkpoint is given as its folder, not as a file in it."""
    for bound, source, file in _things(request):
        if bound.port.type not in request.types:
            continue
        looks = request.types[bound.port.type].detect
        wants_folder = any(entry.dir for entry in looks)
        if wants_folder and file.is_file() and not _is_part(bound, file):
            yield error(
                "NMT217",
                f"{source.value} is a file, and '{bound.port.name}' takes a folder ({bound.port.type})",
                where=_place(request, source),
                fix=f"{join_key(source.key)}={Path(source.value).parent}",
            )


def megatron_checkpoints_are_iterations(request: StepRequest) -> Iterator[Diagnostic]:
    """A Megatron checkpoint is one `iter_*` folder of a run: which one is the user's choice."""
    for bound, source, folder in _things(request):
        if bound.port.type != MEGATRON or not folder.is_dir():
            continue
        key = join_key(source.key)
        if megatron.iterations(folder):
            newest = megatron.newest_complete(folder)
            yield error(
                "NMT306",
                f"{source.value} is the folder of a run, not one of its checkpoints",
                where=_place(request, source),
                fix=f"{key}={Path(source.value) / newest.name}"
                if newest
                else "none of its iter_* folders was written to its end",
            )
        elif megatron.iteration_of(folder) >= 0 and not megatron.is_complete(folder):
            newest = megatron.newest_complete(folder.parent)
            yield error(
                "NMT308",
                f"{source.value} was not written to its end",
                where=_place(request, source),
                fix=f"{key}={Path(source.value).parent / newest.name}" if newest else "save it again",
            )


def sharded_weights_are_whole(request: StepRequest) -> Iterator[Diagnostic]:
    """The index of a Hugging Face checkpoint and its shards name the same weights."""
    for bound, source, folder in _things(request):
        if bound.port.type != WEIGHTS or not folder.is_dir():
            continue
        if (fault := weights.first_fault(folder)) is not None:
            file, what = fault
            yield error(
                "NMT345",
                f"{source.value}: {file.name} {what}",
                where=_place(request, source),
                fix="copy or download the checkpoint again, all files of one version",
            )


def shards_belong_together(request: StepRequest) -> Iterator[Diagnostic]:
    """The shards beside a blend.json are those that it names."""
    for bound, source, file in _things(request):
        folder = file.parent if file.name == "blend.json" else file
        if bound.port.type != SHARDS or not (folder / "blend.json").is_file():
            continue
        missing, left_over = megatron.shards_missing(folder), megatron.shards_left_over(folder)
        if not missing and not left_over:
            continue
        what = f"names {missing[0]}, which is not there" if missing else f"does not name {left_over[0]}"
        more = len(missing or left_over) - 1
        yield error(
            "NMT307",
            f"{source.value}: blend.json {what}{f' (and {more} more)' if more else ''}",
            detail="the shards and blend.json come from different runs, or some were moved",
            where=Place(str(folder / "blend.json"), 1, 1),
            fix="prepare the data again into an empty folder, or copy the whole folder",
        )


def _things(request: StepRequest) -> Iterator[tuple[BoundInput, Source, Path]]:
    for bound in request.inputs:
        for source in bound.sources:
            for file in source.files[:1]:
                yield bound, source, file


def _is_part(bound: BoundInput, file: Path) -> bool:
    """Whether a file of the folder stands for all of it: a blend.json, or a single shard of packs."""
    return (bound.port.type == SHARDS and file.name == "blend.json") or file.suffix in (".parquet", ".npy")


def _place(request: StepRequest, source: Source) -> Place | None:
    return request.config.document.place(source.key)
