"""Plays scenarios by chance on the core of the simulator and says what happened, so that the compiled core can be
compared with the sources (test_compiled.py)."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import asdict
from typing import Any

from evaluators.serving.core import simulation
from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import Costs
from evaluators.serving.core.simulation import Engine, Scenario, played
from evaluators.serving.core.views import ClusterView, StepView

COSTS = Costs(
    tokens=tuple(1000 * (1000 + 7 * n) for n in range(700)),
    decode=(50_000, 3000, 2000),
    prefill=(30_000, 9000, 5000, 3000, 1000),
    mixed=(4000, 3000, 1000, 2000, 100, 25_000),
    engine=(20_000, 1000),
)
WRONG: tuple[Any, ...] = (
    None, 7, "plan", (), ((), ()), ((), (), 0), ((), (), 1.0), ((), (), True), ((), (), 10**30), (7, (), 1),
    ("ab", (), 1),
    ([(0, 10**30)], (), 1), ([(10**30, 1)], (), 1), ([(True, 1)], (), 1), ([(0, 1.0)], (), 1), ([(0,)], (), 1),
    ([(0, 1), (0, 1)], (), 1), ([(-1, 1)], (), 1), ((), (99,), 1), ((), (0, 0), 1), ((), 5, 1), ((), (), 1, (3,), ()),
    ((), (), 1, (), (0,)), ((), (), 1, 2, 3), ({}, (), 1), ((), (), -(10**20)), ([None], (), 1),
)  # fmt: skip
WRONG_ACTIONS: tuple[Any, ...] = (
    None, 7, "ab", [1], [(0,)], [(0, 1)], [(0, 1, 2, 3)], [(9, 0, 0)], [(10**30, 0, 0)], [(0, 10**30, 1)],
    [("a", 0, 0)],
    [(0, 0.5, 1)], [(0, None)], [(0, "yes")], {0: 1}, [(1, True), (0, True), (2, True)],
)  # fmt: skip


class Chance:
    """Mostly what is legal, sometimes what is not; the same for the same seed."""

    def __init__(self, seed: int, wrong: float) -> None:
        self._random, self._wrong = random.Random(seed), wrong
        self.shown: list[Any] = []

    def step(self, view: StepView) -> Any:
        draw = self._random
        self.shown.append(
            (view.time, view.instance.number, view.sequences, view.kv, view.free, list(view.left()))
        )
        self.shown.append((list(view.generated()), list(view.cached()), list(view.waited())))
        if draw.random() < self._wrong:
            return draw.choice(WRONG)
        swap = [n for n in range(view.sequences) if draw.random() < 0.05][: view.instance.host_free // 20]
        resume = [0] if view.swapped and not swap and draw.random() < 0.5 else []
        preempt = (
            [len(view.running) - 1] if view.running and not (swap or resume) and draw.random() < 0.05 else []
        )
        chunks, room, free, places = [], view.budget, view.free, view.places
        for place, tokens in enumerate(view.left() if not (swap or resume or preempt) else ()):
            count = min(tokens, room, draw.choice((16, 100, 512)))
            taken = view.takes(place, count) if count > 0 else 0
            places -= place >= view.started
            if count <= 0 or taken > free or places < 0:
                break
            room, free = room - count, free - taken
            chunks.append((place, count))
        return chunks, preempt, draw.choice((1, 2, 50, 10**9)), swap, resume

    def route(self, view: ClusterView) -> Any:
        self.shown.append(
            (view.prompt, list(view.queued()), list(view.free()), list(view.kv()), list(view.found()))
        )
        return (
            self._random.randrange(len(view.instances)) if self._random.random() > self._wrong else "nowhere"
        )

    def hand(self, view: ClusterView) -> Any:
        return self._random.randrange(len(view.instances))

    def control(self, view: ClusterView) -> Any:
        draw = self._random
        if draw.random() < self._wrong:
            return draw.choice(WRONG_ACTIONS)
        count = len(view.instances)
        moves = [
            (n, draw.randrange(len(view.decoding(n))), draw.randrange(count))
            for n in range(count)
            if len(view.decoding(n)) and draw.random() < 0.3
        ]
        return moves + [(n, draw.random() < 0.5) for n in range(count) if draw.random() < 0.2]


def happened(seed: int) -> Any:
    """Everything that is seen of a run."""
    draw = random.Random(seed)
    count, block = draw.choice((1, 1, 2, 3)), draw.choice((1, 4, 16))
    engines = tuple(
        Engine(
            COSTS, draw.randrange(200, 600) // block, block, draw.randrange(1, 12), draw.choice((64, 600)),
            span=draw.choice((0, 0, 2)), block_bytes=1000, host=draw.choice((0, 40)), host_bandwidth=10**12,
            network=10**12, latency=1000, prefill=count > 1 and n == 0 and draw.random() < 0.5,
        )
        for n in range(count)
    )  # fmt: skip
    now, requests = 0, []
    for number in range(draw.randrange(1, 40)):
        now += draw.choice((0, 500_000, 5_000_000, 40_000_000))
        prompt = draw.randrange(1, 120)
        prefix = tuple(range(draw.randrange(3), 3))[: prompt // (2 * block)] if draw.random() < 0.5 else ()
        requests.append(Request(str(number), now, prompt, draw.randrange(1, 60), number % 2, prefix=prefix))
    scenario = Scenario(
        engines,
        tuple(requests),
        every=draw.random() < 0.3,
        poll=10**6,
        control=draw.choice((0, 7_000_000)),
        until=10**9,
    )
    policy, log = Chance(seed, draw.choice((0.0, 0.0, 0.3))), []
    outcome = played(scenario, policy, lambda *stretch: log.append(stretch))
    told = [
        (c.state, c.instance, c.first, c.last, c.worst, c.ended, c.preempted, c.generated, c.entered)
        for c in outcome.calls
    ]
    counts = (
        outcome.end,
        outcome.decisions,
        outcome.forced,
        outcome.preemptions,
        outcome.starved,
        outcome.rejected,
    )
    moved = (
        outcome.migrations,
        outcome.handed,
        outcome.turns,
        outcome.iterations,
        [asdict(w) for w in outcome.work],
    )
    return [told, counts, moved, sorted(outcome.refusals.items()), log, policy.shown]


def main(first: int, last: int) -> None:
    lines = (simulation.__file__, *(json.dumps(happened(seed)) for seed in range(first, last)))
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
