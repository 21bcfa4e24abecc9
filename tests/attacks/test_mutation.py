"""Mutation of the defence: with a defence off, attacks get through, so each defence is needed and each attack bites.

Where two defences cover the same attack, both are off: that it does not get through with one of them off is the
depth of the defence. The suite tries an attack for each defence, a campaign all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from attacks.attack import Attack
from attacks.bench import Bench, bench
from attacks.suite import ATTACKS, NAMESPACED
from attacks.world import World, end, running
from discovery.sandbox.base import Layers

BARE = Layers(namespaces=False)
SETS = sorted({a.off for a in ATTACKS.values() if a.off}, key=lambda off: (len(off), off))
GROUPS = {off: [a for a in ATTACKS.values() if a.off == off] for off in SETS}


def cover() -> list[tuple[str, ...]]:
    """Sets that together hold every defence, small ones first."""
    held: set[str] = set()
    return [off for off in SETS if not held.issuperset(off) and (held.update(off) or True)]


def untouched(world: World, off: tuple[str, ...], attacks: list[Attack]) -> dict[str, object]:
    """Those of ``attacks`` that do not get through with ``off``."""
    with bench(world, BARE, off) as weak:
        trials = {a.name: weak.run(a) for a in attacks}
    return {name: trial for name, trial in trials.items() if not trial.lit}


@pytest.mark.parametrize("off", cover(), ids=" + ".join)
def test_without_the_defence_an_attack_gets_through(world: World, off: tuple[str, ...]) -> None:
    assert not untouched(world, off, GROUPS[off][:1])


@pytest.mark.campaign
@pytest.mark.parametrize("off", GROUPS, ids=" + ".join)
def test_without_the_defence_every_attack_gets_through(world: World, off: tuple[str, ...]) -> None:
    assert not untouched(world, off, GROUPS[off])


@pytest.mark.campaign
@pytest.mark.parametrize("off", [g for g in GROUPS if len(g) > 1 and "own process" not in g], ids=" + ".join)
def test_one_defence_of_several_is_enough(world: World, off: tuple[str, ...]) -> None:
    """Each set of defences is the least one: with any of them back on, the set's attacks stay out. (Limits of
    processes bind a plain user only, capabilities root only.)"""
    for name in {*off} - {"rlimits", "capabilities"}:
        rest = tuple(n for n in off if n != name)
        assert len(untouched(world, rest, GROUPS[off])) == len(GROUPS[off]), f"{name} is not needed in {off}"


def test_without_no_new_privs_nothing_runs_at_all(world: World) -> None:
    """The kernel refuses Landlock and seccomp to whoever may still gain rights: the child ends before any code runs."""
    with bench(world, BARE, ("no_new_privs",)) as weak:
        trial = weak.run(ATTACKS["edd"])
    assert trial.outcome == "crashed" and "could not lock itself down" in trial.reason


def test_namespaces_hold_alone(world: World) -> None:
    """Where the host permits them, they keep out what gets through without them when these layers are off."""
    with bench(world, Layers(), ("landlock", "seccomp")) as weak:
        assert isinstance(weak, Bench)
        if not {"net", "mount"} <= set(weak.sandbox.report.namespaces):
            pytest.skip("this machine permits no namespaces")
        trials = {name: weak.run(ATTACKS[name]) for name in NAMESPACED}
    assert not {name: t for name, t in trials.items() if t.lit}


@pytest.mark.parametrize("off", [(), ("parent's death",)], ids=["strong", "weak"])
def test_a_child_dies_with_its_zygote(world: World, off: tuple[str, ...]) -> None:
    with bench(world, BARE, off) as made, made.sandbox.session("", "schedule", {}) as session:
        while "Seccomp:\t2" not in Path(f"/proc/{session._pid}/status").read_text():
            time.sleep(
                0.001
            )  # one that has not locked itself down yet ends as soon as it sees its parent gone
        end(made.sandbox._zygote.pid)
        deadline = time.monotonic() + (0.3 if off else 20)
        while (alive := running(session._pid)) and time.monotonic() < deadline:
            time.sleep(0.01)
        end(session._pid)
    assert alive is bool(off)
