"""The command tree and the one place where a failure becomes an exit code."""

from __future__ import annotations

import contextlib
import sys
import traceback
from datetime import UTC, datetime
from typing import Annotated

import typer

from nemotron import __version__
from nemotron.cli import (
    artifacts_show,
    catalog_check,
    docs_build,
    docs_check,
    env_check,
    env_list,
    env_show,
    explain,
    library,
    pipeline_check,
    pipeline_graph,
    pipeline_plan,
    pipeline_run,
    runs_cancel,
    runs_list,
    runs_logs,
    runs_remove,
    runs_report,
    runs_resume,
    runs_show,
    runs_status,
    schema,
    steps_check,
    steps_list,
    steps_new_config,
    steps_run,
    steps_show,
)
from nemotron.cli.output import print_diagnostics, print_json
from nemotron.cli.streams import make_robust
from nemotron.config.secrets import redact
from nemotron.diagnostic import Diagnostic, Failure, blocked, error, of_os_error
from nemotron.files import NoHome, cache_folder

BUG = 70
BUG_CODE = "NMT900"
INTERRUPTED = 130

app = typer.Typer(
    name="nemotron",
    help="Plan, check and run the customisation of language models, step by step.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: `nemotron steps list`, then `nemotron steps show sft/automodel`.",
)
steps = typer.Typer(no_args_is_help=True, help="The catalog of steps: list, show, check, run, make configs.")
catalog = typer.Typer(no_args_is_help=True, help="The catalog itself, for people who write steps.")
pipelines = typer.Typer(no_args_is_help=True, help="Pipelines: from what is at hand to what is wanted.")
runs = typer.Typer(
    no_args_is_help=True, help="Runs, of pipelines and of single steps: see, end, go on, remove."
)
artifacts = typer.Typer(no_args_is_help=True, help="Artifacts: what they are and where they came from.")
libraries = typer.Typer(
    no_args_is_help=True, help="The training libraries, each in an environment of its own."
)
docs = typer.Typer(
    no_args_is_help=True,
    help="What is generated from the catalog: pages and schemas, for people who write steps.",
)
envs = typer.Typer(no_args_is_help=True, help="Profiles of env.toml: where steps run, and with what.")
app.add_typer(steps, name="steps")
app.add_typer(pipelines, name="pipeline")
app.add_typer(runs, name="runs")
app.add_typer(artifacts, name="artifacts")
app.add_typer(libraries, name="library")
app.add_typer(envs, name="env")
app.add_typer(catalog, name="catalog")
app.add_typer(docs, name="docs")

steps.command("list", epilog=steps_list.EXAMPLES)(steps_list.command)
steps.command("show", epilog=steps_show.EXAMPLES)(steps_show.command)
steps.command("run", epilog=steps_run.EXAMPLES)(steps_run.command)
steps.command("check", epilog=steps_check.EXAMPLES)(steps_check.command)
steps.command("new-config", epilog=steps_new_config.EXAMPLES)(steps_new_config.command)
pipelines.command("plan", epilog=pipeline_plan.EXAMPLES)(pipeline_plan.command)
pipelines.command("check", epilog=pipeline_check.EXAMPLES)(pipeline_check.command)
pipelines.command("graph", epilog=pipeline_graph.EXAMPLES)(pipeline_graph.command)
pipelines.command("run", epilog=pipeline_run.EXAMPLES)(pipeline_run.command)
runs.command("list", epilog=runs_list.EXAMPLES)(runs_list.command)
runs.command("show", epilog=runs_show.EXAMPLES)(runs_show.command)
runs.command("status", epilog=runs_status.EXAMPLES)(runs_status.command)
runs.command("logs", epilog=runs_logs.EXAMPLES)(runs_logs.command)
runs.command("cancel", epilog=runs_cancel.EXAMPLES)(runs_cancel.command)
runs.command("resume", epilog=runs_resume.EXAMPLES)(runs_resume.command)
runs.command("report", epilog=runs_report.EXAMPLES)(runs_report.command)
runs.command("remove", epilog=runs_remove.EXAMPLES)(runs_remove.command)
artifacts.command("show", epilog=artifacts_show.EXAMPLES)(artifacts_show.command)
libraries.command("list", epilog=library.LIST_EXAMPLES)(library.list_command)
libraries.command("install", epilog=library.INSTALL_EXAMPLES)(library.install_command)
envs.command("list", epilog=env_list.EXAMPLES)(env_list.command)
envs.command("show", epilog=env_show.EXAMPLES)(env_show.command)
envs.command("check", epilog=env_check.EXAMPLES)(env_check.command)
catalog.command("check", epilog=catalog_check.EXAMPLES)(catalog_check.command)
docs.command("build", epilog=docs_build.EXAMPLES)(docs_build.command)
docs.command("check", epilog=docs_check.EXAMPLES)(docs_check.command)
app.command("schema", epilog=schema.EXAMPLES)(schema.command)
app.command("explain", epilog=explain.EXAMPLES)(explain.command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"nemotron {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Plan, check and run the customisation of language models, step by step."""


def main() -> None:
    """Run a command and exit with its code (README lists them)."""
    make_robust()
    try:
        code = int(app(prog_name="nemotron", standalone_mode=False) or 0)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as problem:
        code = _report(problem)
    sys.exit(code)


def _report(problem: Exception) -> int:
    """Tell a person (and with --json a program) what went wrong; the exit code that goes with it."""
    failure = _as_failure(problem)
    if _is_usage_error(problem):
        problem.show()  # type: ignore[attr-defined]
    else:
        print_diagnostics(failure.diagnostics)
    code = BUG if failure.diagnostics[0].code == BUG_CODE else failure.exit_code
    with contextlib.suppress(OSError):
        if "--json" in sys.argv:
            print_json({"exit_code": code}, failure.diagnostics)
        sys.stdout.flush()
    return code


def _as_failure(problem: Exception) -> Failure:
    if isinstance(problem, Failure):
        return problem
    if _is_usage_error(problem):
        return Failure(error("NMT200", str(problem), fix="see --help"))
    if isinstance(problem, NoHome):
        return Failure(blocked("NMT642", "this user has no home folder", fix="export NEMOTRON_CACHE=FOLDER"))
    if isinstance(problem, OSError) and (diagnostic := of_os_error(problem)) is not None:
        return Failure(diagnostic)
    return Failure(_bug(problem))


def _is_usage_error(problem: Exception) -> bool:
    """Whether the command line was wrong. By its methods: typer brings a click of its own, or not."""
    return hasattr(problem, "format_message") and hasattr(problem, "show")


def _bug(problem: Exception) -> Diagnostic:
    """Write the traceback to a file for a report; what the person sees is short."""
    text = redact("".join(traceback.format_exception(problem)))
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    try:
        file = cache_folder() / f"crash-{stamp}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"nemotron {__version__}, Python {sys.version}\n{text}", encoding="utf-8")
        fix = f"please report it with {file}"
    except (OSError, NoHome):
        fix = f"please report it with this:\n{text}"
    return error(BUG_CODE, f"a bug of ours: {type(problem).__name__}: {problem}", fix=fix)
