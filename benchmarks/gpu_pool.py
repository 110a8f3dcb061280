"""Running commands side by side on the GPUs of one host, each on as many as it asks for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Task:
    """One command: the GPUs it wants, and what runs it on those that it gets, by their indices."""

    name: str
    gpus: int
    run: Callable[[list[str]], Any]


def run_all(tasks: list[Task], gpus: list[str]) -> dict[str, Any]:
    """Run all tasks, as many at a time as there is room for; what each returned, or its exception, by name.

    One that asks for more GPUs than there are is left out.
    """
    free, results, room = list(gpus), {}, threading.Condition()

    def work(task: Task, devices: list[str]) -> None:
        try:
            result = task.run(devices)
        except Exception as problem:  # the other tasks go on
            result = problem
        with room:
            results[task.name] = result
            free.extend(devices)
            room.notify_all()

    threads = []
    for task in tasks:
        if task.gpus > len(gpus):
            continue
        with room:
            room.wait_for(lambda: len(free) >= task.gpus)  # noqa: B023
            devices = [free.pop(0) for _ in range(task.gpus)]
        threads.append(threading.Thread(target=work, args=(task, devices)))
        threads[-1].start()
    for thread in threads:
        thread.join()
    return results
