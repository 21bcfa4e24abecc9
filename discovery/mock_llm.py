"""A scripted fake of an OpenAI-compatible server, for tests and for trying the model path without a key.

It answers by the content of a request (messages and seed), never by arrival, so equal requests get equal replies from
any number of threads. A reply is a small seeded edit of the code found in the prompt: no intelligence, only form.
Failures are scripted the same way: ``fail={"429": 0.1, "hang": 0.05}`` picks that share of the requests by content.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from discovery.errors import EnvironmentProblem, UsageError
from discovery.mock_replies import Writer, text_of

MODEL = "mock"
MAX_BODY = 16_000_000
FAILURES = {
    "429": "rate limit with Retry-After on the first try of a request",
    "500": "server error on the first try of a request",
    "slow": "answers after the slow delay",
    "hang": "does not answer",
    "cut": "reply cut off in the middle, finish_reason length",
    "refusal": "an apology instead of code",
    "filter": "empty reply, finish_reason content_filter",
    "prose": "an idea in words, without code",
    "language": "code in JavaScript",
    "same": "the code of the prompt, unchanged",
    "broken": "code that passes the check and fails when it runs",
    "code": "code where a note was asked for",
    "html": "an HTML page instead of JSON",
    "empty": "an empty reply",
    "json": "a body that is torn JSON",
    "odd": "JSON of another shape",
    "context": "error 400, context length exceeded",
    "key": "error 401",
    "no-usage": "a reply without token counts",
    "no-temperature": "error 400 while the request has a temperature",
    "no-max-tokens": "error 400 while the request has max_tokens",
    "no-seed": "error 400 while the request has a seed",
    "no-system": "error 400 while the request has a system message",
}
_TRANSIENT = frozenset(["429", "500"])
_REFUSALS = frozenset(["no-temperature", "no-max-tokens", "no-seed", "no-system"])


@dataclass(frozen=True)
class Logged:
    """One request as it came, names of headers in lower case. ``failure`` is what was played on it."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    failure: str | None = None


@dataclass(frozen=True)
class Script:
    """What the server plays. ``reply`` replaces the seeded edits by an own function of the messages."""

    fail: Mapping[str, float] = field(default_factory=dict)
    delay: float = 0.0
    slow: float = 2.0
    hang: float = 600.0
    retry_after: float = 1.0
    model: str = MODEL
    key: str | None = None
    reply: Callable[[Sequence[Mapping[str, Any]]], str] | None = None

    def __post_init__(self) -> None:
        for kind, share in self.fail.items():
            if kind not in FAILURES:
                raise UsageError(f"unknown failure {kind!r}; known are {', '.join(FAILURES)}")
            if not 0 <= share <= 1:
                raise UsageError(f"the share of {kind!r} is {share}; expected a number from 0 to 1")

    def failure(self, content: int, sent: frozenset[str]) -> str | None:
        """The failure of a request, by its content: first the refusals of parameters (``no-…``), each by a draw of its
        own, then one of the others, whose shares are cut from one unit interval in order."""
        for kind in sorted(sent & self.fail.keys()):
            if random.Random(f"{kind}/{content}").random() < self.fail[kind]:
                return kind
        at, draw = 0.0, random.Random(f"fail/{content}").random()
        for kind, share in self.fail.items():
            at += 0.0 if kind in _REFUSALS else share
            if draw < at:
                return kind
        return None


class MockServer:
    """The server in a thread: ``with MockServer(fail={"429": 1.0}) as server: server.base_url``."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, **script: Any) -> None:
        self.script = Script(**script)
        self.requests: list[Logged] = []
        self.closing = threading.Event()
        self.tries: Counter[int] = Counter()
        self.lock = threading.Lock()
        self.most_at_once = self._now = 0
        try:
            self._http = _Http((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise EnvironmentProblem(f"cannot listen on {host}:{port}: {error}; name another port") from None
        self._http.mock = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Count the requests that are being answered; :attr:`most_at_once` keeps the highest count."""
        with self.lock:
            self._now += 1
            self.most_at_once = max(self.most_at_once, self._now)
        try:
            yield
        finally:
            with self.lock:
                self._now -= 1

    @property
    def chats(self) -> list[Logged]:
        """The chat requests logged so far."""
        with self.lock:
            return [r for r in self.requests if r.path.endswith("/chat/completions")]

    def __enter__(self) -> MockServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    mock: MockServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is not worth a traceback."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http
    timeout = 30

    def do_GET(self) -> None:
        self._log({}, None)
        if self.path.rstrip("/") in ("/v1/models", "/models"):
            model = {"id": self.server.mock.script.model, "object": "model", "created": 0, "owned_by": "mock"}
            self._json(200, {"object": "list", "data": [model]})
        else:
            self._error(404, f"no such path: {self.path[:80]}", "not_found")

    def do_POST(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", ""))
            if not 0 <= length <= MAX_BODY:
                raise ValueError
            body = json.loads(self.rfile.read(length))
            messages = body["messages"]
            assert isinstance(messages, list) and messages and all(isinstance(m, dict) for m in messages)
        except (ValueError, KeyError, TypeError, AssertionError, RecursionError):
            self.close_connection = True
            self._error(400, "expected a JSON body with messages", "invalid_request_error")
            return
        if self.path.rstrip("/") in ("/v1/chat/completions", "/chat/completions"):
            with self.server.mock.answering():
                self._chat(body, messages)
        else:
            self._error(404, f"no such path: {self.path[:80]}", "not_found")

    def _chat(self, body: dict[str, Any], messages: list[dict[str, Any]]) -> None:
        mock, script = self.server.mock, self.server.mock.script
        content = _content(messages, None)
        kind = script.failure(content, _sent(body, messages))
        with mock.lock:
            mock.tries[content] += 1
            first = mock.tries[content] == 1
        kind = None if kind in _TRANSIENT and not first else kind
        self._log(body, kind)
        if script.key is not None and self.headers.get("Authorization") != f"Bearer {script.key}":
            return self._error(401, "Incorrect API key provided", "invalid_api_key")
        mock.closing.wait(script.slow if kind == "slow" else script.hang if kind == "hang" else script.delay)
        if kind == "hang":
            self.close_connection = True
            return None
        if kind in _ERRORS:
            status, message, code, param = _ERRORS[kind]
            headers = {"Retry-After": f"{script.retry_after:g}"} if kind == "429" else {}
            return self._error(status, message, code, param, headers)
        if kind in _BODIES:
            return self._send(200, *_BODIES[kind])
        seed = None if "no-seed" in script.fail else body.get("seed")
        return self._json(200, _completion(script, messages, _content(messages, seed), kind))

    def _log(self, body: dict[str, Any], failure: str | None) -> None:
        with self.server.mock.lock:
            self.server.mock.requests.append(
                Logged(self.path, body, {k.lower(): v for k, v in self.headers.items()}, failure)
            )

    def _error(
        self,
        status: int,
        message: str,
        code: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        kind = "invalid_request_error" if status < 500 else "server_error"
        body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
        self._send(status, "application/json", json.dumps(body), headers)

    def _json(self, status: int, body: object) -> None:
        self._send(status, "application/json", json.dumps(body))

    def _send(self, status: int, kind: str, text: str, headers: Mapping[str, str] | None = None) -> None:
        data = text.encode("utf-8")
        try:
            self.send_response(status)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": str(len(data)),
                **(headers or {}),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet: requests are kept in ``MockServer.requests``."""


_ERRORS: dict[str | None, tuple[int, str, str, str | None]] = {
    "429": (429, "Rate limit reached", "rate_limit_exceeded", None),
    "500": (500, "The server had an error", "server_error", None),
    "key": (401, "Incorrect API key provided", "invalid_api_key", None),
    "context": (
        400,
        "This model's maximum context length is 4096 tokens",
        "context_length_exceeded",
        "messages",
    ),
    "no-temperature": (
        400,
        "Unsupported value: 'temperature' does not support 0.8",
        "unsupported_value",
        "temperature",
    ),
    "no-max-tokens": (
        400,
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "unsupported_parameter",
        "max_tokens",
    ),
    "no-seed": (400, "Unknown parameter: 'seed'", "unknown_parameter", "seed"),
    "no-system": (400, "System role not supported", "invalid_request_error", None),
}
_BODIES: dict[str | None, tuple[str, str]] = {
    "html": ("text/html", "<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>"),
    "json": ("application/json", '{"id": "x", "choices": [{"message": {"content": "def'),
    "odd": ("application/json", '{"output": [1, 2], "choices": 3, "usage": "none"}'),
}
_TEXTS: dict[str | None, str] = {
    "refusal": "I'm sorry, but I can't help with that request.",
    "filter": "",
    "prose": "A good idea is to weigh the size of a job against its urgency and to look one step ahead.",
    "language": "```javascript\nfunction schedule(a, b) {\n  return a.map((_, i) => i);\n}\n```",
    "empty": "",
}


def _sent(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """The refusals that a request can meet: a parameter that was not sent is not refused."""
    names = {"temperature": "no-temperature", "max_tokens": "no-max-tokens", "seed": "no-seed"}
    sent = {kind for name, kind in names.items() if name in body}
    return frozenset(sent | ({"no-system"} if any(m.get("role") == "system" for m in messages) else set()))


def _content(messages: Sequence[Mapping[str, Any]], seed: object) -> int:
    """A number for the content of a request; whether instructions come as system or user message does not count."""
    text = "\n\n".join(text_of(m) for m in messages)
    return int.from_bytes(hashlib.sha256(f"{seed}/{text}".encode("utf-8", "replace")).digest()[:8], "little")


def _completion(
    script: Script, messages: Sequence[Mapping[str, Any]], content: int, kind: str | None
) -> dict[str, Any]:
    text = _TEXTS.get(kind) if kind in _TEXTS else (script.reply or Writer(content, kind))(messages)
    assert text is not None
    finish = {"cut": "length", "filter": "content_filter"}.get(kind or "", "stop")
    if kind == "cut":
        text = text[: text.find("):") + (len(text) - text.find("):")) // 3]
    prompt, completion = sum(len(text_of(m)) for m in messages) // 4, len(text) // 4
    body: dict[str, Any] = {
        "id": f"mock-{content:016x}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": script.model,
        "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text}}],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }
    if kind == "no-usage":
        del body["usage"]
    return body


def parse_failures(text: str) -> dict[str, float]:
    """``429=0.1,hang`` → shares (1 when none is given). Raises UsageError."""
    shares: dict[str, float] = {}
    for word in filter(None, (w.strip() for w in text.split(","))):
        kind, _, share = word.partition("=")
        try:
            shares[kind] = float(share) if share else 1.0
        except ValueError:
            raise UsageError(f"{word!r} is not a failure with its share; expected {kind}=0.1") from None
    Script(fail=shares)
    return shares


def serve(
    host: str = "127.0.0.1",
    port: int = 8090,
    *,
    announce: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
    **script: Any,
) -> None:
    """Serve until ``stop`` is set or Ctrl-C. ``announce`` gets the base URL once the server listens; ``script`` are the
    fields of :class:`Script`. Raises EnvironmentProblem when the port is taken, UsageError for an unknown failure."""
    stop = stop or threading.Event()
    with MockServer(host, port, **script) as server:
        if announce:
            announce(server.base_url)
        try:
            stop.wait()
        except KeyboardInterrupt:
            pass


def arguments() -> argparse.ArgumentParser:
    """The options of ``python -m discovery.mock_llm``."""
    kinds = "\n".join(f"  {kind:15} {meaning}" for kind, meaning in FAILURES.items())
    parser = argparse.ArgumentParser(
        prog="discovery.mock_llm",
        description="A scripted fake model server. Failures (--fail KIND=SHARE,…):\n" + kinds,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 = any free port")
    parser.add_argument("--fail", type=parse_failures, default={}, metavar="KIND=SHARE,…")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--model", default=MODEL)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    options = vars(arguments().parse_args(argv))
    serve(**options, announce=lambda url: print(f"serving {options['model']} at {url}", flush=True))  # noqa: T201


if __name__ == "__main__":
    main()
