"""Run by a library's own Python, by file name: imports what it is told to and prints what is installed.

`python probe.py torch [module ...]` prints one JSON object on its last line. Standard library only, but a
module may be one of our backends: they are imported as a job imports them.
"""

import importlib
import importlib.metadata
import importlib.util
import json
import platform
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def main() -> None:
    # Before the imports: setuptools puts packages of its own on the path.
    installed = {d.name.lower().replace("_", "-"): d.version for d in importlib.metadata.distributions()}
    add_our_package()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    torch = sys.modules["torch"]
    answer = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "sees_gpu": torch.cuda.is_available(),
        "packages": dict(sorted(installed.items())),
    }
    print(json.dumps(answer))


def add_our_package() -> None:
    """Make `nemotron` importable here, and nothing else of the command line's environment."""
    spec = importlib.util.spec_from_file_location("nemotron", PACKAGE / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    sys.modules["nemotron"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


if __name__ == "__main__":
    main()
