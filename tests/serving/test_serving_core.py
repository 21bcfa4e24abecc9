"""The simulator against the slow oracle, bit for bit, and what must add up whatever a policy does."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from serving_oracle import Moment, serve

from evaluators.serving.core.calls import DONE, REFUSED, Request
from evaluators.serving.core.costs import Costs, fitting, lasting
from evaluators.serving.core.simulation import Engine, Outcome, Scenario, played
from evaluators.serving.core.views import StepView

COSTS = Costs(
    tokens=tuple(1000 + 7 * n + (n // 64) * 90 for n in range(200)),
    decode=(50, 3, 2), mixed=(80, 4, 3), chunk=(5, 3, 1), host=(20, 1),
)  # fmt: skip


class Chosen:
    """A policy that decides by a seeded generator, the same for the simulator and the oracle: often what a sensible
    engine does, sometimes odd but legal."""

    def __init__(self, seed: int, chunk: int, block: int) -> None:
        self._random, self._chunk, self._block = random.Random(seed), chunk, block

    def choose(
        self, started: int, left: list[int], blocks: list[int], have: list[int], free: int, places: int, budget: int,
        decoding: int,
    ) -> tuple[list[tuple[int, int]], list[int]]:  # fmt: skip
        roll = self._random.random()
        if roll < 0.1:
            return [], []
        gone = [self._random.randrange(decoding)] if roll > 0.95 and decoding else []
        order = list(range(len(left)))
        if roll > 0.7:
            self._random.shuffle(order)
        parts, room = [], min(budget, self._chunk)
        for place in order:
            if place >= started:
                if places <= 0:
                    continue
                places -= 1
            tokens = min(left[place], room)
            need = -(-(have[place] + tokens) // self._block) - blocks[place]
            if tokens <= 0 or need > free:
                continue
            free, room = free - need, room - tokens
            parts.append((place, tokens))
        return parts, gone

    def step(self, view: StepView) -> Any:
        queue = view.queue
        parts, gone = self.choose(
            view.started, list(view.left()), [c.blocks for c in queue], [c.computed for c in queue], view.free,
            view.places, view.budget, view.sequences,
        )  # fmt: skip
        return parts, gone, 1

    def oracle(self, moment: Moment) -> tuple[list[tuple[int, int]], list[int]]:
        queue = moment.started + moment.waiting
        return self.choose(
            len(moment.started), [j.need - j.have for j in queue], [-(-j.have // self._block) for j in queue],
            [j.have for j in queue], moment.free, moment.places, moment.budget, len(moment.decoding),
        )  # fmt: skip


REQUESTS = st.lists(
    st.tuples(st.integers(0, 60_000), st.integers(1, 90), st.integers(1, 40)), min_size=1, max_size=25
)


def requests(rows: list[tuple[int, int, int]]) -> tuple[Request, ...]:
    now, found = 0, []
    for number, (gap, prompt, output) in enumerate(rows):
        now += gap
        found.append(Request(str(number), now, prompt, output))
    return tuple(found)


ENGINES = st.builds(
    lambda blocks, block, cap, budget: Engine(COSTS, blocks, block, cap, budget + cap),
    st.integers(6, 40), st.sampled_from([1, 4, 16]), st.integers(1, 12), st.integers(1, 120),
)  # fmt: skip


@given(rows=REQUESTS, engine=ENGINES, seed=st.integers(0, 999), chunk=st.integers(1, 100))
@settings(max_examples=150)
def test_the_simulator_is_the_oracle(
    rows: list[tuple[int, int, int]], engine: Engine, seed: int, chunk: int
) -> None:
    work = requests(rows)
    log: list[tuple[int, int, int]] = []

    def told(_: int, start: int, first: int, growth: int, count: int, decodes: int) -> None:
        for k in range(count):
            end = start + first + k * growth
            log.append((start, end, decodes))
            start = end

    outcome = played(Scenario((engine,), work), Chosen(seed, chunk, engine.block), told)
    jobs, iterations = serve(
        COSTS, work, Chosen(seed, chunk, engine.block).oracle,
        blocks=engine.blocks, block=engine.block, cap=engine.cap, budget=engine.budget,
    )  # fmt: skip
    assert not outcome.refusals
    assert log == iterations
    for call, job in zip(outcome.calls, jobs, strict=True):
        gaps = [b - a for a, b in zip(job.tokens, job.tokens[1:], strict=False)]
        done = job.place == "done"
        assert (call.state == DONE) is done
        assert call.preempted == job.lost
        if done:
            assert (call.first, call.ended) == (job.tokens[0], job.tokens[-1])
            assert call.worst == max(gaps, default=0)
