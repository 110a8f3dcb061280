"""Megatron-Bridge started without nemotron's backend, for `megatron_gpu.py`. Under torchrun:

    megatron_direct.py train CONFIG.yaml        the training of a resolved sft/megatron_bridge config
    megatron_direct.py starts CASES.json OUT    two steps on mock data in each layout; a line of OUT for each

Only the work-arounds for the public wheels are shared with the backend.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from nemotron.backends.megatron import cpu, library

WITHOUT_CUDA = library.prepare()

import torch  # noqa: E402
import torch.distributed as distributed  # noqa: E402
from megatron.bridge import AutoBridge  # noqa: E402
from megatron.bridge.data.datasets.packed_sequence import PackedSequenceSpecs  # noqa: E402
from megatron.bridge.training import config as library_config  # noqa: E402
from megatron.bridge.training.finetune import finetune  # noqa: E402
from megatron.bridge.training.gpt_step import forward_step  # noqa: E402
from megatron.bridge.training.initialize import destroy_global_state  # noqa: E402
from megatron.bridge.training.pretrain import pretrain  # noqa: E402
from megatron.bridge.training.tokenizers.config import TokenizerConfig  # noqa: E402
from megatron.core import parallel_state  # noqa: E402

BACKEND = "gloo" if WITHOUT_CUDA else "nccl"
ON_CPU = {"use_distributed_optimizer": False, "overlap_grad_reduce": False, "overlap_param_gather": False}


def provider(hf_model: str, settings: dict[str, Any]) -> Any:
    """The library's model of an HF folder's shape, with these fields set; its weights are random."""
    model = AutoBridge.from_hf_pretrained(hf_model).to_megatron_provider(load_weights=False)
    for name, value in settings.items():
        setattr(model, name, value)
    if WITHOUT_CUDA:
        cpu.fit_to_cpu(model)
    return model


def train(tree: dict[str, Any]) -> None:
    """Fine-tune on packed conversations as the config says, by the library's own entry point."""
    decay = tree["optimizer"]["weight_decay"]
    container = library_config.ConfigContainer(
        model=provider(tree["hf_model_path"], tree["model"]),
        train=library_config.TrainingConfig(**tree["train"]),
        optimizer=library_config.OptimizerConfig(
            **{**tree["optimizer"], "use_distributed_optimizer": not WITHOUT_CUDA}
        ),
        scheduler=library_config.SchedulerConfig(
            **{"start_weight_decay": decay, "end_weight_decay": decay, **tree["scheduler"]}
        ),
        ddp=library_config.DistributedDataParallelConfig(
            **{**tree["ddp"], **(ON_CPU if WITHOUT_CUDA else {})}
        ),
        dataset=conversations(tree["dataset"]),
        logger=library_config.LoggerConfig(**tree["logger"]),
        tokenizer=TokenizerConfig(
            tokenizer_type="HuggingFaceTokenizer", tokenizer_model=tree["hf_model_path"]
        ),
        checkpoint=library_config.CheckpointConfig(
            **{**tree["checkpoint"], "pretrained_checkpoint": _parent(tree)}
        ),
        dist=library_config.DistributedInitConfig(**tree["dist"]),
        rng=library_config.RNGConfig(**tree["rng"]),
        mixed_precision=tree["mixed_precision"],
    )
    finetune(container, forward_step)


def conversations(data: dict[str, Any]) -> Any:
    """Packed conversations, or for a trial on the CPU those of a JSONL file, linked to here."""
    packing = data["packed_sequence_specs"]
    if packing is None and not Path("training.jsonl").is_symlink():
        Path("training.jsonl").symlink_to(data["dataset_root"])
    return library_config.FinetuningDatasetConfig(
        dataset_root=".",
        seq_length=data["seq_length"],
        num_workers=data["num_workers"],
        dataset_kwargs=None if packing else {"chat": True, "use_hf_tokenizer_chat_template": True},
        packed_sequence_specs=packing
        and PackedSequenceSpecs(
            packed_sequence_size=data["seq_length"],
            packed_train_data_path=str(Path(packing["packed_train_data_path"]) / "train.npy"),
            packed_metadata_path=str(Path(packing["packed_train_data_path"]) / "metadata.json"),
        ),
        do_validation=False,
        do_test=False,
    )


def _parent(tree: dict[str, Any]) -> str:
    """The library takes the folder around `iter_*`."""
    return str(Path(tree["checkpoint"]["pretrained_checkpoint"]).parent)


def start(case: dict[str, Any]) -> None:
    """Two steps of pretraining on mock data, in the layout of the case."""
    length = case["model"]["seq_length"]
    spread = ON_CPU if WITHOUT_CUDA else {"use_distributed_optimizer": True}
    container = library_config.ConfigContainer(
        model=provider(case["hf_model"], case["model"]),
        train=library_config.TrainingConfig(
            train_iters=2, eval_iters=0, micro_batch_size=1, global_batch_size=case["global_batch"]
        ),
        optimizer=library_config.OptimizerConfig(
            lr=1e-4, min_lr=1e-5, use_distributed_optimizer=not WITHOUT_CUDA
        ),
        scheduler=library_config.SchedulerConfig(start_weight_decay=0.0, end_weight_decay=0.0),
        ddp=library_config.DistributedDataParallelConfig(**spread),
        dataset=library_config.GPTDatasetConfig(
            seq_length=length,
            random_seed=1,
            reset_position_ids=False,
            reset_attention_mask=False,
            eod_mask_loss=False,
            dataloader_type="single",
            num_workers=0,
        ),
        logger=library_config.LoggerConfig(log_interval=1),
        tokenizer=TokenizerConfig(tokenizer_type="NullTokenizer", vocab_size=1000),
        checkpoint=library_config.CheckpointConfig(save=None),
        dist=library_config.DistributedInitConfig(distributed_backend=BACKEND),
        mixed_precision=None if WITHOUT_CUDA else "bf16_mixed",
    )
    pretrain(container, forward_step)


def starts(cases: list[dict[str, Any]], results: Path) -> None:
    """Try each case in this process, one after another: what it was refused with, or that it trained."""
    if not WITHOUT_CUDA:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group(BACKEND, timeout=timedelta(minutes=1))
    for case in cases:
        began, refusal = time.perf_counter(), None
        try:
            start(case)
        except (Exception, SystemExit) as problem:
            refusal = f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}"
        _clear()
        if distributed.get_rank() == 0:
            seconds = round(time.perf_counter() - began, 1)
            told = {"name": case["name"], "refusal": refusal, "seconds": seconds}
            with open(results, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(told) + "\n")


def _clear() -> None:
    """Leave nothing of a training behind, so that the next one may begin."""
    parallel_state.destroy_model_parallel()
    destroy_global_state()
    gc.collect()
    torch.cuda.empty_cache()


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(yaml.safe_load(Path(sys.argv[2]).read_text(encoding="utf-8")))
    else:
        starts(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), Path(sys.argv[3]))
