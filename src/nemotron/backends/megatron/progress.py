"""Each optimiser step of the library's training as a line of progress, written by the job."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from nemotron.backends.job import Job

_GIB = 1 << 30
_LOSS = "lm loss"


class Tokens:
    """Counts the tokens of the batches that this process's forward steps read, padding included."""

    def __init__(self) -> None:
        self.count = 0

    def counted(self, forward_step: Callable[..., Any]) -> Callable[..., Any]:
        """The library's forward step, reading its batches through this counter."""

        @functools.wraps(forward_step)  # the library looks at the signature
        def counting(state: Any, data_iterator: Any, model: Any, return_schedule_plan: bool = False) -> Any:
            batches = _Counting(data_iterator, self) if data_iterator is not None else None
            return forward_step(state, batches, model, return_schedule_plan)

        return counting


class _Counting:
    """An iterator over batches that counts their tokens; the library takes nothing but the next from it."""

    def __init__(self, batches: Any, tokens: Tokens) -> None:
        self._batches = batches
        self._tokens = tokens

    def __next__(self) -> Any:
        batch = next(self._batches)
        tokens = batch.get("tokens")
        self._tokens.count += tokens.numel() if tokens is not None else 0
        return batch


class Progress:
    """What the library's training calls at its events; `callbacks()` hands the functions over.

    `started` is called with the model before the first step, `finished` when training came to its end, before
    the last checkpoint.
    """

    def __init__(
        self,
        job: Job,
        tokens: Tokens,
        started: Callable[[Any], None] | None = None,
        finished: Callable[[Any], None] | None = None,
    ) -> None:
        self.job = job
        self.tokens = tokens
        self.started = started
        self.finished = finished
        self.state: Any = None
        self.peak_gib = 0.0
        self._began = 0.0

    def callbacks(self) -> Any:
        """The library's callback manager with this object's functions."""
        from megatron.bridge.training.callbacks import CallbackManager

        manager = CallbackManager()
        manager.register("on_train_start", self._started)
        manager.register("on_train_step_start", self._step_started)
        manager.register("on_train_step_end", self._step_ended)
        manager.register("on_train_end", self._ended)
        return manager

    def was_stopped(self) -> bool:
        """Whether TERM reached a process of the job while it trained. Every process must ask."""
        return self.state is not None and any(self.state.signal_handler.signals_received())

    def _started(self, context: Any) -> None:
        self.state = context.state
        self.state.signal_handler.__enter__()  # 0.3.1 makes its handler, but does not set it
        if self.started is not None:
            self.started(context.model)

    def _step_started(self, _: Any) -> None:
        self.tokens.count = 0
        self._began = time.perf_counter()

    def _step_ended(self, context: Any) -> None:
        import torch

        loss = _loss_on_first_stage(context)
        seconds = time.perf_counter() - self._began
        container, group = context.state.cfg, _groups(context)
        chunks = container.model.virtual_pipeline_model_parallel_size or 1
        tokens = self.tokens.count * group.dp.size() // chunks
        self.peak_gib = torch.cuda.max_memory_allocated() / _GIB
        self.job.progress(
            context.state.train_state.step + 1,
            container.train.train_iters,
            loss=loss,
            tokens_per_s=round(tokens / seconds, 1),
            learning_rate=_learning_rate(context.optimizer),
            memory_gib=round(self.peak_gib, 3) or None,
        )

    def _ended(self, context: Any) -> None:
        import torch

        if torch.cuda.max_memory_allocated():
            peak = torch.tensor([self.peak_gib], device="cuda")
            torch.distributed.all_reduce(peak, op=torch.distributed.ReduceOp.MAX)
            self.peak_gib = float(peak.item())
            if self.job.is_main:
                print(f"peak memory: {self.peak_gib:.2f} GiB on the fullest GPU", flush=True)
        if self.finished is not None:
            self.finished(context.model)


def _loss_on_first_stage(context: Any) -> float | None:
    """The loss of the step, which only the last pipeline stage knows, on the first one, which reports it."""
    import torch

    known = context.loss_dict or {}
    group = _groups(context).pp
    if group.size() == 1:
        return float(known[_LOSS].item()) if _LOSS in known else None
    loss = torch.zeros(1, device="cuda")
    if _LOSS in known:
        loss.copy_(known[_LOSS].view(1))
    last = torch.distributed.get_process_group_ranks(group)[-1]
    torch.distributed.broadcast(loss, src=last, group=group)
    return float(loss.item())


def _groups(context: Any) -> Any:
    from megatron.bridge.training.utils.pg_utils import get_pg_collection

    return get_pg_collection(context.model)


def _learning_rate(optimizer: Any) -> float | None:
    groups = getattr(optimizer, "param_groups", [])
    return next((float(group["lr"]) for group in groups if "lr" in group), None)
