"""`nemotron explain`."""

from __future__ import annotations

import json

from catalogs.helpers import Nemotron

from nemotron.checking.codes import all_codes


def test_a_code_is_explained_in_either_case(nemotron: Nemotron) -> None:
    known = all_codes()[0]
    for written in (known.code, known.code.lower()):
        ended = nemotron("explain", written)
        assert ended.returncode == 0
        assert ended.stdout.startswith(f"{known.code}  {known.title}\n")
        assert " ".join(known.explanation.split()) in " ".join(ended.stdout.split())


def test_without_a_code_all_of_them_are_listed(nemotron: Nemotron) -> None:
    listed = [line.split("  ")[0] for line in nemotron("explain").stdout.splitlines()]
    assert listed == [entry.code for entry in all_codes()]
    told = json.loads(nemotron("explain", "--json").stdout)
    assert [entry["code"] for entry in told["codes"]] == listed


def test_an_unknown_code_is_an_error(nemotron: Nemotron) -> None:
    ended = nemotron("explain", "NMT999999", "--json")
    assert ended.returncode == 2
    assert [problem["code"] for problem in json.loads(ended.stdout)["diagnostics"]] == ["NMT109"]


def test_an_example_is_shown_with_its_files_and_its_command(nemotron: Nemotron) -> None:
    shown = nemotron("explain", "NMT212").stdout
    assert shown.endswith(
        "\n\nExample\n\n  mine.yaml\n    num_shards: 8\n    split_seed: 1\n    num_shards: 16\n\n"
        "  $ nemotron steps check data_prep/pretrain_prep -c mine.yaml\n"
    )
