"""Cache eviction: traces, optimum, simulator and referee, each against its definition in plain Python."""

from __future__ import annotations

import hashlib
import runpy
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.execution.lockstep import functions
from discovery.sandbox.replicas import Replicas
from evaluators.caching.instances import FAMILIES, Spec, _table, generate
from evaluators.caching.problem import decode, encode, fewest_misses, numbered
from evaluators.caching.referee import judge, misses
from evaluators.caching.simulator import KEPT, simulate
from evaluators.registry import load
from evaluators.task import ImpossibleAnswer, Instance, InvalidAnswer, TaskError, aggregate

TASK = load("cache-eviction")
NAMES = [a.name for a in TASK.interface.arguments]
GOLDENS = {
    "zipf-k16-n500-s1000": "520bd94207f8adef4ee715c5ace52165bd3906ca5b3e2a76785ba2f8b2cbdce1",
    "mixed-k64-n2000-s100003": "c1d6f08296087e1e0deac5deaf843eb764f0910212bd968ab6d0089080da7086",
}
"""SHA-256 of payloads as first generated. They are right because the manifest and the shipped scores were made for
exactly these traces."""
TRACES = st.lists(st.integers(1, 6), min_size=1, max_size=40)
Policy = Callable[..., Any]


def played(capacity: int, pages: Sequence[int], policy: Policy) -> list[int]:
    """The event log of a policy."""
    payload = encode(capacity, np.array(pages))
    log = Replicas(functions(TASK.interface), lambda: (policy,)).simulate(simulate, payload)
    return np.frombuffer(log, "<i2").tolist()


def baseline(name: str) -> Policy:
    path = TASK.baselines()[name].path
    assert path is not None
    found: Policy = runpy.run_path(str(path))["evict"]
    return found


def one(
    capacity: int, pages: Sequence[int], reference: float | None, kind: Any = "proved optimum"
) -> Instance:
    return Instance(
        "one", "user", len(pages), encode(capacity, np.array(pages)), 2 * len(pages), 0.001, reference, kind
    )


def logged(*slots: int) -> bytes:
    return np.array(slots, "<i2").tobytes()


# -- the optimum ------------------------------------------------------------------------------------------------------


def fewest(capacity: int, pages: Sequence[int]) -> int:
    """The optimum by trying every eviction."""

    @cache
    def rest(at: int, held: frozenset[int]) -> int:
        if at == len(pages):
            return 0
        if pages[at] in held:
            return rest(at + 1, held)
        if len(held) < capacity:
            return 1 + rest(at + 1, held | {pages[at]})
        return 1 + min(rest(at + 1, (held - {gone}) | {pages[at]}) for gone in held)

    return rest(0, frozenset())


@given(st.integers(1, 4), st.lists(st.integers(1, 6), min_size=1, max_size=12))
@settings(max_examples=60)
def test_the_optimum_is_that_of_all_policies(capacity: int, pages: list[int]) -> None:
    assert fewest_misses(capacity, pages) == fewest(capacity, pages)


@given(st.integers(1, 5), TRACES)
@settings(max_examples=40)
def test_no_policy_beats_the_optimum(capacity: int, pages: list[int]) -> None:
    least = fewest_misses(capacity, pages)
    for name in ("lru", "random", "hyperbolic", "trivial"):
        assert misses(capacity, pages, played(capacity, pages, baseline(name))) >= least


# -- the simulator ----------------------------------------------------------------------------------------------------


def slowly(capacity: int, pages: Sequence[int], policy: Policy) -> list[int]:
    """The event log by the words of the interface: every number is counted anew from the requests so far."""
    slots: list[int] = []
    fetched: list[int] = []
    log = []
    for now, page in enumerate(pages):
        past = pages[:now]

        def uses_of(p: int, past: Sequence[int] = past) -> list[int]:
            return [-1, *(t for t, q in enumerate(past) if q == p)]

        if page in slots:
            log.append(KEPT)
            continue
        if len(slots) < capacity:
            slots.append(page)
            fetched.append(now)
            log.append(KEPT)
            continue
        times = [uses_of(p) for p in slots]
        idle = [now - t[-1] for t in times]
        view = {
            "idle": idle,
            "age": [now - f for f in fetched],
            "uses": [sum(u >= f for u in t) for t, f in zip(times, fetched, strict=True)],
            "gap": [t[-1] - t[-2] for t in times],
            "total": [len(t) - 1 for t in times],
            "absence": now - uses_of(page)[-1],
            "known": len(uses_of(page)) - 1,
            "time": now,
        }
        assert list(view) == NAMES
        keys = policy(**{k: np.array(v) if isinstance(v, list) else v for k, v in view.items()})
        slot = max(range(capacity), key=lambda s: (keys[s], idle[s]))
        slots[slot], fetched[slot] = page, now
        log.append(slot)
    return log


def mixing(weights: Sequence[int]) -> Policy:
    """A policy that lets every number of the view decide."""

    def evict(**view: Any) -> Any:
        parts = zip(weights, (view[name] for name in NAMES), strict=True)
        return sum(w * v for w, v in parts) % 7 + 0.0 * view["idle"]

    return lambda *arguments: evict(**dict(zip(NAMES, arguments, strict=True)))


@given(st.integers(1, 4), TRACES, st.lists(st.integers(-9, 9), min_size=8, max_size=8))
@settings(max_examples=60)
def test_the_simulator_does_what_the_interface_says(
    capacity: int, pages: list[int], weights: list[int]
) -> None:
    policy = mixing(weights)
    slow = slowly(capacity, pages, lambda **view: policy(*view.values()))
    assert played(capacity, pages, policy) == slow
    assert misses(capacity, pages, slow) == len(fetches(pages, slow))


def fetches(pages: Sequence[int], log: Sequence[int]) -> list[int]:
    held: dict[int, int] = {}
    found = []
    for at, (page, slot) in enumerate(zip(pages, log, strict=True)):
        if page not in held.values():
            held[len(held) if slot == KEPT else slot] = page
            found.append(at)
    return found


@given(TRACES, TRACES, TRACES)
@settings(max_examples=30)
def test_no_view_depends_on_the_future(past: list[int], one: list[int], other: list[int]) -> None:
    def views(pages: list[int]) -> list[Any]:
        seen: list[Any] = []

        def evict(*view: Any) -> Any:
            seen.append((view[-1], [np.copy(v).tolist() for v in view]))
            return view[0]

        played(2, pages, evict)
        return [v for time, v in seen if time < len(past)]

    assert views(past + one) == views(past + other)


def test_recency_and_arrival_are_those_of_the_textbook() -> None:
    """LRU and FIFO against an ordered dictionary."""
    _, pages = decode(TASK.instances("search").instances[0].payload)
    for name, moves in (("lru", True), ("fifo", False)):
        held: OrderedDict[int, None] = OrderedDict()
        count = 0
        for page in pages:
            if page in held:
                if moves:
                    held.move_to_end(page)
                continue
            count += 1
            if len(held) == 8:
                held.popitem(last=False)
            held[page] = None
        assert misses(8, pages, played(8, pages, baseline(name))) == count


def test_lru_2_evicts_by_the_last_use_but_one() -> None:
    #       1 and 2 twice, 3 once: 3 has no last use but one; then 1, whose lies farther back than that of 2
    assert played(3, [1, 2, 1, 2, 3, 4], baseline("lru-2"))[-1] == 2
    assert played(2, [1, 2, 2, 1, 3], baseline("lru-2"))[-1] == 0


def test_what_a_policy_keeps_is_of_its_own_trace() -> None:
    """The adaptive baseline has a state: one that it brings along from another trace shows."""
    traces = [decode(i.payload) for i in TASK.instances("search").instances[:12]]
    used = baseline("arc-like")
    fresh = [played(*trace, baseline("arc-like")) for trace in traces]
    assert fresh == [played(*trace, baseline("arc-like")) for trace in traces]
    assert fresh != [played(*trace, used) for trace in traces]


# -- the referee ------------------------------------------------------------------------------------------------------


def test_a_log_is_replayed() -> None:
    pages = [1, 2, 1, 3, 2]  # a cache of two: 3 evicts 1 or 2
    assert judge(one(2, pages, 3), logged(-1, -1, -1, 0, -1)).value == 3
    assert judge(one(2, pages, 3), logged(-1, -1, -1, 1, 0)).score == 50
    with pytest.raises(ImpossibleAnswer, match="fewer than the 4"):
        judge(one(2, pages, 4), logged(-1, -1, -1, 0, -1))
    assert judge(one(2, pages, 4, "baseline"), logged(-1, -1, -1, 0, -1)).score == -100


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ((-1, -1, -1, -1, -1), "request 3 misses in a full cache, yet no slot"),
        ((-1, -1, -1, 2, -1), "request 3 misses in a full cache, yet no slot"),
        ((-1, -1, -1, -2, -1), "request 3 misses in a full cache, yet no slot"),
        ((-1, -1, 0, 0, -1), "request 2 needs no room, yet slot 0"),
        ((-1, 0, -1, 0, -1), "request 1 needs no room, yet slot 0"),
        ((-1, -1, -1, 0, 0), "request 4 needs no room, yet slot 0"),
    ],
)
def test_logs_that_cannot_be(log: tuple[int, ...], reason: str) -> None:
    with pytest.raises(InvalidAnswer, match=reason):
        judge(one(2, [1, 2, 1, 3, 2], 3), logged(*log))


def test_figures_are_ratios() -> None:
    instances = TASK.instances("screen").instances
    least = [i.reference or 0.0 for i in instances]
    found = {f.name: f.value for f in TASK.figures(instances, least)}
    assert found["miss ratio"] == found["least miss ratio"] == 100 * sum(least) / (80 * len(least))
    worse = TASK.figures(instances, [(80 + least[0]) / 2, *least[1:]])
    assert worse[2].name == f"worst class ({instances[0].group})" and worse[2].value == 50


# -- traces -----------------------------------------------------------------------------------------------------------


def test_payloads_are_as_first_generated() -> None:
    for id_, digest in GOLDENS.items():
        family, k, n, seed = id_.split("-")
        pages = generate(Spec(family, int(k[1:]), int(n[1:]), int(seed[1:])))
        assert hashlib.sha256(encode(int(k[1:]), pages)).hexdigest() == digest


@pytest.mark.parametrize("family", FAMILIES)
def test_traces_are_numbered_from_one_and_leave_something_to_decide(family: str) -> None:
    for seed in range(3):
        pages = generate(Spec(family, 16, 400, seed)).tolist()
        assert len(pages) == 400 and list(dict.fromkeys(pages)) == list(range(1, max(pages) + 1))
        least = fewest_misses(16, pages)
        assert max(pages) > 16 and least < misses(16, pages, played(16, pages, baseline("lru")))


def test_numbering_keeps_who_is_who() -> None:
    assert numbered(np.array([7, 3, 7, 9, 3])).tolist() == [1, 2, 1, 3, 2]


def test_the_power_law_is_exact() -> None:
    for quarters in (2, 3, 4, 5):
        weights = np.diff(_table(50, quarters), prepend=0).tolist()
        for rank, weight in enumerate(weights, 1):
            assert weight**4 * rank**quarters <= 1 << 128 < (weight + 1) ** 4 * rank**quarters


# -- the task ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["0", "-1", "4097", "x", "1.5", "١", "9" * 5000])
def test_a_capacity_that_is_none(given: str) -> None:
    with pytest.raises(TaskError, match="whole number from 1 to 4096"):
        load("cache-eviction", {"capacity": given})


def test_shipped_scores_come_out_again() -> None:
    shipped = load("cache-eviction", {"capacity": "99"}).shipped_scores()
    assert set(shipped) == set(TASK.baselines()) and shipped["belady"].published["search"] == 0
    search = TASK.instances("search").instances
    policy = baseline("lru")
    found = [judge(i, logged(*played(*decode(i.payload), policy))).score for i in search]
    assert aggregate(search, found) == pytest.approx(shipped["lru"].published["search"])
