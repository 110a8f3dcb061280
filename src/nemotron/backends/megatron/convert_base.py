"""Converts an HF folder to a Megatron checkpoint, in one process: `python -m … BASE OUTPUT`."""

from __future__ import annotations

import argparse
from pathlib import Path

from nemotron.backends.megatron import cpu, library


def convert(base: Path, output: Path, *, remote_code: bool) -> None:
    """Write `iter_0000000` with the weights of the HF folder, in its own number format."""
    without_cuda = library.prepare()
    from megatron.bridge import AutoBridge
    from megatron.bridge.training.model_load_save import temporary_distributed_context

    bridge = AutoBridge.from_hf_pretrained(str(base), trust_remote_code=remote_code)
    with temporary_distributed_context(backend="gloo"):
        provider = bridge.to_megatron_provider()
        if without_cuda:
            cpu.fit_to_cpu(provider)
        provider.finalize()
        model = provider.provide_distributed_model(wrap_with_ddp=False, use_cpu_initialization=True)
        bridge.save_megatron_model(model, output, hf_tokenizer_path=str(base), low_memory_save=True)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("base", type=Path)
    arguments.add_argument("output", type=Path)
    arguments.add_argument("--trust-remote-code", action="store_true")
    given = arguments.parse_args()
    convert(given.base, given.output, remote_code=given.trust_remote_code)
