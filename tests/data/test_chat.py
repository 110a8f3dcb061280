"""What is learnt of a conversation: the same by the template's markers and by what each turn adds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

Ask = Callable[..., Any]

PLAIN = """
{%- for m in messages -%}
<|{{ m.role }}|>{% generation? assistant %}{{ m.content }}<|end|>{% end? %}
{{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}
"""
TOOLS = """
{%- if tools %}<|tools|>{{ tools | tojson }}<|end|>
{% endif %}
{%- for m in messages -%}
<|{{ m.role }}|>{% generation? assistant %}{{ m.content or '' }}
{%- for call in m.tool_calls or [] %}<call>{{ call.function | tojson }}</call>{% endfor %}<|end|>{% end? %}
{{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}
"""
# Reasoning is kept only behind the last question: earlier turns are written without it.
THINKING = """
{%- set last = namespace(user=0) %}
{%- for m in messages %}{% if m.role == 'user' %}{% set last.user = loop.index0 %}{% endif %}{% endfor %}
{%- for m in messages -%}
<|{{ m.role }}|>{% generation? assistant %}
{%- if m.role == 'assistant' and loop.index0 > last.user %}<think>{{ m.reasoning }}</think>{% endif %}
{{- m.content or '' }}
{%- for call in m.tool_calls or [] %}<call>{{ call.function.name }}</call>{% endfor %}<|end|>{% end? %}
{{- '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}<|assistant|>{% endif %}
"""
# No header of its own, and white space in place of an end mark.
BARE = """
{%- for m in messages %}
{%- if m.role == 'user' %}[{{ m.content }}] {% else %}{% generation? assistant %}{{ m.content }}{% end? %}
{% endif %}
{%- endfor %}
"""


def marked(template: str) -> str:
    """The template with markers around what the assistant writes, whatever the role is written with."""
    found = re.split(r"\{% generation\? assistant %\}|\{% end\? %\}", template)
    before, turn, after = found
    learnt = f"{{%- if m.role == 'assistant' %}}{{% generation %}}{turn}{{% endgeneration %}}"
    return f"{before}{learnt}{{%- else %}}{turn}{{%- endif %}}{after}"


def unmarked(template: str) -> str:
    return template.replace("{% generation? assistant %}", "").replace("{% end? %}", "")


def says(role: str, content: str | None, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


CALL = [{"type": "function", "function": {"name": "add", "arguments": {"a": 1, "b": 2}}}]
SCHEMA = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
SINGLE = [says("user", "Hi."), says("assistant", "Hello.", reasoning="greet")]
SEVERAL = [
    says("system", "Be short."),
    says("user", "One?"),
    says("assistant", "First.", reasoning="one"),
    says("user", "Two?"),
    says("assistant", "Second <b>.", reasoning="two"),
    says("assistant", "And more.", reasoning="three"),
    says("user", "Thanks."),
]
CALLING = [
    says("user", "Add 1 and 2."),
    says("assistant", None, tool_calls=CALL, reasoning="call it"),
    says("tool", "3"),
    says("assistant", "It is 3.", reasoning="tell"),
    says("user", "And again?"),
    says("assistant", "", tool_calls=CALL, reasoning="again"),
    says("tool", "3"),
    says("assistant", "Still 3.", reasoning="tell"),
]


@pytest.mark.parametrize("template", [PLAIN, TOOLS, THINKING], ids=["plain", "tools", "thinking"])
@pytest.mark.parametrize("messages", [SINGLE, SEVERAL, CALLING], ids=["single", "several", "calling"])
def test_turns_are_found_as_the_markers_have_them(
    ask: Ask, template: str, messages: list[dict[str, Any]]
) -> None:
    tools = SCHEMA if template == TOOLS else None
    by_markers = ask("render", template=marked(template), messages=messages, tools=tools)
    by_turns = ask("render", template=unmarked(template), messages=messages, tools=tools)
    assert "error" not in by_markers
    assert by_turns == by_markers
    assert len(by_turns["learnt"]) == sum(m["role"] == "assistant" for m in messages)


def test_the_reasoning_of_the_last_turns_alone_is_learnt(ask: Ask) -> None:
    found = ask("render", template=unmarked(THINKING), messages=CALLING)
    assert found["learnt"] == [
        "<call>add</call><|end|>",
        "It is 3.<|end|>",
        "<think>again</think><call>add</call><|end|>",
        "<think>tell</think>Still 3.<|end|>",
    ]


def test_a_template_without_headers_and_end_marks_is_understood(ask: Ask) -> None:
    messages = [says("user", "a"), says("assistant", "b"), says("user", "c"), says("assistant", "d")]
    found = ask("render", template=unmarked(BARE), messages=messages)
    assert found == {"text": "[a] b\n[c] d\n", "learnt": ["b\n", "d\n"]}


@pytest.mark.parametrize(
    ("template", "why"),
    [
        # The header that the assistant is to go on from is not the one that its turns are written with.
        (
            unmarked(PLAIN).replace("%}<|assistant|>{% endif", "%}<|assistant|><think>{% endif"),
            "comes before",
        ),
        # Earlier turns have no end mark: the next mark is the user's.
        (
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}"
            "{% if loop.last or m.role == 'user' %}<|end|>{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            "when others follow",
        ),
        # Earlier turns are shortened to nothing that has an end.
        (
            "{% for m in messages %}<|{{ m.role }}|>{% if loop.last %}{{ m.content }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>{% endif %}",
            "",
        ),
        # What is written depends on how many turns there are.
        ("{{ messages | length }}" + unmarked(PLAIN), "comes before"),
    ],
)
def test_turns_that_cannot_be_told_apart_are_refused(ask: Ask, template: str, why: str) -> None:
    refused = ask("render", template=template, messages=SEVERAL)
    assert refused["error"] == "NMT292"
    assert why in refused["says"]
    assert "turn 3" in refused["says"]


def test_what_a_template_raises_is_told(ask: Ask) -> None:
    template = "{{ raise_exception('roles must alternate') }}"
    refused = ask("render", template=template, messages=SINGLE)
    assert refused == {
        "error": "NMT291",
        "says": "the chat template does not take this conversation: roles must alternate",
    }
