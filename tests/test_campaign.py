"""Whole runs on the toy task, told by their ledger: owners, parents, tuned children, quarantine, gate, digests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest
from toy.loop import Scripted, Toy, announced, by_slot, density, rule
from toy.task import Knapsack

from discovery.candidate import check
from discovery.execution.base import Executor
from discovery.execution.local import InlineExecutor
from discovery.proposers.base import ProposerRefused, Request
from discovery.report import RunReport
from discovery.statistics import MARGIN, alpha
from evaluators.task import InstanceSet

SPACE = 'SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}'
TUNABLE = rule("return weights / volumes ** power", keywords="power=0.1", head=SPACE)
BROKEN = rule("import os; return weights")
CRASH = rule("return [1 / (capacity - capacity)]")
COUNTER = rule("seen.append(1); return weights / volumes ** (len(seen) / 20)", head="seen = []")
"""What it answers depends on how often it was called before, so a reversed order shows it."""


def hash_of(code: str) -> str:
    return check(code, Knapsack.interface).hash


# -- what became of each reply --


@pytest.fixture(scope="module")
def mixed(
    tmp_path_factory: pytest.TempPathFactory, bag_executor: Executor
) -> Iterator[tuple[Toy, RunReport, Scripted]]:
    """Two batches with every way to lose a slot."""

    def script(request: Request) -> str | Exception:
        if request.slot == 5:
            return BROKEN if request.attempt == 0 else density(0.8)
        if request.slot == 6:
            return ProposerRefused("too long for the model")
        heaviest = Knapsack({}).baselines()["heaviest"].path
        assert heaviest is not None
        known = {
            0: density(0.9),
            1: "# again\n" + density(0.9),
            2: "I have no idea.",
            3: CRASH,
            4: density(0.9),
            7: heaviest.read_text(),
        }
        return known[request.slot]

    folder, proposer = tmp_path_factory.mktemp("mixed"), Scripted(script)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(announced(folder / "site")))
        toy = Toy(folder, patch, bag_executor)
        toy.propose(proposer)
        report = toy.start()
    yield toy, report, proposer


def test_entries_say_what_became_of_each_reply(mixed: tuple[Toy, RunReport, Scripted]) -> None:
    toy, report, _ = mixed
    entries = toy.entries(report.run)
    own = {k: e for (k, kind), e in entries.items() if kind == "own"}
    assert [own[k].outcome for k in range(8)] == [
        "scored", "scored", "refused", "error", "scored", "scored", "refused", "scored"
    ]  # fmt: skip
    assert [own[k].batch for k in range(8)] == [0] * 4 + [1] * 4
    assert [own[k].island for k in range(8)] == [0, 1] * 4
    assert own[2].candidate is None and "no Python code" in own[2].reason
    assert (
        own[3].candidate == hash_of(CRASH) and "ZeroDivisionError" in own[3].reason and own[3].score is None
    )
    assert own[6].reason == "too long for the model" and own[6].candidate is None
    assert own[5].candidate == hash_of(density(0.8)) and own[5].score is not None


def test_the_first_of_equal_code_owns_the_evaluation(mixed: tuple[Toy, RunReport, Scripted]) -> None:
    """In one batch, across batches, and for a seed's code."""
    toy, report, _ = mixed
    entries = toy.entries(report.run)
    first = entries[0, "own"]
    assert first.duplicate_of is None
    for k in (1, 4):
        again = entries[k, "own"]
        assert again.duplicate_of == first.id and again.score == first.score and again.m == first.m
        assert again.archived_from is None, "a duplicate is no member"
    with toy.ledger() as ledger:
        seed = ledger.entry(report.run, -1, "seed")
    assert seed is not None and entries[7, "own"].duplicate_of == seed.id


def test_requests_and_repairs(mixed: tuple[Toy, RunReport, Scripted]) -> None:
    toy, report, proposer = mixed
    assert proposer.keys == [(0, 0), (1, 0), (2, 0), (2, 1), (3, 0), (4, 0), (5, 0), (5, 1), (6, 0), (7, 0)]
    repair = next(r for r in proposer.asked if (r.slot, r.attempt) == (5, 1))
    assert repair.failure is not None and repair.failure.reply == BROKEN
    assert "import of 'os' is not allowed" in repair.failure.reason
    with toy.ledger() as ledger:
        rows = {(p.k, p.r): p for p in ledger.proposals(report.run)}
        assert ledger.spent(report.run).samples == 8
    assert (
        rows[6, 0].state == "refused" and rows[5, 0].state == "replied" and rows[5, 1].reply == density(0.8)
    )


def test_the_report_counts_what_the_ledger_holds(mixed: tuple[Toy, RunReport, Scripted]) -> None:
    _, report, _ = mixed
    assert (report.status, report.samples, report.evaluated, report.valid) == ("done", 8, 3, 2)
    assert report.failures == {"refused": 2, "error": 1}
    assert report.tokens == 15 * 9, "nine replies; the refused one counts nothing"


def test_failures_of_integrated_batches_are_told_to_later_ones(toy: Toy) -> None:
    proposer = Scripted(by_slot({0: CRASH, 1: "no code"}))
    toy.propose(proposer)
    run = toy.start(samples=12).run
    said = {r.slot: r.rejected for r in proposer.asked}
    assert all(said[k] == () for k in range(8)), "batch g knows the state after batch g-2"
    assert any("ZeroDivisionError" in text for text in said[8]) and said[8] == said[11]
    known = {r.slot: r.known for r in proposer.asked}
    first_batch = {hash_of(text) for text in (CRASH, density(0.52), density(0.53))}
    assert not any(h in known[0] or h in known[7] for h in first_batch)
    assert all(h in known[8] for h in first_batch)
    with toy.ledger() as ledger:
        seeds = [e.candidate for e in ledger.entries(run) if e.kind == "seed"]
    assert len(seeds) == 2 and all(h in known[0] for h in seeds)


# -- a longer run by the genetic proposer --


@dataclass(frozen=True)
class Long:
    toy: Toy
    report: RunReport


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory, bag_executor: Executor) -> Iterator[Long]:
    """28 samples in seven batches, tuned, with a pool of gate blocks."""
    folder = tmp_path_factory.mktemp("long")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(announced(folder / "site")))
        toy = Toy(folder, patch, bag_executor)
        yield Long(toy, toy.start(**LONG))


LONG = {"samples": 28, "archive": 3, "gate": "pool", "seed": 1}


def test_the_genetic_proposer_works_on_a_task_it_has_never_seen(long: Long) -> None:
    report = long.report
    assert report.proposer == "genetic" and report.status == "done" and report.samples == 28
    assert report.valid >= 10 and report.best.promoted
    assert report.best.score is not None and report.seed[1] is not None and report.best.score > report.seed[1]


def test_parents_are_members_of_the_snapshot_two_batches_back(long: Long) -> None:
    run = long.report.run
    with long.toy.ledger() as ledger:
        parents, entries = ledger.parents(run), {e.id: e for e in ledger.entries(run)}
        own = [e for e in entries.values() if e.kind == "own"]
        seen = set()
        for entry in own:
            members = {m.id for m in ledger.snapshot(run, max(entry.batch - 2, -2))}
            assert parents[entry.id] and set(parents[entry.id]) <= members, entry.key
            seen |= {entries[p].batch for p in parents[entry.id]}
    assert len(seen) >= 3, "later batches build on earlier ones"


def test_snapshots_hold_no_more_than_they_may(long: Long) -> None:
    run = long.report.run
    with long.toy.ledger() as ledger:
        for g in range(-1, 7):
            members = ledger.snapshot(run, g)
            assert 1 <= len(members) <= 2 * 3
            assert all(m.outcome == "scored" and m.duplicate_of is None for m in members)
        left = [e for e in ledger.entries(run) if e.archived_to is not None]
    assert left and all("evicted" in e.marks for e in left)


def test_stopped_candidates_are_marked_and_never_members(long: Long) -> None:
    entries = long.toy.entries(long.report.run).values()
    for e in entries:
        if e.outcome == "stopped":
            assert e.score is None and 0 < e.m < 24 and e.archived_from is None
        elif e.outcome == "scored":
            assert e.score is not None and e.m == 24


def test_promotions_are_looks_that_were_passed(long: Long) -> None:
    run = long.report.run
    with long.toy.ledger() as ledger:
        looks, promotions = ledger.looks(run), ledger.promotions(run)
        by_id = {look.id: look for look in looks}
        scores = {e.id: e.score for e in ledger.entries(run)}
        assert [look.k for look in looks] == list(range(1, len(looks) + 1))
        assert promotions[0].look is None and promotions[0].batch == -1
        for look in looks:
            assert look.alpha == pytest.approx(alpha(look.k)) and look.passed == (look.p_value < look.alpha)
            mine, theirs = scores[look.entry], scores[look.champion]
            assert mine is not None and theirs is not None and mine >= (1 + MARGIN) * theirs * (1 - 1e-12)
        assert len(promotions) == 1 + sum(look.passed for look in looks)
        assert all(by_id[p.look].entry == p.entry for p in promotions[1:] if p.look is not None)
        assert len({look.batch for look in looks}) == len(looks), "at most one look a batch"
        champion = ledger.champion(run)
    assert champion is not None and champion.id == promotions[-1].entry
    assert champion.candidate == long.report.best.candidate


def test_blocks_come_in_the_runs_own_order(toy: Toy) -> None:
    """Each block once before one comes again, and that is said."""
    toy.propose(Scripted(by_slot([density(p) for p in (0.04, 0.1, 0.2, 0.3, 0.45, 0.8)])))
    report = toy.start(samples=6, batch=1, gate="pool", sources=("trivial",), tune=False, db="pool")
    fixed = toy.start(samples=6, batch=1, gate="fixed", sources=("trivial",), tune=False, db="fixed")
    with toy.ledger("pool") as ledger:
        looks = ledger.looks(report.run)
    assert len(looks) >= 4
    assert sorted(look.block for look in looks[:3]) == [0, 1, 2] and looks[3].block == looks[0].block
    assert [bool(look.detail["reused"]) for look in looks] == [k >= 3 for k in range(len(looks))]
    with toy.ledger("fixed") as ledger:
        looks = ledger.looks(fixed.run)
    assert len(looks) >= 2 and {look.block for look in looks} == {0}
    assert [bool(look.detail["reused"]) for look in looks] == [k >= 1 for k in range(len(looks))]


# -- tuned children --


def test_a_tuned_child_is_an_entry_of_its_own(toy: Toy) -> None:
    toy.propose(Scripted(by_slot({0: TUNABLE, 1: rule("return weights", keywords="a=1")})))
    report = toy.start(samples=4, trials=6)
    entries = toy.entries(report.run)
    parent, child = entries[0, "own"], entries[0, "tuned"]
    assert [key for key in entries if key[1] == "tuned"] == [(0, "tuned")]
    assert child.operator == "tune" and child.score is not None and parent.score is not None
    assert child.score > parent.score
    assert child.tuning_gain == pytest.approx((child.score - parent.score) / parent.score)
    assert report.samples == 4, "it costs no sample"
    with toy.ledger() as ledger:
        assert ledger.parents(report.run)[child.id] == (parent.id,)
        code = ledger.candidate_code(child.candidate or "")
        (study,) = ledger.studies(report.run)
        trials = ledger.trials(study.id)
    defaults = check(code, Knapsack.interface).defaults
    assert code == TUNABLE.replace("power=0.1", f"power={defaults['power']!r}")
    assert (study.k, study.entry, study.state) == (0, parent.id, "done")
    assert len(trials) == 6 and trials[0].parameters == {"power": 0.1} and trials[0].value == parent.score
    assert child.score == max(t.value for t in trials if t.value is not None)


def test_only_the_best_quarter_above_the_median_is_tuned(toy: Toy) -> None:
    def tunable(power: float) -> str:
        return TUNABLE.replace("power=0.1", f"power={power}")

    toy.propose(Scripted(by_slot([tunable(p) for p in (0.3, 0.5, 0.4, 2.0)])))
    report = toy.start(samples=4, trials=3)
    entries = toy.entries(report.run)
    scores = {k: entries[k, "own"].score or 0.0 for k in range(4)}
    with toy.ledger() as ledger:
        assert [s.k for s in ledger.studies(report.run)] == [max(scores, key=scores.__getitem__)], (
            "one of four"
        )
    toy.propose(Scripted(by_slot([tunable(0.0).replace("return weights", "return -weights")])))
    report = toy.start(samples=1, batch=1, db="below")
    with toy.ledger("below") as ledger:
        assert ledger.studies(report.run) == (), "below the median nobody is tuned"


def test_without_tuning_there_are_no_children(toy: Toy) -> None:
    toy.propose(Scripted(by_slot([TUNABLE])))
    assert all(kind == "own" for _, kind in toy.entries(toy.start(samples=4, tune=False).run))


# -- quarantine --


def test_what_differs_when_run_again_is_quarantined(toy: Toy) -> None:
    toy.propose(Scripted(by_slot({0: COUNTER, 1: "# the same\n" + COUNTER, 6: COUNTER})))
    report = toy.start()
    entries = toy.entries(report.run)
    for k in (0, 1, 6):
        assert (entries[k, "own"].outcome, entries[k, "own"].score) == ("quarantined", None), k
    assert "quarantined" in entries[0, "own"].marks and "reversed order" in entries[0, "own"].reason
    with toy.ledger() as ledger:
        for g in (0, 1):
            assert all(m.candidate != hash_of(COUNTER) for m in ledger.snapshot(report.run, g))
        assert all(look.entry != entries[0, "own"].id for look in ledger.looks(report.run))
    assert report.best.candidate != hash_of(COUNTER) and report.failures["quarantined"] == 1


def test_what_beats_a_proved_optimum_is_quarantined(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optima of the search split are lowered to what the seeds reach."""
    whole = Knapsack.instances
    seeds = [toy.start(samples=1, sources=(name,), db=name, tune=False) for name in ("heaviest", "trivial")]
    reached = []
    for seed, name in zip(seeds, ("heaviest", "trivial"), strict=True):
        with toy.ledger(name) as ledger:
            record = ledger.evaluation(
                ledger.entries(seed.run)[0].candidate or "",
                Knapsack({}).instances("search").digest,
                "1",
                True,
            )
            assert record is not None
            reached.append(record.values)

    def lowered(self: Knapsack, split: str) -> InstanceSet:
        made = whole(self, split)  # type: ignore[arg-type]
        if split != "search":
            return made
        return InstanceSet(
            "search",
            tuple(
                replace(i, reference=max(v)) for i, v in zip(made, zip(*reached, strict=True), strict=True)
            ),
        )

    monkeypatch.setattr(Knapsack, "instances", lowered)
    toy.propose(Scripted(by_slot([density(1.0)])))
    report = toy.start(samples=4)
    entry = toy.entries(report.run)[0, "own"]
    assert entry.outcome == "quarantined" and "beats the proved optimum" in entry.reason
    assert entry.score is None and "quarantined" in entry.marks and entry.archived_from is None
    assert not report.best.promoted


# -- the same run again --


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the sets that were run from now on."""
    ran: list[str] = []
    submit = InlineExecutor.submit

    def counting(self: InlineExecutor, job: object) -> object:
        ran.append(job.instances.name)  # type: ignore[attr-defined]
        return submit(self, job)  # type: ignore[arg-type]

    monkeypatch.setattr(InlineExecutor, "submit", counting)
    return ran


def test_equal_runs_have_equal_digests_and_the_second_runs_nothing(
    long: Long, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = counted(monkeypatch)
    again = long.toy.start(**LONG)
    assert again.run != long.report.run
    assert long.toy.digest(again.run) == long.toy.digest(long.report.run)
    assert set(ran) <= {"search"}, "stored scores are used; trials of a study belong to a run"
    assert again.best == long.report.best
    other = long.toy.start(**{**LONG, "seed": 2, "db": "other"})
    assert long.toy.digest(other.run, "other") != long.toy.digest(again.run)


@pytest.mark.parametrize(("executor", "workers"), [("local", 1), ("local", 2)])
def test_workers_databases_and_folders_change_nothing(
    long: Long, toy: Toy, executor: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.folder)
    report = toy.start(**LONG, executor=executor, workers=workers)
    assert toy.digest(report.run) == long.toy.digest(long.report.run)
    assert report.best == long.report.best and report.failures == long.report.failures
