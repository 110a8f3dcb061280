"""`nemotron artifacts show --sample`: packs that a real run of data_prep/sft_packing made, as text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from catalogs.helpers import Nemotron, write_chat
from catalogs.pipelines import Branches, run_branches

pytestmark = pytest.mark.training

TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
WORDS = ["why", "so", "\x1b"]
MARKS = ["<|user|>", "<|assistant|>", "<|end|>"]


def write_tokenizer(folder: Path) -> Path:
    """Whole words as tokens; a template without generation markers."""
    folder.mkdir()
    special = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
    marks = [{"id": len(WORDS) + n, "content": mark, **special} for n, mark in enumerate(MARKS)]
    tokenizer = {
        "version": "1.0",
        "added_tokens": marks,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "model": {
            "type": "WordLevel",
            "vocab": {word: number for number, word in enumerate(WORDS + MARKS)},
            "unk_token": "\x1b",
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture
def packs(nemotron: Nemotron, project: Path, automodel_python: Path) -> Path:
    """Three conversations in packs of 16 tokens, padded to multiples of 8."""
    chat = write_chat(project / "chat.jsonl", 3)
    with open(chat, "a", encoding="utf-8") as stream:
        turns = [{"role": "user", "content": "\x1b why"}, {"role": "assistant", "content": "so"}]
        stream.write(json.dumps({"messages": turns}) + "\n")
    tokenizer = write_tokenizer(project / "tokenizer")
    ended = nemotron(
        "steps",
        "run",
        "data_prep/sft_packing",
        f"input_path={chat}",
        f"tokenizer.model={tokenizer}",
        "output_dir=packs",
        "pack_size=16",
        "pad_multiple=8",
        "num_shards=1",
        "train_ratio=1",
        "valid_ratio=0",
        "test_ratio=0",
        "algorithm=first_fit_decreasing",
    )
    assert ended.returncode == 0, ended.stderr
    return project / "packs"


def test_packs_are_shown_with_what_is_learnt_and_where_conversations_begin(
    packs: Path, nemotron: Nemotron
) -> None:
    record = json.loads((packs / "artifact.json").read_text())
    assert record["facts"] | {"tokenizer": "", "chat_template": ""} == {
        "chat_template": "",
        "documents": 4,
        "pack_size": 16,
        "packing_efficiency": "100.00 %",
        "pad_multiple": 8,
        "splits": "train",
        "tokenizer": "",
        "tokens": 48,
    }
    shown = nemotron("artifacts", "show", str(packs), "--sample", "9")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert lines[0] == "Learnt tokens are in ⟦…⟧. 3 packs in 'train':"
    assert "Pack 0: 16 of 16 tokens in 1 conversation, 0 of padding behind them" in lines
    at = lines.index("<|user|> why why why why <|end|> <|assistant|>⟦so so so <|end|>⟧")
    assert lines[at - 1] == "── 1: 16 tokens, 4 learnt, 6 of padding ──"
    assert "<|user|> \N{REPLACEMENT CHARACTER} why <|end|> <|assistant|>⟦so <|end|>⟧" in lines
    told = json.loads(nemotron("artifacts", "show", str(packs), "--sample", "1", "--json").stdout)
    (pack,) = told["sample"]["packs"]
    (conversation,) = pack["conversations"]
    assert [piece["learnt"] for piece in conversation["pieces"]] == [False, True]
    assert conversation["pieces"][1]["text"] in {"so so <|end|>", "so so so <|end|>"}


def test_what_cannot_be_shown_is_told(branches: Branches, nemotron: Nemotron) -> None:
    outcome = run_branches(branches).steps[2].outcome
    assert outcome is not None
    refused = nemotron("artifacts", "show", str(outcome.made[0].path), "--sample", "1")
    assert refused.returncode == 2
    assert "NMT294" in refused.stderr
    assert "not of eval_results" in refused.stderr
