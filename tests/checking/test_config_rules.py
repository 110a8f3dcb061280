"""Is the config what the step reads: missing values, types, choices, limits, ports."""

from __future__ import annotations

from pathlib import Path

import pytest
from small import SmallCatalog, codes, position, stands, the

from nemotron.checking import config_rules
from nemotron.diagnostic import Diagnostic, Severity

PARAMETERS = """
    [[parameters]]
    key = "steps"
    type = "integer"
    minimum = 1
    maximum = 100
    description = "How many."
    [[parameters]]
    key = "lr"
    type = "number"
    minimum = 0
    description = "A rate."
    [[parameters]]
    key = "dtype"
    type = "string"
    choices = ["bfloat16", "float32"]
    description = "A format."
    [[parameters]]
    key = "splits"
    type = "list"
    choices = ["train", "valid"]
    description = "Names."
    [[parameters]]
    key = "shuffle"
    type = "boolean"
    description = "Whether."
    [[parameters]]
    key = "file"
    type = "path"
    description = "A file."
    [[parameters]]
    key = "more"
    type = "table"
    description = "Anything."
    [[parameters]]
    key = "name"
    type = "string"
    required = true
    description = "What it is called."
"""
CONFIG = """
    steps: 10
    lr: 1e-3
    dtype: bfloat16
    splits: [train]
    shuffle: true
    file: null
    more: {}
    name: me
"""


@pytest.fixture
def trainer(small: SmallCatalog, project: Path) -> SmallCatalog:
    small.step("train/one", PARAMETERS, default=CONFIG)
    return small


def limits(catalog: SmallCatalog, *overrides: str) -> list[Diagnostic]:
    return list(config_rules.parameter_limits(catalog.request("train/one", *overrides)))


FITTING = ["steps=1", "steps=100", "steps=null", "lr=0", "lr=5", "lr=1e-5", "dtype=float32", "splits=[]"]
FITTING += ["splits=[valid, train]", "shuffle=false", "file=a.txt", "file=[a.txt, b.txt]", "more={x: [1]}"]
FITTING += ["steps=${more}", "name=5x", "steps=???"]


@pytest.mark.parametrize("argument", FITTING)
def test_a_value_that_fits_is_no_problem(trainer: SmallCatalog, argument: str) -> None:
    arguments = [argument] if argument != "steps=${more}" else ["name=${oc.env:SOME_KEY}"]
    assert limits(trainer, *arguments) == []


WRONG = [
    ("steps=ten", "NMT220", "'steps' must be a whole number, not \"ten\"", ""),
    ("steps=1.0", "NMT220", "'steps' must be a whole number, not 1.0", ""),
    ("steps=true", "NMT220", "'steps' must be a whole number, not true", ""),
    ("lr=true", "NMT220", "'lr' must be a number, not true", ""),
    ("lr=[1]", "NMT220", "'lr' must be a number, not [1]", ""),
    ("dtype=16", "NMT220", "'dtype' must be a string, not 16", ""),
    ("shuffle=no", "NMT220", "'shuffle' must be a boolean, not \"no\"", ""),
    ("shuffle=1", "NMT220", "'shuffle' must be a boolean, not 1", ""),
    ("splits=train", "NMT220", "'splits' must be a list, not \"train\"", ""),
    ("file=5", "NMT220", "'file' must be a path, not 5", ""),
    ("more=[]", "NMT220", "'more' must be a table, not []", ""),
    ("dtype=bfloat32", "NMT223", "'dtype' must be one of bfloat16, float32, not 'bfloat32'", "did you mean "),
    ("dtype=x", "NMT223", "'dtype' must be one of bfloat16, float32, not 'x'", "choose one of them"),
    ("splits=[train, test]", "NMT223", "'splits' must be one of train, valid, not 'test'", ""),
    ("steps=0", "NMT224", "'steps' must be at least 1, not 0", ""),
    ("steps=101", "NMT224", "'steps' must be at most 100, not 101", ""),
    ("lr=-1e-9", "NMT224", "'lr' must be at least 0, not -1e-09", ""),
    ("lr=.nan", "NMT224", "'lr' must be at least 0, not nan", ""),
]


@pytest.mark.parametrize(("argument", "code", "summary", "fix"), WRONG)
def test_a_value_that_does_not_fit_is_an_error_at_its_argument(
    trainer: SmallCatalog, argument: str, code: str, summary: str, fix: str
) -> None:
    problem = the(limits(trainer, argument), code)
    assert (problem.severity, problem.summary) == (Severity.ERROR, summary)
    assert problem.where is not None
    assert problem.where.argument == argument
    assert problem.fix.startswith(fix)


def test_a_value_of_a_file_is_reported_in_the_file(small: SmallCatalog, project: Path) -> None:
    folder = small.step("train/one", PARAMETERS, default=CONFIG.replace("steps: 10", "steps: many"))
    problem = the(limits(small), "NMT220")
    assert stands(problem.where) == position(folder / "config" / "default.yaml", "steps")


def missing(catalog: SmallCatalog, *overrides: str) -> list[Diagnostic]:
    return list(config_rules.missing_values(catalog.request("train/one", *overrides)))


def test_a_value_that_is_left_to_give_blocks(trainer: SmallCatalog) -> None:
    problem = the(missing(trainer, "lr=???"), "NMT208")
    assert problem.severity is Severity.BLOCKED
    assert (problem.summary, problem.detail, problem.fix) == ("'lr' needs a value", "A rate.", "add lr=VALUE")
    assert problem.where is not None
    assert problem.where.argument == "lr=???"


def test_a_value_that_is_left_to_give_is_found_in_lists_and_tables(trainer: SmallCatalog) -> None:
    found = missing(trainer, "more={a: ['???'], b: {c: '???'}}")
    assert [d.summary for d in found] == ["'more.a.0' needs a value", "'more.b.c' needs a value"]


def test_what_refers_to_a_missing_value_is_not_told_of_again(trainer: SmallCatalog) -> None:
    found = missing(trainer, "lr=???", "file=${lr}", "more={a: '${lr}', b: '${new}'}", "new={c: '???'}")
    assert [d.summary for d in found] == ["'lr' needs a value", "'new.c' needs a value"]


@pytest.mark.parametrize(("argument", "place"), [("name=null", "name=null"), ("~name", None)])
def test_a_required_parameter_blocks_while_it_has_no_value(
    trainer: SmallCatalog, argument: str, place: str | None
) -> None:
    problem = the(missing(trainer, argument), "NMT208")
    assert (problem.summary, problem.fix) == ("'name' needs a value", "add name=VALUE")
    assert (problem.where.argument if problem.where else None) == place


PORTS = """
    [[consumes]]
    type = "chat_jsonl"
    at = "data"
    description = "Conversations."
    [[consumes]]
    name = "model"
    type = "checkpoint_hf"
    at = "model"
    one_of = "subject"
    [[consumes]]
    name = "service"
    type = "endpoint"
    at = "service"
    one_of = "subject"
    [[consumes]]
    name = "extra"
    type = "packs"
    at = "extra"
    required = false
"""


def ports(small: SmallCatalog, *overrides: str) -> list[Diagnostic]:
    small.step("eval/one", PORTS, default="data: null\nmodel: null\nservice: null\nextra: null\n")
    return list(config_rules.bound_ports(small.request("eval/one", *overrides)))


def test_a_required_input_and_one_of_a_group_block_while_they_are_not_given(
    small: SmallCatalog, project: Path
) -> None:
    found = ports(small)
    assert codes(found) == ["NMT208", "NMT208"]
    assert {d.severity for d in found} == {Severity.BLOCKED}
    assert [d.summary for d in found] == [
        "the input 'chat_jsonl' (chat_jsonl) is not given",
        "one of model or service is needed (subject)",
    ]
    assert [d.fix for d in found] == ["add data=PATH", "add model=PATH"]
    assert stands(found[0].where) == position(small.root / "eval/one/config/default.yaml", "data")


@pytest.mark.parametrize("argument", ["data=???", "model=???"])
def test_a_value_that_is_left_to_give_is_not_told_twice(
    small: SmallCatalog, project: Path, argument: str
) -> None:
    assert len(ports(small, argument)) == 1


@pytest.mark.parametrize("subject", ["model=org/m", "service=http://x/v1"])
def test_one_of_a_group_is_enough(small: SmallCatalog, project: Path, subject: str) -> None:
    assert ports(small, "data=x.jsonl", subject) == []


def test_two_of_a_group_are_too_many(small: SmallCatalog, project: Path) -> None:
    problem = the(ports(small, "data=x.jsonl", "model=org/m", "service=http://x/v1"), "NMT222")
    assert problem.severity is Severity.ERROR
    assert problem.summary == "exactly one of model or service may be given, not 2"
    assert problem.where is not None
    assert problem.where.argument == "service=http://x/v1"
    assert problem.fix == "set service=null"


@pytest.mark.parametrize("value", ["5", "true", "1.5"])
def test_an_input_that_is_no_path_is_an_error(small: SmallCatalog, project: Path, value: str) -> None:
    problem = the(ports(small, f"data={value}", "model=org/m"), "NMT220")
    assert problem.summary == f"'data' must be a path, not {value}"
    assert problem.where is not None
    assert problem.where.argument == f"data={value}"


WEIGHED = """
    [[consumes]]
    name = "data"
    type = "chat_jsonl"
    at = "data.path"
    many = true
"""


@pytest.mark.parametrize(
    ("value", "says", "at"),
    [
        ("[{path: a, weight: 0}]", "a weight is a number above 0, not 0", "weight"),
        ("[{path: a, weight: .inf}]", "a weight is a number above 0, not Infinity", "weight"),
        ("[{path: a, weight: .nan}]", "a weight is a number above 0, not NaN", "weight"),
        ("[{path: a, weight: '2'}]", 'a weight is a number above 0, not "2"', "weight"),
        ("{path: a, weight: true}", "a weight is a number above 0, not true", "weight"),
        ("[{weight: 2}]", "'data.path.0' has no path", "{weight"),
        ("[{path: a, weight: 2}, b]", "some inputs of data.path have a weight and others have none", "b]"),
    ],
)
def test_inputs_that_are_weighed_wrongly(
    small: SmallCatalog, project: Path, value: str, says: str, at: str
) -> None:
    folder = small.step("train/one", WEIGHED, default=f"data:\n  path: {value}\n")
    (problem,) = config_rules.inputs_are_weighed(small.request("train/one"))
    assert (problem.code, problem.summary) == ("NMT240", says)
    assert stands(problem.where) == position(folder / "config" / "default.yaml", at)


@pytest.mark.parametrize(
    "value", ["a", "[a, b]", "{path: a}", "[{path: a, weight: 0.5}, {path: b, weight: 3}]"]
)
def test_inputs_that_are_weighed_rightly(small: SmallCatalog, project: Path, value: str) -> None:
    small.step("train/one", WEIGHED, default=f"data:\n  path: {value}\n")
    assert list(config_rules.inputs_are_weighed(small.request("train/one"))) == []


NAMES = """
    [[parameters]]
    key = "tasks"
    type = "list"
    names = "names.txt"
    names_unless = "own"
    description = "Which."
"""


@pytest.fixture
def evaluator(small: SmallCatalog, project: Path) -> SmallCatalog:
    folder = small.step("eval/one", NAMES, default="tasks: [sums]\nown: null\n")
    (folder / "names.txt").write_text("# from somewhere\nsums\nproverbs\n", encoding="utf-8")
    return small


@pytest.mark.parametrize(
    "overrides",
    [[], ["tasks=[sums, proverbs]"], ["tasks=[mine]", "own=[folder]"], ["tasks=[]"], ["tasks=???"]],
)
def test_names_of_the_list_are_taken_and_any_where_there_are_more(
    evaluator: SmallCatalog, overrides: list[str]
) -> None:
    assert list(config_rules.names_are_known(evaluator.request("eval/one", *overrides))) == []


def test_a_name_that_is_not_in_the_list_is_refused_with_the_nearest(evaluator: SmallCatalog) -> None:
    problem = the(
        config_rules.names_are_known(evaluator.request("eval/one", "tasks=[sums, proverb]")), "NMT223"
    )
    assert problem.summary == "'tasks' names 'proverb', which is not known"
    assert problem.fix == "did you mean 'proverbs'? own=[FOLDER] for your own"
