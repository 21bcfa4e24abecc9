"""What serving tasks share: payloads, the default step, splits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.serving.core.calls import Call, Request
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.instance import Instance
from evaluators.serving.core.simulation import Engine, Scenario, played
from evaluators.serving.core.views import StepView, seen
from evaluators.serving.episode.desk import preface
from evaluators.serving.episode.problem import MICROSECOND, Problem, decode, encode
from evaluators.serving.episode.replay import hooks_of
from evaluators.serving.episode.steps import NOTHING, chunked, filled
from evaluators.serving.episode.workload import engine, objective
from evaluators.task import InvalidAnswer

TINY = Costs(
    tokens=tuple(1000 * n for n in range(121)),
    decode=(50_000, 3000, 2000),
    prefill=(30_000, 9000, 5000, 3000, 1000),
    mixed=(4000, 3000, 1000, 2000, 100, 25_000),
    engine=(20_000, 1000),
)
SLOW = replace(TINY, decode=(90_000, 3000, 2000))
ENGINES = st.builds(
    Engine,
    costs=st.sampled_from([TINY, SLOW]),
    blocks=st.integers(9, 40),
    block=st.sampled_from([8, 16]),
    budget=st.just(120),
    span=st.integers(0, 2),
    host=st.integers(0, 9),
    prefill=st.booleans(),
)
REQUESTS = st.lists(
    st.tuples(
        st.integers(0, 9), st.integers(1, 70_000), st.integers(1, 40), st.integers(0, 1), st.integers(0, 99),
        st.lists(st.integers(0, 1 << 30), max_size=3),
    ),
    min_size=1, max_size=5,
)  # fmt: skip


@given(
    engines=st.lists(ENGINES, min_size=1, max_size=3),
    rows=REQUESTS,
    control=st.integers(0, 9),
    entries=st.integers(1, 99),
)
@settings(max_examples=40)
def test_a_payload_says_all_of_a_problem(
    engines: list[Engine], rows: list[Any], control: int, entries: int
) -> None:
    time = -rows[0][0]
    requests = []
    for number, (gap, prompt, output, kind, hint, prefix) in enumerate(rows):
        time += gap
        requests.append(Request(str(number), time * MICROSECOND, prompt, output, kind, hint, tuple(prefix)))
    scenario = Scenario(tuple(engines), tuple(requests), poll=7, control=control, until=12)
    problem = Problem(scenario, (objective(1, 0.05), objective(2, 0.1)), entries)
    assert decode(encode(problem)) == problem


@pytest.mark.parametrize(("model", "card"), [("llama-2-7b", "a100"), ("qwen3-32b", "h100")])
def test_iterations_of_real_engines_come_back_as_long_as_they_were(model: str, card: str) -> None:
    """The first token of an iteration loads all weights: some milliseconds, more than 2^31 ps."""
    real = engine(model, card, 1, 4096)
    costs = replace(real.costs, tokens=real.costs.tokens[: real.budget + 1])
    problem = Problem(
        Scenario((replace(real, costs=costs),), (Request("0", 0, 9, 3),)), (objective(1, 0.05),), 30
    )
    assert costs.tokens[1] > 1 << 31 and decode(encode(problem)) == problem


def test_times_that_no_payload_can_hold_are_told() -> None:
    slow = Engine(replace(TINY, tokens=(0, 1, 1 << 40)), 40, budget=2)
    with pytest.raises(ValueError, match="a token more takes 1099511627775 ps"):
        encode(Problem(Scenario((slow,), (Request("0", 0, 9, 3),)), (objective(1, 1),), 30))


def test_what_hooks_a_log_begins_with() -> None:
    names = ("migrate", "scale")
    for hooks in (frozenset[str](), frozenset({"scale"}), frozenset(names)):
        assert hooks_of(preface(hooks, names), names) == hooks
    for entries in ((), ((0, 0),), ((5, 0),), ((1, 1),), ((1, 0), (1, 0))):
        with pytest.raises(InvalidAnswer, match="does not begin with the hooks"):
            hooks_of(entries, names)


# -- the default step -------------------------------------------------------------------------------------------------


def view(
    *calls: tuple[int, tuple[int, ...]], blocks: int = 40, span: int = 0, cached: tuple[int, ...] = ()
) -> StepView:
    """An engine with blocks of 8 tokens at whose queue these (prompt, prefix) wait."""
    engine = Instance(0, TINY, blocks=blocks, block=8, cap=4, budget=100, span=span)
    for id_ in cached:
        engine.cache.put(id_)
        engine.free -= span
    engine.free += engine.cache.release(cached)
    for number, (prompt, prefix) in enumerate(calls):
        engine.waiting.append(Call(Request(str(number), 0, prompt, 9, prefix=prefix), number))
    return seen(0, engine)


def test_calls_are_added_in_the_order_given_until_the_chunk_is_full() -> None:
    here = view((30, ()), (30, ()), (30, ()))
    assert chunked(here, chunk=50) == ([(0, 30), (1, 20)], (), 1)
    assert chunked(here, (2, 0, 1), chunk=50) == ([(2, 30), (0, 20)], (), 1)
    assert filled(here, [(1, 10), (0, 25), (2, 25)]) == [(1, 10), (0, 15)]
    assert chunked(here, chunk=10_000) == ([(0, 30), (1, 30), (2, 30)], (), 1)
    assert chunked(view((30, ()), (30, ()), blocks=5), chunk=90) == ([(0, 30), (1, 8)], (), 1), "blocks"
    assert chunked(view()) is NOTHING


def test_what_the_prefix_cache_holds_is_not_computed_again() -> None:
    """Spans of one block each. Unused ones that a call finds are not free any more for those that follow."""
    here = view((30, (5, 6, 7, 8)), (20, ()), span=1, cached=(5, 6))
    assert here.left() == [14, 20]
    assert chunked(here) == ([(0, 14), (1, 20)], (), 1)
    tight = view((30, (5, 6, 7, 8)), (20, ()), span=1, cached=(5, 6), blocks=5)
    assert chunked(tight) == ([(0, 14), (1, 8)], (), 1), "two spans found, two blocks taken, one left"
    assert filled(view((30, (5, 6, 7, 8)), span=1, cached=(5, 6), blocks=3), [(0, 90)]) == [(0, 8)]


class Always:
    """The default step, with those that wait as they came or the other way round."""

    def __init__(self, last_first: bool) -> None:
        self.last_first = last_first

    def step(self, view: StepView) -> Any:
        waiting = range(view.started, len(view.queue))
        return chunked(view, reversed(waiting) if self.last_first else None, 24)


CALLS = st.tuples(st.integers(0, 2), st.integers(1, 60), st.integers(1, 20), st.integers(0, 3))


@given(st.lists(CALLS, min_size=1, max_size=12), st.integers(11, 30), st.booleans(), st.integers(0, 2))
@settings(max_examples=60)
def test_the_default_step_is_legal_and_serves_all(
    rows: list[Any], blocks: int, last_first: bool, span: int
) -> None:
    """Whatever the memory: no plan is refused, and no call stands still for ever."""
    requests = tuple(
        Request(
            str(n),
            n * gap * MICROSECOND,
            prompt,
            output,
            prefix=tuple(range(9 * kind, 9 * kind + prompt // 8)),
        )
        for n, (gap, prompt, output, kind) in enumerate(rows)
    )
    requests = tuple(sorted(requests, key=lambda r: r.arrival))
    engine = Engine(TINY, blocks, 8, 4, 100, span)
    outcome = played(Scenario((engine,), requests, until=SECOND), Always(last_first))
    assert not outcome.refusals and not outcome.starved and not outcome.rejected
