"""Local model servers are found by what they answer, whatever else listens there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from discovery.cli import servers


@contextmanager
def answering(body: bytes, status: int = 200) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_lists_models_is_named_and_its_text_escaped() -> None:
    with answering(b'{"data": [{"id": "qwen\\u001b[2J"}, {"id": 3}, "odd"]}') as port:
        (found,) = servers.find({port: "Ollama"})
    assert found.url == f"http://127.0.0.1:{port}/v1"
    assert found.models == ("qwen\\x1b[2J",)
    assert found.sentence == f"Ollama answers at http://127.0.0.1:{port}/v1 with qwen\\x1b[2J"


@pytest.mark.parametrize(
    "body, status",
    [
        (b"<html>", 200),
        (b"[]", 200),
        (b'{"data": 3}', 200),
        (b'{"data": []}', 500),
        (b"", 200),
        (b"[" * 60_000, 200),
    ],
)
def test_whatever_else_answers_is_no_server(body: bytes, status: int) -> None:
    with answering(body, status) as port:
        assert servers.find({port: "x"}) == []


def test_nothing_listens() -> None:
    assert servers.find({1: "x", 2: "y"}) == []
    assert servers.find({}) == []
