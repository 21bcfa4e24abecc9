"""The server itself: its start, its failures, its stream, its end; as a process of its own where that matters."""

from __future__ import annotations

import asyncio
import builtins
import json
import re
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from review_samples import RUN
from web_support import PATIENCE, serving

from db.errors import LedgerLocked
from db.ledger import Ledger
from db.migrations import VERSION_TABLE
from db.records import Integration, NewEntry
from discovery import review
from discovery.cli.main import main
from discovery.cli.ui import local
from discovery.web import events
from discovery.web.server import address, listen
from discovery.web.site import Site


def until(connection: socket.socket, enough: Callable[[str], bool], seconds: float = PATIENCE) -> str:
    """What arrives until it is enough."""
    text, deadline = "", time.monotonic() + seconds
    while not enough(text):
        assert time.monotonic() < deadline, text
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        piece = connection.recv(65536)
        assert piece, f"the stream ended: {text}"
        text += piece.decode()
    return text


def faces(text: str) -> list[dict[str, Any]]:
    """The faces in a stream."""
    return [f for line in re.findall(r"^data: (.*)$", text, re.M) if (f := json.loads(line))]


def test_it_serves_streams_survives_disconnects_and_ends_cleanly(db: Path) -> None:
    with Ledger.open(db) as ledger, ledger.holding(RUN), serving(db) as served:
        ledger.set_status(RUN, "running")
        status, body = served.get(f"/runs/{RUN}")
        assert status == 200 and b"searching" in body
        first = served.stream(RUN)
        until(first, lambda t: "data: " in t)
        for _ in range(5):  # browsers that go away in the middle
            gone = served.stream(RUN)
            until(gone, lambda t: "data: " in t)
            gone.close()
        # Another process than the server's writes.
        ledger.integrate(RUN, 2, Integration((NewEntry(16, "own", "improve", "refused", reason="late"),)))
        moved = faces(until(first, lambda t: "data: " in t))[-1]
        assert moved["losses"][0] == {"kind": "refused", "count": 6}
        assert served.get("/")[0] == 200 and served.get("/api/runs")[0] == 200
        code, said = served.end()  # with a stream still open
        first.close()
    assert (code, said) == (0, "")


def test_a_finished_run_ends_its_stream(db: Path) -> None:
    with serving(db) as served:
        connection = served.stream(RUN)
        text = until(connection, lambda t: "event: end" in t)
        assert faces(text)[0]["status"] == "done"
        assert served.get("/api/runs/r-nowhere/events")[0] == 404
        connection.close()


def test_a_stream_waits_for_a_locked_ledger(db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[object] = [LedgerLocked("held"), "stamp"]

    def stamp(_ledger: Ledger, _run: str) -> str:
        if isinstance(answers[0], LedgerLocked):
            raise answers.pop(0)  # type: ignore[misc]
        return "stamp"

    monkeypatch.setattr(review, "stamp", stamp)
    monkeypatch.setattr(events, "EVERY", 0.01)

    async def read(site: Site) -> list[str]:
        return [piece async for piece in events.stream(site, RUN)]

    with Ledger.open(db, readonly=True) as ledger:
        pieces = asyncio.run(read(Site(ledger, "", "")))
    assert [p.split(":")[0] for p in pieces] == ["retry", "data", "event"]


def ended(*words: str) -> int:
    with pytest.raises(SystemExit) as done:
        main(list(words))
    assert isinstance(done.value.code, int)
    return done.value.code


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The sentence of a start that fails with 3."""
    assert ended("ui", *words) == 3
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "Traceback" not in said.err
    return said.err


def test_a_port_in_use_is_said(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert f"port {port} of 127.0.0.1 is in use" in refused(capsys, "--db", str(db), "--port", port)


def test_an_address_that_is_not_ours_is_said(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "203.0.113.9" in refused(capsys, "--db", str(db), "--host", "203.0.113.9")
    assert "there is no address 'no such name'" in refused(capsys, "--db", str(db), "--host", "no such name")


def test_a_ledger_that_cannot_be_read_is_said(
    db: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is no ledger" in refused(capsys, "--db", str(tmp_path / "none.sqlite"))
    assert not (tmp_path / "none.sqlite").exists()
    at_schema(db, "9999")
    assert "newer version" in refused(capsys, "--db", str(db))
    at_schema(db, "0001")
    assert "discover db upgrade" in refused(capsys, "--db", str(db))
    monkeypatch.setattr("discovery.web.server.BUSY_TIMEOUT", 0.05)
    with closing(sqlite3.connect(db, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode=EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        assert "in use by another process" in refused(capsys, "--db", str(db))


def at_schema(db: Path, version: str) -> None:
    with closing(sqlite3.connect(db)) as c, c:
        c.execute(f"UPDATE {VERSION_TABLE} SET version_num = ?", (version,))


def test_the_missing_extra_is_named(
    db: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("discovery.web"):
            raise ModuleNotFoundError("no uvicorn", name="uvicorn")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "discover-heuristics[ui]" in refused(capsys, "--db", str(db))


def test_the_address_that_is_printed_can_be_opened() -> None:
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        assert address(bound, "127.0.0.1", "t") == f"http://127.0.0.1:{port}/#token=t"
        assert address(bound, "::1", "t") == f"http://[::1]:{port}/#token=t"


@pytest.mark.parametrize(
    "host, ours",
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("0.0.0.0", False)],
)
def test_what_only_this_machine_reaches(host: str, ours: bool) -> None:
    assert local(host) is ours
