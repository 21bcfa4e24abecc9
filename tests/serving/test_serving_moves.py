"""Caches on the move: nothing is lost or counted twice under decisions by chance, and times are those of the links."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from test_serving_core import COSTS, REQUESTS, First, requests

from evaluators.serving.core.calls import DONE, Request
from evaluators.serving.core.costs import Costs
from evaluators.serving.core.simulation import Engine, Scenario, played
from evaluators.serving.core.views import ClusterView, StepView

LINKS = {"block_bytes": 64, "host": 12, "host_bandwidth": 10**12, "network": 2 * 10**11, "latency": 500}


class Chance:
    """Whatever is legal, by chance."""

    def __init__(self, seed: int, turns: float) -> None:
        self._random, self.turns = random.Random(seed), turns
        self.calls: set[Any] = set()
        self.instances: list[Any] = []

    def step(self, view: StepView) -> Any:
        self.check(view)
        draw = self._random
        decoding, swapped = list(view.decoding), list(view.swapped)
        swap, room = [], view.instance.host_free
        for place, call in enumerate(decoding):
            blocks = -(-view.holds(call) // view.block)
            if draw.random() < 0.15 and blocks <= room:
                swap.append(place)
                room -= blocks
        resume, free, places = [], view.free, view.places
        for place, call in enumerate(swapped):
            if draw.random() < 0.4 and call.held <= free and places > 0:
                resume.append(place)
                free, places = free - call.held, places - 1
        chunks = []
        if not resume and view.queue and view.budget > 0 and places > 0 and draw.random() < 0.9:
            tokens = min(view.left()[0], view.budget)
            if view.instance.wants(view.queue[0], tokens, set()) <= view.free:
                chunks = [(0, tokens)]
        return chunks, (), draw.choice((1, 50)), swap, resume

    def route(self, view: ClusterView) -> int:
        self.instances = list(view.instances)
        return self._random.randrange(len(self.instances))

    def hand(self, view: ClusterView) -> int:
        here = view.call.instance if view.call is not None else -1
        return self._random.choice([n for n, alone in enumerate(view.prefill()) if not alone or n == here])

    def control(self, view: ClusterView) -> Any:
        draw, chosen = self._random, []
        for source in range(len(self.instances)):
            held = list(view.decoding(source))
            if held and draw.random() < 0.5:
                target = draw.choice([n for n, alone in enumerate(view.prefill()) if not alone])
                chosen.append((source, draw.randrange(len(held)), target))
        turns = [(n, draw.random() < 0.5) for n in range(len(self.instances)) if draw.random() < self.turns]
        return chosen + turns

    def check(self, view: StepView) -> None:
        """Own blocks, reserved ones and free ones are all there are, on the instance that decides."""
        instance = view.instance
        own = sum(c.blocks for c in self.seen(instance) if c not in instance.decoding.values())
        own += sum(map(instance.frees, instance.decoding.values()))
        coming = sum(c.reserved for c in self.everyone() if c.reserved and self.goes_to(c) is instance)
        assert own + coming + instance.free == instance.blocks
        assert instance.free >= 0, "what was promised to a call on its way was taken by those that decode"
        assert 0 <= instance.host_free <= LINKS["host"]
        assert instance.kv == sum(map(view.holds, instance.decoding.values()))

    everyone: Any
    goes_to: Any

    def seen(self, instance: Any) -> list[Any]:
        return [c for c in self.everyone() if c.instance == instance.number]


@given(
    rows=REQUESTS, seed=st.integers(0, 9999), alone=st.booleans(), block=st.sampled_from([1, 4]),
    turns=st.sampled_from([0.0, 0.1, 0.5]),
)  # fmt: skip
@settings(max_examples=120)
def test_nothing_is_lost_on_the_way(
    rows: list[tuple[int, int, int]], seed: int, alone: bool, block: int, turns: float
) -> None:
    from evaluators.serving.core import simulation

    engine = Engine(COSTS, 140 // block, block, 5, 60, **LINKS)
    engines = (replace(engine, prefill=alone), engine, replace(engine, cap=3))
    scenario = Scenario(engines, requests(rows), control=5000, poll=2000, until=3 * 10**6)
    policy = Chance(seed, turns)
    made: list[Any] = []
    real = simulation._Run

    class Watched(real):  # type: ignore[misc, valid-type]
        def __init__(self, *words: Any) -> None:
            super().__init__(*words)
            made.append(self)

    policy.everyone = lambda: made[-1]._calls
    policy.goes_to = lambda call: made[-1]._moves._bound[call.number][0]
    simulation._Run = Watched  # type: ignore[misc]
    try:
        outcome = played(scenario, policy)
    finally:
        simulation._Run = real  # type: ignore[misc]
    assert not [r for r in outcome.refusals if "control" not in r], outcome.refusals
    assert sum(c.state == DONE for c in outcome.calls) + outcome.starved + outcome.rejected == len(rows)
    for call in outcome.calls:
        if call.state == DONE:
            assert call.generated == call.request.output
            assert call.blocks == call.shared == call.held == call.reserved == 0
            assert call.first <= call.ended and call.worst <= call.ended - call.request.arrival


FLAT = Costs((0, *[1000] * 50), (0,) * 3, (0,) * 5, (0,) * 6, (0, 0))
"""Every iteration takes 1000 ps."""


def test_a_call_goes_to_the_host_and_comes_back() -> None:
    engine = Engine(FLAT, 8, 4, 4, 64, block_bytes=100, host=8, host_bandwidth=10**12, latency=300)

    class Swapping(First):
        swapped = 0

        def step(self, view: StepView) -> Any:
            if view.queue:
                return [(0, view.left()[0])], (), 1
            if view.sequences and view.generated()[0] == 3 and not self.swapped:
                self.swapped += 1
                return (), (), 1, (0,), ()
            return (), (), 1, (), (0,) if view.swapped else ()

    outcome = played(Scenario((engine,), (Request("a", 0, 7, 5),), every=True, poll=10), Swapping())
    (call,) = outcome.calls
    # Tokens at 1000, 2000, 3000; nine tokens are three blocks: 300 + 300 ps out, 600 back; tokens at 5200 and 6200.
    assert (call.first, call.ended, call.worst, outcome.preemptions) == (1000, 5200 + 1000, 2200, 1)
    assert not outcome.refusals


def test_a_prefill_is_handed_over() -> None:
    engine = Engine(FLAT, 8, 4, 4, 64, block_bytes=100, network=10**12, latency=300)

    class Handing(First):
        def route(self, _: ClusterView) -> int:
            return 0

        def hand(self, _: ClusterView) -> int:
            return 1

    work = (Request("a", 0, 8, 3), Request("b", 0, 8, 1))
    outcome = played(Scenario((replace(engine, prefill=True), engine), work), Handing())
    a, b = outcome.calls
    # Two blocks take 300 + 200 ps; the second call needs no decode and is not handed over.
    assert (a.first, a.instance, a.ended, a.worst) == (1000, 1, 1000 + 500 + 2000, 1500)
    assert (b.first, b.ended, b.instance) == (2000, 2000, 0) and [w.busy for w in outcome.work] == [
        2000,
        2000,
    ]


def test_a_live_migration_stops_a_call_for_its_last_tokens_only() -> None:
    engine = Engine(FLAT, 9, 4, 4, 64, block_bytes=400, network=10**12, latency=100)

    class Moving(First):
        def route(self, _: ClusterView) -> int:
            return 0

        def control(self, view: ClusterView) -> Any:
            return [(0, 0, 1)] if view.time == 3500 and view.decoding(0) else []

    outcome = played(Scenario((engine, engine), (Request("a", 0, 8, 20),), control=3500), Moving())
    (call,) = outcome.calls
    # At 3500 it holds ten tokens: three blocks, 1300 ps, so it stops at the end of that iteration, 5000; two more
    # tokens take 100 + 200 ps.
    assert (call.instance, call.worst, outcome.migrations) == (1, 1300, 1)
    assert call.ended == 20_000 + 300


def test_nothing_migrates_to_an_instance_for_prefill_alone() -> None:
    engine = Engine(FLAT, 9, 4, 4, 64, block_bytes=4, network=10**12, latency=100)

    class Back(First):
        def route(self, _: ClusterView) -> int:
            return 0

        def hand(self, _: ClusterView) -> int:
            return 1

        def control(self, view: ClusterView) -> Any:
            return [(1, 0, 0)] if view.decoding(1) else []

    outcome = played(
        Scenario((replace(engine, prefill=True), engine), (Request("a", 0, 8, 20),), control=5000), Back()
    )
    assert list(outcome.refusals) == ["control: a migration that is not possible"]
    assert outcome.calls[0].state == DONE and outcome.migrations == 0


# -- roles ------------------------------------------------------------------------------------------------------------


class Turning(First):
    """Calls go to the first instance, and from there to the second; ``turns`` says by time what control answers."""

    def __init__(self, turns: dict[int, Any], hand: int = 1) -> None:
        super().__init__()
        self.turns, self.to = turns, hand
        self.hands: list[int] = []

    def route(self, _: ClusterView) -> int:
        return 0

    def hand(self, view: ClusterView) -> int:
        self.hands.append(view.time)
        return self.to

    def control(self, view: ClusterView) -> Any:
        return self.turns.get(view.time, ())


PAIR = Engine(FLAT, 8, 4, 4, 64, block_bytes=100, network=10**12, latency=300)


def test_a_call_may_decode_where_its_prefill_was() -> None:
    outcome = played(
        Scenario((replace(PAIR, prefill=True), PAIR), (Request("a", 0, 8, 3),)), Turning({}, hand=0)
    )
    (call,) = outcome.calls
    assert (call.instance, call.ended, call.worst, outcome.handed) == (
        0,
        3000,
        1000,
        0,
    ) and not outcome.refusals


def test_an_instance_that_turns_to_prefill_ends_its_decodes_and_hands_later_calls_over() -> None:
    work = (Request("a", 0, 8, 9), Request("b", 2500, 8, 3))
    policy = Turning({1500: [(0, True)]})
    outcome = played(Scenario((PAIR, PAIR), work, control=1500), policy)
    a, b = outcome.calls
    assert (a.instance, a.ended, b.instance, policy.hands) == (0, 9000, 1, [4000]) and outcome.turns == 1
    assert outcome.handed == 1 and not outcome.refusals


def test_calls_that_wait_for_room_elsewhere_stay_when_their_instance_may_decode() -> None:
    """The second instance has room for one call; the first becomes one that decodes while another waits for it."""
    work = (Request("a", 0, 8, 20), Request("b", 0, 8, 5))
    engines = (replace(PAIR, prefill=True), replace(PAIR, cap=1))
    waited = played(Scenario(engines, work, control=3500), Turning({}))
    assert [c.instance for c in waited.calls] == [1, 1] and waited.calls[1].worst > 15_000
    kept = played(Scenario(engines, work, control=3500), Turning({3500: [(0, False)]}))
    b = kept.calls[1]
    # Its first token came at 2000, the next one an iteration after 3500.
    assert (b.instance, b.worst, b.ended, kept.handed) == (0, 2500, 3500 + 4000, 1)


def test_calls_that_wait_for_an_instance_are_handed_over_again_when_it_turns_to_prefill() -> None:
    work = (Request("a", 0, 8, 20), Request("b", 0, 8, 5))
    policy = Turning({3500: [(1, True)]})

    def hand(view: ClusterView) -> int:
        policy.hands.append(view.time)
        return 2 if view.prefill()[1] else 1

    policy.hand = hand  # type: ignore[method-assign]
    outcome = played(
        Scenario((replace(PAIR, prefill=True), replace(PAIR, cap=1), PAIR), work, control=3500), policy
    )
    assert policy.hands == [1000, 2000, 3500]
    a, b = outcome.calls
    assert (a.instance, b.instance, b.worst) == (1, 2, 1500 + 500 + 1000) and a.worst == 1500


def test_some_instance_always_decodes_and_roles_change_places_at_once() -> None:
    engines = (replace(PAIR, prefill=True), PAIR)
    outcome = played(Scenario(engines, (Request("a", 0, 8, 20),), control=3500), Turning({3500: [(1, True)]}))
    assert outcome.refusals == {"control: no instance would decode": 1} and outcome.turns == 0
    swapped = Turning({3500: [(1, True), (0, False)]})
    outcome = played(Scenario(engines, (Request("a", 0, 8, 20),), control=3500), swapped)
    assert not outcome.refusals and outcome.turns == 2 and outcome.calls[0].instance == 1
    for wrong in ([(0, 1)], [(0,)], [(0, True, 1, 1)], [(9, True)], 7):
        outcome = played(Scenario(engines, (Request("a", 0, 8, 20),), control=3500), Turning({3500: wrong}))
        assert [r for r in outcome.refusals if "an action is" in r], wrong


def test_a_call_that_finds_no_room_asks_what_may_go_for_it() -> None:
    """The instance is full of one call that decodes; the policy is asked, and gives it up for the one that waits."""
    work = (Request("a", 0, 20, 11, kind=1), Request("b", 2000, 12, 5))

    class Giving(Turning):
        def step(self, view: StepView) -> Any:
            if view.instance.expected and view.sequences:
                return (), (0,), 1
            return super().step(view)

    engines = (replace(PAIR, prefill=True), replace(PAIR, blocks=8))
    patient, giving = Turning({}), Giving({})
    waited, given = (played(Scenario(engines, work), policy) for policy in (patient, giving))
    assert waited.calls[1].worst > given.calls[1].worst and given.preemptions >= 1
    assert given.calls[0].preempted and given.calls[0].state == DONE and given.calls[1].state == DONE


def test_a_call_that_was_to_migrate_before_it_lost_its_place_still_does() -> None:
    """Its instance is for prefill alone meanwhile: nobody is asked where it goes on, and it does not come twice."""
    slow = replace(PAIR, network=16 * 10**9)

    class Losing(Turning):
        lost = 0

        def step(self, view: StepView) -> Any:
            if view.instance.prefill and view.sequences and not self.lost:
                self.lost += 1
                return (), (0,), 1
            return super().step(view)

    # Ten tokens at 3500 are three blocks: 19,050 ps. The role changes at 7000; at the next boundary it is preempted.
    policy = Losing({3500: [(0, 0, 1)], 7000: [(0, True)]})
    scenario = Scenario((slow, slow), (Request("a", 0, 8, 24),), every=True, poll=100, control=3500)
    outcome = played(scenario, policy)
    (call,) = outcome.calls
    assert not outcome.refusals and policy.lost == 1 and call.preempted == 1
    assert (policy.hands, outcome.handed, outcome.migrations) == ([], 0, 1)
    assert call.instance == 1 and call.state == DONE and call.blocks == call.reserved == 0


def test_no_more_calls_stay_than_there_are_places() -> None:
    """Three calls wait for an instance with one place when their own, which has two, may decode."""
    work = tuple(Request(str(n), 0, 4, 20) for n in range(4))
    engines = (replace(PAIR, prefill=True, cap=2, blocks=40), replace(PAIR, cap=1, blocks=40))

    class Watching(Turning):
        most = 0

        def control(self, view: ClusterView) -> Any:
            self.most = max(self.most, *(len(i.decoding) for i in view.instances))
            return super().control(view)

    policy = Watching({7000: [(0, False)]})
    outcome = played(Scenario(engines, work, control=500), policy)
    assert policy.most == 2 and all(c.state == DONE for c in outcome.calls) and not outcome.refusals
    assert sorted(c.instance for c in outcome.calls) == [0, 0, 0, 1]


def test_a_wait_is_not_forgotten_by_a_call_that_loses_its_place_when_it_comes() -> None:
    class Losing(Turning):
        lost = 0

        def step(self, view: StepView) -> Any:
            if view.instance.number == 1 and view.sequences and not self.lost:
                self.lost += 1
                return (), (0,), 1
            return super().step(view)

    scenario = Scenario((replace(PAIR, prefill=True), PAIR), (Request("a", 0, 8, 3),), every=True, poll=100)
    (call,) = played(scenario, Losing({})).calls
    # Tokens at 1000 and, after it came at 1500 and was computed anew from 1600 on, at 2600.
    assert (call.preempted, call.worst, call.ended) == (1, 1600, 3600)
