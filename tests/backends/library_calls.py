"""What the tests do inside the library's Python: `python library_calls.py FOLDER`.

FOLDER/requests.json is a list of {call: NAME, …}; FOLDER/answers.json becomes the list of the results.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def job(
    backend: str,
    folder: str,
    config: dict[str, Any],
    constants: dict[str, Any] | None = None,
    entry: str = "main",
) -> Any:
    """Run a backend in this process: its outputs, or the error that it explains itself with."""
    from nemotron.backends.job import Job, JobError

    module = importlib.import_module(f"nemotron.backends.{backend}")
    for name, value in (constants or {}).items():
        setattr(module, name, value)
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        outputs = getattr(module, entry)(Job(Path(folder), config))
    except JobError as error:
        return {"error": error.as_dict()}
    return {"outputs": [{"port": o.port, "path": str(o.path), "facts": o.facts} for o in outputs]}


def read_binidx(prefix: str) -> Any:
    """The documents of a shard, read with AutoModel's own class."""
    module = "nemo_automodel.components.datasets.llm.megatron.indexed_dataset"
    dataset = importlib.import_module(module).IndexedDataset(prefix)
    return {
        "documents": [dataset[number].tolist() for number in range(len(dataset))],
        "document_indices": [int(index) for index in dataset.document_indices],
        "dtype": dataset.index.dtype.__name__,
    }


def read_packs(folder: str) -> Any:
    """The packs of each split, from Parquet or, without it, from .npy; and the schema of the former."""
    import numpy
    import pyarrow.parquet

    found: dict[str, Any] = {}
    for array in sorted(Path(folder).glob("*.npy")):
        entries = numpy.load(array, allow_pickle=True).tolist()
        found[array.stem] = [
            {name: [int(value) for value in values] for name, values in entry.items()} for entry in entries
        ]
    for split in ("train", "valid", "test"):
        tables = [pyarrow.parquet.read_table(file) for file in sorted(Path(folder, split).glob("*.parquet"))]
        if tables:
            packs = [pack for table in tables for pack in table.to_pylist()]
            assert packs == found.get(split, packs)
            found[split] = packs
            found["schema"] = {field.name: str(field.type) for field in tables[0].schema}
    return found


def assistant_masks(tokenizer: str, conversations: list[Any]) -> Any:
    """The ids of conversations and which the template's markers say that the assistant generates."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    told = loaded.apply_chat_template(conversations, return_dict=True, return_assistant_tokens_mask=True)
    return list(zip(told["input_ids"], told["assistant_masks"], strict=True))


def packs_in_megatron(npy: str, conversations: str, tokenizer: str, pack_size: int) -> Any:
    """Packs as Megatron-Bridge's data set reads them, a batch of one, and its own packing of the same."""
    from nemotron.backends.megatron.library import prepare

    prepare()
    import numpy
    from megatron.bridge.data.datasets.packed_sequence import prepare_packed_sequence_data
    from megatron.bridge.data.datasets.sft import create_sft_dataset
    from megatron.bridge.training.tokenizers.config import TokenizerConfig
    from megatron.bridge.training.tokenizers.tokenizer import build_tokenizer

    config = TokenizerConfig(tokenizer_type="HuggingFaceTokenizer", tokenizer_model=tokenizer)
    built = build_tokenizer(config)
    metadata = Path(npy).with_name("metadata.json")
    read = create_sft_dataset(Path(npy), built, pack_size, pack_metadata_file_path=metadata)
    batch = read.collate_fn([read[0]])
    own = Path(npy).with_name("own.npy")
    prepare_packed_sequence_data(
        input_path=Path(conversations),
        output_path=own,
        output_metadata_path=own.with_suffix(".json"),
        packed_sequence_size=pack_size,
        tokenizer=built,
        max_seq_length=pack_size,
        dataset_kwargs={"chat": True, "use_hf_tokenizer_chat_template": True},
    )
    packs = [read[number] for number in range(len(read))]
    return {
        "packs": [{name: [int(v) for v in values] for name, values in pack.items()} for pack in packs],
        "batch": {name: batch[name][0].tolist() for name in ("tokens", "labels", "loss_mask", "cu_seqlens")},
        "own": [
            {name: [int(v) for v in values] for name, values in pack.items()}
            for pack in numpy.load(own, allow_pickle=True)
        ],
    }


def write_parquet(file: str, rows: list[dict[str, Any]], rows_per_group: int) -> None:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), file, row_group_size=rows_per_group)


def make_model(folder: str, tokenizer: str, seed: int, layers: int = 2, hidden: int = 32) -> None:
    """A small Llama with random weights, with the tokenizer's files beside it."""
    import shutil

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=202,
        hidden_size=hidden,
        intermediate_size=64,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=200,
        eos_token_id=201,
        pad_token_id=201,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    for file in Path(tokenizer).iterdir():
        shutil.copyfile(file, Path(folder) / file.name)


def make_adapter(folder: str, base: str, seed: int) -> None:
    """A LoRA adapter of a model, as peft saves it, with matrices that change what the model says."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"])
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, weights in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.1)
    tuned.save_pretrained(folder)


def logits(model: str, adapter: str | None = None) -> Any:
    """What a model, perhaps with an adapter, says after a fixed text."""
    import torch
    from transformers import AutoModelForCausalLM

    loaded = AutoModelForCausalLM.from_pretrained(model)
    if adapter is not None:
        from peft import PeftModel

        loaded = PeftModel.from_pretrained(loaded, adapter)
    with torch.no_grad():
        return loaded.eval()(torch.tensor([[3, 14, 15, 92, 65]])).logits[0].tolist()


def make_megatron_adapter(folder: str, base: str, seed: int) -> None:
    """A LoRA adapter as Megatron-Bridge saves one while it trains, with matrices that change the model."""
    import torch

    from nemotron.backends.megatron import library, models, world

    without_cuda = library.prepare()
    from megatron.bridge.peft.lora import LoRA
    from megatron.bridge.training import model_load_save

    torch.manual_seed(seed)
    adapter = LoRA(dim=4, alpha=8, target_modules=["linear_qkv", "linear_proj", "linear_fc1", "linear_fc2"])
    bridge = models.bridge_of(Path(base), remote_code=False)
    provider = models.provider_of(bridge, world.Layout(), "float32", without_cuda=without_cuda)
    provider.register_pre_wrap_hook(lambda model: adapter(bridge.load_hf_weights(model), training=True))
    container = model_load_save.ConfigContainer
    model_load_save.ConfigContainer = lambda **keywords: container(**keywords, peft=adapter)
    with world.groups(provider):
        model = models.build(provider)
        for name, weights in model[0].named_parameters():
            if "linear_out" in name:
                torch.nn.init.normal_(weights, std=0.1)
        adapter.set_params_to_save(model)
        bridge.save_megatron_model(model, folder, hf_tokenizer_path=base)
    model_load_save.ConfigContainer = container


def compared(before: list[float], after: list[float], dtype: str) -> Any:
    """What the comparison of one tensor says, the second being in another number format."""
    import torch

    from nemotron.backends.job import JobError
    from nemotron.backends.megatron.compare import Comparison

    found = Comparison()
    try:
        found.add("w", torch.tensor(before), torch.tensor(after).to(getattr(torch, dtype)))
    except JobError as error:
        return error.as_dict()
    return found.as_dict()


if __name__ == "__main__":  # worker processes of a backend import this file too
    calls = {function.__name__: function for function in (job, read_binidx, write_parquet, make_model)}
    calls |= {function.__name__: function for function in (make_adapter, logits, read_packs, assistant_masks)}
    calls |= {function.__name__: function for function in (make_megatron_adapter, compared)}
    calls["packs_in_megatron"] = packs_in_megatron
    place = Path(sys.argv[1])
    answers = [
        calls[request.pop("call")](**request)
        for request in json.loads((place / "requests.json").read_text(encoding="utf-8"))
    ]
    (place / "answers.json").write_text(json.dumps(answers), encoding="utf-8")
