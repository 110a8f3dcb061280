"""Conversations as a chat template writes them, and which parts of the text are the assistant's.

A template that marks what the assistant generates (`{% generation %}`) says so itself. For any other the
beginnings of the conversation are rendered too, and what a turn adds is that turn; where that does not tell,
the conversation is refused rather than masked wrongly. Imports transformers, to render as it renders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nemotron.backends.job import JobError
from nemotron.data.conversations import Conversation

MARKERS = re.compile(r"\{%-?\s*generation\s*-?%\}")
ASSISTANT = "assistant"
Messages = list[dict[str, Any]]


class Rendered(NamedTuple):
    """A conversation's text, and from where to where in it the assistant speaks, in characters."""

    text: str
    spans: list[tuple[int, int]]


class TemplateRefuses(Exception):
    """The template does not take a conversation, or does not tell the assistant's part; the text says why."""

    def __init__(self, code: str, summary: str, fix: str) -> None:
        super().__init__(summary)
        self.code = code
        self.fix = fix


@dataclass(frozen=True)
class ChatTemplate:
    """A template's text, the variables that it is given, and the tokens that may end a turn."""

    text: str
    variables: dict[str, Any]
    tokens: tuple[str, ...]

    @property
    def has_markers(self) -> bool:
        return MARKERS.search(self.text) is not None

    def render(self, conversation: Conversation) -> Rendered:
        """The text of a conversation with the assistant's spans. TemplateRefuses when it cannot be told."""
        if self.has_markers:
            text, spans = self._write(conversation.messages, conversation.tools, markers=True)
            return Rendered(text, spans)

        def write(messages: Messages, prompt: bool) -> str:
            return self._write(messages, conversation.tools, prompt=prompt)[0]

        return Turns(conversation.messages, write, self.tokens).rendered()

    def _write(
        self, messages: Messages, tools: Any, *, prompt: bool = False, markers: bool = False
    ) -> tuple[str, list[tuple[int, int]]]:
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            texts, spans = render_jinja_template(
                conversations=[messages],
                tools=tools,
                chat_template=self.text,
                return_assistant_tokens_mask=markers,
                add_generation_prompt=prompt,
                **self.variables,
            )
        except Exception as error:  # whatever the template's code raises
            reason = str(error).strip() or type(error).__name__
            raise TemplateRefuses(
                "NMT291",
                f"the chat template does not take this conversation: {reason}",
                "correct or remove that line, or give another chat_template",
            ) from error
        return texts[0], spans[0] if markers else []


class Turns:
    """Finds the assistant's turns in a conversation that is written by a template without markers.

    `write(messages, prompt)` renders a beginning of the conversation; with `prompt`, up to where the
    assistant is to go on. What a beginning ends with is looked for behind the turn before: a template may
    write that one otherwise by then. A turn ends with one of the `tokens`; white space after that is not its
    own.
    """

    def __init__(
        self, messages: Messages, write: Callable[[Messages, bool], str], tokens: tuple[str, ...]
    ) -> None:
        self._messages = messages
        self._write = write
        self._tokens = tokens
        self._turns = [number for number, message in enumerate(messages) if message["role"] == ASSISTANT]
        self._before: dict[int, str] = {}
        self._through: dict[int, str] = {}
        self._spans: dict[int, list[tuple[int, int]]] = {0: []}

    def rendered(self) -> Rendered:
        """The whole conversation. TemplateRefuses where a turn cannot be told from the rest."""
        text = self._through[len(self._messages) - 1] = self._write(self._messages, False)
        for turn in self._turns:
            self._before[turn] = self._write(self._messages[:turn], True)
            self._spans[turn] = self._find(self._before[turn], turn)
        return Rendered(text, self._find(text, len(self._messages)))

    def _find(self, text: str, count: int) -> list[tuple[int, int]]:
        """Where the turns among the first `count` messages stand in `text`, which is their rendering."""
        spans: list[tuple[int, int]] = []
        for turn in self._turns:
            if turn >= count:
                break
            before, earlier = self._before[turn], self._spans[turn]
            between = before[earlier[-1][1] if earlier else 0 :]
            start = (spans[-1][1] if spans else 0) + len(between)
            if text[start - len(between) : start] != between:
                raise _indistinct(turn, "what comes before it is written otherwise once it is there")
            spans.append((start, start + len(self._as_written(turn, text, start))))
        return spans

    def _as_written(self, turn: int, text: str, start: int) -> str:
        """What the assistant writes in a turn that starts there in `text`, its end mark included."""
        before = self._before[turn]
        if turn not in self._through:
            self._through[turn] = self._write(self._messages[: turn + 1], False)
        through = self._through[turn]
        if not through.startswith(before):
            raise _indistinct(turn, "what comes before it is written otherwise once it is there")
        last, mark = _ended(through[len(before) :], self._tokens)
        return last if text.startswith(last, start) else _earlier(last, mark, text[start:], turn)


def _ended(turn: str, tokens: tuple[str, ...]) -> tuple[str, str]:
    """A turn up to its end mark, and that mark; where it has none, all of it and no mark."""
    bare = turn.rstrip()
    marks = [token for token in tokens if bare.endswith(token)]
    return (bare, max(marks, key=len)) if marks else (turn, "")


def _earlier(last: str, mark: str, text: str, number: int) -> str:
    """A turn as it is written where others follow it: at the beginning of `text`, up to its end mark.

    `last` is how it is written as the last one. A template may leave a piece out in between, as the reasoning
    of earlier turns; anything else is not taken for the same turn.
    """
    if not mark or last.count(mark) != 1 or mark not in text:
        raise _indistinct(number, "it is written otherwise when others follow, and no token marks its end")
    turn = text[: text.index(mark) + len(mark)]
    if _shared(turn, last) + _shared(turn[::-1], last[::-1]) < len(turn):
        raise _indistinct(number, "it is written otherwise when others follow")
    return turn


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _indistinct(number: int, why: str) -> TemplateRefuses:
    return TemplateRefuses(
        "NMT292",
        f"the chat template does not tell where the assistant's turn {number + 1} stands: {why}",
        "mark it in the template: {% generation %}…{% endgeneration %} around what the assistant writes",
    )


def find_template(setting: str | None, loaded: Any, tokenizer: str) -> ChatTemplate:
    """The template that a setting means: a file, a folder that has one, its text, or the name of one of the
    tokenizer's; None is the tokenizer's default. JobError NMT264 when there is none, NMT266."""
    text = _template_text(setting, loaded)
    file = setting if setting is not None and os.path.isfile(setting) else None
    if not text:
        what = f"no chat template '{setting}'" if setting else "no chat template"
        raise JobError(
            "NMT264",
            "the chat template is empty" if file else f"the tokenizer {tokenizer} has {what}",
            file=file,
            fix="chat_template=FILE, or the tokenizer of an instruction-tuned model",
        )
    _require_jinja(text, file)
    added = [str(token) for token in loaded.added_tokens_decoder.values()]
    tokens = {token for token in (*added, *loaded.all_special_tokens) if token.strip()}
    return ChatTemplate(text, dict(loaded.special_tokens_map), tuple(sorted(tokens)))


def _require_jinja(text: str, file: str | None) -> None:
    """JobError NMT266 for a template that cannot be read, whatever the conversation."""
    from jinja2 import TemplateSyntaxError
    from transformers.utils.chat_template_utils import render_jinja_template

    try:
        render_jinja_template(conversations=[[]], chat_template=text)
    except TemplateSyntaxError as error:
        raise JobError(
            "NMT266",
            f"the chat template is not Jinja: line {error.lineno}: {error.message}",
            file=file,
            line=error.lineno if file else None,
            fix="correct that line of the template, or give another one: chat_template=FILE",
        ) from error
    except Exception:  # an empty conversation is nothing that a template has to take
        return


def _template_text(setting: str | None, loaded: Any) -> str | None:
    own = loaded.chat_template
    if setting is None:
        return own.get("default") if isinstance(own, dict) else own
    if os.path.isdir(setting):
        file = Path(setting) / "chat_template.jinja"
        if file.is_file():
            return file.read_text(encoding="utf-8")
        from transformers import AutoTokenizer

        return _template_text(None, AutoTokenizer.from_pretrained(setting))
    if os.path.isfile(setting):
        return Path(setting).read_text(encoding="utf-8")
    if "{" in setting:
        return setting
    return own.get(setting) if isinstance(own, dict) else None
