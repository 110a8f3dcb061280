"""The `nemotron` commands that a Markdown page names, and what the real command line says of each.

A command is parsed by the command line's own parser and never run. Its steps, configs, keys, types, libraries
and codes must exist. Words in CAPITALS, in <angle brackets>, and `…` are placeholders for anything. In a span
the program's name may be left out (`steps check`), and the command too (`--gpus N`).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import typer

from nemotron.catalog.catalog import Catalog, default_catalog
from nemotron.checking.codes import find_code
from nemotron.checking.config_rules import parameter_limits, unknown_keys
from nemotron.checking.editor_forms import FORMS
from nemotron.cli.app import app
from nemotron.config.layers import Config, RunSection, find_config, read_layers
from nemotron.config.overrides import apply_overrides, parse_overrides
from nemotron.diagnostic import Diagnostic, Failure, Severity
from nemotron.libraries import spec
from nemotron.libraries.parts import check_names
from nemotron.planning.request import StepRequest

PLACEHOLDER = re.compile(r"<[^<>]*>|(?!NMT\d)[A-Z][A-Z0-9_]*(?:\.[A-Z0-9_]+)*|…|\.\.\.")
_COMMAND = re.compile(r"(?:^|[\s;&|(]|bin/)nemotron (?!nemotron )(?P<arguments>(?:(?!&&|\|\||;).)*)")
_BLOCK = re.compile(
    r"^ *(?P<fence>```+|~~~+)[^\n`]*\n(?P<text>.*?)^ *(?P=fence) *$", re.MULTILINE | re.DOTALL
)
_ENDS_A_COMMAND = {"|", ">", ">>", "2>", "&&", "||", ";"}
# A span may name a command without all that it needs.
_INCOMPLETE = {"MissingParameter", "NoArgsIsHelpError"}


@dataclass(frozen=True)
class CommandLine:
    """The arguments of one command; `whole` where it stands in a block, to be copied as it is."""

    words: tuple[str, ...]
    whole: bool

    def __str__(self) -> str:
        return shlex.join(["nemotron", *self.words])


def command_lines(page: str) -> Iterator[CommandLine]:
    """Every command of a page, of its blocks and its spans, each once."""
    lines = [line for block in _BLOCK.finditer(page) for line in _lines_to_copy(block["text"])]
    found = [CommandLine(words, whole=True) for line in lines for words in _commands(line)]
    for span in re.findall(r"`([^`]+)`", _BLOCK.sub("", page)):
        named = " ".join(span.split())
        if re.match(rf"(?:{'|'.join(_root().commands)}) .|--[a-z-]+(?![\w-])", named):
            named = f"nemotron {named}"
        found += [CommandLine(words, whole=False) for words in _commands(named)]
    return iter(dict.fromkeys(found))


def _lines_to_copy(block: str) -> list[str]:
    """The lines of a block; of a transcript those after `$`, none where it shows what is refused."""
    lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
    if not lines or not lines[0].startswith("$ "):
        return [line for line in lines if not line.startswith("#")]
    return [] if "error[" in block else [line for line in lines if line.startswith("$ ")]


def _commands(line: str) -> Iterator[tuple[str, ...]]:
    return (_words(found["arguments"]) for found in _COMMAND.finditer(line))


def problems_in(page: str) -> list[str]:
    """What is wrong with the commands of a page. A config that one of them writes is there for the others."""
    lines = list(command_lines(page))
    written = frozenset(
        line.words[3] for line in lines if line.words[:2] == ("steps", "new-config") and len(line.words) > 3
    )
    return [problem for line in lines for problem in problems_of(line, written)]


def problems_of(line: CommandLine, written: frozenset[str] = frozenset()) -> list[str]:
    """What is wrong with a command; nothing where the command line would take it."""
    try:
        path, parameters = _understood(line)
        problems = [f"{line}: {problem.summary}" for problem in _named(path, parameters, written)]
    except typer.Exit:  # --version, --help
        return []
    except Failure as failure:
        problems = [f"{line}: {problem.summary}" for problem in failure.diagnostics]
    except Exception as problem:
        if not hasattr(problem, "format_message"):
            raise
        problems = [f"{line}: {problem.format_message()}"]
    return problems


def is_placeholder(text: str) -> bool:
    return PLACEHOLDER.fullmatch(text) is not None


@cache
def catalog() -> Catalog:
    return default_catalog()


@cache
def _root() -> Any:
    return typer.main.get_command(app)


def _words(arguments: str) -> tuple[str, ...]:
    words = shlex.split(
        arguments.replace("[", " ").replace("]", " ") if "…" in arguments else arguments, True
    )
    end = next((at for at, word in enumerate(words) if word in _ENDS_A_COMMAND), len(words))
    return tuple(word for word in words[:end] if word not in ("…", "..."))


def _understood(line: CommandLine) -> tuple[str, dict[str, Any]]:
    """The command's name and its parameters; of a span that leaves some out, its options."""
    if not line.whole and line.words[:1] and line.words[0].startswith("--"):
        return "", _options(line.words)
    try:
        return _parse(list(line.words))
    except Exception as problem:
        if line.whole or type(problem).__name__ not in _INCOMPLETE:
            raise
        return "", _options(line.words)


def _parse(words: list[str]) -> tuple[str, dict[str, Any]]:
    """The command's name and its parameters, by the parser that runs it too."""
    command = _root()
    context, path = None, []
    while True:
        context = command.make_context(
            path[-1] if path else "nemotron", _filled(command, words), parent=context
        )
        if not hasattr(command, "commands"):
            return " ".join(path), context.params
        name, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        path.append(name)


def _options(words: tuple[str, ...]) -> dict[str, Any]:
    """What the options of a span name, by parameter, where a command is not all there. Failure on others."""
    known = {flag: option for option in _all_options(_root()) for flag in option.opts}
    words = tuple(word for word in words if word != "--help")
    named: dict[str, Any] = {}
    for flag, value in zip(words, [*words[1:], ""], strict=False):
        if flag.startswith("--") and flag not in known:
            raise typer.BadParameter(f"No such option: {flag}")
        if flag in known and value and not known[flag].is_flag:
            named.setdefault(known[flag].name, []).append(value)
    return named


def _all_options(command: Any) -> Iterator[Any]:
    yield from (parameter for parameter in command.params if parameter.param_type_name == "option")
    for inner in getattr(command, "commands", {}).values():
        yield from _all_options(inner)


def _filled(command: Any, words: list[str]) -> list[str]:
    """The words with a number, or a choice, where a placeholder stands for one."""
    stands_for = {}
    for parameter in () if hasattr(command, "commands") else command.params:
        kind = parameter.type
        value = "1" if kind.name.startswith("int") else (getattr(kind, "choices", None) or [None])[0]
        stands_for.update(dict.fromkeys(parameter.opts, value))
    pairs = zip(["", *words], words, strict=False)
    return [stands_for.get(before) or word if is_placeholder(word) else word for before, word in pairs]


def _named(path: str, parameters: dict[str, Any], written: frozenset[str]) -> Iterator[Diagnostic]:
    """What the parameters name that is not there. Failure where a look-up says so."""
    for name, look_up in _LOOK_UPS.items():
        values = parameters.get(name)
        for value in values if isinstance(values, list | tuple) else [values]:
            if value and not is_placeholder(value):
                look_up(value)
    if path == "library install":
        check_names(spec.load(parameters["name"]), parameters["without_parts"] or [])
    if path == "schema" and parameters["name"] not in FORMS and not is_placeholder(parameters["name"]):
        catalog().find(parameters["name"])
    for setting in parameters.get("settings") or []:
        yield from _wrong_setting(setting)
    if path in ("steps run", "steps check", "steps new-config") and not is_placeholder(parameters["step"]):
        config = "default" if parameters.get("config") in written else parameters.get("config", "default")
        yield from _wrong_keys(parameters["step"], config, parameters["overrides"] or [])


def _wrong_setting(setting: str) -> list[Diagnostic]:
    """STEP.KEY=VALUE of a plan: the step by its name there, a part of its id that several may have."""
    name, _, override = setting.partition(".")
    if is_placeholder(name):
        return []
    steps = [identity for identity in catalog().folders if name in identity.split("/")]
    return min((_wrong_keys(step, "default", [override]) for step in steps or [name]), key=len)


def wrong_in_each(setting: str, steps: list[str]) -> bool:
    """Whether KEY=VALUE is nothing that the default config of one of the steps would take."""
    return all(_wrong_keys(step, "default", [setting]) for step in steps)


def _wrong_keys(step: str, config: str, overrides: list[str]) -> list[Diagnostic]:
    """What a check finds about the names and kinds of keys; `???` stands for what is to be filled in."""
    own_file = is_placeholder(config) or config.endswith((".yaml", ".yml"))
    stated = [_stated(override) for override in overrides if not is_placeholder(override.partition("=")[0])]
    return _mistakes(step, "default" if own_file else config, tuple(stated))


@cache
def _mistakes(step: str, config: str, overrides: tuple[str, ...]) -> list[Diagnostic]:
    found = catalog().find(step)
    file = find_config(found, config)
    document = read_layers(file)  # not interpolated, which takes longest and says nothing of names
    apply_overrides(document, parse_overrides(list(overrides)))
    whole = Config(document, RunSection(), file, [])
    request = StepRequest(found.id, found, catalog().types, whole, config, [], gpus=0, nodes=1)
    mistakes = [*unknown_keys(request), *parameter_limits(request)]
    return [found for found in mistakes if found.severity is not Severity.NOTE]


def _stated(override: str) -> str:
    key, equals, value = override.partition("=")
    return f"{key}=???" if equals and (is_placeholder(value) or re.search(r"<[^<>]+>", value)) else override


_LOOK_UPS: dict[str, Callable[[str], Any]] = {
    "step": lambda name: catalog().find(name),
    "through": lambda name: catalog().find(name),
    "without": lambda name: catalog().find(name),
    "want": lambda name: catalog().types.require(name),
    "consumes": lambda name: catalog().types.require(name),
    "produces": lambda name: catalog().types.require(name),
    "library": lambda name: spec.load(name),
    "code": lambda name: find_code(name),
}
