"""A library's tqdm bars as the job's progress: nothing is drawn into the log."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from nemotron.backends.job import Job

SECONDS_BETWEEN = 1.0


@contextmanager
def reported(job: Job, units: Mapping[str, str]) -> Iterator[None]:
    """While the block runs, bars whose description begins with a key of `units` become progress lines.

    The value says what one step of the bar is ("requests"). Other bars are neither shown nor reported.
    """
    from tqdm.std import tqdm

    draw, nowhere = tqdm.display, io.StringIO()
    last: dict[int, float] = {}

    def display(bar: Any, msg: str | None = None, pos: int | None = None) -> bool:
        unit = next((unit for start, unit in units.items() if (bar.desc or "").startswith(start)), None)
        bar.fp = nowhere  # where a bar writes its last line end
        due = time.monotonic() - last.get(id(bar), 0.0) >= SECONDS_BETWEEN or bar.n == bar.total
        if unit is not None and bar.n and due and msg is None:
            last[id(bar)] = time.monotonic()
            job.progress(bar.n, bar.total, unit=unit)
        return True

    tqdm.display = display
    try:
        yield
    finally:
        tqdm.display = draw
