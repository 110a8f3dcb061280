"""Plans over the shipped catalog that must come out right: what each starts from, and its steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SUPER = {"model": "Super3", "gpus": 32, "gpu": "h200", "nodes": 4}
SERVICE = "endpoint:https://host/v1,model=name,api_key_env=SERVICE_KEY"


@dataclass(frozen=True)
class Case:
    """What is wanted and at hand, the steps that must come out, and what their ports are bound to."""

    title: str
    want: str
    haves: tuple[str, ...]
    steps: list[str]
    inputs: dict[str, dict[str, str]]
    wish: dict[str, Any] = field(default_factory=dict)


CASES = [
    Case(
        "an adapter on two GPUs is trained by AutoModel alone",
        "checkpoint_lora",
        ("chat.jsonl", "base"),
        ["peft/automodel"],
        {"peft": {"training_jsonl": "chat", "base": "base"}},
        {"gpus": 2, "gpu": "h200"},
    ),
    Case(
        "Super on four nodes is trained by Megatron on packs",
        "checkpoint_megatron",
        ("chat.jsonl",),
        ["data_prep/sft_packing", "sft/megatron_bridge"],
        {
            "sft_packing": {"training_jsonl": "chat"},
            "sft": {"packed_parquet": "sft_packing.packed_parquet", "base": "base"},
        },
        SUPER,
    ),
    Case(
        "Super as a Hugging Face checkpoint is converted back",
        "checkpoint_hf",
        ("chat.jsonl",),
        ["data_prep/sft_packing", "sft/megatron_bridge", "convert/megatron_to_hf"],
        {"megatron_to_hf": {"checkpoint_megatron": "sft.checkpoint_megatron", "reference": "base"}},
        SUPER,
    ),
    Case(
        "web text is curated, tokenised, trained on and evaluated",
        "eval_results",
        ("web.jsonl", "base"),
        ["curate/nemo_curator", "data_prep/pretrain_prep", "pretrain/automodel", "eval/model_eval"],
        {
            "curate": {"raw_jsonl": "web"},
            "pretrain_prep": {"filtered_jsonl": "curate.filtered_jsonl"},
            "pretrain": {"binidx": "pretrain_prep.binidx", "base": "base"},
            "model_eval": {"checkpoint_hf": "pretrain.checkpoint_hf"},
        },
        {"gpus": 8},
    ),
    Case(
        "raw conversations are curated, translated, packed, trained on and evaluated",
        "eval_results",
        ("raw_jsonl=chat.jsonl",),
        [
            "curate/nemo_curator",
            "translate/nemo_curator",
            "data_prep/sft_packing",
            "sft/megatron_bridge",
            "convert/megatron_to_hf",
            "eval/model_eval",
        ],
        {
            "translate": {"filtered_jsonl": "curate.filtered_jsonl"},
            "sft_packing": {"training_jsonl": "translate.translated_jsonl"},
            "model_eval": {"checkpoint_hf": "megatron_to_hf.checkpoint_hf"},
        },
        {**SUPER, "settings": {"translate": {"source_language": "en", "target_language": "th"}}},
    ),
    Case(
        "the same on one node with packing asked for",
        "eval_results",
        ("raw_jsonl=chat.jsonl", "base"),
        [
            "curate/nemo_curator",
            "translate/nemo_curator",
            "data_prep/sft_packing",
            "sft/megatron_bridge",
            "convert/megatron_to_hf",
            "eval/model_eval",
        ],
        {"sft_packing": {"training_jsonl": "translate.translated_jsonl"}},
        {"gpus": 8, "through": ("translate/nemo_curator", "data_prep/sft_packing")},
    ),
    Case(
        "a service that is at hand translates",
        "eval_results",
        ("raw_jsonl=chat.jsonl", "base", SERVICE),
        ["curate/nemo_curator", "translate/nemo_curator", "sft/automodel", "eval/model_eval"],
        {
            "translate": {"filtered_jsonl": "curate.filtered_jsonl", "endpoint": "endpoint"},
            "model_eval": {"checkpoint_hf": "sft.checkpoint_hf"},
        },
        {"gpus": 8, "through": ("translate/nemo_curator",)},
    ),
    Case(
        "raw conversations are curated, and not translated where nobody asks for it",
        "checkpoint_lora",
        ("raw_jsonl=chat.jsonl", "base"),
        ["curate/nemo_curator", "peft/automodel"],
        {"peft": {"training_jsonl": "curate.filtered_jsonl", "base": "base"}},
        {"gpus": 1},
    ),
    Case(
        "conversations that were curated are trained on",
        "checkpoint_hf",
        ("filtered_jsonl=chat.jsonl", "base"),
        ["sft/automodel"],
        {"sft": {"training_jsonl": "chat", "base": "base"}},
        {"gpus": 8},
    ),
    Case(
        "text that was curated is no conversation",
        "checkpoint_hf",
        ("filtered_jsonl=web.jsonl", "base"),
        ["data_prep/pretrain_prep", "pretrain/automodel"],
        {"pretrain_prep": {"filtered_jsonl": "web"}},
        {"gpus": 8},
    ),
    Case(
        "of what curated records hold nothing is known: they are no conversations",
        "checkpoint_hf",
        ("filtered_jsonl=hub:org/records", "base"),
        ["data_prep/pretrain_prep", "pretrain/automodel"],
        {},
        {"gpus": 8},
    ),
    Case(
        "a translation that is wanted is made",
        "translated_jsonl",
        ("filtered_jsonl=web.jsonl",),
        ["translate/nemo_curator"],
        {"translate": {"filtered_jsonl": "web"}},
    ),
    Case(
        "a Hugging Face checkpoint is converted for Megatron",
        "checkpoint_megatron",
        ("base",),
        ["convert/hf_to_megatron"],
        {"hf_to_megatron": {"checkpoint_hf": "base"}},
        {"gpus": 8},
    ),
    Case(
        "a conversion that is asked for goes where Megatron takes weights",
        "checkpoint_megatron",
        ("chat.jsonl", "base"),
        ["data_prep/sft_packing", "convert/hf_to_megatron", "sft/megatron_bridge"],
        {
            "sft": {
                "packed_parquet": "sft_packing.packed_parquet",
                "base": "base",
                "pretrained": "hf_to_megatron.checkpoint_megatron",
            }
        },
        {"gpus": 8, "library": "megatron_bridge", "through": ("convert/hf_to_megatron",)},
    ),
    Case(
        "an adapter is merged into its base and evaluated",
        "eval_results",
        ("adapter", "base"),
        ["convert/merge_lora", "eval/model_eval"],
        {
            "merge_lora": {"adapter": "adapter", "base": "base"},
            "model_eval": {"checkpoint_hf": "merge_lora.checkpoint_hf"},
        },
        {"gpus": 1},
    ),
    Case(
        "preference pairs are split, then DPO takes both parts",
        "checkpoint_hf",
        ("pairs.jsonl", "tuned"),
        ["data_prep/rl_prep", "rl/nemo_rl/dpo"],
        {
            "rl_prep": {"preference_jsonl": "pairs"},
            "dpo": {
                "train": "rl_prep.preference_train",
                "validation": "rl_prep.preference_validation",
                "policy": "tuned",
            },
        },
        {"gpus": 8},
    ),
    Case(
        "a teacher and a student are distilled",
        "checkpoint_hf",
        ("teacher", "student"),
        ["optimize/modelopt/distill"],
        {"distill": {"teacher": "teacher", "student": "student"}},
        {"gpus": 8},
    ),
    Case(
        "and are not swapped when the student is named first",
        "checkpoint_megatron",
        ("student", "teacher"),
        ["optimize/modelopt/distill"],
        {"distill": {"teacher": "teacher", "student": "student"}},
        {"gpus": 8},
    ),
    Case(
        "a name that the user gives decides over the name of the folder",
        "checkpoint_hf",
        ("teacher:checkpoint_hf=student", "student:checkpoint_hf=teacher"),
        ["optimize/modelopt/distill"],
        {"distill": {"teacher": "teacher", "student": "student"}},
        {"gpus": 8},
    ),
    Case(
        "two models without such names go in the order in which they were given",
        "checkpoint_hf",
        ("tuned", "base"),
        ["optimize/modelopt/distill"],
        {"distill": {"teacher": "tuned", "student": "base"}},
        {"gpus": 8},
    ),
    Case(
        "a service is evaluated as it is",
        "eval_results",
        (SERVICE,),
        ["eval/model_eval"],
        {"model_eval": {"endpoint": "endpoint"}},
        {"settings": {"model_eval": {"tasks": ["mmlu"]}}},
    ),
    Case(
        "a benchmark is translated by the benchmark's own step",
        "translated_mcq_benchmark_parquet",
        ("questions.parquet",),
        ["byob/mcq"],
        {"mcq": {"benchmark_parquet": "questions"}},
    ),
    Case(
        "a checkpoint at hand is not the answer: it is trained",
        "checkpoint_hf",
        ("chat.jsonl", "base"),
        ["sft/automodel"],
        {"sft": {"training_jsonl": "chat", "base": "base"}},
        {"gpus": 8},
    ),
]
