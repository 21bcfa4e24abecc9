"""A campaign with a model behind HTTP that is killed again and again, wherever it is, ends like the undisturbed one.

The command line, the model's server and the signal are real; where each kill falls is drawn from a seed."""

from __future__ import annotations

import gc
import json
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from killing import PLACES, started
from loop_processes import command, wait

from db.ledger import Ledger
from discovery.checkpoints import CHECKPOINTS_KEPT
from discovery.draws import key

HERE = Path(__file__).parent
SITTING = 240
"""Seconds that a sitting may take on a busy machine before the test gives up."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Model]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    log = tmp_path / "requests"
    path = ":".join([str(HERE.parent), *filter(None, sys.path)])
    said = [sys.executable, str(HERE / "crash_server.py"), str(log)]
    with subprocess.Popen(said, env={"PYTHONPATH": path}, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Model(process.stdout.readline().strip(), log)
        process.kill()


@dataclass
class Model:
    """The scripted server, and what it was asked since :meth:`forget`."""

    url: str
    log: Path
    skipped: int = 0

    def asked(self) -> Counter[int]:
        """How often each request came, by its seed."""
        return Counter(int(line) for line in self.log.read_text().split()[self.skipped :])

    def forget(self) -> None:
        self.skipped = len(self.log.read_text().split())


@dataclass
class Killed:
    """One campaign that is killed and resumed, and what was found after each kill."""

    site: Path
    folder: Path
    words: list[str]
    run: str = ""
    in_flight: Counter[tuple[int, int]] = field(default_factory=Counter)
    """How often each request was open when the process died."""

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def sit(self, place: str, nth: int, share: float) -> bool:
        """Start the campaign, or go on with it, and die there. False when it came to its end instead."""
        told = self.folder / "orphans"
        told.unlink(missing_ok=True)
        first = f"import killing; killing.arm({place!r}, {nth}, {share}, {str(told)!r})"
        words = ["resume", self.run] if self.run else ["run", *self.words]
        process = command(self.site, self.folder, *words, "--db", "ledger.sqlite", first=first)
        _, err = process.communicate(timeout=SITTING)
        assert process.returncode in (-9, 0), err
        if process.returncode == 0:
            assert not told.exists()
            return False
        self.look(json.loads(told.read_text()))
        return True

    def look(self, orphans: list[tuple[int, int]]) -> None:
        """What a kill must leave behind: a sound ledger, and nobody."""
        with sqlite3.connect(self.ledger) as c:
            assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert c.execute("PRAGMA foreign_key_check").fetchall() == []
            ((self.run,),) = c.execute("SELECT id FROM run").fetchall()
            self.in_flight.update(c.execute("SELECT k, r FROM proposal WHERE state = 'intent'").fetchall())
        wait(lambda: not any(started(pid) == began for pid, began in orphans))


def test_killed_anywhere_it_ends_the_same(installed: Path, tmp_path: Path, server: Model) -> None:
    killed = killed_and_compared(installed, tmp_path, server, kills=10, samples=16, seed=5)
    assert set(killed) == set(PLACES)


@pytest.mark.campaign
def test_killed_two_hundred_times(installed: Path, tmp_path: Path, server: Model) -> None:
    killed = killed_and_compared(installed, tmp_path, server, kills=200, samples=32, seed=6)
    assert set(killed) == set(PLACES)


AFTER = "g.steps = lambda *a: [*old(*a), *(os.kill(os.getpid(), 9) for _ in '1')]"
PRUNING = "c.FileSaver.prune = lambda *a, **k: os.kill(os.getpid(), 9)"


@pytest.mark.parametrize("dies", [AFTER, PRUNING], ids=["after the last step", "as old checkpoints go"])
def test_killed_after_the_last_batch_it_leaves_two_checkpoints_and_no_log(
    installed: Path, tmp_path: Path, dies: str
) -> None:
    """The search is over then, so nothing else opens the checkpoints again."""
    first = f"import os; from discovery import graph as g, checkpoints as c; old = g.steps; {dies}"
    words = ["--task", "knapsack", "--proposer", "genetic", "--samples", "4", "--batch", "4", "--no-tune"]
    process = command(installed, tmp_path, "run", *words, "--db", "ledger.sqlite", first=first)
    _, err = process.communicate(timeout=SITTING)
    assert process.returncode == -9, err
    with sqlite3.connect(tmp_path / "ledger.sqlite") as c:
        ((run,),) = c.execute("SELECT id FROM run").fetchall()
    checkpoints = tmp_path / "checkpoints"
    assert (checkpoints / f"{run}.sqlite-wal").stat().st_size > 0
    process = command(installed, tmp_path, "resume", run, "--db", "ledger.sqlite")
    _, err = process.communicate(timeout=SITTING)
    assert process.returncode == 0, err
    assert {p.name for p in checkpoints.iterdir()} == {f"{run}.sqlite", f"{run}.lock"}
    with sqlite3.connect(checkpoints / f"{run}.sqlite") as c:
        assert c.execute("SELECT count(*) FROM checkpoints").fetchone()[0] <= CHECKPOINTS_KEPT


DYING = """import os
from discovery.checkpoints import FileSaver
put, left = FileSaver.put, [{nth}]
def dying(*given, **more):
    found, left[0] = put(*given, **more), left[0] - 1
    if not left[0]: os.kill(os.getpid(), 9)
    return found
FileSaver.put = dying"""


@pytest.mark.parametrize("nth", range(1, 5))
def test_killed_as_a_checkpoint_is_written_it_ends_the_same(
    installed: Path, tmp_path: Path, nth: int
) -> None:
    """The first says nothing of the run yet but what the graph is given."""
    words = ["--task", "knapsack", "--proposer", "genetic", "--samples", "8", "--batch", "4", "--no-tune"]
    found = []
    for db, first in (("whole", ""), ("killed", DYING.format(nth=nth))):
        process = command(installed, tmp_path, "run", *words, "--db", f"{db}.sqlite", first=first)
        _, err = process.communicate(timeout=SITTING)
        assert process.returncode == (-9 if first else 0), err
        with Ledger.open(tmp_path / f"{db}.sqlite") as ledger:
            run = ledger.runs()[0].id
        if first:
            again = command(installed, tmp_path, "resume", run, "--db", f"{db}.sqlite")
            _, err = again.communicate(timeout=SITTING)
            assert again.returncode == 0, err
        with Ledger.open(tmp_path / f"{db}.sqlite") as ledger:
            found.append(ledger.digest(run))
    assert found[0] == found[1]


def killed_and_compared(
    site: Path, folder: Path, server: Model, *, kills: int, samples: int, seed: int
) -> Counter[str]:
    """Kill until ``kills`` are done, in as many campaigns as that takes; counts the kills by place."""
    words = ["--task", "knapsack", "--model", "mock", "--base-url", server.url, "--samples", str(samples)]
    words += ["--batch", "4", "--trials", "3", "--islands", "2", "--workers", "2"]
    whole = command(site, folder, "run", *words, "--db", "whole.sqlite")
    _, err = whole.communicate(timeout=SITTING)
    assert whole.returncode == 0, err
    requests, digest, _ = paid(folder / "whole.sqlite")
    assert set(server.asked()) == requests and server.asked().total() == len(requests) > samples

    draw, killed, campaigns = random.Random(seed), Counter[str](), 0
    places = [*reversed(PLACES)]  # the first campaign goes through them in the order of its work
    while killed.total() < kills:
        server.forget()
        campaigns += 1
        campaign = Killed(site, folder / f"campaign-{campaigns}", words)
        campaign.folder.mkdir()
        done = False
        while not done and killed.total() < kills:
            if not places:
                places = draw.sample([*PLACES], len(PLACES))
            place = places.pop()
            nth = 1 if place in ("start", "restore", "tune", "finish") else draw.randrange(1, 5)
            done = not campaign.sit(place, nth, draw.random())
            killed[place] += not done
        if not done:
            assert not campaign.sit("finish", 99, 0.0)
        compare(campaign, server, digest)
    assert [*(folder / "tmp").iterdir()] == [], "temporary files are left"
    sys.stdout.write(f"\n{killed.total()} kills in {campaigns} campaigns: {dict(killed)}\n")
    return killed


def compare(campaign: Killed, server: Model, digest: str) -> None:
    """The end of a killed campaign against the undisturbed run: the same digest, and what was paid is in the ledger."""
    requests, found, asked = paid(campaign.ledger)
    assert found == digest
    came = server.asked()
    assert set(came) == requests, "every request is recorded, none is missing"
    for (k, r), times in asked.items():
        assert times <= 1 + campaign.in_flight[k, r], "only what was in flight at a kill is asked again"
        assert came[chat_seed(k, r)] <= times, "every request that may be paid is counted"
    gc.collect()  # this process has looked into the ledger; what it has not closed yet would keep the log
    left = {p.name for p in campaign.folder.rglob("*") if p.is_file()} - {"orphans"}
    assert left == {"ledger.sqlite", f"{campaign.run}.sqlite", f"{campaign.run}.lock"}
    with sqlite3.connect(campaign.folder / "checkpoints" / f"{campaign.run}.sqlite") as c:
        assert c.execute("SELECT count(*) FROM checkpoints").fetchone()[0] <= CHECKPOINTS_KEPT


def paid(path: Path) -> tuple[set[int], str, dict[tuple[int, int], int]]:
    """Of the one run of a ledger: its requests by seed, its digest, and how often each request was asked."""
    with Ledger.open(path, create=False) as ledger:
        (record,) = ledger.runs()
        assert record.status == "done"
        proposals = ledger.proposals(record.id)
        assert all(p.state == "replied" for p in proposals)
        return (
            {chat_seed(p.k, p.r) for p in proposals},
            ledger.digest(record.id),
            {(p.k, p.r): p.asked for p in proposals},
        )


def chat_seed(k: int, r: int) -> int:
    """The seed that request (k, r) of a run with seed 0 carries to the model."""
    return key(0, k, r, "chat") & 0x7FFFFFFF
