"""Writes src/nemotron/checking/schemas/LIBRARY.json: which config keys a training library reads.

    python scripts/make_schemas.py FOLDER … [--output FOLDER]

FOLDER is a site-packages, or an unpacked wheel; the schema of every library that they hold is written.
AutoModel needs torch beside it, Megatron-Bridge needs megatron-core. The sources are parsed, never imported,
and only names and simple types are recorded. Run it again for each new release of a library:

    pip download --no-deps megatron-bridge==0.3.1 megatron-core==0.16.1
    unzip -q 'megatron_bridge-*.whl' -d FOLDER; unzip -q 'megatron_core-*.whl' -d FOLDER
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from schemas import automodel, megatron_bridge
from signatures import Sources

SCHEMAS = Path(__file__).resolve().parent.parent / "src" / "nemotron" / "checking" / "schemas"
LIBRARIES = (automodel, megatron_bridge)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=SCHEMAS)
    arguments = parser.parse_args()
    sources = Sources(arguments.folders, {"nemo_automodel", "torch", "megatron"})
    found = [library for library in LIBRARIES if sources.module(library.PACKAGE) is not None]
    if not found:
        names = " nor ".join(library.PACKAGE for library in LIBRARIES)
        raise SystemExit(f"the folders hold neither {names}")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for library in found:
        schema = library.schema(sources)
        (arguments.output / f"{schema['library']}.json").write_text(render(schema), encoding="utf-8")


def render(schema: dict[str, Any]) -> str:
    """JSON with one line for each section and each target, so that a new release is easy to compare."""
    lines = []
    for key, value in schema.items():
        if isinstance(value, dict):
            inner = ",\n".join(f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items())
            lines.append(f"{json.dumps(key)}: {{\n{inner}\n }}")
        else:
            lines.append(f"{json.dumps(key)}: {json.dumps(value)}")
    return "{\n " + ",\n ".join(lines) + "\n}\n"


if __name__ == "__main__":
    main()
