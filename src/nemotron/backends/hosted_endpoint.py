"""A hosted OpenAI-compatible endpoint as lm-eval's model: asked once before, its failures explained.

Calls the endpoint. The key is read from the environment variable that the config names, goes into the
request's header and nowhere else: what is printed while it is in use has it cut out.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from nemotron.backends.job import JobError

PATHS = {"chat": "/chat/completions", "completions": "/completions"}
REASON = re.compile(r"\[Errno [^\]]*\] [\w ]+|Name or service not known|[Cc]onnection \w+")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Endpoint:
    """`url` is the base that ends in /v1; `type` is chat or completions; times are in seconds."""

    url: str
    model: str
    type: str
    api_key_env: str | None
    tokenizer: str | None
    concurrency: int
    timeout: int
    attempts: int

    @classmethod
    def read(cls, config: dict[str, Any]) -> Endpoint:
        """The config's `endpoint` section. JobError NMT265 when it is incomplete, NMT610 without the key."""
        url = str(config["url"]).rstrip("/")
        for path in sorted(PATHS.values(), key=len, reverse=True):
            url = url.removesuffix(path)
        kind = config.get("type") or "chat"
        if kind not in PATHS:
            raise JobError("NMT265", f"endpoint.type is '{kind}'", fix="endpoint.type=chat, or completions")
        if not config.get("model"):
            raise JobError(
                "NMT265", f"which model at {url}? endpoint.model is not set", fix="endpoint.model=NAME"
            )
        endpoint = cls(
            url=url,
            model=config["model"],
            type=kind,
            api_key_env=config.get("api_key_env"),
            tokenizer=config.get("tokenizer"),
            concurrency=config.get("concurrency", 4),
            timeout=config.get("timeout_s", 300),
            attempts=config.get("attempts", 5),
        )
        endpoint.headers()
        return endpoint

    @property
    def address(self) -> str:
        """Where requests are posted."""
        return self.url + PATHS[self.type]

    @property
    def key(self) -> str | None:
        """The secret. JobError NMT610 when its variable is not set, NMT701 when the config holds no name."""
        if not self.api_key_env:
            return None
        if not VARIABLE_NAME.fullmatch(self.api_key_env):
            raise JobError(
                "NMT701",
                "endpoint.api_key_env is not the name of an environment variable",
                fix="put the key into a variable, and its name here: endpoint.api_key_env=MY_KEY",
            )
        if not (value := os.environ.get(self.api_key_env, "").strip()):
            raise JobError(
                "NMT610",
                f"the environment variable {self.api_key_env} is not set in the job",
                fix=f"export {self.api_key_env}=…",
            )
        return value

    def headers(self) -> dict[str, str]:
        """Never empty: without headers lm-eval would send the key of OPENAI_API_KEY to any server."""
        accept = {"Accept": "application/json"}
        return {**accept, "Authorization": f"Bearer {self.key}"} if self.key else accept


def language_model(endpoint: Endpoint, seed: int) -> Any:
    """lm-eval's model for the endpoint. JobError NMT244 when the tokenizer named for it cannot be loaded."""
    from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

    arguments: dict[str, Any] = {
        "base_url": endpoint.address,
        "model": endpoint.model,
        "num_concurrent": endpoint.concurrency,
        "max_retries": endpoint.attempts,
        "timeout": endpoint.timeout,
        "header": endpoint.headers(),
        "seed": seed,
        "batch_size": 1,
    }
    if endpoint.type == "chat":
        return LocalChatCompletion(tokenizer_backend=None, **arguments)
    if endpoint.tokenizer is None:
        return LocalCompletionsAPI(tokenizer_backend=None, **arguments)
    try:
        return LocalCompletionsAPI(tokenizer_backend="huggingface", tokenizer=endpoint.tokenizer, **arguments)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise JobError(
            "NMT244",
            f"the tokenizer {endpoint.tokenizer} cannot be loaded: {reason}",
            fix="endpoint.tokenizer=PATH",
        ) from error


def probe(endpoint: Endpoint, *, with_log_probabilities: bool) -> None:
    """Ask for one token, so that what is wrong shows before the tasks begin. JobError NMT263 to NMT634."""
    if with_log_probabilities and endpoint.tokenizer is None:
        raise JobError(
            "NMT265",
            "tasks that need probabilities need the model's tokenizer, to tell the question from the answer",
            fix="endpoint.tokenizer=PATH or a name on the hub",
        )
    import requests  # type: ignore[import-untyped]

    question = (
        {"messages": [{"role": "user", "content": "Hello"}]}
        if endpoint.type == "chat"
        else {"prompt": "Hello"}
    )
    body = {"model": endpoint.model, "max_tokens": 1, "temperature": 0, **question}
    if with_log_probabilities:
        body |= {"logprobs": 1, "echo": True}
    with explained(endpoint):
        response = requests.post(
            endpoint.address, json=body, headers=endpoint.headers(), timeout=endpoint.timeout
        )
        response.raise_for_status()
        choices = response.json().get("choices")
    if not choices:
        raise JobError(
            "NMT634", f"{endpoint.address} answered without choices: it is no OpenAI-compatible service"
        )
    if with_log_probabilities and not (choices[0].get("logprobs") or {}).get("token_logprobs"):
        raise JobError(
            "NMT263",
            f"{endpoint.address} does not return the probabilities of the prompt (echo and logprobs)",
            fix="tasks that generate text, or a server that supports both, such as vLLM",
        )


@contextmanager
def explained(endpoint: Endpoint) -> Iterator[None]:
    """Failures of requests in the block become a JobError that says what the service did."""
    import aiohttp  # type: ignore[import-not-found]
    import requests

    try:
        yield
    except requests.HTTPError as error:
        body = error.response.text
        raise _refused(endpoint, error.response.status_code, body) from None
    except aiohttp.ClientResponseError as error:
        raise _refused(endpoint, error.status, error.message) from None
    except (requests.exceptions.JSONDecodeError, aiohttp.ContentTypeError):
        raise JobError(
            "NMT634", f"{endpoint.address} did not answer in JSON: it is no OpenAI-compatible service"
        ) from None
    except (requests.RequestException, aiohttp.ClientError, TimeoutError, ConnectionError) as error:
        timed_out = isinstance(error, TimeoutError | requests.Timeout)
        why = f"nothing came within {endpoint.timeout} s" if timed_out else _reason(error)
        raise JobError(
            "NMT630",
            f"the endpoint {endpoint.url} does not answer: {why}",
            fix="start the server, correct endpoint.url, or raise endpoint.timeout_s",
        ) from None


def hide_key(endpoint: Endpoint) -> None:
    """From now on the key is cut out of everything that this process prints, to its very end.

    aiohttp shows the headers of a failed request in its errors; lm-eval prints them, and asyncio may do so
    when the interpreter is already being taken down, where only the `sys.__stderr__` is left.
    """
    if endpoint.key is None:
        return
    for name in ("stdout", "stderr", "__stdout__", "__stderr__"):
        setattr(sys, name, _Redacted(getattr(sys, name), endpoint.key))


class _Redacted:
    """A text stream that writes *** in place of a secret."""

    def __init__(self, stream: TextIO, secret: str) -> None:
        self._stream = stream
        self._secret = secret

    def write(self, text: str) -> int:
        self._stream.write(text.replace(self._secret, "***"))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _refused(endpoint: Endpoint, status: int, body: str) -> JobError:
    """What an HTTP status means, and what to do."""
    said = " ".join(body.split())[:200]
    told = f"{endpoint.address} answered {status}" + (f": {said}" if said else "")
    if status in (401, 403):
        named = f"the key in {endpoint.api_key_env}" if endpoint.api_key_env else "a request without a key"
        return JobError(
            "NMT631", f"the endpoint refuses {named}: {told}", fix="endpoint.api_key_env=VARIABLE"
        )
    if status == 429:
        fix = "endpoint.concurrency=1, a higher endpoint.attempts, or a smaller limit"
        return JobError("NMT632", f"the endpoint limits the rate of requests: {told}", fix=fix)
    if status >= 500:
        return JobError(
            "NMT633", f"the endpoint fails: {told}", fix="look at the server's log, then run again"
        )
    fix = f"is '{endpoint.model}' the name of a model there, and endpoint.type right?"
    return JobError("NMT634", f"the endpoint does not take the request: {told}", fix=fix)


def _reason(error: Exception) -> str:
    """The innermost cause, without the layers that a client wraps it in."""
    found = REASON.search(str(error))
    return found.group(0) if found else type(error).__name__
