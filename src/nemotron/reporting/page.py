"""A run's story as one HTML page that needs nothing else: no network, no script. Reads its style sheet."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import networkx as nx

from nemotron import __version__
from nemotron.reporting.curves import Curve, curve_svg, summary
from nemotron.reporting.evaluations import Comparison, Evaluation, Metric, Score
from nemotron.reporting.graph_svg import graph_svg
from nemotron.reporting.markup import Child, Markup, element, markup
from nemotron.reporting.story import ArtifactStory, StepStory, Story

_SIGNS = {"done": "✓", "failed": "✗", "skipped": "↷", "interrupted": "■", "running": "▶", "waiting": "…"}
_DIGEST = 12


def story_page(story: Story, now: datetime | None = None) -> str:
    """The whole report."""
    body = [
        _header(story),
        _asked(story),
        _graph(story),
        _steps(story),
        _problems(story),
        _curves(story.steps),
        _evaluations(story.evaluations),
        _configs(story.steps),
        _lineage(story),
        _footer(now or datetime.now(UTC)),
    ]
    return _document(f"{story.name}: {story.status} · run {story.run}", body)


def graph_page(title: str, graph: nx.DiGraph[str], now: datetime | None = None) -> str:
    """The graph of a pipeline alone."""
    body = [element("h1", title), _drawing(graph_svg(graph)), _footer(now or datetime.now(UTC))]
    return _document(title, body)


def _document(title: str, body: list[Markup]) -> str:
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup("\n" + _style())),
    )
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n<body>\n{element("main", body)}\n</body>\n</html>\n'


@cache
def _style() -> str:
    return files("nemotron.reporting").joinpath("style.css").read_text(encoding="utf-8")


def _header(story: Story) -> Markup:
    counts: dict[str, int] = {}
    for step in story.steps:
        counts[step.status] = counts.get(step.status, 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    entries: list[Child] = [_status(story.status)]
    if story.started:
        entries.append(["began ", element("time", _clock(story.started), datetime=story.started)])
    entries += [
        f"{_duration(story.seconds)} of work" if story.seconds else None,
        f"{len(story.steps)} steps: {told}" if told else None,
    ]
    return element(
        "header",
        element("h1", story.name),
        element("p", "Run ", element("code", story.run), class_="muted"),
        element("ul", [element("li", entry) for entry in entries if entry], class_="key"),
    )


def _asked(story: Story) -> Markup:
    haves = [
        [
            element("th", name, scope="row"),
            element("td", element("code", str(table.get("type", "")))),
            element("td", element("code", _source(table)), class_="wide"),
        ]
        for name, table in story.haves.items()
    ]
    hardware = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in story.hardware.items())
    want = element("p", "Wanted: ", element("code", story.want), ".") if story.want else None
    return _section(
        "What was asked",
        want,
        element("p", f"Hardware: {hardware}.") if hardware else None,
        _table("What was at hand", ("Name", "Type", "Source"), haves) if haves else None,
        _folded("The pipeline file", story.pipeline),
    )


def _graph(story: Story) -> Markup:
    if story.graph_problem is not None:
        text = f"The pipeline cannot be drawn: the catalog of today does not read it ({story.graph_problem})."
        return _section("Graph", element("p", text))
    statuses = {step.name: _in_box(step) for step in story.steps}
    return _section("Graph", _drawing(graph_svg(story.graph(), statuses)))


def _in_box(step: StepStory) -> str:
    return f"{step.status} · {_duration(step.seconds)}" if step.seconds >= 0.5 else step.status


def _drawing(svg: Markup) -> Markup:
    return element("div", svg, class_="scroll drawing", tabindex="0", role="region", aria_label="The graph")


def _steps(story: Story) -> Markup:
    rows = [
        [
            element("th", step.name, element("br"), element("small", step.step), scope="row"),
            element("td", _status(step.status)),
            element("td", _why(step, story), class_="wide"),
            element("td", _duration(step.seconds) if step.seconds else "–", class_="number"),
            element("td", "–" if step.gpus is None else step.gpus, class_="number"),
            element("td", step.library or "–"),
        ]
        for step in story.steps
    ]
    titles = ("Step", "Status", "Why, and where", "Duration", "GPUs", "Library")
    return _section("Steps", _table("The steps of the run", titles, rows, numbers={3, 4}))


def _why(step: StepStory, story: Story) -> list[Child]:
    told: list[Child] = [step.why] if step.why else []
    if step.made_by and step.made_by not in step.why:
        told.append(f"made in run {step.made_by}")
    if step.log:
        told.append(element("small", "log: ", element("code", _short_path(step.log, story))))
    return [[element("br") if number else None, entry] for number, entry in enumerate(told)] or ["–"]


def _problems(story: Story) -> Markup:
    parts = [
        markup(
            element("h3", step.name),
            [_problem(diagnostic, story) for diagnostic in step.diagnostics],
            [_recovery(recovery) for recovery in step.recoveries],
            _folded("The end of the log", step.log_end) if step.log_end else None,
        )
        for step in story.steps
        if step.diagnostics or step.recoveries or step.log_end
    ]
    return _section("What went wrong", parts) if parts else Markup()


def _problem(diagnostic: dict[str, Any], story: Story) -> Markup:
    where = diagnostic.get("where")
    place = where if isinstance(where, dict) else {}
    at = ":".join(str(place[key]) for key in ("file", "line", "column") if place.get(key))
    fix, detail = diagnostic.get("fix"), diagnostic.get("detail")
    head = f"{diagnostic.get('severity', 'error')} {diagnostic.get('code', '')}: "
    return element(
        "div",
        element("p", element("strong", head), str(diagnostic.get("summary", ""))),
        element("p", str(detail)) if detail else None,
        element("p", element("code", _short_path(at, story)), class_="muted") if at else None,
        element("p", element("strong", "Fix: "), str(fix)) if fix else None,
        class_="problem",
    )


def _recovery(recovery: dict[str, Any]) -> Markup:
    line = f"line {recovery.get('line', '?')} of the log: "
    return element(
        "div",
        element(
            "p",
            element("strong", f"Known error {recovery.get('id', '')}: "),
            str(recovery.get("recovery", "")),
        ),
        element("p", line, element("code", str(recovery.get("text", ""))), class_="muted"),
        class_="problem known",
    )


def _curves(steps: list[StepStory]) -> Markup:
    drawn = [(step, step.curve) for step in steps if step.curve is not None]
    if not drawn:
        return Markup()
    figures = [_figure(step, curve, f"curve-{number}") for number, (step, curve) in enumerate(drawn)]
    return _section("Loss", element("div", figures, class_="curves"))


def _figure(step: StepStory, curve: Curve, identity: str) -> Markup:
    whose = f" From run {step.made_by}, which made what this run skipped." if step.made_by else ""
    validation = element("span", "validation", class_="validation") if curve.validation else None
    legend = element("div", element("span", "training"), validation, class_="legend")
    # One loss is a number, not a curve.
    drawing = [legend, curve_svg(curve, step.name, identity)] if len(curve.training) > 1 else None
    caption = element("figcaption", summary(curve) + whose)
    return element("figure", element("h3", step.name), drawing, caption)


def _evaluations(comparison: Comparison) -> Markup:
    if not comparison.rows:
        return Markup()
    titles = [element("th", "Model", scope="col"), element("th", "Evaluated by", scope="col")]
    titles += [element("th", _column(metric), scope="col", class_="number") for metric in comparison.metrics]
    rows = [element("tr", _evaluation(row, comparison.metrics)) for row in comparison.rows]
    note = "± is the standard error; a change within 1.96 of them is called within the error. "
    if len(comparison.rows) > 1:
        note += "The change is against the first row, where both were scored on as many samples."
    return _section(
        "Evaluation",
        _boxed("Scores of each model", element("tr", titles), rows),
        element("p", element("small", note)),
    )


def _column(metric: Metric) -> list[Child]:
    way = {True: "higher is better", False: "lower is better", None: ""}[metric.higher_is_better]
    kind = f"{metric.metric} ({metric.filter})" if metric.filter not in (None, "none") else metric.metric
    lines = [metric.task, element("br"), kind]
    return [*lines, element("br"), element("small", way)] if way else list(lines)


def _evaluation(row: Evaluation, metrics: tuple[Metric, ...]) -> list[Markup]:
    cells = [element("th", row.model, scope="row"), element("td", row.step)]
    for score, _ in zip(row.scores, metrics, strict=True):
        cells.append(element("td", _score(score) if score else "–", class_="number"))
    return cells


def _score(score: Score) -> list[Child]:
    told: list[Child] = [_figures(score.value)]
    if score.stderr is not None:
        told.append(element("small", f" ±{_figures(score.stderr, 2)}"))
    if score.change is not None:
        word = (
            "within the error"
            if score.within_error
            else {True: "better", False: "worse", None: ""}[score.better]
        )
        sign = "+" if score.change > 0 else "−"
        text = f"{sign}{_figures(abs(score.change), 3)} {word}".strip() if score.change else "no change"
        told += [
            element("br"),
            element("small", text, class_=f"is-{word}" if score.better is not None else None),
        ]
    return told


def _configs(steps: list[StepStory]) -> Markup:
    folded = [_folded(_config_title(step), step.config) for step in steps if step.config]
    return _section("Resolved configs", folded) if folded else Markup()


def _config_title(step: StepStory) -> str:
    whose = f", of run {step.made_by}" if step.made_by else ""
    return f"{step.name} ({step.step}{whose})"


def _lineage(story: Story) -> Markup:
    made = [_artifact(artifact, story) for artifact in story.artifacts if artifact.producer is not None]
    sources = [_origin(artifact, story) for artifact in story.artifacts if artifact.producer is None]
    if not made and not sources:
        return Markup()
    titles = ("Source", "Type", "Digest", "Path")
    return _section(
        "Lineage",
        element("div", made, class_="cards") if made else None,
        element("h3", "Sources: what no step made") if sources else None,
        _table("Sources", titles, sources) if sources else None,
    )


def _origin(artifact: ArtifactStory, story: Story) -> list[Markup]:
    return [
        element("th", artifact.name or "–", scope="row"),
        element("td", artifact.type or "–"),
        element("td", _digest(artifact.digest) if artifact.digest else "–", class_="whole"),
        element("td", element("code", _short_path(artifact.path, story)), _gone(artifact), class_="wide"),
    ]


def _artifact(artifact: ArtifactStory, story: Story) -> Markup:
    made_from = [
        element(
            "div",
            entry["port"],
            ": ",
            entry["name"] or _short_path(entry["path"], story),
            " ",
            _digest(entry["digest"]),
        )
        for entry in artifact.inputs
    ]
    size = f" · {_size(artifact.size)}" if artifact.size is not None else ""
    entries: list[tuple[str, Child]] = [
        ("type", artifact.type),
        ("digest", _digest(artifact.digest or "")),
        *((name, _short(str(value))) for name, value in sorted(artifact.facts.items())),
        ("made by", artifact.producer),
        ("made from", made_from or "nothing that was recorded"),
    ]
    return element(
        "article",
        element("h3", artifact.name or "of an earlier run"),
        element(
            "p", element("code", _short_path(artifact.path, story)), size, _gone(artifact), class_="muted"
        ),
        element("dl", [[element("dt", key), element("dd", value)] for key, value in entries], class_="facts"),
        class_="artifact",
    )


def _gone(artifact: ArtifactStory) -> Markup | None:
    return None if artifact.is_there else element("span", " · no longer there", class_="is-failed")


def _digest(digest: str) -> Markup:
    return element("code", digest[:_DIGEST], title=digest)


def _short(value: str) -> Child:
    is_digest = len(value) == 64 and all(c in "0123456789abcdef" for c in value)
    return _digest(value) if is_digest else value


def _footer(now: datetime) -> Markup:
    stamp = now.astimezone(UTC).isoformat(timespec="seconds")
    return element("footer", f"Written by nemotron {__version__} at {_clock(stamp)}.")


def _section(title: str, *children: Child) -> Markup:
    return element("section", element("h2", title), *children)


def _table(
    label: str, titles: Iterable[str], rows: list[list[Markup]], numbers: set[int] | None = None
) -> Markup:
    heads = [
        element("th", title, scope="col", class_="number" if position in (numbers or ()) else None)
        for position, title in enumerate(titles)
    ]
    return _boxed(label, element("tr", heads), [element("tr", row) for row in rows])


def _boxed(label: str, head: Markup, rows: list[Markup]) -> Markup:
    """A table that scrolls inside its box, also by the keyboard."""
    table = element("table", element("thead", head), element("tbody", rows), aria_label=label)
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=label)


def _folded(title: str, text: str) -> Markup:
    return element("details", element("summary", title), element("pre", element("code", text)))


def _status(status: str) -> Markup:
    sign = _SIGNS.get(status, "–")
    return element("span", f"{sign} {status}", class_=f"status is-{status.replace(' ', '-')}")


def _source(table: dict[str, Any]) -> str:
    where = table.get("path") or table.get("hub") or table.get("url") or ""
    more = [f"{key} {table[key]}" for key in ("revision", "model", "api_key_env") if table.get(key)]
    return ", ".join([str(where), *more])


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _clock(stamp: str) -> str:
    return stamp[:16].replace("T", " ") + " UTC"


def _short_path(path: str, story: Story) -> str:
    """A path as it is seen from the project's folder."""
    return path.removeprefix(f"{story.project}/")


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _figures(value: float, count: int = 4) -> str:
    """So many figures: enough to compare, few enough to read."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{count}g}"
