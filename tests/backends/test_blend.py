"""blend.json as trainers read it: splits under one name each, prefixes absolute, weights untouched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nemotron.backends import blend
from nemotron.backends.job import JobError


def write(folder: Path, content: object) -> Path:
    file = folder / "blend.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return file


def test_prefixes_are_relative_to_the_file_and_weights_stay(tmp_path: Path) -> None:
    file = write(tmp_path, {"train": ["0.3", "a", 2, "sub/b"], "validation": ["/elsewhere/c"]})
    assert blend.read(file) == {
        "train": ["0.3", f"{tmp_path}/a", "2", f"{tmp_path}/sub/b"],
        "valid": ["/elsewhere/c"],
    }


def test_a_folder_means_its_blend(tmp_path: Path) -> None:
    assert blend.file_of(str(tmp_path)) is None
    file = write(tmp_path, {"train": ["a"]})
    assert blend.file_of(str(tmp_path)) == blend.file_of(str(file)) == file
    assert blend.file_of([str(file)]) is None


@pytest.mark.parametrize("content", ["{", "[]", '{"training": ["a"]}'])
def test_another_form_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(JobError) as caught:
        blend.read(write(tmp_path, content))
    assert caught.value.code == "NMT216"
