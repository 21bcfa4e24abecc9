"""Leases as rows: written, replaced, over, left; the same on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ledger_samples import RUN, hash_of, run_record, seeded

from db.ledger import Ledger
from db.records import LeaseRecord


def lease(number: int = 1, **changes: Any) -> LeaseRecord:
    values: dict[str, Any] = {
        "job": hash_of(number),
        "candidate": hash_of(1000),
        "purpose": "trial",
        "set_digest": "d" * 64,
        "set_size": 120,
        "parameters": {"k": 0.5, "rule": "\ud800"},
        "node": "10.0.0.7",
        "state": "held",
        "lost": 0,
        "taken": 100.0 + number,
    }
    return LeaseRecord(**(values | changes))


def work(ledger: Ledger) -> list[object]:
    """What there is after each step."""
    seeded(ledger)
    ledger.create_run(run_record("r-other"))
    digest, found = ledger.digest(RUN), []
    held = [lease(k) for k in (3, 1, 2)]
    again = replace(held[1], state="queued", lost=1, node="10.0.0.8\x00")
    for changed, ended, events in (
        (held, (), ()),
        ([again], (hash_of(3), hash_of(9)), (("lost worker", {"node": "10.0.0.7"}),)),
        ([replace(again, state="quarantined", lost=4), lease(4, state="done", lost=1)], (), ()),
    ):
        ledger.write_leases("r-other", held)
        ledger.write_leases(RUN, changed, ended, events)
        found.append(ledger.leases(RUN))
    ledger.leave_leases(RUN)
    assert ledger.leases("r-other") == tuple(sorted(held, key=lambda one: one.taken)), "another run's stay"
    assert ledger.digest(RUN) == digest and ledger.count_events(RUN, "lost worker") == 1
    return [*found, ledger.leases(RUN)]


def test_what_is_written_is_read(ledger_of: Ledger) -> None:
    first, second, third, left = work(ledger_of)
    assert first == (lease(1), lease(2), lease(3)), "the oldest first"
    assert second == (lease(1, state="queued", lost=1, node="10.0.0.8\\x00"), lease(2))
    assert [(one.state, one.lost) for one in third] == [("quarantined", 4), ("held", 0), ("done", 1)]  # type: ignore[attr-defined]
    assert [one.state for one in left] == ["quarantined", "left", "done"]  # type: ignore[attr-defined]


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_of(request: pytest.FixtureRequest) -> Any:
    url = "sqlite://" if request.param == "sqlite" else request.getfixturevalue("pg_url")
    with Ledger.open(url) as opened:
        yield opened
