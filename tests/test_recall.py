"""What was recorded of open requests is read once; a slot that is new to a sitting costs no look of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from toy.loop import Scripted, Toy, density

from db.ledger import Ledger
from db.records import Integration, RunRecord
from discovery.proposers.base import Request
from discovery.recall import BATCHES_KEPT, Recall

RUN = "r-1"


def ask(ledger: Ledger, k: int, batch: int) -> None:
    ledger.intent(RUN, k, 0, batch=batch, operator="improve", proposer="chat", seed=1)


def answered(ledger: Ledger, k: int, batch: int, text: str) -> None:
    ledger.record_reply(
        RUN, k, 0, batch=batch, operator="improve", proposer="chat", seed=1, state="replied", text=text
    )


@pytest.fixture
def ledger(new_ledger: Callable[[str], Ledger]) -> Ledger:
    """Batch 0 (slots 0 and 1) is integrated; of batch 1 slot 2 is answered and slot 3 was asked."""
    opened = new_ledger("ledger")
    opened.create_run(RunRecord(RUN, "knapsack", {}, {}, 1, "1", {}, {}, True, {}))
    answered(opened, 0, 0, "zero")
    opened.integrate(RUN, 0, Integration())
    answered(opened, 2, 1, "two")
    ask(opened, 3, 1)
    return opened


def test_what_an_earlier_sitting_left_is_known(ledger: Ledger) -> None:
    recall = Recall(RUN, 2, ledger)
    two, three = recall.row(2, 0), recall.row(3, 0)
    assert two is not None and two.reply == "two"
    assert three is not None and three.state == "intent"
    assert recall.row(2, 1) is None and recall.row(4, 0) is None


def test_only_what_may_have_changed_is_looked_up(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    recall, looked = Recall(RUN, 2, ledger), []
    find = ledger.proposal
    monkeypatch.setattr(ledger, "proposal", lambda run, k, r: looked.append((k, r)) or find(run, k, r))
    for k in (2, 3, 4):
        recall.row(k, 0)
    assert looked == []
    zero = recall.row(0, 0)
    assert zero is not None and zero.reply == "zero" and looked == [(0, 0)], "an integrated slot"
    answered(ledger, 4, 2, "four")
    four = recall.row(4, 0)
    assert four is not None and four.reply == "four" and looked[-1] == (4, 0), "one that this sitting asked"


def test_it_does_not_grow_with_the_run(ledger: Ledger) -> None:
    recall = Recall(RUN, 2, ledger)
    for k in range(2, 3000):
        recall.row(k, 0)
    assert len(recall._asked) <= 8 * BATCHES_KEPT * 2
    answered(ledger, 5, 2, "five")
    five = recall.row(5, 0)
    assert five is not None and five.reply == "five", "forgotten, hence looked up"


def test_a_reply_that_another_process_recorded_is_not_paid_again(toy: Toy) -> None:
    """While slot 0 is asked, another process at the same run records a reply for slot 1."""

    def script(request: Request) -> str:
        if request.slot == 0:
            with toy.ledger() as other:
                (run,) = other.runs()
                where = {"batch": 1, "operator": "improve", "proposer": "scripted", "seed": 1}
                other.record_reply(run.id, 1, 0, **where, state="replied", text=density(0.77))  # type: ignore[arg-type]
        return density(0.5 + request.slot / 100)

    proposer = Scripted(script, paid=True)
    toy.propose(proposer)
    report = toy.start(samples=3, batch=1, islands=1, tune=False)
    assert proposer.keys == [(0, 0), (2, 0)] and report.samples == 3
    with toy.ledger() as ledger:
        entry = ledger.entry(report.run, 1, "own")
        assert entry is not None and entry.candidate is not None
        assert "0.77" in ledger.candidate_code(entry.candidate)
