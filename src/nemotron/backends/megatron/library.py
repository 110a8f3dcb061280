"""Makes Megatron-Bridge importable in this process. Called before anything of `megatron` is imported.

Changes environment variables and modules of this process; writes nothing.
"""

from __future__ import annotations

import warnings

from nemotron.backends.automodel.cpu import prepare_environment
from nemotron.backends.megatron import compat, cpu


def prepare() -> bool:
    """Apply the work-arounds that the installed packages need, and stand-ins for CUDA where there is none.

    Returns whether this process works without CUDA. Calling it again changes nothing.
    """
    prepare_environment()
    warnings.filterwarnings("ignore", category=FutureWarning)  # the library's own business, a page of them
    compat.import_without_vision_data()
    without_cuda = cpu.stand_in_for_cuda()
    if without_cuda:
        cpu.import_without_transformer_engine()
        cpu.seed_without_cuda()
        cpu.scatter_whole_tensors()
        cpu.clip_without_cuda()
    compat.use_compiled_dataset_helpers()
    return without_cuda
