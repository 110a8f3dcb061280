"""The layout of the code: imports point one way, a listing stays light, tests lie where their module does."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "src" / "nemotron"
# Each package may import those on the lines below its own, and itself.
ORDER = [
    {"cli"},
    {"reporting"},
    {"execution"},
    {"checking"},
    {"planning"},
    {"config", "hardware", "profiles", "libraries"},
    {"artifacts"},
    {"catalog"},
]
# These run in a job's process, in the environment of a training library.
JOB_SIDE = {"backends", "data"}
# Modules that everyone may import; of ours they import `faults` at most, where a write may be cut off.
BASE = {"diagnostic", "nearest", "files", "faults"}
# Where a package on the index has another name as a module.
MODULES = {"pyyaml": "yaml", "tomli-w": "tomli_w"}
COMES_WITH = {"pydantic": {"pydantic_core"}, "typer": {"click"}}
HEAVY = {"torch", "transformers", "networkx", "omegaconf", "pyarrow", "pydantic"}
# Tests of files that are no module: the shipped locks.
OF_NO_MODULE = {
    "checking/test_schemas.py": "scripts/make_schemas.py",
    "cli/test_installed_wheel.py": "pyproject.toml",
    "execution/test_crashes.py": "src/nemotron/execution",
    "execution/test_random_kills.py": "src/nemotron/execution",
    "cli/test_pipeline_crashes.py": "src/nemotron/execution",
    "e2e/test_killed_training.py": "src/nemotron/execution",
    "examples/test_quickstart_data.py": "examples/quickstart",
    "libraries/test_locks.py": "locks",
    "references/test_context.py": "references/context",
    "references/test_hardware.py": "references/HARDWARE.md",
    "references/test_step_pages.py": "steps",
    "references/test_written.py": "references/WORKFLOW.md",
    "routing/test_cases.py": "tests/routing/cases.yaml",
    "steps/test_manifests.py": "steps",
    "steps/test_alignment.py": "steps",
    "steps/test_chains.py": "steps",
    "steps/test_patterns.py": "steps/patterns",
    "test_layout.py": "src",
    "test_readme.py": "README.md",
    "test_references.py": "references",
    "test_repository.py": ".git",
}


@dataclass(frozen=True)
class Import:
    """One imported module, where, and whether only a type checker sees it."""

    file: str
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


@cache
def imports(file: Path) -> tuple[Import, ...]:
    """Every import of a file, also those inside functions and of a type checker, by absolute name."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    name = file.relative_to(SOURCE.parent).as_posix()
    return tuple(Import(name, line, module) for line, module in _imported(tree, file))


def _imported(tree: ast.AST, file: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = (
                file.relative_to(SOURCE.parent).with_suffix("").parts[: -node.level] if node.level else ()
            )
            base = ".".join([*package, *([node.module] if node.module else [])])
            yield node.lineno, base
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def files(*packages: str) -> list[Path]:
    folders = [SOURCE / package for package in packages] or [SOURCE]
    return sorted(file for folder in folders for file in folder.rglob("*.py"))


def package_of(file: Path) -> str:
    return file.relative_to(SOURCE).parts[0].removesuffix(".py")


def ours(found: Import) -> str | None:
    """The package or base module of ours that an import names."""
    parts = found.module.split(".")
    return parts[1] if parts[0] == "nemotron" and len(parts) > 1 else None


def allowed_for(package: str) -> set[str]:
    if package in BASE:
        return {"faults"} - {package}
    if package == "__init__":
        return set()
    if package == "__main__":
        return {"cli"}
    if package in JOB_SIDE:
        return JOB_SIDE | BASE
    level = next(number for number, names in enumerate(ORDER) if package in names)
    return set().union(*ORDER[level + 1 :]) | {package} | BASE


def test_every_package_has_its_place_in_the_order() -> None:
    found = {package_of(file) for file in files()}
    known = set().union(*ORDER) | JOB_SIDE | BASE | {"__init__", "__main__"}
    assert found - known == set()


@pytest.mark.parametrize("package", sorted({package_of(file) for file in files()}))
def test_imports_point_one_way(package: str) -> None:
    allowed = allowed_for(package)
    own = [file for file in files() if package_of(file) == package]
    upwards = [
        str(found)
        for file in own
        for found in imports(file)
        if ours(found) is not None and ours(found) not in allowed and not _is_name_in(found)
    ]
    assert upwards == []


def _is_name_in(found: Import) -> bool:
    """Whether the import is of a name in nemotron/__init__.py: `from nemotron import __version__`."""
    return found.module.startswith("nemotron.__")


def test_the_light_process_imports_only_what_the_project_depends_on() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.match(r"[\w-]+", line).group().lower() for line in project["dependencies"]]  # type: ignore[union-attr]
    known = {MODULES.get(name, name) for name in names} | set(sys.stdlib_module_names) | {"nemotron"}
    known |= set().union(*(extra for name, extra in COMES_WITH.items() if name in names))
    foreign = [
        str(found)
        for file in files()
        if package_of(file) not in JOB_SIDE
        for found in imports(file)
        if found.module.split(".")[0] not in known
    ]
    assert foreign == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(file.relative_to(REPOSITORY))
        for file in files()
        if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert silent == []


@pytest.mark.parametrize("arguments", [["steps", "list"], ["steps", "list", "--json"], ["--version"]])
def test_a_listing_imports_nothing_heavy(arguments: list[str], project: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "nemotron", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEMOTRON_")}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip().split(".")[0] for line in lines}
    assert {"nemotron", "typer"} <= imported
    assert imported & HEAVY == set()


def test_job_code_is_found_without_the_command_lines_packages(tmp_path: Path) -> None:
    """A library's environment has none of our dependencies but PyYAML: the base of a job needs no other."""
    program = (
        "import sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'pydantic', 'typer', 'rich', 'omegaconf', 'networkx'}:\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import nemotron.backends.job, nemotron.backends.output\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_tests_lie_where_their_module_does() -> None:
    """tests/P/test_M.py, or test_M_ASPECT.py, tests src/nemotron/P/M.py, or the repository's own P/M.py."""
    tests = REPOSITORY / "tests"
    lost = []
    for file in sorted(tests.rglob("test_*.py")):
        name = file.relative_to(tests)
        if name.parts[0] == "e2e" or (REPOSITORY / OF_NO_MODULE.get(name.as_posix(), "-")).exists():
            continue
        words = file.stem.removeprefix("test_").split("_")
        modules = ["_".join(words[:end]) + ".py" for end in range(1, len(words) + 1)]
        homes = (SOURCE / name.parent, REPOSITORY / name.parent)
        if not any((home / module).is_file() for home in homes for module in modules):
            lost.append(name.as_posix())
    assert lost == []
