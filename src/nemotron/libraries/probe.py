"""Run by a library's own Python, by file name: imports what it is told to and prints what is installed.

`python probe.py torch [module ...]` prints one JSON object on its last line. Standard library only.
"""

import importlib
import importlib.metadata
import json
import platform
import sys


def main() -> None:
    for name in sys.argv[1:]:
        importlib.import_module(name)
    torch = sys.modules["torch"]
    installed = {d.name.lower().replace("_", "-"): d.version for d in importlib.metadata.distributions()}
    answer = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "sees_gpu": torch.cuda.is_available(),
        "packages": dict(sorted(installed.items())),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
