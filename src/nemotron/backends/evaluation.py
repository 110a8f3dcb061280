"""eval/model_eval: scores of a checkpoint or of a hosted endpoint on lm-eval tasks.

Runs lm-eval's Python API; reads the checkpoint and task files, or calls the endpoint, and writes
results.json (and, with log_samples, one JSONL file a task) into the output folder.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemotron.backends import hosted_endpoint
from nemotron.backends.eval_tasks import Tasks, load_tasks
from nemotron.backends.hf_folder import require_safetensors
from nemotron.backends.hosted_endpoint import Endpoint
from nemotron.backends.job import Job, JobError, Output, write_json
from nemotron.backends.output import new_folder
from nemotron.backends.progress_bars import reported

UNITS = {
    "Loading weights": "weights loaded",
    "Running loglikelihood": "requests",
    "Running generate_until": "requests",
    "Requesting API": "requests",
}
RESAMPLES = 1000  # for standard errors that have no formula: exact to a few per cent
CPU_BATCH = 16  # lm-eval's search for the largest batch is made for a GPU's memory


@dataclass(frozen=True)
class Settings:
    """The config, checked. Exactly one of `model` (a folder, or a name on the hub) and `endpoint` is set."""

    model: str | None
    dtype: str
    endpoint: Endpoint | None
    tasks: list[str]
    task_paths: list[str]
    offline: bool
    limit: float | None
    num_fewshot: int | None
    batch_size: int | str
    apply_chat_template: bool
    device: str
    seed: int
    generation: dict[str, Any]
    log_samples: bool

    @classmethod
    def read(cls, config: dict[str, Any]) -> Settings:
        """JobError NMT260 unless there are tasks and exactly one thing to evaluate."""
        model, endpoint = config.get("model") or {}, config.get("endpoint") or {}
        if bool(model.get("path")) == bool(endpoint.get("url")):
            raise JobError(
                "NMT260",
                "exactly one of model.path and endpoint.url says what to evaluate",
                fix="model.path=FOLDER, or endpoint.url=URL with endpoint.model=NAME",
            )
        paths = config.get("task_paths") or []
        offline = config.get("offline")
        if not (tasks := config.get("tasks")):
            raise JobError("NMT260", "no task is named", fix="tasks=[hellaswag]")
        return cls(
            model=model.get("path"),
            dtype=model.get("dtype", "auto"),
            endpoint=Endpoint.read(endpoint) if endpoint.get("url") else None,
            tasks=[tasks] if isinstance(tasks, str) else tasks,
            task_paths=[paths] if isinstance(paths, str) else paths,
            offline=bool(paths) if offline is None else offline,
            limit=config.get("limit"),
            num_fewshot=config.get("num_fewshot"),
            batch_size=config.get("batch_size", "auto"),
            apply_chat_template=config.get("apply_chat_template", False),
            device=config.get("device", "auto"),
            seed=config.get("seed", 1234),
            generation=config.get("generation") or {},
            log_samples=config.get("log_samples", False),
        )

    @property
    def as_chat(self) -> bool:
        """Whether prompts are sent as messages: a chat endpoint takes nothing else."""
        return self.apply_chat_template or (self.endpoint is not None and self.endpoint.type == "chat")


def main(job: Job) -> list[Output]:
    """Run the step; the artifact is the output folder with results.json."""
    settings = Settings.read(job.config)
    output = new_folder(job.config["output_dir"], "output_dir")
    _prepare_environment(offline=settings.offline)
    if settings.model is not None and os.path.isdir(settings.model):
        require_safetensors(Path(settings.model))
    started = time.time()
    tasks = load_tasks(settings.tasks, settings.task_paths, offline=settings.offline)
    with reported(job, UNITS):
        if settings.endpoint is not None:
            raw = _evaluate_endpoint(settings, settings.endpoint, tasks)
        else:
            raw = _evaluate_checkpoint(settings, tasks)
    results = read_results(raw)
    _print_results(results)
    if settings.log_samples:
        _write_samples(output, raw)
    write_json(
        output / "results.json",
        {
            "version": 1,
            "evaluated": _evaluated(settings),
            "results": results,
            "settings": _told(settings),
            "harness": {"name": "lm-eval", "version": raw["lm_eval_version"], "tasks": raw["versions"]},
            "started": started,
            "seconds": round(time.time() - started, 1),
        },
    )
    return [Output("eval_results", output)]


def _prepare_environment(*, offline: bool) -> None:
    """Before the libraries are imported."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    # lm-eval would fork a pool for the standard errors, while threads of the libraries run.
    os.environ["DISABLE_MULTIPROC"] = "1"
    if offline:
        for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
            os.environ[name] = "1"


def read_results(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """lm-eval's results as rows: task, metric, filter, value, stderr (None when unknown), samples.

    `samples` is how many records the value was measured on; for a group of tasks, of all its tasks.
    """
    rows = []
    for task, measured in sorted(raw["results"].items()):
        for name, value in measured.items():
            metric, _, chosen = name.partition(",")
            if not chosen or metric.endswith("_stderr") or isinstance(value, str):
                continue
            rows.append(
                {
                    "task": task,
                    "metric": metric,
                    "filter": None if chosen == "none" else chosen,
                    "value": float(value),
                    "stderr": _number(measured.get(f"{metric}_stderr,{chosen}")),
                    "samples": _samples(raw, task),
                    "higher_is_better": raw.get("higher_is_better", {}).get(task, {}).get(metric),
                }
            )
    return rows


def _evaluate_checkpoint(settings: Settings, tasks: Tasks) -> dict[str, Any]:
    import torch
    from lm_eval.models.huggingface import HFLM

    device = settings.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    batch = CPU_BATCH if settings.batch_size == "auto" and device == "cpu" else settings.batch_size
    print(f"evaluating {settings.model} on {device}: {', '.join(settings.tasks)}", flush=True)
    try:
        model = HFLM(
            pretrained=settings.model,
            dtype=settings.dtype,
            device=device,
            batch_size=batch,
            use_safetensors=True,
        )
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise JobError("NMT344", f"transformers cannot load {settings.model}: {reason}") from error
    if settings.apply_chat_template and not getattr(model.tokenizer, "chat_template", None):
        raise JobError(
            "NMT264",
            f"the tokenizer of {settings.model} has no chat template",
            fix="apply_chat_template=false, or put chat_template.jinja beside the tokenizer",
        )
    return _run(settings, tasks, model, batch)


def _evaluate_endpoint(settings: Settings, endpoint: Endpoint, tasks: Tasks) -> dict[str, Any]:
    tasks.require_support(endpoint.type)
    hosted_endpoint.hide_key(endpoint)
    hosted_endpoint.probe(endpoint, with_log_probabilities=bool(tasks.of_likelihood))
    print(f"evaluating {endpoint.model} at {endpoint.url}: {', '.join(settings.tasks)}", flush=True)
    model = hosted_endpoint.language_model(endpoint, settings.seed)
    with hosted_endpoint.explained(endpoint):
        return _run(settings, tasks, model, 1)


def _run(settings: Settings, tasks: Tasks, model: Any, batch: int | str) -> dict[str, Any]:
    """lm-eval's own result dictionary."""
    from importlib.metadata import version

    from lm_eval import evaluator

    # It would ask git about this job's folder, and print git's complaint.
    evaluator.get_git_commit_hash = lambda: None
    raw: dict[str, Any] = evaluator.simple_evaluate(
        model=model,
        tasks=tasks.requested,
        task_manager=tasks.manager,
        num_fewshot=settings.num_fewshot,
        batch_size=batch,
        limit=settings.limit,
        bootstrap_iters=RESAMPLES,
        log_samples=settings.log_samples,
        apply_chat_template=settings.as_chat,
        gen_kwargs=_generation(settings.generation),
        random_seed=settings.seed,
        numpy_random_seed=settings.seed,
        torch_random_seed=settings.seed,
        fewshot_random_seed=settings.seed,
    )
    return {**raw, "lm_eval_version": version("lm_eval")}


def _generation(told: dict[str, Any]) -> dict[str, Any] | None:
    """What a task's own generation settings are overridden with."""
    wanted: dict[str, Any] = {}
    if told.get("max_tokens") is not None:
        wanted["max_gen_toks"] = told["max_tokens"]
    if told.get("temperature") is not None:
        wanted |= {"temperature": told["temperature"], "do_sample": told["temperature"] > 0}
    return wanted or None


def _samples(raw: dict[str, Any], task: str) -> int:
    if task in raw["n-samples"]:
        return int(raw["n-samples"][task]["effective"])
    return sum(_samples(raw, name) for name in raw.get("group_subtasks", {}).get(task, []))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _evaluated(settings: Settings) -> dict[str, Any]:
    """What the scores are of: a path with the facts of its record, or a URL and a model's name."""
    if settings.endpoint is not None:
        return {"type": "endpoint", "url": settings.endpoint.url, "model": settings.endpoint.model}
    record = Path(str(settings.model), "artifact.json")
    facts = json.loads(record.read_text(encoding="utf-8")).get("facts", {}) if record.is_file() else {}
    return {"type": "checkpoint_hf", "path": settings.model, "facts": facts}


def _told(settings: Settings) -> dict[str, Any]:
    names = ("tasks", "limit", "num_fewshot", "seed", "generation", "dtype")
    return {name: getattr(settings, name) for name in names} | {"apply_chat_template": settings.as_chat}


def _print_results(results: list[dict[str, Any]]) -> None:
    for row in results:
        error = "" if row["stderr"] is None else f" ± {row['stderr']:.4f}"
        print(f"{row['task']:30} {row['metric']:18} {row['value']:10.4f}{error}  ({row['samples']} samples)")


def _write_samples(output: Path, raw: dict[str, Any]) -> None:
    from lm_eval.utils import handle_non_serializable

    for task, samples in raw["samples"].items():
        with open(output / f"samples_{task}.jsonl", "w", encoding="utf-8") as stream:
            for sample in samples:
                stream.write(json.dumps(sample, default=handle_non_serializable, ensure_ascii=False) + "\n")
