"""Strategies by name, those of installed packages among them, and what the settings of the population do in a run."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from test_graph import After
from toy.loop import Scripted, Toy, by_slot, density, rule
from toy.task import Knapsack

from discovery.candidate import check
from discovery.config import Settings
from discovery.errors import EnvironmentProblem, UsageError
from discovery.population import strategies
from discovery.population.best_of_n import BestOfN
from discovery.population.islands import Islands
from discovery.population.reflective import Reflective
from discovery.population.strategy import Plan, Situation
from evaluators.task import Instance, TaskError

MODULE = """
from dataclasses import dataclass
from discovery.population.strategy import Plan

@dataclass(frozen=True)
class Greedy:
    name: str = "greedy"
    def plan(self, situation, draw):
        return Plan("improve", (situation.snapshot.members()[0],))

class Wild(Greedy):
    def __init__(self):
        object.__setattr__(self, "name", "wild")
    def plan(self, situation, draw):
        return Plan("reflect", ())
"""
ANNOUNCED = """[discover.strategies]
greedy = my_search:Greedy
wild = my_search:Wild
broken = my_search_broken:Greedy
missing = my_search:Absent
other = my_search:Greedy
number = builtins:int
"""


def version(folder: Path, number: str) -> None:
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: my-search\nVersion: {number}\n")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package with strategies, good and bad, as pip leaves it; gives its metadata folder."""
    site = tmp_path / "strategies"
    info = site / "my_search-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "my_search.py").write_text(MODULE)
    (site / "my_search_broken.py").write_text("raise RuntimeError('no licence')\n")
    (info / "entry_points.txt").write_text(ANNOUNCED)
    (info / "RECORD").write_text("")
    version(info, "1.2")
    monkeypatch.syspath_prepend(str(site))
    yield info
    for name in ("my_search", "my_search_broken"):
        sys.modules.pop(name, None)


def make(name: str) -> object:
    return strategies.make(Settings(strategy=name))


def test_those_that_ship() -> None:
    assert strategies.names()[:3] == ("islands", "best-of-n", "reflective")
    assert [make(name) for name in strategies.names()[:3]] == [Islands(), BestOfN(), Reflective()]
    assert all(strategies.versions(name) == {} for name in strategies.names()[:3])


@pytest.mark.usefixtures("package")
def test_installed_ones_are_listed_without_loading_and_made_by_name() -> None:
    assert strategies.names() == (
        "islands", "best-of-n", "reflective", "broken", "greedy", "missing", "number", "other", "wild"
    )  # fmt: skip
    assert "my_search" not in sys.modules
    assert getattr(make("greedy"), "name") == "greedy" and "my_search_broken" not in sys.modules  # noqa: B009
    assert strategies.versions("greedy") == {"strategy greedy": "my-search 1.2"}


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    "name, sentence",
    [
        ("broken", "strategy 'broken' from my_search_broken:Greedy cannot be loaded: RuntimeError: no licence"),
        ("missing", "strategy 'missing' from my_search:Absent cannot be loaded: AttributeError: "),
        ("number", "strategy 'number' from builtins:int is not one: expected an object with the name 'number' and a "),
        ("other", "strategy 'other' from my_search:Greedy is not one: expected an object with the name 'other' and"),
        ("greddy", "unknown strategy 'greddy' (did you mean 'greedy'?); there are: islands, best-of-n, reflective, "),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_one_sentence_and_harms_no_other(name: str, sentence: str) -> None:
    with pytest.raises(UsageError) as raised:
        make(name)
    assert str(raised.value).startswith(sentence) and "\n" not in str(raised.value)
    assert getattr(make("greedy"), "name") == "greedy"  # noqa: B009


def rising(toy: Toy) -> Scripted:
    """Replies that get better, so that the best is always the newest known."""
    proposer = Scripted(by_slot({k: density(0.1 + k / 10) for k in range(16)}))
    toy.propose(proposer)
    return proposer


@pytest.mark.usefixtures("package")
def test_a_run_with_an_installed_strategy(toy: Toy) -> None:
    proposer = rising(toy)
    report = toy.start(strategy="greedy", samples=12, tune=False)
    with toy.ledger() as ledger:
        record = ledger.run(report.run)
        entries = {e.candidate: e for e in ledger.entries(report.run)}
    assert record.versions["strategy greedy"] == "my-search 1.2"
    for request in proposer.asked:
        assert len(request.parents) == 1 and request.operator == "improve"
    # Batch 2 is proposed from S(0): its parent is the best of the seeds and the first four slots.
    last = {r.parents[0].hash for r in proposer.asked if r.slot >= 8}
    assert len(last) == 1
    best = max(
        (e for e in entries.values() if e.batch <= 0 and e.score is not None), key=lambda e: e.score or 0
    )
    assert last == {best.candidate}


def test_a_strategy_of_another_version_is_refused(toy: Toy, package: Path) -> None:
    rising(toy)
    run = toy.start(strategy="greedy", samples=12, tune=False, stop=After(2)).run
    version(package, "1.3")
    with pytest.raises(UsageError, match=r"strategy greedy was my-search 1\.2 and is my-search 1\.3"):
        toy.resume(run)
    version(package, "1.2")
    assert toy.resume(run).status == "done"


def test_a_strategy_that_breaks_the_rules_ends_the_run_with_its_name(toy: Toy, package: Path) -> None:
    rising(toy)
    assert package.exists()
    with pytest.raises(
        EnvironmentProblem, match=r"strategy 'wild' plans 'reflect', which the proposer cannot do"
    ):
        toy.start(strategy="wild")


def test_an_unknown_one_is_refused_before_anything_is_done(toy: Toy) -> None:
    rising(toy)
    with pytest.raises(UsageError, match="unknown strategy 'hope'"):
        toy.start(strategy="hope")
    with toy.ledger() as ledger:
        assert ledger.runs() == ()


# -- settings of the population, each by what it changes --


def varied() -> Scripted:
    """Rules of growing size; the larger the better, so that small ones leave a small archive."""
    return Scripted(
        by_slot({k: rule(f"return weights / volumes ** {0.05 * k!r}" + " + 0" * 4 * k) for k in range(20)})
    )


def members(toy: Toy, run: str, g: int) -> set[int]:
    with toy.ledger() as ledger:
        return {e.k for e in ledger.snapshot(run, g)}


def test_archive_and_cells_say_how_many_are_kept(toy: Toy) -> None:
    sizes = {}
    for archive, cells in ((2, 0), (4, 0), (2, 6)):
        toy.propose(varied())
        run = toy.start(samples=20, islands=1, archive=archive, cells=cells, tune=False).run
        sizes[archive, cells] = len(members(toy, run, 4))
    assert sizes[2, 0] == 2 and sizes[4, 0] == 4 and 2 < sizes[2, 6] <= 8


def test_who_leaves_is_marked_and_stays_away(toy: Toy) -> None:
    toy.propose(varied())
    run = toy.start(samples=20, islands=2, archive=2, cells=3, migration=1, tune=False).run
    left = [e for e in toy.entries(run).values() if e.archived_to is not None]
    assert left and all("evicted" in e.marks and e.archived_from is not None for e in left)
    assert all(e.archived_to > e.archived_from for e in left if e.archived_to and e.archived_from)


def test_migration_brings_the_best_of_one_island_to_the_next(toy: Toy) -> None:
    """Only slots of island 0 (the even ones) are any good, and without mating island 1 never hears of them."""
    good, poor = (lambda k: density(0.8 + k / 100)), (lambda k: rule(f"return volumes + {k}"))
    found = {}
    for migration in (0, 1):
        proposer = Scripted(by_slot({k: good(k) if k % 2 == 0 else poor(k) for k in range(24)}))
        toy.propose(proposer)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(strategies.BUILT_IN, "islands", lambda _: Islands(mate=0.0))
            run = toy.start(samples=24, migration=migration, tune=False).run
        with toy.ledger() as ledger:
            island = {e.candidate: e.k % 2 for e in ledger.entries(run) if e.kind == "own"}
        found[migration] = {
            island[p.hash] for r in proposer.asked if r.slot % 2 == 1 for p in r.parents if p.hash in island
        }
    assert 0 not in found[0] and 0 in found[1]


def test_members_are_described_by_lines_and_by_what_the_task_says(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same right after a batch, and when a resumed run reads it from the ledger."""
    seen: dict[str, set[tuple[int | None, float]]] = {}

    class Watching:
        name = "islands"

        def plan(self, situation: Situation, draw: random.Random) -> Plan:
            for m in situation.snapshot.members():
                seen.setdefault(m.hash, set()).add((m.lines, m.traits["full"]))
            return Islands().plan(situation, draw)

    def descriptors(_: object, instances: Sequence[Instance], values: Sequence[float]) -> dict[str, float]:
        return {
            "full": sum(v >= (i.reference or 0) for i, v in zip(instances, values, strict=True)) / len(values)
        }

    monkeypatch.setattr(Knapsack, "descriptors", descriptors, raising=False)
    monkeypatch.setitem(strategies.BUILT_IN, "islands", lambda _: Watching())
    loop = rule("for _ in range(10):\n        pass\n    return weights / volumes")
    toy.propose(Scripted(by_slot({0: loop}, density)))
    run = toy.start(samples=12, stop=After(3)).run
    while toy.resume(run, stop=After(3)).status != "done":
        pass
    assert all(len(found) == 1 for found in seen.values()) and len(seen) > 5
    screen = Knapsack({}).instances("screen")
    found = {hash_: every.pop() for hash_, every in seen.items()}
    assert found[check(loop, Knapsack.interface).hash][0] == 22 * len(screen)
    assert len(screen) in {lines for lines, _ in found.values()}
    assert len({share for _, share in found.values()}) > 2


def test_a_task_that_describes_beyond_one_is_a_mistake_that_is_named(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Knapsack, "descriptors", lambda *_: {"full": 1.5}, raising=False)
    rising(toy)
    with pytest.raises(
        TaskError, match=r"task 'knapsack' describes 'full' as 1\.5; expected a number from 0 to 1"
    ):
        toy.start()


def test_fronts_is_the_share_of_parents_drawn_by_wins() -> None:
    assert strategies.make(Settings(fronts=0.3)) == Islands(front=0.3)


def test_a_run_with_every_option_is_the_same_when_it_is_resumed(toy: Toy) -> None:
    options = {"samples": 20, "cells": 4, "migration": 2, "fronts": 0.5}
    for strategy in ("islands", "reflective"):
        chosen = {**options, "strategy": strategy}
        toy.propose(varied())
        whole = toy.start(db=f"whole-{strategy}", **chosen).run
        toy.propose(varied())
        db = f"parts-{strategy}"
        run = toy.start(db=db, stop=After(3), **chosen).run
        for _ in range(30):
            if toy.resume(run, db=db, stop=After(3)).status == "done":
                break
        assert toy.digest(run, db) == toy.digest(whole, f"whole-{strategy}")
