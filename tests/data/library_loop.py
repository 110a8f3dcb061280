"""Calls made one at a time in the library's Python: `python library_loop.py` answers each line with a line.

A line is {call: NAME, …} as JSON, its answer what the function returns, or {error: CODE, says: TEXT}.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from nemotron.backends.job import JobError
from nemotron.data.chat import ChatTemplate, TemplateRefuses
from nemotron.data.conversations import Conversation
from nemotron.data.packing import ALGORITHMS


def pack(algorithm: str, lengths: list[int], pack_size: int) -> list[list[int]]:
    packs = ALGORITHMS[algorithm](np.array(lengths, np.int32), pack_size)
    return [packs.members(number).tolist() for number in range(len(packs))]


def render(template: str, messages: list[Any], tools: Any = None) -> dict[str, Any]:
    chosen = ChatTemplate(template, {"eos_token": "<|end|>"}, ("<|end|>", "<|user|>", "<|assistant|>"))
    text, spans = chosen.render(Conversation(0, messages, tools, 0))
    return {"text": text, "learnt": [text[start:end] for start, end in spans]}


if __name__ == "__main__":
    calls: dict[str, Any] = {"pack": pack, "render": render}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = calls[request.pop("call")](**request)
        except (JobError, TemplateRefuses) as problem:
            answer = {"error": problem.code, "says": str(problem)}
        print(json.dumps(answer), flush=True)
