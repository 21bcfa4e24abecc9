"""What each call did, as a recorder takes it down, and the pictures that are made of it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from serving_support import Bench

from discovery import pictures
from evaluators.pictures import Pictured, Timeline
from evaluators.registry import BUILT_IN
from evaluators.serving.batching.instances import make
from evaluators.serving.core.calls import DONE, Request
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.simulation import Engine, Outcome, Scenario, simulate
from evaluators.serving.episode import pictures as plain
from evaluators.serving.episode.problem import decode, encode
from evaluators.serving.episode.recorder import DECODE, HOST, LINK, PREFILL, WAITING, Phase, Recorder
from evaluators.serving.episode.specs import Spec
from evaluators.serving.episode.task import LINES
from evaluators.task import Instance, InvalidAnswer

BENCH = Bench("serving")
TASK = BENCH.task
FLAT = Costs((0, *[1000] * 50), (0,) * 3, (0,) * 5, (0,) * 6, (0, 0))
"""Every iteration takes 1000 ps."""


class Doing:
    """A desk that does what a method of a subclass says."""

    idle_advice = ""

    def decides(self, _: Any) -> bool:
        return False

    def ask(self, _: Any) -> Any:
        raise AssertionError("nobody is asked")

    def answer(self, *_: Any) -> Any:
        raise AssertionError("nobody answers")

    def act(self, view: Any, _: Any) -> Any:
        return getattr(self, view.hook)(view)

    def saw(self, *_: int) -> None:
        pass

    def step(self, view: Any) -> Any:
        return [(0, view.left()[0])] if view.queue and view.places else (), (), 1

    def route(self, _: Any) -> int:
        return 0

    def hand(self, _: Any) -> int:
        return 1


def recorded(scenario: Scenario, desk: Any) -> tuple[Outcome, list[list[Phase]]]:
    recorder = Recorder(desk, [e.host > 0 for e in scenario.engines])
    run = simulate(scenario, recorder.saw)
    try:
        view = next(run)
        while True:
            view = run.send(recorder.act(view, ()))
    except StopIteration as ended:
        return ended.value, recorder.phases(ended.value)


def test_a_call_waits_while_another_holds_the_only_place() -> None:
    work = (Request("a", 0, 7, 3), Request("b", 500, 7, 1), Request("c", 600, 99, 1), Request("d", 700, 7, 9))
    outcome, phases = recorded(Scenario((Engine(FLAT, 9, 4, 1, 64),), work, until=3800), Doing())
    assert phases[0] == [(PREFILL, 0, 1000), (DECODE, 1000, 3000)], "two iterations are one phase"
    assert phases[1] == [(WAITING, 500, 3000), (PREFILL, 3000, 4000)]
    assert phases[2] == [], "refused"
    assert phases[3] == [(WAITING, 700, outcome.end)], "it never ended"


def test_a_call_is_on_the_host_between_two_decodes() -> None:
    class Swapping(Doing):
        gone = False

        def step(self, view: Any) -> Any:
            if view.sequences and view.generated()[0] == 3 and not self.gone:
                self.gone = True
                return (), (), 1, (0,), ()
            return *super().step(view), (), (0,) if view.swapped else ()

    engine = Engine(FLAT, 8, 4, 4, 64, block_bytes=100, host=8, host_bandwidth=10**12, latency=300)
    scenario = Scenario((engine,), (Request("a", 0, 7, 5),), every=True, poll=10)
    outcome, phases = recorded(scenario, Swapping())
    assert not outcome.refusals
    assert phases == [[(PREFILL, 0, 1000), (DECODE, 1000, 3000), (HOST, 3000, 4200), (DECODE, 4200, 6200)]]
    _, cut = recorded(replace(scenario, until=3500), Swapping())
    assert cut[0][-1].kind == HOST and cut[0][-1].start == 3000


def test_a_call_is_on_a_link_between_two_instances() -> None:
    engine = Engine(FLAT, 8, 4, 4, 64, block_bytes=100, network=10**12, latency=300)
    scenario = Scenario((replace(engine, prefill=True), engine), (Request("a", 0, 8, 3),))
    _, phases = recorded(scenario, Doing())
    assert phases == [[(PREFILL, 0, 1000), (LINK, 1000, 1500), (DECODE, 1500, 3500)]]


def test_a_call_that_lost_its_place_waits_again() -> None:
    class Losing(Doing):
        gone = False

        def step(self, view: Any) -> Any:
            if view.sequences and not self.gone:
                self.gone = True
                return (), (0,), 1
            return super().step(view)

    scenario = Scenario((Engine(FLAT, 9, 4, 4, 64),), (Request("a", 0, 7, 3),), every=True, poll=250)
    _, phases = recorded(scenario, Losing())
    assert phases == [
        [(PREFILL, 0, 1000), (WAITING, 1000, 1250), (PREFILL, 1250, 2250), (DECODE, 2250, 3250)]
    ]


@cache
def served(name: str) -> tuple[Instance, bytes]:
    """A small instance above saturation, and the event log of a baseline on it."""
    one = make(Spec("conv", "llama2-a100", 200, 40, 3))
    return one, BENCH.run(one, **BENCH.baseline(name))


def test_phases_are_without_a_gap_and_say_when_tokens_came() -> None:
    one, log = served("sarathi")
    outcome, phases = TASK.referee.recorded(decode(one.payload), log)
    assert any(p.kind == WAITING for own in phases for p in own)
    for call, own in zip(outcome.calls, phases, strict=True):
        assert call.state == DONE
        assert (own[0].start, own[-1].end) == (call.request.arrival, call.ended)
        assert all(a.end == b.start for a, b in pairwise(own))
        assert call.first in [p.end for p in own if p.kind == PREFILL]
        assert sum(p.end - p.start for p in own if p.kind == DECODE) >= call.ended - call.first


def test_a_timeline_is_cut_to_its_window() -> None:
    one, log = served("sarathi")
    whole = plain.timeline(TASK.referee, one, log)
    assert len(whole.lanes) == 40 and whole.title == one.id
    assert "TTFT" in whole.lanes[0].total and "longest TBT" in whole.lanes[0].total
    part = plain.timeline(TASK.referee, one, log, start=1.0, seconds=0.5)
    assert 0 < len(part.lanes) < 40 and part.end == 0.5
    assert all(0 <= s.start < s.end <= 0.5 for lane in part.lanes for s in lane.spans)
    assert whole.caption == "Each line is a call, from its arrival to its last token."
    assert part.caption.endswith("These are the 0.5 s from 1 s on.")


def test_of_many_calls_some_have_a_line() -> None:
    one, log = served("sarathi")
    whole = plain.timeline(TASK.referee, one, log)
    for most, step in ((40, 1), (39, 2), (20, 2), (14, 3), (1, 40)):
        some = plain.timeline(TASK.referee, one, log, most=most)
        assert some.lanes == whole.lanes[::step] and len(some.lanes) <= most
        assert (f"Of 40 calls one in {step} has one." in some.caption) == (step > 1)
    part = plain.timeline(TASK.referee, one, log, start=2.0, seconds=1.0, most=3)
    numbers = [int(lane.name.removeprefix("call ")) for lane in part.lanes]
    assert 0 < len(numbers) <= 3 and len({n % (numbers[1] - numbers[0]) for n in numbers}) == 1


def test_the_busiest_time_is_that_of_most_arrivals() -> None:
    one, _ = served("sarathi")
    problem = decode(one.payload)
    times = (0.0, 0.2, 30.5, 61.0, 62.0, 89.0, 90.0, 150.0)
    work = tuple(Request(str(n), round(t * SECOND), 9, 9) for n, t in enumerate(times))
    apart = encode(replace(problem, scenario=replace(problem.scenario, requests=work)))
    moved = replace(one, payload=apart)
    assert [plain.busiest(moved, seconds) for seconds in (1.0, 2.0, 60.0, 200.0)] == [0.0, 0.0, 30.0, 0.0]
    assert plain.busiest(one) == 0.0


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name.startswith("serving")])
def test_an_answer_of_every_serving_task_has_a_picture(name: str) -> None:
    bench = Bench(name)
    task = bench.task
    assert isinstance(task, Pictured)
    one = task.instances("search").instances[0]
    log = bench.run(one, **bench.baseline(task.seeds[0]))
    (chart,) = task.pictures(one, log)
    assert chart.kinds and 0 < len(chart.lanes) <= LINES and chart.end <= 60
    assert {PREFILL, DECODE} <= set(chart.lengths)
    with pytest.raises(InvalidAnswer):
        task.pictures(one, log[:-1])


def test_waits_are_those_of_all_calls() -> None:
    one, log = served("sarathi")
    first, between = plain.waits(TASK.referee, [one, one], [log, log])
    outcome = TASK.referee.replayed(decode(one.payload), log)
    assert first == 2 * [c.ttft / SECOND for c in outcome.calls]
    assert between == 2 * [c.tbt / SECOND for c in outcome.calls if c.request.output > 1]
    nothing = bytes(len(log))
    lost, _ = plain.waits(TASK.referee, [one], [nothing])
    assert lost == [math.inf] * 40


def test_every_call_is_a_line_of_the_chart() -> None:
    one, log = served("sarathi")
    timeline: Timeline = plain.timeline(TASK.referee, one, log)
    picture = pictures.gantt(timeline)
    (axes,) = picture.figure.axes
    boxes = {c.get_label(): c for c in axes.collections}
    assert {WAITING, PREFILL, DECODE} == set(boxes), "a kind that is not there has no place in the legend"
    rows = [box.vertices[0] for box in boxes[PREFILL].get_paths()]
    spans = [(s.start, n) for n, lane in enumerate(timeline.lanes) for s in lane.spans if s.kind == PREFILL]
    assert [(x, round(y + 0.5)) for x, y in rows] == [(pytest.approx(x), n) for x, n in spans]
    assert axes.yaxis_inverted() and "40 lanes: waiting" in picture.text
    assert pictures.gantt(replace(timeline, lanes=())).text.endswith("0 lanes: nothing happens")
    assert picture.png() == pictures.gantt(timeline).png()


def test_answers_of_many_lanes_are_charts_one_below_the_other() -> None:
    one, log = served("sarathi")
    _, other = served("vllm-fcfs")
    ends = {answer: TASK.pictures(one, answer)[0].end for answer in (log, other)}
    assert ends[log] < ends[other]
    picture = pictures.answers(TASK, one, {"the first": other, "the other": log})
    first, second = picture.figure.axes
    assert first.get_xlim() == second.get_xlim() == (0, ends[other])
    assert first.get_title(loc="left").startswith("the first (score ")
    assert picture.text.count("40 lanes: waiting") == 2


def test_a_call_that_waited_for_room_elsewhere_and_stayed_was_not_on_the_host() -> None:
    class Staying(Doing):
        def control(self, view: Any) -> Any:
            return [(0, False)] if view.time == 4000 else ()

    engine = Engine(FLAT, 8, 4, 4, 64, block_bytes=100, network=10**12, latency=300)
    engines = (replace(engine, prefill=True), replace(engine, cap=1))
    scenario = Scenario(engines, (Request("a", 0, 8, 9), Request("b", 0, 8, 3)), control=4000)
    _, phases = recorded(scenario, Staying())
    assert [p.kind for p in phases[1]] == [WAITING, PREFILL, LINK, DECODE]
