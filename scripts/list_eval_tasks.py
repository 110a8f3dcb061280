"""Prints steps/eval/model_eval/tasks.txt: the tasks, groups and tags that the installed lm-eval has.

    PYTHON scripts/list_eval_tasks.py > steps/eval/model_eval/tasks.txt

PYTHON is that of the library automodel. Run it again for each new release of lm-eval in its lock.
"""

from __future__ import annotations

from importlib.metadata import version

from lm_eval.tasks import TaskManager


def main() -> None:
    print(f"# The names of lm-eval {version('lm-eval')}, by scripts/list_eval_tasks.py.")
    print("\n".join(sorted(TaskManager().all_tasks)))


if __name__ == "__main__":
    main()
