"""Imports what jobs import of Megatron-Bridge, work-arounds first: an installation imports this as its proof.

It also compiles those modules ahead, which takes 8 seconds off every job.
"""

from __future__ import annotations

import importlib
import importlib.util

from nemotron.backends.megatron import library

MODULES = (
    "megatron.bridge",
    "megatron.bridge.peft.lora",
    "megatron.bridge.recipes",
    "megatron.bridge.training.checkpointing",
    "megatron.bridge.training.finetune",
    "megatron.bridge.training.gpt_step",
    "megatron.bridge.training.model_load_save",
    "megatron.bridge.training.pretrain",
)

# With CUDA and without Transformer Engine the library does not import: its jobs are blocked beforehand.
if library.prepare() or importlib.util.find_spec("transformer_engine") is not None:
    for _name in MODULES:
        importlib.import_module(_name)
