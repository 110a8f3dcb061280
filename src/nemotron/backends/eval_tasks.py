"""lm-eval tasks by name, from local task files or from lm-eval's own. Reads task files; loads data sets."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from typing import Any

from nemotron.backends.job import JobError

LIKELIHOOD_TYPES = ("loglikelihood", "loglikelihood_rolling", "multiple_choice")


@dataclass(frozen=True)
class Tasks:
    """Loaded tasks. `requested` is what lm-eval is asked for: tasks, and groups with the tasks in them."""

    manager: Any
    requested: list[Any]
    output_types: dict[str, str]

    @property
    def of_likelihood(self) -> list[str]:
        """The names of the tasks that need the probability of a given text."""
        return sorted(name for name, kind in self.output_types.items() if kind in LIKELIHOOD_TYPES)

    def require_support(self, endpoint_type: str) -> None:
        """JobError NMT263 when an endpoint of that type cannot answer what a task asks."""
        if endpoint_type == "chat" and self.of_likelihood:
            raise JobError(
                "NMT263",
                f"{', '.join(self.of_likelihood)}: these tasks need the probabilities of given texts, and "
                "chat completions do not give them",
                fix="endpoint.type=completions (with endpoint.tokenizer), or tasks that generate text",
            )


def load_tasks(names: list[str], folders: list[str], *, offline: bool) -> Tasks:
    """The tasks of these names with their data. When offline, only those of the task files in `folders`.

    JobError NMT213 for a folder that is not there, NMT261 for an unknown name, NMT262 when the data cannot
    be loaded.
    """
    for folder in folders:
        if not os.path.isdir(folder):
            raise JobError(
                "NMT213", f"there is no folder {folder} with task files", fix="task_paths=[FOLDER]"
            )
    from lm_eval.tasks import TaskManager

    if not offline:
        print("reading lm-eval's list of tasks", flush=True)
    manager = TaskManager(include_path=list(folders), include_defaults=not offline)
    _check_names(names, manager.all_tasks, offline=offline)
    try:
        loaded = manager.load(list(names))
    except Exception as error:  # whatever the data's loader or the task's own code raises
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise JobError(
            "NMT262",
            f"the data of {', '.join(names)} cannot be loaded: {reason}",
            fix="offline=false if it comes from the hub" if offline else "",
        ) from error
    kinds = {name: task.OUTPUT_TYPE for name, task in loaded["tasks"].items()}
    return Tasks(manager, _outermost(loaded), kinds)


def _check_names(names: list[str], known: list[str], *, offline: bool) -> None:
    if not (unknown := [name for name in names if name not in known]):
        return
    near = difflib.get_close_matches(unknown[0], known, n=1)
    if near:
        hint = f"did you mean '{near[0]}'?"
    elif offline:
        hint = f"the task files have {', '.join(known) or 'none'}; offline=false adds lm-eval's own tasks"
    else:
        hint = "task_paths=[FOLDER] for tasks of your own"
    raise JobError("NMT261", f"there is no task '{unknown[0]}'", fix=hint)


def _outermost(loaded: Any) -> list[Any]:
    """The groups that are in no other group, and the tasks that are in none."""
    groups = loaded.get("groups", {})
    nested = {child for children in loaded.get("group_map", {}).values() for child in children}
    within = {task.task_name for group in groups.values() for task in group.get_all_tasks()}
    return [group for name, group in groups.items() if name not in nested] + [
        task for name, task in loaded["tasks"].items() if name not in within
    ]
