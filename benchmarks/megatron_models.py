"""The models and the data of `megatron_gpu.py`, all made from configs; run by the library's Python.

    python benchmarks/megatron_models.py WORK [--tiny]

Writes WORK/tokenizer, WORK/chat.jsonl, and the HF folders WORK/dense and WORK/moe with random weights.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VOCABULARY, TOKENS = 32768, 8192
CONVERSATIONS = 6000
TEMPLATE = (
    "{%- for message in messages -%}{{- '<|' + message['role'] + '|>' -}}"
    "{%- if message['role'] == 'assistant' -%}"
    "{% generation %}{{- message['content'] + '<|end|>' -}}{% endgeneration %}"
    "{%- else -%}{{- message['content'] + '<|end|>' -}}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)
SPECIAL = ["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"]
# 1.14 billion parameters in the shape of Qwen3, and 0.73 billion in that of its mixture of experts.
DENSE: dict[str, Any] = {
    "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 20,
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
}  # fmt: skip
MOE: dict[str, Any] = {
    "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 64,
    "num_experts": 16, "num_experts_per_tok": 2, "moe_intermediate_size": 1024, "router_aux_loss_coef": 0.0,
}  # fmt: skip
TINY = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16}  # fmt: skip


def texts() -> Iterator[str]:
    """The source of Python's standard library, file by file."""
    for file in sorted(Path(json.__file__).parent.parent.glob("*.py")):
        yield file.read_text(encoding="utf-8", errors="ignore")


def make_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=TOKENS, special_tokens=SPECIAL, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(texts(), trainer)
    whole = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|end|>")
    whole.chat_template = TEMPLATE
    whole.save_pretrained(folder)


def make_conversations(file: Path, count: int) -> None:
    """Questions about pieces of source, of very different lengths."""
    source, chance = "\n".join(texts()), random.Random(0)
    with open(file, "w", encoding="utf-8") as stream:
        for number in range(count):
            length = int(chance.lognormvariate(7.0, 0.8))
            start = chance.randrange(len(source) - length)
            turns = [
                {"role": "user", "content": f"Go on with piece {number} of the library."},
                {"role": "assistant", "content": source[start : start + length]},
            ]
            stream.write(json.dumps({"messages": turns}) + "\n")


def make_model(folder: Path, tokenizer: Path, kind: str, sizes: dict[str, Any]) -> None:
    import torch
    import transformers

    config_class = getattr(transformers, f"{kind}Config")
    shared = {"max_position_embeddings": 8192, "tie_word_embeddings": False, "eos_token_id": 1}
    config = config_class(vocab_size=VOCABULARY, **shared, **sizes)
    config.torch_dtype = torch.bfloat16
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = getattr(transformers, f"{kind}ForCausalLM")(config)
    model.save_pretrained(folder)
    for file in tokenizer.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    print(f"{folder.name}: {sum(p.numel() for p in model.parameters()):,} parameters", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work", type=Path)
    parser.add_argument("--tiny", action="store_true", help="for a trial on the CPU")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    make_tokenizer(given.work / "tokenizer")
    make_conversations(given.work / "chat.jsonl", 200 if given.tiny else CONVERSATIONS)
    smaller = TINY if given.tiny else {}
    make_model(given.work / "dense", given.work / "tokenizer", "Qwen3", {**DENSE, **smaller})
    make_model(given.work / "moe", given.work / "tokenizer", "Qwen3Moe", {**MOE, **smaller})


if __name__ == "__main__":
    main()
