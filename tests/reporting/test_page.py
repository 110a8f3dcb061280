"""The page: whole by itself, balanced, and nothing in a story becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import networkx as nx
import pytest

from nemotron.reporting.curves import Curve
from nemotron.reporting.evaluations import Comparison, Evaluation, Metric, Score
from nemotron.reporting.page import graph_page, story_page
from nemotron.reporting.story import ArtifactStory, StepStory, Story
from reporting.html import read

NOW = datetime(2026, 4, 1, 12, tzinfo=UTC)
HOSTILE = "<script>alert('1')</script>\"&'"
ARTIFACT = ArtifactStory("name", "/p/a", True, "type", "d" * 64, 2048, {"iteration": 3}, "producer", [])


def step_called(name: str, status: str = "done", text: str = "text") -> StepStory:
    diagnostic = {"code": "NMT801", "severity": "error", "summary": text, "detail": text, "fix": text}
    diagnostic["where"] = {"file": text, "line": 3, "column": 1}  # type: ignore[assignment]
    recovery = {"id": text, "line": 7, "text": text, "recovery": text}
    return StepStory(
        name, text, status, text, 75.0, text, 2, text, "1", text, text, text, [diagnostic], [recovery],
        {"port": text}, Curve(((1.0, 2.0), (2.0, 1.0)), ((2.0, 1.5),), text, (), 10.0),
    )  # fmt: skip


def story_of(text: str, steps: list[StepStory] | None = None) -> Story:
    scores = (Score(0.5, 0.01, 10), Score(0.75, 0.01, 10, 0.25, True))
    metric = Metric(text, text, text, True)
    rows = tuple(Evaluation(text, text, text, (score,)) for score in scores)
    made_from = [{"port": text, "type": text, "digest": text, "path": text, "name": text}]
    made = replace(
        ARTIFACT, name=text, path=text, type=text, digest=text, facts={text: text}, inputs=made_from
    )
    return Story(
        text, text, "failed", "2026-04-01T10:00:00+00:00", 75.0, text, text,
        {text: {"type": text, "path": text}}, {text: text}, text,
        [step_called(text, text=text)] if steps is None else steps,
        Comparison((metric,), rows), [made, replace(made, producer=None)],
        [{"name": text, "kind": "have", "label": text}, {"name": "s", "kind": "step", "label": text}],
        [{"from": text, "to": "s", "type": text}], None,
    )  # fmt: skip


def test_nothing_that_a_user_named_becomes_markup() -> None:
    page = read(story_page(story_of(HOSTILE), NOW))
    assert "script" not in page.tags
    assert page.words.count(HOSTILE) > 20
    # The names of all elements and attributes are ours.
    assert {name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")} == set()


def test_the_page_needs_nothing_from_elsewhere() -> None:
    html = story_page(story_of("text"), NOW)
    assert re.findall(r"https?:|//[a-z]|url\(|@import|\bsrc=|<link|<script", html) == []


def test_the_page_has_what_a_reader_with_a_screen_reader_goes_by() -> None:
    html = story_page(story_of("text"), NOW)
    page = read(html)
    assert 'lang="en"' in html
    assert next(tag for tag in page.tags if re.fullmatch(r"h\d", tag)) == "h1"
    assert page.tags.count("h1") == page.tags.count("main") == 1
    ids = page.values("id")
    assert len(ids) == len(set(ids)) > 0
    referred = {name for value in page.values("aria-labelledby") for name in value.split()}
    assert referred <= set(ids)
    assert html.count("<svg ") == html.count("<desc ") == page.values("role").count("img") == 2
    headers = re.findall(r"<th\b[^>]*>", html)
    assert headers
    assert all("scope=" in header for header in headers)


@pytest.mark.parametrize(
    "status", ["done", "skipped", "failed", "interrupted", "running", "waiting", "not run"]
)
def test_every_status_is_said_in_words(status: str) -> None:
    page = read(story_page(story_of("text", [step_called("tune", status)]), NOW))
    assert f"status is-{status.replace(' ', '-')}" in page.values("class")
    assert f"{status} · 1 min 15 s" in page.words or f"1 {status}" in page.words


def test_a_failure_is_told_with_its_fix_and_its_recovery() -> None:
    words = read(story_page(story_of("why it fell"), NOW)).words
    for told in ("error NMT801: why it fell", "Fix: why it fell", "Known error why it fell: why it fell"):
        assert told in words
    assert "line 7 of the log: why it fell" in words


def test_a_single_loss_is_told_and_not_drawn() -> None:
    step = replace(step_called("tune"), curve=Curve(((1.0, 2.0),), (), "step", (), None))
    page = read(story_page(story_of("text", [step]), NOW))
    assert "Training loss 2.000 at step 1." in page.words
    assert "curve" not in page.values("class")


def test_scores_say_what_changed() -> None:
    words = read(story_page(story_of("text"), NOW)).words
    assert "0.75 ±0.01 +0.25 better" in words


def test_an_artifact_that_is_gone_is_said_to_be_gone() -> None:
    gone = replace(story_of("text"), artifacts=[replace(ARTIFACT, is_there=False)])
    assert "no longer there" in read(story_page(gone, NOW)).words
    assert "no longer there" not in read(story_page(replace(gone, artifacts=[ARTIFACT]), NOW)).words


def test_a_pipeline_that_cannot_be_drawn_says_why() -> None:
    page = read(story_page(replace(story_of("text"), graph_problem="there is no step 'old/one'"), NOW))
    assert "there is no step 'old/one'" in page.words
    assert page.values("class").count("graph") == 0


def test_an_empty_story_is_a_page() -> None:
    empty = Story(
        "run", "name", "done", None, 0.0, "/p", None, {}, {}, "", [], Comparison((), ()), [], [], [], None
    )
    assert "name" in read(story_page(empty, NOW)).words


def test_the_graph_alone_is_a_page() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node("chat", kind="have", label=HOSTILE)
    graph.add_node("tune", kind="step", label="tune\nsft/automodel")
    graph.add_edge("chat", "tune", label="training_jsonl")
    page = read(graph_page(HOSTILE, graph, NOW))
    assert "script" not in page.tags
    assert "Step tune, from chat (training_jsonl)." in page.words
