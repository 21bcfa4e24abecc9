"""Which blocks an explanation opens: fresh ones, two, counted, and never those that a run or a report has read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from toy.task import POOL, Knapsack

from db.ledger import Ledger
from db.records import RunRecord
from discovery.explain import blocks as opening
from discovery.gate import block_order
from discovery.statistics import alpha
from evaluators.registry import load

SMTT = load("smtt")
RUN = RunRecord("r-1", "smtt", {"families": "pvw"}, {}, 7, SMTT.version, {}, {}, True, {})
HASH = "ab" * 32


@pytest.fixture
def ledger(new_ledger: Callable[[str], Ledger]) -> Ledger:
    opened = new_ledger("ledger")
    opened.create_run(RUN)
    return opened


def test_blocks_come_from_the_far_end_of_the_runs_order(ledger: Ledger) -> None:
    order = block_order(RUN.seed, SMTT.gate_blocks)
    found = opening.choose(SMTT, ledger, RUN, HASH)
    assert found.numbers == (order[-1], order[-2]) and not found.reused
    assert found.ablation.digest == SMTT.gate(order[-1]).digest
    assert found.confirmation.digest == SMTT.gate(order[-2]).digest
    assert not {i.id for i in found.ablation} & {i.id for i in found.confirmation}
    assert opening.choose(SMTT, ledger, RUN, HASH) == found, "choosing opens nothing"


def test_what_was_opened_is_not_opened_again_and_levels_shrink(ledger: Ledger) -> None:
    seen: set[int] = set()
    for number in range(1, SMTT.gate_blocks // 2 + 1):
        found = opening.choose(SMTT, ledger, RUN, HASH)
        assert found.number == number and found.level == alpha(number)
        assert not set(found.numbers) & seen and not found.reused
        seen |= set(found.numbers)
        opening.record(ledger, SMTT, RUN, HASH, found)
    assert opening.choose(SMTT, ledger, RUN, HASH).reused, "all are used up"
    other = opening.choose(SMTT, ledger, RUN, "cd" * 32)
    assert other.reused and other.number == 1, "blocks are shared, explanations counted by candidate"
    wide = load("smtt", {"families": "heavy"})
    assert not opening.choose(wide, ledger, RUN, HASH).reused, "other instances"


def test_looks_of_the_run_are_seen(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    order = block_order(RUN.seed, SMTT.gate_blocks)
    looks = [type("Look", (), {"block": b}) for b in order[-3:]]
    monkeypatch.setattr(Ledger, "looks", lambda *_: tuple(looks))
    assert opening.choose(SMTT, ledger, RUN, HASH).numbers == (order[-4], order[-5])
    looks[:] = [type("Look", (), {"block": b}) for b in order[1:]]
    found = opening.choose(SMTT, ledger, RUN, HASH)
    assert found.numbers[1] == order[0] and found.reused, "the only fresh one is for the whole"


def test_a_gate_of_one_block_is_halved() -> None:
    task = Knapsack({})
    found = opening.choose(task, None, None, HASH)
    assert found.numbers == (0, 0) and found.to_json()["halved"] is True
    first, second = ({i.id for i in half} for half in (found.ablation, found.confirmation))
    assert not first & second and first | second == {i.id for i in task.gate(0)}
    for half in (found.ablation, found.confirmation):
        assert {i.group for i in half} == {i.group for i in task.gate(0)}


def test_a_text_without_a_run_is_recorded_with_the_ledger(ledger: Ledger) -> None:
    task = Knapsack({"gate": "pool"})
    found = opening.choose(task, ledger, None, HASH)
    opening.record(ledger, task, None, HASH, found)
    (event,) = ledger.events(None, opening.OPENED)
    assert event.data["blocks"] == list(found.numbers) and event.data["number"] == 1
    again = opening.choose(task, ledger, None, HASH)
    assert again.number == 2 and again.reused == (POOL < 4)
    assert replace(again, number=1).level == alpha(1)
