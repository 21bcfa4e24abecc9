"""The pages as tests meet them: a client in this process, or a server in one of its own."""

from __future__ import annotations

import http.client
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.testclient import TestClient

from db.ledger import Ledger
from discovery.web.app import application
from discovery.web.site import Site

TOKEN = "a-token-of-a-test"
PATIENCE = 60.0
"""Seconds that a process of its own gets to answer."""


@contextmanager
def asked(db: Path | str) -> Iterator[TestClient]:
    """A client of the pages over a ledger."""
    with Ledger.open(db, readonly=True, busy_timeout=0.1) as ledger:
        made = application(Site(ledger, str(db), TOKEN))
        yield TestClient(made, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)


@dataclass(frozen=True)
class Served:
    """A server in a process of its own."""

    process: subprocess.Popen[str]
    port: int
    token: str

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def stream(self, run: str) -> socket.socket:
        """A connection whose answer is the stream of events."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        made.sendall(f"GET /api/runs/{run}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return made

    def end(self) -> tuple[int, str]:
        """Ctrl-C; exit code and what was on stderr."""
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


BOOT = "import sys; sys.path[:0] = sys.argv[1:2]; from evaluators import registry; "
BOOT += "registry.BUILT_IN['small'] = 'review_samples:Small'; from discovery.cli.main import main; main(sys.argv[2:])"


@contextmanager
def serving(db: Path) -> Iterator[Served]:
    words = [sys.executable, "-c", BOOT, str(Path(__file__).parents[1]), "ui", "--db", str(db), "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], PATIENCE)[0], "the server does not start"
        said = process.stdout.readline()
        found = re.fullmatch(r"review pages at http://127\.0\.0\.1:(\d+)/#token=([\w-]{20,})\n", said)
        assert found, said or process.communicate()[1]
        yield Served(process, int(found[1]), found[2])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
