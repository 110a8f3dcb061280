"""Every manifest of the shipped catalog: its keys, defaults, facts, errors and what it cites."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from nemotron.catalog.catalog import Catalog, Step
from nemotron.catalog.manifest import FactRule, KnownError
from nemotron.catalog.toml_model import read_toml
from nemotron.checking.library_schema import library_schema
from nemotron.config.layers import read_layers
from nemotron.config.tree import MISSING, Document, join_key, leaves, split_key
from nemotron.execution.failure import ErrorsFile
from nemotron.libraries import spec
from nemotron.planning.resolve import Wish, resolve

REPOSITORY = Path(__file__).resolve().parents[2]
STEPS = REPOSITORY / "steps"
CATALOG = Catalog([STEPS])
IDS = list(CATALOG.folders)
WITH_A_PROGRAM = [identity for identity in IDS if CATALOG.step(identity).program.is_file()]
PATTERNS = STEPS / "patterns"
CONTEXT = REPOSITORY / "references" / "context"
DEFAULT_MODEL = "Qwen/Qwen3-8B"
NOT_KEYS = {"rules", "fine_tuning"}


@pytest.fixture(params=IDS)
def step(request: pytest.FixtureRequest) -> Step:
    return CATALOG.step(request.param)


@cache
def default_of(identity: str) -> Document:
    """The default config of a step as it is written: interpolations are not resolved."""
    return read_layers(CATALOG.step(identity).config_folder / "default.yaml")


def test_every_manifest_is_read() -> None:
    steps, problems = CATALOG.steps()
    assert problems == []
    assert [step.id for step in steps] == IDS
    assert IDS


def test_a_step_has_all_its_files(step: Step) -> None:
    assert [n for n in ("README.md", "config/default.yaml") if not (step.folder / n).is_file()] == []
    assert step.id in (step.folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("identity", WITH_A_PROGRAM)
def test_a_steps_program_only_calls_a_backend(identity: str) -> None:
    text = CATALOG.step(identity).program.read_text(encoding="utf-8")
    modules = [n.module for n in ast.walk(ast.parse(text)) if isinstance(n, ast.ImportFrom)]
    assert len(text.splitlines()) <= 30
    assert modules
    assert [m for m in modules if m is None or not m.startswith("nemotron.backends")] == []


def test_what_a_manifest_says_is_there(step: Step) -> None:
    head = step.manifest.step
    assert [text for text in (head.name, head.summary, head.description) if not text.strip()] == []
    assert "\n" not in head.summary.strip()
    assert len(head.summary) <= 110
    assert head.tags
    assert head.library is None or head.library in spec.names()
    told = [
        *step.manifest.consumes,
        *step.manifest.produces,
        *step.manifest.parameters,
        *step.manifest.models,
    ]
    assert [t for t in told if not t.description.strip()] == []


def _keys(rule: FactRule) -> Iterator[str]:
    yield from rule.keys
    yield from filter(None, (rule.at_least, rule.at_most, rule.multiple_of, rule.unless))


def _named_keys(step: Step) -> Iterator[tuple[str, str]]:
    """Every config key that a manifest names, but outputs and parameters, and what names it."""
    manifest = step.manifest
    for consumed in manifest.consumes:
        yield f"at of {consumed.name}", consumed.at
        if consumed.field_at is not None:
            yield f"field_at of {consumed.name}", consumed.field_at
    for port in (*manifest.consumes, *manifest.produces):
        for fact, rule in port.facts.items():
            yield from ((f"{fact} of {port.name}", key) for key in _keys(rule))
    if manifest.parallelism is not None:
        for name, key in manifest.parallelism.model_dump(exclude_none=True, exclude=NOT_KEYS).items():
            yield f"parallelism.{name}", key


def test_every_key_that_a_manifest_names_is_there(step: Step) -> None:
    default = default_of(step.id)
    declared = {parameter.key for parameter in step.manifest.parameters}
    lost = [
        f"{what}: {key}"
        for what, key in _named_keys(step)
        if key not in declared and not _has(default, key) and not _library_reads(step, key)
    ]
    assert lost == []


def _library_reads(step: Step, key: str) -> bool:
    """Whether the step's library knows a key that its default config leaves out."""
    schema = library_schema(step.manifest.step.library or "")
    *section, name = split_key(key)
    table = default_of(step.id).get(tuple(section), {})
    known = schema.table(tuple(section), table) if schema is not None else None
    return known is not None and known.knows(str(name))


def _has(document: Document, key: str) -> bool:
    """Whether a key is there; one below a section that is taken over whole (`${section}`) may be."""
    if document.has(key):
        return True
    parent = key.rpartition(".")[0]
    while parent and not document.has(parent):
        parent = parent.rpartition(".")[0]
    return isinstance(document.get(parent), str) and str(document.get(parent)).startswith("${")


def test_an_output_lies_in_a_section_that_is_there(step: Step) -> None:
    default = default_of(step.id)
    sections = [port.at.rpartition(".")[0] for port in step.manifest.produces]
    assert [section for section in sections if section and not default.has(section)] == []


def test_stated_defaults_are_those_of_the_default_config(step: Step) -> None:
    default = resolve(Wish(step.id), CATALOG).config.document
    stated = {p.key: p.default for p in step.manifest.parameters if p.default is not None}
    differing = {key: (value, default.get(key)) for key, value in stated.items() if default.get(key) != value}
    assert differing == {}


def test_parameters_are_told_once_and_their_limits_are_of_numbers(step: Step) -> None:
    keys = [parameter.key for parameter in step.manifest.parameters]
    assert len(keys) == len(set(keys))
    limited = [p for p in step.manifest.parameters if p.minimum is not None or p.maximum is not None]
    assert {p.type for p in limited} <= {"integer", "number"}


def test_a_trainer_starts_from_the_one_default_model(step: Step) -> None:
    # A student is smaller than its teacher; what judges need not be what is trained.
    others = {"student", "reward_model"}
    keys = [p.at for p in step.manifest.consumes if p.type == "checkpoint_hf" and p.name not in others]
    given = {default_of(step.id).get(key) for key in keys}
    assert given <= {DEFAULT_MODEL, MISSING, None}
    defaults = [model.name for model in step.manifest.models if model.default]
    assert defaults in ([], [DEFAULT_MODEL])
    names = [name for model in step.manifest.models for name in (model.name, *model.aliases)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("identity", [i for i in IDS if "tiny" in CATALOG.step(i).config_names()])
def test_a_tiny_config_asks_for_nothing_but_inputs(identity: str, project: Path) -> None:
    request = resolve(Wish(identity, "tiny"), CATALOG)
    ports = {port.at for port in request.step.manifest.consumes}
    missing = {join_key(path) for path, value in leaves(request.config.tree) if value == MISSING}
    assert missing <= ports
    assert request.gpus == 0 or request.step.manifest.step.launch in ("torchrun", "ray")


# --- known errors -----------------------------------------------------------------------------------------

HEALTHY_LOG = """
INFO: loading the model
step 10/100 loss 2.31 lr 1e-05 mem 12.5 GiB tps 4200
WARNING: no validation data set was given
saved the checkpoint to model/epoch_0_step_100
"""


def _errors() -> list[tuple[str, KnownError]]:
    common = read_toml(STEPS / "errors.toml", ErrorsFile).errors
    own = [(identity, known) for identity in IDS for known in CATALOG.step(identity).manifest.errors]
    return [*(("any job", known) for known in common), *own]


@pytest.mark.parametrize(("where", "known"), _errors(), ids=[f"{w}-{k.id}" for w, k in _errors()])
def test_a_known_error_is_not_found_in_a_healthy_log(where: str, known: KnownError) -> None:
    expression = re.compile(known.match, re.MULTILINE)
    assert [log for log in ("", "\n", HEALTHY_LOG) if expression.search(log)] == []
    assert known.recovery.strip()


def test_the_known_errors_of_a_step_have_names_of_their_own(step: Step) -> None:
    names = [known.id for known in step.manifest.errors]
    assert len(names) == len(set(names))


# --- types and facts --------------------------------------------------------------------------------------


def test_a_converter_exists_and_converts() -> None:
    for name, kind in CATALOG.types.types.items():
        for target, identity in kind.convert_to.items():
            CATALOG.types.require(target)
            converter = CATALOG.step(identity)
            assert any(CATALOG.types.accepts(port.type, name) for port in converter.manifest.consumes)
            assert any(CATALOG.types.accepts(target, port.type) for port in converter.manifest.produces)


def test_every_type_says_what_it_is() -> None:
    types = CATALOG.types
    assert [name for name, kind in types.types.items() if not kind.description.strip()] == []
    assert [name for name, fact in types.facts.items() if not fact.description.strip()] == []
    carried = {fact for name in types.types for fact in types.facts_of(name)}
    stated = {f for i in IDS for p in CATALOG.step(i).manifest.consumes for f in p.facts}
    assert stated <= carried | set(types.facts)


def test_ports_have_known_types_and_facts_that_the_types_carry(step: Step) -> None:
    types = CATALOG.types
    wrong = []
    for port in (*step.manifest.consumes, *step.manifest.produces):
        types.require(port.type)
        wrong += [f"{port.name}: {fact}" for fact in port.facts if fact not in types.facts_of(port.type)]
    assert wrong == []


def test_facts_come_from_inputs_that_carry_them(step: Step) -> None:
    inputs = {port.name: port.type for port in step.manifest.consumes}
    wrong = []
    for port in (*step.manifest.consumes, *step.manifest.produces):
        for fact, rule in port.facts.items():
            source = rule.from_ or rule.same_as
            if source is None:
                continue
            name, _, carried = source.partition(".")
            if name not in inputs or carried not in CATALOG.types.facts_of(inputs[name]):
                wrong.append(f"{fact} of {port.name}: {source}")
    assert wrong == []


def test_facts_are_measured_by_outputs_and_compared_by_inputs(step: Step) -> None:
    for consumed in step.manifest.consumes:
        for rule in consumed.facts.values():
            assert not rule.measured
            assert rule.from_ is None
    for produced in step.manifest.produces:
        for rule in produced.facts.values():
            assert {rule.same_as, rule.at_least, rule.at_most, rule.multiple_of} == {None}


def test_what_a_manifest_cites_is_there(step: Step) -> None:
    manifest = step.manifest
    patterns = {cited.pattern for cited in (*manifest.prefer, *manifest.strategies) if cited.pattern}
    assert [name for name in patterns if not (PATTERNS / f"{name}.md").is_file()] == []
    packs = {strategy.context for strategy in manifest.strategies if strategy.context}
    assert [name for name in packs if not list(CONTEXT.glob(f"{name}*"))] == []
