"""The simulator against the slow oracle, bit for bit, and what must add up whatever a policy does."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from serving_oracle import Moment, serve

from evaluators.serving.core.cache import PrefixCache
from evaluators.serving.core.calls import DONE, REFUSED, Request
from evaluators.serving.core.costs import SECOND, Costs, fitting, lasting
from evaluators.serving.core.metrics import Objective, figures
from evaluators.serving.core.simulation import Engine, Outcome, Scenario, played
from evaluators.serving.core.views import ClusterView, StepView
from evaluators.serving.timing import timing

COSTS = Costs(
    tokens=tuple(1000 + 7 * n + (n // 64) * 90 for n in range(200)),
    decode=(50, 3, 2),
    prefill=(30, 9, 5, 3, 1),
    mixed=(4, 3, 1, 2, 100, 25),
    engine=(20, 1),
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
        gone = [self._random.randrange(decoding + started)] if roll > 0.95 and decoding + started else []
        order = list(range(len(left)))
        if roll > 0.7:
            self._random.shuffle(order)
        parts, room = [], min(budget, self._chunk)
        for place in order:
            if decoding + place in gone and place < started:
                continue
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
@example(rows=[(0, 2, 1500)], engine=Engine(COSTS, 400, 4, 1, 2), seed=0, chunk=2).via(
    "time ends within a stretch"
)
@settings(max_examples=150)
def test_the_simulator_is_the_oracle(
    rows: list[tuple[int, int, int]], engine: Engine, seed: int, chunk: int
) -> None:
    agree(rows, engine, Chosen(seed, chunk, engine.block), Chosen(seed, chunk, engine.block))


def agree(rows: list[tuple[int, int, int]], engine: Engine, policy: Chosen, same: Chosen) -> Outcome:
    """The simulator with a policy and the oracle with one that decides the same do the same."""
    work = requests(rows)
    log: list[tuple[int, int, int]] = []

    def told(_: int, start: int, first: int, growth: int, count: int, decodes: int) -> None:
        for k in range(count):
            end = start + first + k * growth
            log.append((start, end, decodes))
            start = end

    outcome = played(Scenario((engine,), work, poll=777, until=10**6), policy, told)
    jobs, iterations, work_done = serve(
        COSTS, work, same.oracle, blocks=engine.blocks, block=engine.block, cap=engine.cap, budget=engine.budget,
        poll=777, until=10**6,
    )  # fmt: skip
    assert not outcome.refusals
    assert log == iterations
    assert outcome.work == (work_done,), "totals of a run, not of its iterations"
    for call, job in zip(outcome.calls, jobs, strict=True):
        gaps = [b - a for a, b in zip(job.tokens, job.tokens[1:], strict=False)]
        done = job.place == "done"
        assert (call.state == DONE) is done
        assert call.preempted == job.lost
        if done:
            assert (call.first, call.ended) == (job.tokens[0], job.tokens[-1])
            assert call.worst == max(gaps, default=0)
    return outcome


class Steady(Chosen):
    """First come, first served, at most ``share`` tokens of a prompt at once. As long as there is memory its plan stays
    the same until something happens, and it says so."""

    def __init__(self, share: int, chunk: int, block: int) -> None:
        super().__init__(0, chunk, block)
        self._share, self.scarce = share, False

    def choose(
        self, started: int, left: list[int], blocks: list[int], have: list[int], free: int, places: int, budget: int,
        decoding: int,
    ) -> tuple[list[tuple[int, int]], list[int]]:  # fmt: skip
        parts, room = [], min(budget, self._chunk - decoding)
        self.scarce = False
        for place, tokens in enumerate(left[: started + places]):
            count = min(tokens, room, self._share)
            need = -(-(have[place] + count) // self._block) - blocks[place]
            self.scarce = need > free
            if count <= 0 or self.scarce:
                break
            free, room = free - need, room - count
            parts.append((place, count))
        return parts, []

    def step(self, view: StepView) -> Any:
        return (*super().step(view)[:2], 1 if self.scarce else 10**6)


@given(rows=REQUESTS, engine=ENGINES, share=st.integers(1, 100), chunk=st.integers(1, 100))
@settings(max_examples=150)
def test_a_plan_stands_until_something_happens(
    rows: list[tuple[int, int, int]], engine: Engine, share: int, chunk: int
) -> None:
    """The oracle asks at each iteration."""
    agree(rows, engine, Steady(share, chunk, engine.block), Steady(share, chunk, engine.block))


def test_when_a_plan_with_chunks_ends() -> None:
    """Its prompt has less left than the chunk, a call ends, another comes, or so many iterations have passed as it
    says."""

    class Tens(First):
        def __init__(self, steps: int) -> None:
            self.steps, self.left = steps, list[int]()

        def step(self, view: StepView) -> Any:
            self.left.append(view.left()[0] if view.queue else 0)
            return [(0, min(10, self.left[-1]))] if view.queue else [], (), self.steps

    one, two = Request("a", 0, 45, 1), Request("b", 3000, 45, 1)
    decoding = Request("c", 0, 5, 3)
    for steps, work, left in (
        (99, (one,), [45, 5]),
        (3, (one,), [45, 15, 5]),
        (1, (one,), [45, 35, 25, 15, 5]),
        (99, (one, two), [45, 15, 5, 45, 5]),
        (99, (decoding, one), [5, 45, 25, 5]),
    ):
        policy = Tens(steps)
        outcome = played(Scenario((Engine(COSTS, 40, 4, 4, 50),), work), policy)
        assert policy.left == left and not outcome.refusals


class Checking(Chosen):
    """Counts every block at every decision."""

    def step(self, view: StepView) -> Any:
        instance = view.instance
        cache, size = instance.cache, instance.cache.span
        own = sum(c.blocks for c in instance.prefilling) + sum(
            map(instance.frees, instance.decoding.values())
        )
        assert own + len(cache) * size + (instance.free - cache.idle) == instance.blocks
        assert 0 <= cache.idle <= instance.free
        used = {id_ for c in [*instance.prefilling, *instance.decoding.values()]
                for id_ in c.request.prefix[: c.shared]}  # fmt: skip
        assert len(cache) * size == cache.idle + len(used) * size, "a span is idle just when no call uses it"
        assert instance.kv == sum(c.length + instance.step - c.joined for c in instance.decoding.values())
        left = list(view.left())
        blocks, have = [], []
        for call, tokens in zip(view.queue, left, strict=True):
            have.append(call.length - tokens)
            blocks.append(call.blocks + call.shared * size if call.computed else have[-1] // instance.block)
        parts, gone = self.choose(
            view.started, left, blocks, have, view.free - cache.idle, view.places, view.budget, view.sequences
        )
        return parts, gone, 1


@given(
    rows=REQUESTS, engine=ENGINES, seed=st.integers(0, 999), chunk=st.integers(1, 100), span=st.sampled_from([0, 1, 2]),
    families=st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=150)
def test_blocks_and_tokens_add_up(
    rows: list[tuple[int, int, int]], engine: Engine, seed: int, chunk: int, span: int, families: int
) -> None:
    """Under a policy that decides by chance, with prompts that begin alike."""
    work = tuple(
        Request(
            r.id, r.arrival, r.prompt, r.output, prefix=prefix_of(r, number % families, span * engine.block)
        )
        for number, r in enumerate(requests(rows))
    )
    outcome = played(
        Scenario((replace(engine, span=span),), work, poll=10**5, until=10**7),
        Checking(seed, chunk, engine.block),
    )
    assert not outcome.refusals
    ended = [c for c in outcome.calls if c.state == DONE]
    assert len(ended) + outcome.rejected + outcome.starved == len(work)
    for call in ended:
        assert call.generated == call.request.output and call.first >= call.request.arrival
        assert call.blocks == call.shared == 0
    assert outcome.starved == 0 or not any(c.state == DONE and c.ended < 0 for c in outcome.calls)


class SteadyChecking(Steady, Checking):
    pass


@given(
    rows=REQUESTS, engine=ENGINES, share=st.integers(1, 100), chunk=st.integers(1, 100), span=st.sampled_from([1, 2]),
    families=st.integers(1, 3),
)  # fmt: skip
@settings(max_examples=60)
def test_a_plan_stands_beside_shared_prefixes(
    rows: list[tuple[int, int, int]], engine: Engine, share: int, chunk: int, span: int, families: int
) -> None:
    work = tuple(
        replace(r, prefix=prefix_of(r, number % families, span * engine.block))
        for number, r in enumerate(requests(rows))
    )
    ample = replace(engine, span=span, blocks=4000)
    often, seldom = (
        played(Scenario((ample,), work, every=every), SteadyChecking(share, chunk, engine.block))
        for every in (True, False)
    )
    for one, other in zip(often.calls, seldom.calls, strict=True):
        assert (one.first, one.ended, one.worst) == (other.first, other.ended, other.worst)
    assert often.work == seldom.work and not seldom.refusals


def prefix_of(request: Request, family: int, tokens: int) -> tuple[int, ...]:
    """Names of the spans of a prompt that begins as all of its family do, up to its half; the rest is its own."""
    spans = request.prompt // tokens if tokens else 0
    return tuple(1000 * family + k if k < 2 else 10**6 + 1000 * int(request.id) + k for k in range(spans))


class First:
    """The first of the queue, with all that fits."""

    def step(self, view: StepView) -> Any:
        return ([(0, min(view.left()[0], view.budget))] if view.queue else [], (), 1)


def test_a_prefix_is_computed_once() -> None:
    engine = Engine(COSTS, blocks=40, block=4, cap=4, budget=200, span=2)
    work = (
        Request("a", 0, 20, 3, prefix=(1, 2)),
        Request("b", 10**6, 20, 3, prefix=(1, 2)),
        Request("c", 2 * 10**6, 20, 3, prefix=(1, 9)),
        Request("d", 3 * 10**6, 16, 3, prefix=(1, 2)),  # its last token is computed all the same
    )
    chunks: list[int] = []

    class Watching(First):
        def step(self, view: StepView) -> Any:
            chunks.extend(view.left())
            return super().step(view)

    outcome = played(Scenario((engine,), work), Watching())
    assert chunks == [20, 4, 12, 8] and not outcome.refusals
    (work_done,) = outcome.work
    assert work_done.computed == sum(chunks)
    assert work_done.pairs == 20**2 + (20**2 - 16**2) + (20**2 - 8**2) + (16**2 - 8**2)


def test_the_longest_unused_span_is_given_up_from_its_end() -> None:
    cache = PrefixCache(3)
    for ids in ((1, 2), (1, 3), (7,)):
        for id_ in ids:
            if not cache.put(id_):
                cache.use((id_,))
        cache.release(ids)
    assert cache.idle == 12 and len(cache) == 4
    cache.give_up(1)
    assert 2 not in cache and cache.idle == 9
    assert cache.use((1,)) == 3
    cache.give_up(6)
    assert [id_ for id_ in (1, 2, 3, 7) if id_ in cache] == [1] and cache.idle == 0


class Wrong:
    """Answers what is given to it in turn, then serves first come, first served."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def step(self, view: StepView) -> Any:
        return self.answers.pop(0) if self.answers else First().step(view)


@pytest.mark.parametrize(
    "answer, told",
    [
        (None, "a plan is"),
        (([(0, 1)], ()), "a plan is"),
        (([(0, 1)], (), 0), "steps is a whole number"),
        (([(0, 1)], (), True), "steps is a whole number"),
        (([(0,)], (), 1), "a chunk is"),
        (([(1, 1)], (), 1), "names no call"),
        (([(-1, 1)], (), 1), "names no call"),
        (([(0, 1), (0, 1)], (), 1), "or one twice"),
        (([(0, 0)], (), 1), "or none"),
        (([(0, 31)], (), 1), "more tokens than its call"),
        (([(0, 30)], (), 1), "more tokens than the budget"),
        (([(0, 1)], (0,), 1), "names no running call"),
        (([(0, 1)], 5, 1), "a sequence of places"),
        (([(0, 1)], [[0]], 1), "names no running call"),
        ((5, (), 1), "chunks are a sequence"),
    ],
)
def test_an_illegal_plan_is_refused_counted_and_survived(answer: Any, told: str) -> None:
    work = (Request("a", 0, 30, 3), Request("late", 10**6, 2, 1))
    outcome = played(Scenario((Engine(COSTS, 10, 4, 4, 25),), work), Wrong(answer))
    (reason,) = outcome.refusals
    assert told in reason and outcome.refusals[reason] == 1
    assert all(c.state == DONE for c in outcome.calls)


def test_places_and_memory_are_kept() -> None:
    work = (Request("a", 0, 8, 3), Request("b", 0, 8, 3))
    both = ([(0, 8), (1, 8)], (), 1)
    for engine, told in (
        (Engine(COSTS, 3, 4, 4, 99), "no memory"),
        (Engine(COSTS, 9, 4, 1, 99), "no place free"),
    ):
        outcome = played(Scenario((engine,), work), Wrong(both))
        assert list(outcome.refusals) == [f"step: {told}"] and outcome.starved == 0


class Never:
    def step(self, view: StepView) -> Any:  # noqa: ARG002
        return (), (), 1


def test_a_policy_that_admits_nothing_starves_its_calls_and_ends() -> None:
    work = (Request("a", 0, 8, 3), Request("b", 5, 8, 3))
    outcome = played(Scenario((Engine(COSTS, 9, 4),), work), Never())
    assert outcome.starved == 2 and outcome.iterations == 0 and outcome.decisions == 60_002


def test_a_call_that_no_cache_can_hold_is_rejected() -> None:
    work = (Request("a", 0, 30, 7), Request("b", 0, 30, 6))
    outcome = played(Scenario((Engine(COSTS, 9, 4),), work), First())
    assert outcome.rejected == 1 and [c.state for c in outcome.calls] == [REFUSED, DONE]


class Least(First):
    """Routes to the instance with the fewest calls."""

    def route(self, view: ClusterView) -> int:
        assert list(view.free()) == [i.peek(view.time)[1] for i in view.instances]
        outstanding = list(view.outstanding())
        return outstanding.index(min(outstanding))


@given(rows=REQUESTS, engine=ENGINES, every=st.booleans())
@settings(max_examples=40)
def test_routing_sees_the_same_however_time_passes(
    rows: list[tuple[int, int, int]], engine: Engine, every: bool
) -> None:
    """What an instance is seen to hold within a stretch is what it holds when every iteration is an event."""
    seen: list[list[tuple[int, ...]]] = []
    for steps in (1, 10**6):

        class Seeing(Least):
            patience = steps

            def step(self, view: StepView) -> Any:
                parts = super().step(view)
                return (*parts[:2], self.patience)

            def route(self, view: ClusterView) -> int:
                seen[-1].append((view.time, *view.free(), *view.kv(), *view.outstanding()))
                return super().route(view)

        seen.append([])
        outcome = played(
            Scenario((engine, engine), requests(rows), every=every and steps == 1, poll=10**5, until=10**7),
            Seeing(),
        )
        seen[-1].append(tuple(c.ended for c in outcome.calls))
    if outcome.refusals:  # a chunk that does not fit: asked once or at each iteration, which differs
        return
    assert seen[0] == seen[1]


def test_figures() -> None:
    work = tuple(Request(str(n), n * SECOND, 4, 2) for n in range(4))
    costs = Costs((0, SECOND, SECOND, SECOND, SECOND), (0,) * 3, (0,) * 5, (0,) * 6, (0, 0))
    outcome = played(Scenario((Engine(costs, 9, 4, cap=1),), work), First())
    found = figures(outcome, Objective(ttft=2 * SECOND, tbt=SECOND))
    # Each call takes its prefill and one decode, two seconds, after the one before it: first tokens after 1, 2, 3, 4 s.
    assert (found.ttft_p50, found.ttft_p99, found.tbt_p99) == (2.0, 4.0, 1.0)
    assert found.goodput == 2 / 8 and found.throughput == 4 / 8 and found.tokens == 1.0
    assert found.fairness == pytest.approx((2 + 3 + 4 + 5) ** 2 / (4 * (4 + 9 + 16 + 25)))
    assert found.energy is None


@given(first=st.integers(1, 50), growth=st.integers(0, 20), time=st.integers(0, 5000))
def test_the_closed_form_is_the_sum(first: int, growth: int, time: int) -> None:
    count = fitting(first, growth, time)
    assert lasting(first, growth, count) == sum(first + k * growth for k in range(count))
    assert lasting(first, growth, count) <= time < lasting(first, growth, count + 1)


@pytest.mark.parametrize(("model", "card"), [("llama-2-7b", "a100"), ("llama-3.1-8b", "h100")])
def test_whole_picoseconds_lose_nothing(model: str, card: str) -> None:
    """The integer costs are the fitted timing, iteration by iteration."""
    fitted = timing(model, card)
    costs, draw = Costs.of(fitted), random.Random(1)
    for _ in range(300):
        decodes = draw.choice((0, 1, 7, 64, 128))
        kv = decodes * draw.randint(1, 4000)
        chunks = [
            (draw.randint(1, 900), draw.choice((0, 512, 3000))) for _ in range(draw.randint(not decodes, 3))
        ]
        exact = fitted.iteration(decodes, kv + decodes, chunks)
        whole = costs.mixture(decodes, kv, chunks) if chunks else costs.stretch(decodes, kv)[0]
        assert whole / SECOND == pytest.approx(exact, rel=1e-4)
    growth = costs.stretch(64, 64_000)[1]
    assert growth / SECOND == pytest.approx(fitted.stretch(64, 64_064)[1], rel=1e-4)
    assert costs.linear(9000) / SECOND == pytest.approx(fitted.linear(9000), rel=1e-4)
