"""The audit of a run: what it computes again, and that it finds whatever was changed in the ledger."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, cast

import pytest
from toy.loop import Kept, Scripted, Toy, by_slot, density, rule

from db.packing import pack, unpack
from discovery.audit import Audit, audit
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.review.names import task_of
from evaluators.task import Instance, Judgement

WEAK = rule("return weights / (1 + power * volumes)", keywords="power=0.001", head=(
    "SEARCH_SPACE = {'power': {'low': 0.001, 'high': 4.0}}"
))  # fmt: skip
REPLIES = [
    density(0.52),
    rule("raise ValueError('no')"),
    rule("return weights[:2]"),
    density(1.0),
    WEAK,
    density(-2.0),
    rule("return 1 / weights"),
    rule("return weights * 0.0"),
]


class Watched(Kept):
    """An executor that remembers the jobs."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.jobs: list[StageJob] = []
        real = executor.submit

        def submit(job: StageJob) -> Future[StageResult]:
            self.jobs.append(job)
            return real(job)

        self.submit = submit


Checked = tuple[Toy, str, Watched]


@pytest.fixture
def done(toy: Toy, bag_executor: Executor) -> Checked:
    """A finished run with looks, a promotion, trials and failures, and an executor to audit it with."""
    toy.propose(Scripted(by_slot(REPLIES)))
    report = toy.start(gate="pool")
    assert report.status == "done"
    return toy, report.run, Watched(bag_executor)


def audited(done: Checked, *, run: bool = True) -> Audit:
    toy, name, executor = done
    with toy.ledger() as ledger:
        record = ledger.run(name)
        return audit(ledger, task_of(record), record, cast(Executor, executor) if run else None)


def change(done: Checked, table: str, column: str, where: str, new: Callable[[Any], Any]) -> None:
    """Rewrite one value behind the ledger's back."""
    toy, _, _ = done
    connection = sqlite3.connect(toy.folder / "ledger.sqlite")
    with connection:
        found = connection.execute(f'SELECT rowid, "{column}" FROM {table} WHERE {where}').fetchone()
        assert found is not None, f"no {table} where {where}"
        connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE rowid = ?', (new(found[1]), found[0]))
    connection.close()


def test_an_honest_run_holds(done: Checked) -> None:
    found = audited(done)
    assert found.problems == []
    assert found.recomputed >= 2 and found.rerun >= 4 and found.trials >= 1
    assert found.entries >= 4 and found.looks >= 1 and found.promotions >= 2
    assert found.left == {}


def test_what_has_its_answers_is_not_run(done: Checked) -> None:
    toy, run, executor = done
    found = audited(done)
    search = toy_digest(toy, run, "search")
    with toy.ledger() as ledger:
        kept = {
            e.candidate
            for e in ledger.entries(run)
            if e.candidate and (r := ledger.evaluation(e.candidate, search, "1", True)) and r.answers
        }
        codes = {ledger.candidate_code(hash_) for hash_ in kept}
    assert kept and len(executor.jobs) == found.rerun + found.trials
    on_search = [j.code for j in executor.jobs if j.instances.name == "search" and not j.parameters]
    assert not codes & set(on_search)
    executor.jobs.clear()
    quick = audited(done, run=False)
    assert quick.problems == [] and executor.jobs == []
    assert (quick.recomputed, quick.rerun, quick.trials) == (found.recomputed, 0, 0)
    assert quick.left["not run"] == found.rerun + found.trials


def toy_digest(toy: Toy, run: str, split: Any) -> str:
    with toy.ledger() as ledger:
        return task_of(ledger.run(run)).instances(split).digest


def better(blob: bytes) -> bytes:
    scores = list(unpack(blob))
    scores[0] += 0.5
    return pack(scores)


def flipped(blob: bytes) -> bytes:
    """Kept answers with the first item taken out or put in."""
    answers = bytearray(zlib.decompress(blob))
    answers[0] ^= 1
    return zlib.compress(bytes(answers))


KEPT, LOST = "answers IS NOT NULL AND set_name = 'search'", "answers IS NULL AND outcome = 'scored'"
CHANGES: dict[str, tuple[str, str, str, Callable[[Any], Any], str]] = {
    "a score with its answers": ("evaluation", "scores", KEPT, better, "scores differ, first that of"),
    "a value with its answers": ("evaluation", "values", KEPT, better, "scores differ, first that of"),
    "the answers": ("evaluation", "answers", KEPT, flipped, "are not those that were hashed"),
    "a score without answers": ("evaluation", "scores", LOST, better, "scores differ, first that of"),
    "the hash of answers": ("evaluation", "answers_digest", LOST, lambda _: "0" * 64, "other answers"),
    "a failure": ("evaluation", "outcome", "outcome = 'error'", lambda _: "killed", "ended as error"),
    "an entry's score": ("entry", "score", "kind = 'own' AND score IS NOT NULL", lambda s: s + 1, "own"),
    "a trial": ("trial", "scores", "number > 0 AND m > 0", better, "of slot 4: run again"),
    "a p-value": ("look", "p_value", "passed", lambda p: p / 2, "look 1: p = "),
    "a level": ("look", "alpha", "passed", lambda a: a * 2, "at another level"),
    "a verdict": ("look", "passed", "passed", lambda _: 0, "its verdict is not the one"),
    "a promotion": ("promotion", "look", "look IS NOT NULL", lambda _: None, "has no look that was passed"),
    "a report": (
        "event", "data", "kind = 'report blocks'", lambda d: d.replace('"score":', '"score":1'), "report blocks",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_any_change_is_found(done: Checked, what: str) -> None:
    table, column, where, new, told = CHANGES[what]
    change(done, table, column, where, new)
    problems = audited(done).problems
    assert any(told in p for p in problems), problems


def test_a_referee_that_changed_its_mind_is_found(done: Checked, monkeypatch: pytest.MonkeyPatch) -> None:
    from toy.task import Judgement, Knapsack

    real = Knapsack.judge
    monkeypatch.setattr(Knapsack, "judge", lambda *a: Judgement(real(*a).value, real(*a).score * 0.99))
    quick = audited(done, run=False)
    assert len(quick.problems) >= quick.recomputed >= 2


def test_time_outs_and_the_final_split_are_left_alone(done: Checked) -> None:
    change(done, "evaluation", "outcome", "outcome = 'error'", lambda _: "timeout")
    change(done, "evaluation", "set_digest", "set_name = 'gate' OR set_name LIKE 'gate%'", lambda _: "f" * 64)
    found = audited(done)
    assert found.left == {"timeout": 1, "other sets": 1}


def test_of_measured_scores_only_the_answers_are_compared(
    done: Checked, monkeypatch: pytest.MonkeyPatch
) -> None:
    from toy.task import Knapsack

    monkeypatch.setattr(Knapsack, "measured", True)
    judge = Knapsack.judge

    def noisy(task: Knapsack, instance: Instance, answer: bytes) -> Judgement:
        exact = judge(task, instance, answer)
        return replace(exact, score=1.01 * exact.score)

    monkeypatch.setattr(Knapsack, "judge", noisy)
    found = audited(done)
    assert found.problems == [] and found.recomputed
    assert found.left["measured trials"] and not found.trials
    assert len(done[2].jobs) == found.rerun > 0
