"""A pool of processes that tokenise chunks and write shards, and tells how far they are. Starts processes.

What they make of a chunk is not known here: `make` gives each process its own function for it.
"""

from __future__ import annotations

import copyreg
import multiprocessing
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Self, TypeVar

from nemotron.backends.job import Job, JobError
from nemotron.data.sources import Chunk

Item = TypeVar("Item")
Result = TypeVar("Result")

# An exception is pickled by its positional arguments, which are not all that a JobError carries.
copyreg.pickle(JobError, lambda error: (_job_error, (error.as_dict(),)))

# Called with the bytes and tokens that were added since the last call.
Advance = Callable[[int, int], None]
TokenizeChunk = Callable[[Chunk], Counter[str]]

_tokenize_chunk: TokenizeChunk | None = None  # of this process, where it tokenises


class StoppedEarlyError(Exception):
    """The pool is being closed: what a worker was at is not wanted any more."""


class Workers:
    """`count` processes, each of which tokenises with a function that `make` gives it. A context manager.

    One is this process itself.
    """

    def __init__(self, count: int, make: Callable[[Advance], TokenizeChunk]) -> None:
        # Not fork: this process holds threads of the libraries by now.
        context = multiprocessing.get_context("spawn")
        self._done = context.Array("q", 3)  # bytes, tokens, whether to stop
        self._count = count
        self._executor: Executor
        if count == 1:
            _start_worker(make, self._done)
            self._executor = _ThisProcess()
        else:
            self._executor = ProcessPoolExecutor(
                count, mp_context=context, initializer=_start_worker, initargs=(make, self._done)
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done[2] = error is not None
        self._executor.shutdown(wait=True, cancel_futures=True)

    def tokenize(self, job: Job, chunks: Iterable[Chunk], size: int, before: int = 0) -> Counter[str]:
        """Tokenise all chunks, and tell the job about once a second how far it is; the sum of their counts.

        `before` of the `size` bytes of all inputs were tokenised earlier. Errors of the earliest chunk come
        first, whichever worker is fastest.
        """
        started, total, told = time.monotonic(), max(size >> 10, 1), -1

        def tell(done: int) -> None:
            nonlocal told
            if done != told:
                rate = self._done[1] / max(time.monotonic() - started, 1e-3)
                job.progress(done, total, unit="KiB", tokens_per_s=round(rate))
            told = done

        counts: Counter[str] = Counter()
        for result in self.map(_tokenize, chunks, lambda: tell(min(before + self._done[0], size) >> 10)):
            counts.update(result)
        tell(total)
        return counts

    def map(
        self, task: Callable[[Item], Result], items: Iterable[Item], report: Callable[[], None] | None = None
    ) -> Iterator[Result]:
        """The results in the order of `items`, of which only a few are taken in advance.

        JobError NMT501 where a process of the pool is ended from outside.
        """
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(self._executor.submit(task, item))
                if len(waiting) >= 2 * self._count:
                    yield _result(waiting.popleft(), report)
            while waiting:
                yield _result(waiting.popleft(), report)
        except BrokenProcessPool as error:
            raise JobError(
                "NMT501",
                "a worker process was ended from outside, most likely because memory ran out",
                fix=f"workers={max(1, self._count // 2)}",
            ) from error


class _ThisProcess(Executor):
    """Does at once what it is given."""

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> Future[Result]:
        future: Future[Result] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # it is the caller's: `result` raises it
            future.set_exception(error)
        return future


def _result(future: Future[Result], report: Callable[[], None] | None) -> Result:
    while report:
        wait([future], timeout=1)
        report()
        if future.done():
            break
    return future.result()


def _job_error(fields: dict[str, Any]) -> JobError:
    return JobError(**fields)


def _start_worker(make: Callable[[Advance], TokenizeChunk], done: Any) -> None:
    global _tokenize_chunk

    def advance(size: int, tokens: int) -> None:
        with done.get_lock():
            done[0] += size
            done[1] += tokens
        if done[2]:
            raise StoppedEarlyError

    _tokenize_chunk = make(advance)


def _tokenize(chunk: Chunk) -> Counter[str]:
    assert _tokenize_chunk is not None
    return _tokenize_chunk(chunk)
