"""A ledger whose scores are true, on a handful of smtt's smallest instances, and packages made of it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from review_samples import CHAMPION, EDD, MDD, PARENT, TASK, key, run_record

from db.ledger import Ledger
from db.records import Edge, Integration, NewEntry, NewLook, NewPromotion
from discovery.candidate import Candidate, check
from discovery.evaluation import Evaluated, Evaluation
from discovery.execution.base import Executor

RUN, IDLE = "r-0000aaaa", "r-0000cccc"
"""A run with a promoted champion, and one in which nothing beat the best seed."""
SECRET = "/home/somebody/secret/mdd"
"""What IDLE calls its best seed: the file that it came from."""
TESTS = Path(__file__).parents[1]
ENTRY_POINTS = "[discover.tasks]\nsmall = review_samples:Small\n"

PLAIN_LISTS = check(
    "def schedule(processing_times, due_dates):\n"
    "    return sorted(range(len(due_dates)), key=lambda j: (due_dates[j], processing_times[j]))\n",
    TASK.interface,
)
"""Imports no numpy and works on any sequence."""
SILENT = check(
    "def schedule(processing_times, due_dates):\n"
    "    keys = due_dates + processing_times\n"
    "    return sorted(range(len(due_dates)), key=lambda j: (keys[j], j))\n",
    TASK.interface,
)
"""Imports no numpy; lists are appended where arrays are added, so lists give other answers and no error."""
METHODS = check(
    "def schedule(processing_times, due_dates):\n    return (due_dates + processing_times).argsort(kind='stable')\n",
    TASK.interface,
)
ODD_NAMES = check(
    "import math\n\n\ndef schedule(processing_times, due_dates, *, _values=1, __x=2.5, _numpy='a\"\\'b', Sequence=3):\n"
    "    return sorted(range(len(due_dates)), key=lambda j: (due_dates[j] * _values * __x, processing_times[j]))\n",
    TASK.interface,
)
COUNTING = check(
    "calls = []\n\n\ndef schedule(processing_times, due_dates):\n    calls.append(list(due_dates))\n"
    "    order = list(range(len(due_dates)))\n    return order if calls[-1] == calls[0] else order[::-1]\n",
    TASK.interface,
)
"""Answers otherwise when its calls come in another order."""
LOOSE = (PLAIN_LISTS, SILENT, METHODS, ODD_NAMES, COUNTING)


def entered(k: int, candidate: Candidate, found: Evaluated) -> NewEntry:
    assert found.score is not None, found.reason
    return NewEntry(k, "own", "improve", "scored", candidate.hash, score=found.score, m=found.m)


def true_ledger(ledger: Ledger, executor: Executor) -> None:
    """The runs RUN and IDLE with scores as the referee gives them."""
    evaluation = Evaluation(TASK, executor, ledger)
    search = {c.hash: evaluation.search(c, None) for c in (EDD, MDD, PARENT, CHAMPION, *LOOSE)}
    gate = {c.hash: evaluation.whole(c, TASK.instances("gate")) for c in (MDD, CHAMPION)}
    for run in (RUN, IDLE):
        names = [["edd", EDD.hash], ["mdd" if run == RUN else SECRET, MDD.hash]]
        ledger.create_run(run_record(run, settings={**run_record().settings, "seeds": names}))
        seeds = [
            NewEntry(
                -1 - n, "seed", "create", "scored", c.hash, score=search[c.hash].score, m=search[c.hash].m
            )
            for n, c in enumerate((EDD, MDD))
        ]
        ledger.store_seed_entries(run, seeds, key(-2, "seed"))
    same: dict[str, Any] = {"batch": 0, "operator": "improve", "proposer": "chat", "seed": 1}
    for k, candidate in ((0, PARENT), (1, CHAMPION)):
        prompt = json.dumps([{"role": "user", "content": f"Improve {k}"}])
        ledger.record_reply(
            RUN,
            k,
            0,
            **same,
            messages_json=prompt,
            state="replied",
            text=candidate.code,
            model="m *b* `c`\x1b[2J",
        )
    entries = (
        entered(0, PARENT, search[PARENT.hash]),
        entered(1, CHAMPION, search[CHAMPION.hash]),
        *(entered(2 + n, c, search[c.hash]) for n, c in enumerate(LOOSE)),
    )
    edges = (
        Edge(key(0), key(-2, "seed")),
        Edge(key(1), key(0)),
        *(Edge(key(2 + n), key(0)) for n in range(len(LOOSE))),
    )
    look = NewLook(1, key(1), key(-2, "seed"), 0, 0.03, 0.001, 0.2, True, {})
    ledger.integrate(
        RUN, 0, Integration(entries, edges, looks=(look,), promotions=(NewPromotion(key(1), 1),))
    )
    for run, hashes in ((RUN, (CHAMPION.hash, MDD.hash)), (IDLE, (MDD.hash,))):
        for hash_ in hashes:
            data = {"candidate": hash_, "outcome": "scored", "score": gate[hash_].score}
            ledger.add_event(run, "report blocks", data)
        ledger.set_status(run, "done")


def announced(folder: Path) -> Path:
    """``folder`` with the metadata of a package that announces the task, for other processes."""
    info = folder / "small_task-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: small-task\nVersion: 1.0\n")
    (info / "RECORD").write_text("")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    return folder


def command(
    site: Path, *words: str, cwd: Path, umask: int = 0o022, **variables: str
) -> subprocess.CompletedProcess[str]:
    """The real command line in a process of its own."""
    paths = os.pathsep.join([str(site), str(TESTS), str(TESTS.parent)])
    environment = {**os.environ, "PYTHONPATH": paths, **variables}
    return subprocess.run(
        [sys.executable, "-c", "from discovery.cli.main import main; main()", *words],
        cwd=cwd, env=environment, umask=umask, capture_output=True, text=True, check=False,
    )  # fmt: skip


def rehashed(folder: Path) -> None:
    """Write the hashes of a changed source tree into its provenance, as somebody would who knows how."""
    (path,) = folder.glob("src/*/provenance.json")
    told = json.loads(path.read_text())
    for name in told["files"]:
        if (folder / name).exists():
            told["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    path.write_bytes((json.dumps(told, indent=1) + "\n").encode())


def rezipped(source: Path, target: Path, changes: dict[str, bytes | None]) -> Path:
    """A copy of a wheel with members replaced, added, or (None) left out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            if entry.filename not in changes:
                new.writestr(entry, old.read(entry))
        for name, data in changes.items():
            if data is not None:
                new.writestr(name, data)
    return target


def store_text(ledger: Ledger, run: str, code: str, hash_: str) -> None:
    """An entry with a score whose code no check has seen, as only a broken or foreign tool writes it."""
    ledger.put_candidate(hash_, code, 9)
    entry = NewEntry(50, "own", "improve", "scored", hash_, score=1.0, m=8)
    ledger.integrate(run, 1, Integration((entry,)))
