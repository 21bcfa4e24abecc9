"""Hostile and half-right replies through a whole run: each ends as a scored candidate or a refusal with a reason.

``FUZZ_REPLIES`` sets how many (300); benchmarks/fuzz_replies.py runs 10,000. The run is a real one: reading, check,
sandbox, tuning, gate and ledger, with the repair request answered by another such reply.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hostile_replies import gathered
from toy.loop import Scripted, Toy

from discovery.proposers.base import Request
from discovery.review.overview import OUTCOMES

COUNT = int(os.environ.get("FUZZ_REPLIES", "300"))
NUMBER = int(os.environ.get("FUZZ_SEED", "0"))


def test_every_reply_ends_scored_or_with_a_reason(toy: Toy) -> None:
    texts = gathered(COUNT, NUMBER)

    def script(request: Request) -> str:
        return texts[(request.slot + request.attempt * (COUNT // 2 + 1)) % COUNT]

    proposer = Scripted(script)
    toy.propose(proposer)
    report = toy.start(samples=COUNT, batch=8, executor="local", workers=2, trials=2)
    assert report.status == "done" and report.samples == COUNT
    entries = toy.entries(report.run)
    assert sorted(k for k, kind in entries if kind == "own") == list(range(COUNT))
    ends: Counter[str] = Counter()
    with toy.ledger() as ledger:
        for (k, kind), entry in entries.items():
            ends[entry.outcome] += kind == "own"
            assert entry.outcome in OUTCOMES, (k, entry.outcome)
            if entry.outcome in ("scored", "stopped") or entry.duplicate_of is not None:
                assert entry.candidate is not None or entry.duplicate_of is not None, (k, texts[k])
            else:
                assert entry.reason and entry.reason.strip(), (k, entry.outcome, texts[k])
        for k, text in enumerate(texts):
            row = ledger.proposal(report.run, k, 0)
            assert row is not None and row.state == "replied", k
            assert row.reply == text or any(0xD800 <= ord(c) < 0xE000 or c == "\0" for c in text), k
    ran = ends["scored"] + ends["stopped"]
    assert min(ran, ends["refused"], ends["error"]) >= COUNT // 40, ends  # the replies are of every kind
    if path := os.environ.get("FUZZ_REPORT"):
        Path(path).write_text(json.dumps(dict(ends)))


@pytest.mark.parametrize("number", range(2))
def test_the_same_seed_gathers_the_same_replies(number: int) -> None:
    assert gathered(20, number) == gathered(20, number) != gathered(20, number + 2)
