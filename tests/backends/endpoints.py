"""OpenAI-compatible servers for the tests: a real one, and one that misbehaves as it is told."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@contextmanager
def transformers_serve(python: Path, model: Path, env: dict[str, str], log: Path) -> Iterator[str]:
    """`transformers serve` with one model, on a free port; the URL that ends in /v1."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python.with_name("transformers"), "serve", model, "--device", "cpu"]
    with open(log, "w") as stream:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)], env=env, stdout=stream, stderr=stream
        )
        try:
            _wait_until_healthy(server, f"http://127.0.0.1:{port}/health", log, seconds=180)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_healthy(server: Any, url: str, log: Path, seconds: float) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        try:
            with opener.open(url, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"no server within {seconds} s: {log.read_text()}")


@contextmanager
def misbehaving() -> Iterator[str]:
    """A server whose behaviour is the first part of the path: URL/STATUS/v1 always answers with that status,
    URL/then-STATUS/v1 does so after one good answer, URL/html/v1 is no service at all, and
    URL/likelihood/v1 finds even token ids certain and odd ones unlikely."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    asked: set[str] = set()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        behaviour = self.path.split("/")[1]
        if behaviour == "html":
            self._answer(200, b"<html>hello</html>", "text/html")
        elif behaviour == "likelihood":
            choices = [_likelihood(index, ids) for index, ids in enumerate(body["prompt"])]
            self._answer(200, json.dumps({"choices": choices}).encode())
        elif behaviour.startswith("then-") and behaviour not in self.asked:
            self.asked.add(behaviour)
            message = {"role": "assistant", "content": "w2"}
            self._answer(200, json.dumps({"choices": [{"index": 0, "message": message}]}).encode())
        else:
            self._answer(int(behaviour.removeprefix("then-")), b'{"error": "because I was told so"}')

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


def _likelihood(index: int, ids: list[int] | str) -> dict[str, Any]:
    if isinstance(ids, str):
        ids = [0] * len(ids)
    values = [0.0 if token % 2 == 0 else -5.0 for token in ids] + [0.0]
    tops = [{"x": value} for value in values]
    return {"index": index, "text": "", "logprobs": {"token_logprobs": values, "top_logprobs": tops}}
