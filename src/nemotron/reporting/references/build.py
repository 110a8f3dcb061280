"""Everything that is made from the catalog and kept in the repository: written, and compared.

Reads and writes `references/` and `steps/**/config/schema.json` of one checkout.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from nemotron.catalog.catalog import Catalog, default_catalog
from nemotron.checking.codes import all_codes
from nemotron.checking.editor_forms import FORMS
from nemotron.checking.editor_schema import config_schema, to_text
from nemotron.config.new_config import MODELINE, SCHEMA
from nemotron.diagnostic import Diagnostic, Failure, Place, error
from nemotron.files import write_atomic
from nemotron.reporting.references.artifacts_page import artifacts_page
from nemotron.reporting.references.catalog_page import catalog_page
from nemotron.reporting.references.commands_page import CommandHelp, commands_page
from nemotron.reporting.references.diagnostics_page import diagnostics_page
from nemotron.reporting.references.patterns_page import patterns_page, read_patterns


def checkout(root: Path | None) -> Path:
    """The root of a checkout; Failure NMT132 where there is no catalog in it."""
    folder = default_catalog().roots[0].parent if root is None else root.expanduser().resolve()
    if not (folder / "steps" / "types.toml").is_file():
        fix = "give the root of a checkout: the folder above steps/"
        raise Failure(error("NMT132", f"{folder} is no checkout: it has no steps/types.toml", fix=fix))
    return folder


def generated(root: Path, commands: list[CommandHelp]) -> dict[Path, str]:
    """Each generated file with what it should hold. Failure with every manifest that does not parse."""
    catalog = Catalog([root / "steps"])
    steps, problems = catalog.steps()
    if problems:
        raise Failure(problems)
    pages = {
        "CATALOG": catalog_page(steps),
        "ARTIFACTS": artifacts_page(catalog.types, steps),
        "COMMANDS": commands_page(steps, catalog.types, commands),
        "PATTERNS": patterns_page(read_patterns(root / "steps" / "patterns"), steps),
        "DIAGNOSTICS": diagnostics_page(all_codes()),
    }
    folder = root / "references"
    files = {folder / f"{name}.md": "\n".join(lines).rstrip() + "\n" for name, lines in pages.items()}
    for form, make in FORMS.items():
        files[folder / "schemas" / f"{form.partition('.')[0]}.json"] = to_text(make(catalog))
    return files | {step.config_folder / SCHEMA: to_text(config_schema(step)) for step in steps}


def write_all(files: dict[Path, str]) -> list[Path]:
    """Write the files that differ from what is there, and return them."""
    written = [file for file, text in files.items() if _difference(file, text) is not None]
    for file in written:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, files[file])
    return written


def stale(root: Path, files: dict[Path, str]) -> list[Diagnostic]:
    """NMT130 for a file that is not what it should be, NMT131 for a config that does not name its schema."""
    found = [*_stale(files), *_without_modeline(Catalog([root / "steps"]))]
    return sorted(found, key=Diagnostic.sort_key)


def _stale(files: dict[Path, str]) -> Iterator[Diagnostic]:
    for file, text in files.items():
        line = _difference(file, text)
        if line is not None:
            what = "is not what would be generated now" if line else "is missing"
            where = Place(str(file), line or None, 1 if line else None)
            yield error("NMT130", f"{file.name} {what}", where=where, fix="nemotron docs build")


def _difference(file: Path, text: str) -> int | None:
    """The first line that differs; 0 where there is no such file, None where nothing differs."""
    if not file.is_file():
        return 0
    there = file.read_text(encoding="utf-8")
    if there == text:
        return None
    pairs = zip_longest(there.split("\n"), text.split("\n"))
    return next(number for number, (one, other) in enumerate(pairs, 1) if one != other)


def _without_modeline(catalog: Catalog) -> Iterator[Diagnostic]:
    wanted = MODELINE.format(SCHEMA)
    for identity in catalog.folders:
        step = catalog.step(identity)
        for name in step.config_names():
            file = step.config_folder / f"{name}.yaml"
            with open(file, encoding="utf-8") as stream:
                first = stream.readline().rstrip("\n")
            if first != wanted:
                summary = f"the first line of {file.name} does not name the schema of its keys"
                yield error("NMT131", summary, where=Place(str(file), 1, 1), fix=f"make it `{wanted}`")
