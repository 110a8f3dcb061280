"""The lookups in a library's schema, on a schema of the test's own."""

from __future__ import annotations

import pytest

from nemotron.checking.library_schema import LibrarySchema, Table, library_schema, slip_of

SCHEMA = LibrarySchema(
    {
        "recipes": ["lib.recipes.Tune"],
        "covered": ["lib.data"],
        "sections": {
            "": {"keys": ["model", "data*"], "open": False, "unread": {"rng": ["seed"]}},
            "data*": {"keys": ["tokenizer"], "open": True},
            "steps": {"keys": ["size"], "open": False, "factory": "by"},
            "spread": {
                "keys": ["size"],
                "open": False,
                "choice": {"key": "by", "default": "a", "keys": {"a": ["x"], "b": ["x", "y"]}},
            },
            "steps.parts.*": {"keys": ["name"], "open": False},
            "rate": {"keys": ["lr"], "open": False, "types": {"lr": "number"}},
        },
        "targets": {
            "lib.data.chat.Chat": {"keys": ["path"], "open": False},
            "lib.data.Chat": {"same_as": "lib.data.chat.Chat"},
            "lib.Model": {"keys": [], "open": False},
            "lib.Model.from_pretrained": {"keys": ["name", "dtype"], "open": True},
        },
    }
)


@pytest.mark.parametrize(
    ("path", "table", "expected"),
    [
        (("data_web",), {"_target_": "lib.data.Chat"}, Table(frozenset({"path", "tokenizer"}))),
        (("data",), {"_target_": "own.Data"}, Table(frozenset({"tokenizer"}), open=True)),
        (("anywhere",), {"_target_": "lib.data.Chat"}, Table(frozenset({"path"}))),
        (("anywhere",), {}, None),
        (("steps",), {}, Table(frozenset({"size"}))),
        (("steps",), {"_target_": "lib.Model.from_pretrained"}, Table(frozenset({"size"}))),
        (("steps",), {"by": "own.Steps"}, Table(frozenset({"size"}), open=True)),
        (("spread",), {}, Table(frozenset({"size", "x"}), refused=frozenset({"y"}), because="by: a")),
        (("spread",), {"by": "B"}, Table(frozenset({"size", "x", "y"}), because="by: b")),
        (("spread",), {"by": "new"}, Table(frozenset({"size", "x", "y"}))),
        (("steps", "parts", 3), {}, Table(frozenset({"name"}))),
        (("rate",), {}, Table(frozenset({"lr"}), types={"lr": "number"})),
    ],
)
def test_a_table_takes_the_keys_of_its_section_and_of_its_target(
    path: tuple[str | int, ...], table: dict[str, str], expected: Table | None
) -> None:
    assert SCHEMA.table(path, table) == expected


def test_a_star_in_a_key_stands_for_the_rest_of_its_name() -> None:
    top = SCHEMA.table((), {})
    assert top is not None
    assert [top.knows(key) for key in ("data", "data_web", "model", "models")] == [True, True, True, False]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lib.data.Chat", None),
        ("lib.data.Chatt", "lib.data.Chat"),
        ("lib.data.chta.Chat", "lib.data.chat.Chat"),
        ("lib.Model.from_pretraind", "lib.Model.from_pretrained"),
        ("lib.Model.register", None),  # may be inherited
        ("lib.other.Thing", None),  # not a part of the library that is listed
        ("own.data.Chatt", None),
    ],
)
def test_a_wrong_target_is_told_only_where_it_is_surely_wrong(name: str, meant: str | None) -> None:
    assert SCHEMA.nearest_target(name) == meant


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        ({}, True),
        ({"recipe": "Tune"}, True),
        ({"recipe": {"_target_": "lib.recipes.Tune"}}, True),
        ({"recipe": "Distil"}, False),
    ],
)
def test_the_sections_are_those_of_one_recipe(tree: dict[str, object], expected: bool) -> None:
    assert SCHEMA.is_for(tree) is expected


class TestALibraryWhoseRecipesAllMakeOneKindOfConfig:
    SCHEMA = LibrarySchema(
        {
            "recipes": ["lib.recipes.*"],
            "covered": ["lib.recipes"],
            "sections": {"": {"keys": ["model", "recipe"], "open": False, "unread": {}}},
            "targets": {
                "lib.recipes.small.tune_small": {"keys": [], "open": False},
                "lib.recipes.tune_small": {"same_as": "lib.recipes.small.tune_small"},
                "lib.data.Chat": {"keys": [], "open": False},
            },
        }
    )

    @pytest.mark.parametrize("recipe", [None, "tune_small", "tune_smal", {"_target_": "own.recipe"}])
    def test_its_sections_are_those_of_every_recipe(self, recipe: object) -> None:
        assert self.SCHEMA.is_for({"recipe": recipe})

    @pytest.mark.parametrize(
        ("name", "meant"), [("tune_small", None), ("tune_smal", "tune_small"), ("other", ""), ("Chat", "")]
    )
    def test_a_recipe_may_be_named_without_its_module(self, name: str, meant: str | None) -> None:
        assert self.SCHEMA.nearest_recipe(name) == meant

    def test_recipes_that_are_not_listed_may_have_any_name(self) -> None:
        assert SCHEMA.nearest_recipe("Tunee") is None

    @pytest.mark.parametrize(
        ("path", "expected"), [(("model", "size"), True), (("model",), False), (("output", "path"), False)]
    )
    def test_a_key_belongs_to_the_library_below_one_of_its_sections(
        self, path: tuple[str, ...], expected: bool
    ) -> None:
        assert self.SCHEMA.has_key(path) is expected


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("dimm", ["dim", "alpha"], "dim"),
        ("projct", ["project"], "project"),
        ("attn_config", ["qat_config"], None),
        ("num_layers", ["num_workers"], None),
    ],
)
def test_a_slip_is_almost_the_same_name(name: str, known: list[str], meant: str | None) -> None:
    assert slip_of(name, known) == meant


def test_a_library_without_a_schema_has_none() -> None:
    assert library_schema("no_such_library") is None
