"""The command tree and the one place where a failure becomes an exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from datetime import UTC, datetime
from typing import Annotated

import typer

from nemotron import __version__
from nemotron.cli import explain, library, steps_list, steps_new_config, steps_run, steps_show
from nemotron.cli.output import print_diagnostics, print_json
from nemotron.diagnostic import Diagnostic, Failure, blocked
from nemotron.files import cache_folder

BUG = 70
INTERRUPTED = 130

app = typer.Typer(
    name="nemotron",
    help="Plan, check and run the customisation of language models, step by step.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with: `nemotron steps list`, then `nemotron steps show sft/automodel`.",
)
steps = typer.Typer(no_args_is_help=True, help="The catalog of steps: list, show, run, make configs.")
libraries = typer.Typer(
    no_args_is_help=True, help="The training libraries, each in an environment of its own."
)
app.add_typer(steps, name="steps")
app.add_typer(libraries, name="library")

steps.command("list", epilog=steps_list.EXAMPLES)(steps_list.command)
steps.command("show", epilog=steps_show.EXAMPLES)(steps_show.command)
steps.command("run", epilog=steps_run.EXAMPLES)(steps_run.command)
steps.command("new-config", epilog=steps_new_config.EXAMPLES)(steps_new_config.command)
libraries.command("list", epilog=library.LIST_EXAMPLES)(library.list_command)
libraries.command("install", epilog=library.INSTALL_EXAMPLES)(library.install_command)
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
    try:
        app()
    except Failure as failure:
        _report(failure)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            sys.exit(_report_bug(problem))
        full = Failure(_disk_full(problem))
        _report(full)
        sys.exit(full.exit_code)
    except Exception as problem:
        sys.exit(_report_bug(problem))


def _report(failure: Failure) -> None:
    print_diagnostics(failure.diagnostics)
    if "--json" in sys.argv:
        print_json({"exit_code": failure.exit_code}, failure.diagnostics)


def _disk_full(problem: OSError) -> Diagnostic:
    where = f" while writing {problem.filename}" if problem.filename else ""
    return blocked("NMT630", f"the disk is full{where}", fix="free some space (`df -h`), then run it again")


def _report_bug(problem: BaseException) -> int:
    """Write the traceback to a file for a report; what the person sees is short."""
    text = "".join(traceback.format_exception(problem))
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    file = cache_folder() / f"crash-{stamp}.log"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"nemotron {__version__}, Python {sys.version}\n{text}", encoding="utf-8")
        where = f"please report it with {file}"
    except OSError:
        where = text
    print(f"nemotron: a bug of ours: {type(problem).__name__}: {problem}\n{where}", file=sys.stderr)
    return BUG
