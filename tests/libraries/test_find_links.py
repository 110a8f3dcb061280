"""Where pip and uv are told to look for wheels."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nemotron.libraries.find_links import find_links, parse_pip_config


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("UV_FIND_LINKS", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def test_none_without_settings():
    assert find_links() == []


def test_uv_and_pip_are_both_asked(monkeypatch, tmp_path):
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nfind-links =\n    {tmp_path}/a\n    https://example.org/wheels\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    monkeypatch.setenv("UV_FIND_LINKS", f"{tmp_path}/b,{tmp_path}/a")

    assert find_links() == [f"{tmp_path}/b", f"{tmp_path}/a", "https://example.org/wheels"]


def test_pips_variable_counts(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path}/a {tmp_path}/b")

    assert find_links() == [f"{tmp_path}/a", f"{tmp_path}/b"]


def test_pips_variable_counts_where_no_pip_answers(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path}/a")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("sys._base_executable", str(tmp_path / "python"))

    assert find_links() == [f"{tmp_path}/a"]


def test_a_relative_folder_is_named_from_everywhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UV_FIND_LINKS", "wheels,~/more")

    assert find_links() == [str(tmp_path / "wheels"), str(Path.home() / "more")]


def test_what_pip_prints():
    printed = (
        ":env:.find-links='/a'\nglobal.find-links='/b\\n/c'\ninstall.find-links='/d'\n"
        "global.index-url='/e'\nwheel.find-links='/f'\nglobal.find-links=broken'\n"
    )

    assert parse_pip_config(printed) == ["/a", "/b", "/c", "/d"]
