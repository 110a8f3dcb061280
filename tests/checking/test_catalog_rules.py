"""The rules over a catalog: each breaks a good one in one place, and its fix mends it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from small import SmallCatalog, codes, position, stands, the, write

from nemotron.catalog.catalog import Catalog, default_catalog
from nemotron.checking.catalog_check import Checked, catalog_of, check_catalog
from nemotron.diagnostic import Diagnostic

MERGE = """
    [[consumes]]
    name = "adapter"
    type = "checkpoint_lora"
    at = "adapter"
    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "base"
    [[produces]]
    type = "checkpoint_hf"
    at = "output"
"""
TRAIN = """
    key_ignores = []
    [[consumes]]
    name = "chat"
    type = "chat_jsonl"
    at = "data"
    one_of = "data"
    field_at = "field"
    facts = { record = { value = "messages" } }
    [[consumes]]
    name = "packs"
    type = "packs"
    at = "packs"
    one_of = "data"
    facts = { pack_size = "model.seq" }
    [[consumes]]
    name = "base"
    type = "checkpoint_hf"
    at = "model.name"
    facts = { max_positions = { at_least = "model.seq" } }
    [[produces]]
    type = "checkpoint_hf"
    at = "output"
    facts = { tokenizer = { from = "base.tokenizer" } }
    [[parameters]]
    key = "lr"
    type = "number"
    default = 0.5
    minimum = 0
    description = "A rate."
    [[parameters]]
    key = "dtype"
    type = "string"
    default = "float32"
    choices = ["float32", "bfloat16"]
    description = "A format."
    [parallelism]
    rules = "fsdp2"
    tensor = "model.tp"
    [[models]]
    name = "org/One"
    aliases = ["one"]
    default = true
    [[models]]
    name = "org/Two"
    aliases = ["two"]
    [[prefer]]
    if = { gpus = "<=8", want = "checkpoint_hf" }
    cost = 1
    why = "Because."
    [[strategies]]
    when = "Always."
    then = "Do it."
    pattern = "look-first"
    [[errors]]
    id = "memory"
    match = 'out of (?:GPU )?memory'
    recovery = "Use less."
"""
DEFAULT = """
    data: ???
    packs: null
    field: null
    model: {name: null, seq: 8, tp: 1}
    lr: 0.5
    dtype: float32
"""


@pytest.fixture
def good(small: SmallCatalog) -> Path:
    """The root of a catalog in which nothing is wrong."""
    trainer = small.step("train/one", TRAIN.replace("key_ignores = []\n", ""), default=DEFAULT)
    write(trainer / "config" / "tiny.yaml", "defaults: default.yaml\nlr: 1.0\n")
    merge = small.step("convert/merge", MERGE, default="adapter: ???\nbase: ???\noutput: null\n")
    for folder in (trainer, merge):
        write(folder / "README.md", "# A step\n")
    write(small.root / "patterns" / "look-first.md", "# Look first\n")
    return small.root


def check(root: Path) -> Checked:
    return check_catalog(Catalog([root]))


@dataclass(frozen=True)
class Mistake:
    """In `file` of the good catalog `text` becomes `broken`; the caret stands at `at`; the fix says `fix`."""

    code: str
    text: str
    broken: str
    at: str
    fix: str
    file: str = "train/one/step.toml"
    nth: int = 1

    def __str__(self) -> str:
        return f"{self.code} {self.broken}"


STEP, TYPES, YAML = "train/one/step.toml", "types.toml", "train/one/config/default.yaml"
MISTAKES = [
    Mistake("NMT105", '"chat_jsonl"', '"chat_json"', 'type = "chat_json"', "did you mean 'chat_jsonl'?"),
    Mistake("NMT105", 'want = "checkpoint_hf"', 'want = "checkpoint"', "if = {", "mean 'checkpoint_hf'?"),
    Mistake("NMT112", "convert/merge", "convert/merg", "convert_to", "mean 'convert/merge'?", file=TYPES),
    Mistake("NMT112", "convert/merge", "train/one", "convert_to", '"convert/merge"', file=TYPES),
    Mistake("NMT105", "{ checkpoint_hf =", "{ checkpoint_h =", "convert_to", "'checkpoint_hf'?", file=TYPES),
    Mistake("NMT112", "{ checkpoint_hf =", "{ packs =", "convert_to", "take packs out", file=TYPES),
    Mistake("NMT113", 'at = "data"', 'at = "dta"', 'at = "dta"', "did you mean 'data'?"),
    Mistake("NMT113", 'field_at = "field"', 'field_at = "feild"', "field_at", "did you mean 'field'?"),
    Mistake("NMT113", 'pack_size = "model.seq"', 'pack_size = "model.sq"', "facts", "'model.seq'?", nth=2),
    Mistake("NMT113", 'at_least = "model.seq"', 'at_least = "mode.seq"', "facts", "'model.seq'?", nth=3),
    Mistake("NMT113", 'key = "lr"', 'key = "lrr"', 'key = "lrr"', "did you mean 'lr'?"),
    Mistake("NMT113", "minimum = 0", 'less_than = "model.sek"', "less_than", "'model.seq'?"),
    Mistake("NMT113", 'tensor = "model.tp"', 'tensor = "model.pt"', "tensor =", "'model.tp'?"),
    Mistake("NMT114", "record =", "recrd =", "facts", "did you mean 'record'?"),
    Mistake(
        "NMT114", "record =", "model =", "facts", "take it out, or add it to `facts` of [types.chat_jsonl]"
    ),
    Mistake("NMT115", "base.tokenizer", "bas.tokenizer", "facts", "did you mean 'base'?", nth=4),
    Mistake("NMT115", "base.tokenizer", "base.tokeniser", "facts", "did you mean 'tokenizer'?", nth=4),
    Mistake("NMT115", 'from = "base.tokenizer"', 'from = "base"', "facts", "base.FACT", nth=4),
    Mistake("NMT116", 'default = "float32"', 'default = "float3"', "default =", "mean 'float32'?", nth=2),
    Mistake("NMT116", "default = 0.5", "default = -1", "default", "correct the default"),
    Mistake("NMT116", "default = 0.5", 'default = "a"', "default", "correct the default"),
    Mistake("NMT116", "default = 0.5", "default = 0.25", "default", "default = 0.5"),
    Mistake("NMT116", "lr: 0.5", "lr: null", "default = 0.5", "or set it there", file=YAML),
    Mistake("NMT117", 'at = "data"\none_of = "data"', 'at = "data"', "one_of", 'take one_of = "data" out'),
    Mistake("NMT118", "(?:GPU )?", "(?:GPU ?", "(?:GPU ?", "matches the text as it is"),
    Mistake("NMT118", "'out of (?:GPU )?memory'", '"\\\\d\\t[z-a]"', "z-a", "match = "),
    Mistake("NMT119", "look-first", "look-frist", "pattern", "did you mean 'look-first'?"),
    Mistake("NMT120", "lr: 0.5", "lr: [0.5", ": float32", "", file=YAML),
    Mistake("NMT121", '"<=8"', '"<=x"', "if = {", 'gpus = "<=8"'),
    Mistake("NMT122", '["two"]', '["ONE"]', "aliases", "take it out of one of the two", nth=2),
    Mistake("NMT122", '["two"]', '["two"]\ndefault = true', "default = true", "one of the two", nth=2),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_a_mistake_is_found_at_its_place_and_its_fix_ends_it(good: Path, mistake: Mistake) -> None:
    file = good / mistake.file
    right = file.read_text(encoding="utf-8")
    assert mistake.text in right
    file.write_text(right.replace(mistake.text, mistake.broken, 1), encoding="utf-8")
    found = check(good).diagnostics
    problem = the(found, mistake.code)
    assert codes(found) == [mistake.code]
    named = good / STEP if mistake.code == "NMT116" else file
    assert stands(problem.where) == position(named, mistake.at, mistake.nth)
    assert mistake.fix in problem.fix
    file.write_text(mended(file.read_text(encoding="utf-8"), mistake, problem), encoding="utf-8")
    assert check(good).diagnostics == []


def mended(text: str, mistake: Mistake, problem: Diagnostic) -> str:
    """The file after its fix: the name that was meant, the edit that is written out, or the right text."""
    meant, edit = re.search(r"did you mean '(.*)'\?", problem.fix), re.match(r"(\w+) = \S+$", problem.fix)
    if meant:
        wrong = [name for name in re.findall(r"'([^']*)'", problem.summary) if name in mistake.broken][-1]
        return text.replace(mistake.broken, mistake.broken.replace(wrong, meant[1]))
    if edit and edit[1] in mistake.broken:
        return text.replace(mistake.broken, problem.fix)
    return text.replace(mistake.broken, mistake.text, 1)


def test_a_good_catalog_has_no_problem(good: Path) -> None:
    assert check(good) == Checked(2, 7, [])


def test_a_key_that_may_be_added_is_then_known(good: Path) -> None:
    with open(good / STEP, "a", encoding="utf-8") as stream:
        stream.write('[[parameters]]\nkey = "new.key"\ntype = "string"\ndescription = "New."\n')
    problem = the(check(good).diagnostics, "NMT113")
    assert problem.fix == "correct it, or add new.key: null to default.yaml"
    with open(good / YAML, "a", encoding="utf-8") as stream:
        stream.write("new: {key: null}\n")
    assert check(good).diagnostics == []


def test_a_key_of_any_shipped_config_is_known(good: Path) -> None:
    write(good / "train/one/config/tiny.yaml", "defaults: default.yaml\nlogging: {every: 1}\n")
    file = good / STEP
    file.write_text('key_ignores = ["logging"]\n' + file.read_text(encoding="utf-8"), encoding="utf-8")
    assert check(good).diagnostics == []
    write(good / "train/one/config/tiny.yaml", "defaults: default.yaml\n")
    assert stands(the(check(good).diagnostics, "NMT113").where) == (str(file), 1, 1)


def test_a_key_of_the_librarys_schema_is_known_and_another_is_not(good: Path) -> None:
    step, library = good / STEP, 'library = "automodel"\nlaunch = "torchrun"\n'
    manifest = f"""
        key_ignores = ["wandb.project", "step_scheduler.no_such_key"]
        [step]
        id = "train/one"
        version = 1
        name = "A step"
        summary = "It does something."
        description = "At length."
        {library.splitlines()[0]}
        {library.splitlines()[1]}
        [[produces]]
        type = "checkpoint_hf"
        at = "checkpoint.checkpoint_dir"
    """
    write(step, manifest)
    write(good / YAML, "recipe: TrainFinetuneRecipeForNextTokenPrediction\n")
    problem = the(check(good).diagnostics, "NMT113")
    assert "'step_scheduler.no_such_key'" in problem.summary


@pytest.mark.parametrize("name", ["README.md", "config/default.yaml"])
def test_a_missing_file_of_a_step_is_named(good: Path, name: str) -> None:
    text = (good / "train/one" / name).read_text(encoding="utf-8")
    (good / "train/one" / name).unlink()
    found = [d for d in check(good).diagnostics if "has no" in d.summary]
    problem = the(found, "NMT120")
    assert stands(problem.where) == position(good / STEP, "id = ")
    file = Path(problem.fix.removeprefix("write "))
    file.write_text(text, encoding="utf-8")
    assert check(good).diagnostics == []


def test_a_config_on_a_file_that_is_not_there_is_found(good: Path) -> None:
    tiny = write(good / "train/one/config/tiny.yaml", "lr: 1.0\ndefaults: defualt.yaml\n")
    problem = the(check(good).diagnostics, "NMT120")
    assert stands(problem.where) == (str(tiny), 2, 1)
    assert problem.fix == "did you mean 'default.yaml'?"
    write(tiny, "lr: 1.0\ndefaults: default.yaml\n")
    assert check(good).diagnostics == []


def test_every_mistake_is_told_once_and_they_come_sorted(good: Path) -> None:
    file = good / STEP
    text = file.read_text(encoding="utf-8")
    for mistake in (m for m in MISTAKES if m.code in ("NMT118", "NMT119", "NMT121") and m.fix != "match = "):
        text = text.replace(mistake.text, mistake.broken, 1)
    file.write_text(text.replace("version = 1", "version = 0"), encoding="utf-8")
    assert codes(check(good).diagnostics) == ["NMT103"]  # what does not parse is not looked into
    file.write_text(text, encoding="utf-8")
    assert codes(check(good).diagnostics) == ["NMT121", "NMT119", "NMT118"]


def test_types_that_do_not_parse_leave_the_problems_of_parsing(good: Path) -> None:
    types = good / TYPES
    types.write_text(types.read_text(encoding="utf-8").replace("is_a", "isa"), encoding="utf-8")
    with open(good / STEP, "a", encoding="utf-8") as stream:
        stream.write("[nonsense]\n")
    assert codes(check(good).diagnostics) == ["NMT102", "NMT102"]


def test_one_step_is_checked_by_itself(good: Path) -> None:
    write(good / "convert/merge/step.toml", "nonsense")
    one = good / "train" / "one"
    assert check_catalog(Catalog([good]), one) == Checked(1, 0, [])
    assert codes(check_catalog(Catalog([good])).diagnostics) == ["NMT101"]


def test_a_step_of_ones_own_finds_its_root(tmp_path: Path) -> None:
    mine = SmallCatalog(tmp_path / "mine").step("deep/er/step", default="x: 1\n")
    catalog = catalog_of(mine, default_catalog())
    assert catalog.roots == [*default_catalog().roots, tmp_path / "mine"]
    assert codes(check_catalog(catalog, mine).diagnostics) == ["NMT120"]  # the README


@pytest.mark.parametrize("names", [None, "# none\n"])
def test_a_list_of_names_that_is_not_there_or_empty_is_found(tmp_path: Path, names: str | None) -> None:
    mine = SmallCatalog(tmp_path)
    parameter = '[[parameters]]\nkey = "x"\ntype = "list"\nnames = "names.txt"\ndescription = "Which."\n'
    folder = mine.step("sft/new", parameter, default="x: []\n")
    write(folder / "README.md", "# New\n")
    if names is not None:
        write(folder / "names.txt", names)
    catalog = catalog_of(tmp_path, default_catalog())
    (problem,) = check_catalog(catalog, tmp_path).diagnostics
    assert (problem.code, problem.fix) == ("NMT120", "write names.txt beside step.toml, a name a line")


def test_a_step_that_is_there_twice_is_found_beside_other_problems(tmp_path: Path) -> None:
    mine = SmallCatalog(tmp_path)
    mine.step("sft/automodel", default="x: 1\n")
    mine.step("sft/new", '[[consumes]]\ntype = "nothing"\nat = "x"\n', default="x: 1\n")
    write(tmp_path / "sft/new/README.md", "# New\n")
    catalog = catalog_of(tmp_path, default_catalog())
    assert codes(check_catalog(catalog, tmp_path).diagnostics) == ["NMT104", "NMT105"]


@pytest.mark.parametrize(
    "step",
    [
        "sft/automodel",
        "peft/automodel",
        "pretrain/automodel",
        "data_prep/pretrain_prep",
        "convert/merge_lora",
        "eval/model_eval",
    ],
)
def test_shipped_steps_have_no_problem(step: str) -> None:
    catalog = default_catalog()
    assert check_catalog(catalog, catalog.folders[step]).diagnostics == []


def test_shipped_types_have_no_problem() -> None:
    found = check_catalog(default_catalog()).diagnostics
    assert [d for d in found if d.where and str(d.where.file).endswith("types.toml")] == []
