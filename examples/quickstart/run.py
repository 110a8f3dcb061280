"""The quick start: a small model learns Python's standard library, through the same commands that you use.

    uv run python examples/quickstart/run.py [OUTPUT]

Makes the data and the base model in OUTPUT (default output/quickstart), checks and runs `pipeline.yaml`, and
ends with a table. Run again, it skips what is finished and says why.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
PIPELINE = HERE / "pipeline.yaml"
DEFAULT_OUTPUT = HERE.parent.parent / "output" / "quickstart"
ROWS = {
    "base": "base, random weights",
    "sft": "pretrained, then SFT",
    "merged": "pretrained, then LoRA, merged",
}


class QuickStart:
    """Runs steps through the command line and remembers what they made."""

    def __init__(self, output: Path) -> None:
        self.output = output
        self.environment = {**os.environ, "NEMOTRON_QUICKSTART": str(output)}
        self.seconds: dict[str, float] = {}

    def nemotron(self, *arguments: str) -> dict[str, Any]:
        """Run a command with --json; its document. Ends the quick start when the command fails."""
        argv = [sys.executable, "-m", "nemotron", *arguments, "--json"]
        done = subprocess.run(argv, env=self.environment, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit(done.returncode)
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def make_data(self) -> None:
        """The data, the tokenizer, the base model and the evaluation tasks."""
        began = time.monotonic()
        libraries = self.nemotron("library", "list")["libraries"]
        python = next(library["python"] for library in libraries if library["name"] == "automodel")
        made = subprocess.run([python, str(HERE / "make_data.py"), str(self.output)])
        if made.returncode:
            sys.exit(made.returncode)
        self.seconds["make_data"] = time.monotonic() - began

    def pipeline(self) -> Path:
        """The pipeline file; for another output folder, a copy of it that names that one."""
        if self.output == DEFAULT_OUTPUT:
            return PIPELINE
        file = self.output / "pipeline.yaml"
        file.write_text(
            PIPELINE.read_text(encoding="utf-8").replace("../../output/quickstart", "."), encoding="utf-8"
        )
        return file

    def plan(self) -> list[str]:
        """What the planner makes of the data and the model: the main line of the pipeline, in plan.yaml."""
        haves = (
            f"text:filtered_jsonl={self.output}/data/text_train.jsonl",
            f"chat:training_jsonl={self.output}/data/chat_train.jsonl",
            f"base:checkpoint_hf={self.output}/model",
        )
        given = [word for have in haves for word in ("--have", have)]
        wanted = ("--want", "eval_results", "--gpus", "0", "--library", "automodel")
        file = str(self.output / "plan.yaml")
        steps: list[str] = self.nemotron("pipeline", "plan", *given, *wanted, "--force", "-o", file)[
            "decision"
        ]
        return steps

    def run(self) -> dict[str, Path]:
        """Plan; then check and run the pipeline: the artifact that each step made.

        The pipeline is the plan, with an adapter as a second way and the untrained model to compare with.
        """
        print(f"planned: {' → '.join(self.plan())}", flush=True)
        file = str(self.pipeline())
        self.nemotron("pipeline", "check", file)
        told = self.nemotron("pipeline", "run", file, "--quiet")
        self.seconds |= {step["name"]: step["seconds"] for step in told["steps"]}
        return {step["name"]: Path(next(iter(step["artifacts"].values()))) for step in told["steps"]}


def run(output: Path) -> dict[str, Any]:
    """The whole pipeline; the results as they are written to results.json."""
    quick = QuickStart(output)
    quick.make_data()
    made = quick.run()
    models = {"base": output / "model", "sft": made["sft"], "merged": made["merge"]}
    return {
        "models": {
            name: {"path": str(folder), **read_scores(made[f"evaluate_{name}"])}
            for name, folder in models.items()
        },
        "pretrained": str(made["pretrain"]),
        "adapter": str(made["lora"]),
        "seconds": {name: round(value, 1) for name, value in quick.seconds.items()},
    }


def read_scores(folder: Path) -> dict[str, float]:
    """The table's numbers out of an eval_results artifact."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))["results"]
    by_name = {(entry["task"], entry["metric"]): entry["value"] for entry in results}
    return {
        "loss": by_name["stdlib_chat", "loss"],
        "perplexity": by_name["stdlib_chat", "token_perplexity"],
        "accuracy": by_name["stdlib_choice", "acc"],
    }


def table(results: dict[str, Any]) -> Table:
    """What the quick start ends with."""
    drawn = Table(title="Held-out modules of the standard library")
    drawn.add_column("model")
    for name in ("loss (nats/token)", "perplexity", "accuracy (1 of 4)"):
        drawn.add_column(name, justify="right")
    for name, model in results["models"].items():
        drawn.add_row(
            ROWS[name], f"{model['loss']:.3f}", f"{model['perplexity']:,.1f}", f"{model['accuracy']:.1%}"
        )
    return drawn


def picture(results: dict[str, Any]) -> str:
    """The table as an SVG, without the web fonts that rich would name."""
    console = Console(record=True, width=84, file=io.StringIO())
    console.print(table(results))
    drawn = console.export_svg(title="make quickstart", unique_id="quickstart")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)


def main() -> None:
    began = time.monotonic()
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "output/quickstart").absolute()
    results = run(output)
    results["seconds"]["all"] = round(time.monotonic() - began, 1)
    (output / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (output / "table.svg").write_text(picture(results), encoding="utf-8")
    console = Console()
    console.print()
    console.print(table(results))
    base, sft = results["models"]["base"]["loss"], results["models"]["sft"]["loss"]
    console.print(f"The held-out loss fell by {1 - sft / base:.0%} in {results['seconds']['all']:.0f} s.")
    for name, model in results["models"].items():
        path = os.path.relpath(model["path"])
        console.print(f"  {name:<7} {path}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    main()
