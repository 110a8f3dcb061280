"""A tiny library with a real lock: wheels made on the spot, installed by the real uv without an index."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from nemotron.libraries import uv

TORCH_VERSION = "9.9.9"
MakeWheel = Callable[..., Path]


def write_wheel(
    folder: Path, name: str, version: str, files: dict[str, str], *, requires: tuple[str, ...] = ()
) -> Path:
    """Write a pure-Python wheel; `files` maps a path in it to its text."""
    written = name.replace("-", "_")
    info = f"{written}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents = {
        **files,
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {line}\n" for line in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},{_record_hash(text)},{len(text.encode())}" for path, text in contents.items()]
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{written}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in contents.items():
            archive.writestr(path, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,"]) + "\n")
    return wheel


def _record_hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return "sha256=" + digest.rstrip(b"=").decode()


def _torch_module(version: str, cuda: str | None) -> str:
    return textwrap.dedent(f"""
        __version__ = {version!r}
        class version:
            cuda = {cuda!r}
        class cuda:
            @staticmethod
            def is_available():
                return False
    """)


@dataclass
class Tiny:
    """The tiny library's files, and what is done with them. `name` is that of its lock."""

    folder: Path
    name: str = "tiny"
    tiny_files: dict[str, str] = field(
        default_factory=lambda: {
            "tiny/__init__.py": "def main():\n    print('hello from tiny')\n",
            "tiny-1.0.dist-info/entry_points.txt": "[console_scripts]\ntiny-hello = tiny:main\n",
        }
    )

    @property
    def locks(self) -> Path:
        return self.folder / "locks"

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    @property
    def libraries(self) -> Path:
        return self.folder / "cache" / "libraries"

    @property
    def uv_log(self) -> Path:
        """What uv was asked to do, one line a call."""
        return self.folder / "uv.log"

    def write(self) -> None:
        """Write the wheels of the library and of a CPU build of torch, the lock and the description."""
        wheel = write_wheel(self.wheels, "tiny", "1.0", self.tiny_files)
        self.add_torch(f"{TORCH_VERSION}+cpu", None)
        self.locks.mkdir(exist_ok=True)
        self.write_lock(hashlib.sha256(wheel.read_bytes()).hexdigest())
        self.write_description()

    def write_lock(self, digest: str) -> None:
        text = f"tiny==1.0 \\\n    --hash=sha256:{digest}\n"
        (self.locks / f"{self.name}.txt").write_text(text, encoding="utf-8")

    def write_description(self, pythons: list[str] | None = None) -> None:
        running = f"{sys.version_info.major}.{sys.version_info.minor}"
        (self.locks / f"{self.name}.toml").write_text(
            textwrap.dedent(f"""
                summary = "A tiny library"
                license = "Apache-2.0"
                pythons = {pythons or [running]!r}
                imports = ["tiny"]
                [lock]
                complete = true
                leave_out = ["torch"]
                [torch]
                version = "{TORCH_VERSION}"
                download_mb = {{cpu = 1, cuda = 2}}
            """),
            encoding="utf-8",
        )

    def add_torch(self, version: str, cuda: str | None, *, requires: tuple[str, ...] = ()) -> Path:
        """Add a wheel of torch to the find-links folder."""
        files = {"torch/__init__.py": _torch_module(version, cuda)}
        return write_wheel(self.wheels, "torch", version, files, requires=requires)

    def hidden(self) -> list[str]:
        """What unfinished installations left."""
        return [path.name for path in self.libraries.glob(".*.tmp")]

    def start(self, code: str) -> subprocess.Popen[str]:
        """Start Python on `code` in a process of its own, with `install` and `name` at hand."""
        head = f"from nemotron.libraries.install import install\nname = {self.name!r}\n"
        return subprocess.Popen(
            [sys.executable, "-c", head + code],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def wrap_uv(self, before: str) -> None:
        """Put a shell script before uv: it notes its arguments in `uv_log`, then does `before`."""
        real = uv.program()
        script = self.folder / "bin" / "uv"
        script.parent.mkdir(exist_ok=True)
        script.write_text(
            f'#!/bin/sh\necho "$*" >> "{self.uv_log}"\n{before}\nexec "{real}" "$@"\n', encoding="utf-8"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        os.environ["UV"] = str(script)


@pytest.fixture
def make_wheel() -> MakeWheel:
    return write_wheel


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """The tiny library, its lock and wheels in place, nothing installed, no index to be asked."""
    for name in (
        "PIP_FIND_LINKS",
        "UV_TORCH_BACKEND",
        "UV_INDEX",
        "UV_DEFAULT_INDEX",
        "UV_INDEX_URL",
        "NEMOTRON_TINY_PYTHON",
    ):
        monkeypatch.delenv(name, raising=False)
    library = Tiny(tmp_path)
    monkeypatch.setenv("NEMOTRON_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEMOTRON_LOCKS_PATH", str(library.locks))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("UV_FIND_LINKS", str(library.wheels))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV", os.environ.get("UV", ""))
    library.write()
    return library
