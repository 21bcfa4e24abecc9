"""Repair and reflection through a whole run: what a slot is asked, what the ledger says of it, and what follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy.loop import Scripted, Toy, density, rule

import discovery.run as engine
from discovery.campaign import Campaign
from discovery.errors import UsageError
from discovery.population.islands import Islands
from discovery.population.operators import Shares
from discovery.proposers.base import WRITES, Request

NOTE = "Light items fill the bag well. A power of the volume below one looks promising."


class Writes(Scripted):
    operators = WRITES


@pytest.fixture
def asking(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Toy]:
    """Runs in which a third of the slots repair and a third reflect, as soon as they can."""
    chosen = Islands(shares=Shares(combine=0.0, simplify=0.0, repair=0.35, create=0.0, reflect=0.35))
    monkeypatch.setattr(engine.strategies, "make", lambda _: chosen)
    yield toy


def script(request: Request) -> str:
    """The first batches crash; later ones do what they are asked."""
    if request.operator == "reflect":
        return NOTE if request.slot % 3 else f"```python\n{density(0.3)}```"
    if request.slot < 20:
        return rule(f"return [{request.slot + 2} / (capacity - capacity)]")
    return density(0.5 + request.slot / 100)


def test_a_repair_starts_from_code_that_failed(asking: Toy) -> None:
    proposer = Writes(script)
    asking.propose(proposer)
    run = asking.start(samples=32).run
    entries = asking.entries(run)
    repairs = [r for r in proposer.asked if r.operator == "repair"]
    assert repairs and all(r.slot >= 8 for r in repairs), "batch g knows the state after batch g-2"
    failed = {e.candidate: e for e in entries.values() if e.outcome == "error"}
    with asking.ledger() as ledger:
        codes = {ledger.candidate_code(h or ""): e for h, e in failed.items()}
        parents = ledger.parents(run)
    for request in repairs:
        assert request.fault is not None and request.attempt == 0
        broken = codes[request.fault.code]
        assert (
            request.fault.reason == f"error: {broken.reason}" and "ZeroDivisionError" in request.fault.reason
        )
        assert parents[entries[request.slot, "own"].id][0] == broken.id, "the broken code is the first parent"
        assert request.edited[0] == request.fault.code and len(request.parents) == 1
    assert {entries[r.slot, "own"].operator for r in repairs} == {"repair"}
    first = {code: min(r.slot for r in repairs if r.fault and r.fault.code == code) // 4 for code in codes
             if any(r.fault and r.fault.code == code for r in repairs)}  # fmt: skip
    late = [r.slot for r in repairs if r.fault and r.slot // 4 >= first[r.fault.code] + 2]
    assert not late, "what was tried is offered no more, once a batch may know of it"


def test_a_reflection_leaves_a_note_that_later_prompts_quote(asking: Toy) -> None:
    proposer = Writes(script)
    asking.propose(proposer)
    report = asking.start(samples=32)
    entries = asking.entries(report.run)
    reflected = sorted({r.slot for r in proposer.asked if r.operator == "reflect"})
    noted = [k for k in reflected if k % 3]
    refused = [k for k in reflected if k % 3 == 0]
    assert noted and refused
    assert all((e := entries[k, "own"]).outcome == "noted" and e.reason == NOTE for k in noted)
    assert all(entries[k, "own"].candidate is None and entries[k, "own"].score is None for k in noted)
    for k in refused:
        assert entries[k, "own"].outcome == "refused" and "code instead of a note" in entries[k, "own"].reason
        again = next(r for r in proposer.asked if (r.slot, r.attempt) == (k, 1))
        assert again.failure is not None and "code instead of a note" in again.failure.reason
    assert report.failures.get("noted") is None and report.failures["refused"] == len(refused)
    told = {r.slot: r.notes for r in proposer.asked}
    for slot, notes in told.items():
        before = [k for k in noted if k // 4 <= slot // 4 - 2]
        assert notes == (NOTE,) * min(3, len(before)), slot


def crashed(toy: Toy, monkeypatch: pytest.MonkeyPatch, *, at: int, samples: int) -> str:
    """A run in the ledger ``torn`` that was cut off once batch ``at`` was integrated."""
    integrate = Campaign.integrate

    def crash(self: Campaign, g: int, *more: Any) -> None:
        integrate(self, g, *more)
        if g == at:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Campaign, "integrate", crash)
        toy.start(samples=samples, db="torn")
    with toy.ledger("torn") as ledger:
        return ledger.runs()[0].id


def test_a_resumed_run_asks_the_same(asking: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is broken, tried and noted is rebuilt from the ledger: the plans after a crash are the plans without one."""
    whole = Writes(script)
    asking.propose(whole)
    undisturbed = asking.start(samples=32)
    torn = Writes(script)
    asking.propose(torn)
    run = crashed(asking, monkeypatch, at=4, samples=32)
    before = set(torn.keys)
    asking.resume(run, db="torn")
    assert asking.digest(run, "torn") == asking.digest(undisturbed.run)
    plain = {(r.slot, r.attempt): replace(r, known=frozenset()) for r in whole.asked}
    later = {(r.slot, r.attempt): replace(r, known=frozenset()) for r in torn.asked}
    assert later == plain and before < set(plain)
    assert any(r.fault for key, r in plain.items() if key not in before), "the crash came before some repair"
    assert any(r.notes for key, r in plain.items() if key not in before)


def test_a_template_that_fails_ends_a_run_before_anything_is_asked(toy: Toy, tmp_path: Path) -> None:
    """Also one that this run would have needed late or never."""
    (tmp_path / "reflect.j2").write_text("fine\n{{ parents[0].absent }}")
    proposer = Writes(script)
    toy.propose(proposer)
    with pytest.raises(UsageError, match=r"reflect\.j2, line 2") as raised:
        toy.start(templates=str(tmp_path))
    assert raised.value.exit_code == 2 and not proposer.asked
    with toy.ledger() as ledger:
        assert not ledger.runs(), "there is no run to resume"


def test_a_model_that_gives_its_parent_back_for_ever_is_named(toy: Toy) -> None:
    toy.propose(Scripted(lambda request: request.parents[0].code))
    report = toy.start()
    assert report.valid == 0 and report.reason == "8 gave back code that the run had already"
