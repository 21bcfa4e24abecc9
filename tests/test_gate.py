"""The gate: who is worth a look, on which blocks, and what a look says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from test_evaluation import Counting
from toy.loop import density, rule
from toy.task import POOL, Knapsack

from db.ledger import Ledger
from db.records import EntryKey
from discovery.candidate import Candidate, check
from discovery.evaluation import Evaluation
from discovery.execution.base import Executor
from discovery.gate import Gate
from discovery.population.archive import Member
from discovery.statistics import FLIPS, alpha

FIXED, POOLED = Knapsack({}), Knapsack({"gate": "pool"})
WEAK, STRONG = rule("return -weights / volumes"), density(1.0)


@pytest.fixture
def counting(bag_executor: Executor) -> Counting:
    return Counting(bag_executor)


@pytest.fixture
def gate(counting: Counting, new_ledger: Callable[[str], Ledger]) -> Callable[..., Gate]:
    ledger = new_ledger("ledger")

    def make(seed: int = 0, task: Knapsack = POOLED) -> Gate:
        return Gate(seed, task=task, evaluation=Evaluation(task, counting, ledger))

    return make


def candidate(code: str) -> Candidate:
    return check(code, FIXED.interface)


def member(*scores: float) -> Member:
    filled = tuple(scores[k % len(scores)] for k in range(24))
    return Member(EntryKey(0, "own"), "h", "code", sum(filled) / 24, filled, 9, 0)


def test_a_look_needs_half_a_percent_and_some_certainty(gate: Callable[..., Gate]) -> None:
    made, champion = gate(), member(90.0, 92.0, 94.0)
    better = tuple(s * 1.006 for s in champion.scores)
    assert made.worth_a_look(member(*better), champion)
    assert not made.worth_a_look(member(*(s * 1.004 for s in champion.scores)), champion), "too small"
    assert not made.worth_a_look(member(*(s * 0.99 for s in champion.scores)), champion), "worse"
    assert not made.worth_a_look(champion, champion)
    lucky = (champion.scores[0] * 1.5, *champion.scores[1:])
    assert not made.worth_a_look(member(*lucky), champion), "one instance proves nothing"


def test_a_look_compares_on_its_block(gate: Callable[..., Gate], counting: Counting) -> None:
    found = gate().look(1, candidate(STRONG), candidate(WEAK))
    assert found.passed and found.paired is not None and found.paired.p < found.level == alpha(1)
    assert {j.instances.name for j in counting.jobs} == {f"gate-{found.block}"}
    back = gate().look(1, candidate(WEAK), candidate(STRONG))
    assert not back.passed and back.paired is not None and back.paired.effect < 0
    assert len(counting.jobs) == 4, "stored scores are used"


def test_the_same_look_gives_the_same_result(gate: Callable[..., Gate]) -> None:
    first, again = (gate(4).look(2, candidate(STRONG), candidate(WEAK)) for _ in range(2))
    assert first == again


def test_levels_shrink_with_each_look(gate: Callable[..., Gate]) -> None:
    made = gate()
    assert [made.look(k, candidate(STRONG), candidate(WEAK)).level for k in (1, 2, 3)] == [
        alpha(k) for k in (1, 2, 3)
    ]
    assert not made.look(10_000, candidate(STRONG), candidate(WEAK)).passed, "no p is that small"


def test_a_late_look_can_still_pass(gate: Callable[..., Gate]) -> None:
    found = gate().look(56, candidate(STRONG), candidate(WEAK))
    assert found.passed and found.paired is not None
    assert found.paired.p < found.level == alpha(56) < 1 / (1 + FLIPS)


def test_each_block_once_then_again_and_that_is_said(gate: Callable[..., Gate]) -> None:
    looks = [gate(3).look(k, candidate(STRONG), candidate(WEAK)) for k in range(1, 2 * POOL + 1)]
    blocks = [look.block for look in looks]
    assert sorted(blocks[:POOL]) == list(range(POOL)) and blocks[POOL:] == blocks[:POOL]
    assert [look.reused for look in looks] == [False] * POOL + [True] * POOL
    orders = {tuple(gate(seed)._order) for seed in range(12)}
    assert len(orders) > 2, "the order is the run's own"


def test_a_fixed_gate_is_reused_from_the_second_look(gate: Callable[..., Gate]) -> None:
    looks = [gate(0, FIXED).look(k, candidate(STRONG), candidate(WEAK)) for k in (1, 2)]
    assert [(look.block, look.reused) for look in looks] == [(0, False), (0, True)]


@pytest.mark.parametrize("side", ["challenger", "champion"])
def test_who_fails_on_the_block_passes_nothing(gate: Callable[..., Gate], side: str) -> None:
    broken = candidate(rule("return weights if len(weights) < 12 else weights[:1]"))
    pair = (broken, candidate(WEAK)) if side == "challenger" else (candidate(STRONG), broken)
    found = gate().look(1, *pair)
    assert not found.passed and found.paired is None
    assert found.failure.startswith(f"the {side} ended as error: ")


def test_report_blocks_are_opened_by_no_look(gate: Callable[..., Gate], counting: Counting) -> None:
    made = gate()
    for k in range(1, POOL + 2):
        made.look(k, candidate(STRONG), candidate(WEAK))
    looked = {i.payload for job in counting.jobs for i in job.instances}
    assert not looked & {i.payload for i in made.report_set}
    assert made.report(candidate(STRONG)).m == len(made.report_set) == 36
