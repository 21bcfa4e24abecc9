"""Threads and sudden death."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ledger_samples import RUN, evaluation, hash_of, key, own, put, seeded

import db
from db.ledger import Ledger
from db.records import Edge, Integration, TrialRecord

ROOT = Path(db.__file__).parent.parent
ASK = {"operator": "improve", "proposer": "chat", "seed": 1}


def test_eight_threads_write_while_others_read(ledger):
    put(ledger, 0)
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                spent = ledger.spent(RUN)
                assert spent.requests >= spent.samples
                batches = ledger.run(RUN).batches_done
                assert len(ledger.entries(RUN)) >= 2 + 2 * (batches + 1)
        except BaseException as error:
            failures.append(error)

    def write(worker: int) -> None:
        study = ledger.start_study(RUN, worker, seed=worker, n_trials=20)
        for i in range(20):
            k = worker * 20 + i
            ledger.intent(RUN, k, 0, batch=0, **ASK)
            ledger.intent(RUN, 999, 0, batch=0, **ASK)
            ledger.reply(RUN, k, 0, state="replied", text="x" * 2000, prompt_tokens=1, completion_tokens=1)
            put(ledger, k, 5000)
            ledger.store_evaluation(evaluation((1.0, 2.0), number=k))
            ledger.store_evaluation(evaluation((1.0, 2.0, 3.0, 4.0), number=k))
            ledger.add_trial(study.id, TrialRecord(i, {"p": i}, "complete", (1.0,), 1.0))
            ledger.add_event(RUN, "tick", {"worker": worker})

    def integrate() -> None:
        for g in range(10):
            put(ledger, 6000 + g)
            pair = (own(2 * g, 6000 + g), own(2 * g + 1, 6000 + g, duplicate_of=key(2 * g)))
            edges = (Edge(key(2 * g), key(0, "seed")), Edge(key(2 * g + 1), key(2 * g)))
            assert ledger.integrate(RUN, g, Integration(pair, edges))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    with ThreadPoolExecutor(9) as pool:
        done = [pool.submit(write, w) for w in range(8)] + [pool.submit(integrate)]
        for future in done:
            future.result()
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    spent = ledger.spent(RUN)
    assert (spent.samples, spent.tokens, spent.repeated) == (161, 320, 159)
    assert ledger.count_events(RUN, "tick") == 160
    for k in range(160):
        got = ledger.evaluation(hash_of(k), "d" * 64, "1", True)
        assert got is not None and got.m == 4
    assert all(len(ledger.trials(s.id)) == 20 for s in ledger.studies(RUN))


WRITER = """
import sys
from ledger_samples import RUN, batch_of, key, put
from db.ledger import Ledger
ledger = Ledger.open(sys.argv[1])
g = ledger.run(RUN).batches_done + 1
while True:
    ledger.intent(RUN, g, 0, batch=g, operator="improve", proposer="chat", seed=g)
    ledger.reply(RUN, g, 0, state="replied", text="r" * 500)
    put(ledger, *range(5 * g, 5 * g + 5))
    ledger.integrate(RUN, g, batch_of(5 * g, 5, enter=(key(5 * g),), events=(("batch", {"g": g}),)))
    print(g, flush=True)
    g += 1
"""


def test_nothing_acknowledged_is_lost_by_kill_9(path):
    """A process that writes is killed at random moments; whole batches are there or not, and every one it had
    reported is."""
    with Ledger.open(path) as ledger:
        seeded(ledger)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}
    moments = random.Random(4)
    acknowledged = -1
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        line = writer.stdout.readline()
        time.sleep(moments.uniform(0.0, 0.15))
        writer.send_signal(signal.SIGKILL)
        seen = [line, *writer.stdout.read().splitlines()]
        writer.wait()
        acknowledged = max([acknowledged, *(int(s) for s in seen if s.strip())])
        with sqlite3.connect(path) as c:
            assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert c.execute("PRAGMA foreign_key_check").fetchall() == []
        with Ledger.open(path, create=False) as ledger:
            done = ledger.run(RUN).batches_done
            assert done in (acknowledged, acknowledged + 1)
            acknowledged = done
            entries = ledger.entries(RUN)
            assert len(entries) == 2 + 5 * (done + 1)
            assert ledger.count_events(RUN, "batch") == done + 1
            assert len(ledger.snapshot(RUN, done)) == 2 + done + 1
            assert len(ledger.parents(RUN)) == 5 * (done + 1)
            proposal = ledger.proposal(RUN, done, 0)
            assert proposal is not None and proposal.reply == "r" * 500
    assert acknowledged >= 5
