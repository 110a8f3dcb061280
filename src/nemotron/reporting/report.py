"""The report of a run: one HTML file that needs nothing else. Reads the run store; writes that file."""

from __future__ import annotations

from pathlib import Path

from nemotron.catalog.catalog import Catalog, default_catalog
from nemotron.execution.store import Run, Store
from nemotron.files import write_atomic
from nemotron.reporting.page import story_page
from nemotron.reporting.story import tell


def report_file(run: Run) -> Path:
    """Where the report of a run lies unless somebody names another file."""
    return run.folder / "report.html"


def write_report(store: Store, run_id: str, file: Path | None = None, catalog: Catalog | None = None) -> Path:
    """Write the report of a run, whole or not at all; returns the file."""
    run = Run(store.runs / run_id)
    file = file or report_file(run)
    write_atomic(file, story_page(tell(store, run, catalog or default_catalog())))
    return file
