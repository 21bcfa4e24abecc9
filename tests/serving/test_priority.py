"""The task ``serving-priority``: when a policy is asked, what its order does, what it sees, and what runs in vLLM."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_support import TINY, Bench, Policy, arriving, entries

from discovery.plugins.rendering import render_text
from evaluators.registry import load
from evaluators.serving.core.calls import Request
from evaluators.serving.core.simulation import Engine, played
from evaluators.serving.core.views import StepView
from evaluators.serving.episode.problem import decode
from evaluators.serving.episode.workload import instance, objective
from evaluators.serving.priority.hosts import HERE as HOSTS
from evaluators.serving.priority.instances import LARGEST, limits, problem
from evaluators.serving.priority.simulator import Ranking, ordered
from evaluators.task import Instance, InvalidAnswer, aggregate

BENCH = Bench("serving-priority")
TASK = BENCH.task
run, baseline, seen = BENCH.run, BENCH.rule, BENCH.views
judge, replayed = BENCH.referee.judge, BENCH.referee.replayed
LIMITS = (objective(9e-6, 4e-6), objective(30e-6, 4e-6), objective(90e-6, 4e-6))
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 90), st.integers(1, 40), st.integers(0, 2)),
    min_size=1,
    max_size=20,
)
ENGINES = st.builds(
    partial(Engine, TINY), st.integers(9, 40), st.just(16), st.integers(1, 12), st.integers(20, 200)
)
"""A prompt and its output fit into nine blocks of 16."""
WIDE = Engine(TINY, 40, 16, 8, 200)


def small(rows: list[tuple[int, int, int, int]], engine: Engine) -> Instance:
    """Rows are the gap before a call, µs, its prompt, output and class."""
    return instance("one", "mine", problem(engine, arriving(rows), LIMITS), 0.001)


def chance(seed: int) -> Policy:
    draw = np.random.default_rng(seed)
    return lambda age, *_: draw.random(len(age))


# -- event logs and their referee -------------------------------------------------------------------------------------


class Same:
    """A policy of numbers, on the core itself."""

    def __init__(self, policy: Policy) -> None:
        self.policy, self.desk = policy, Ranking()

    def step(self, view: StepView) -> Any:
        if not self.desk.decides(view):
            return ordered(view, range(len(view.instance.waiting)))
        return ordered(view, np.argsort(-self.policy(view.instance.waiting), kind="stable").tolist())


@given(rows=ROWS, engine=ENGINES, seed=st.integers(0, 99))
@settings(max_examples=30)
def test_a_log_is_what_happened(rows: Any, engine: Engine, seed: int) -> None:
    """Under a policy that decides by chance the replay of the log ends as the simulation did, no plan is refused, and
    nobody waits for ever."""
    one = small(rows, engine)
    outcome = replayed(decode(one.payload), run(one, chance(seed)))
    assert not outcome.refusals and outcome.starved == outcome.rejected == 0
    again = played(decode(one.payload).scenario, Same(chance(seed)))
    assert [(c.first, c.worst, c.ended) for c in again.calls] == [
        (c.first, c.worst, c.ended) for c in outcome.calls
    ]


def test_logs_that_cannot_be() -> None:
    one = small([(0, 30, 2, 0)] * 4, Engine(TINY, 12, 16, 2, 100))
    log = run(one, lambda age, *_: np.arange(len(age)))
    assert entries(log) == [[4, 0], [3, 0], [0, 0], [2, 0], [1, 0]], "there are two places"

    def changed(row: int, *pair: int) -> bytes:
        rows = np.frombuffer(log, "<u2").reshape(-1, 2).copy()
        rows[row] = pair
        return rows.tobytes()

    for other, reason in (
        (changed(0, 9, 0), "names call 9, which does not wait then"),
        (changed(0, 4, 1), "for which there is no room"),
        (changed(2, 2, 0), "for which there is no room"),
        (changed(1, 4, 0), "one twice|no room"),
        (changed(-1, 1, 0), "goes on after the last decision"),
        (log[:-4], f"has {len(log) - 4} bytes; expected {len(log)}"),
    ):
        with pytest.raises(InvalidAnswer, match=reason):
            judge(one, other)


# -- what an order does -----------------------------------------------------------------------------------------------


def test_the_highest_is_first_and_of_equal_ones_the_first_of_the_queue() -> None:
    one = small([(0, 40, 1, 0), (0, 30, 1, 0), (0, 20, 1, 0)], Engine(TINY, 40, 16, 1, 200))
    begun = lambda policy: [n for n, _ in entries(run(one, policy)) if n]  # noqa: E731
    assert begun(lambda _, prompt, *__: prompt) == [1, 2], "the last one is alone"
    assert begun(lambda _, prompt, *__: -prompt) == [3, 2]
    assert begun(lambda age, *_: np.zeros(len(age))) == [1, 2]
    assert begun(lambda age, *_: np.where(np.arange(len(age)) == 0, -0.0, 0.0)) == [1, 2]


def test_one_that_does_not_fit_makes_those_behind_it_wait() -> None:
    """A prompt of 90 takes six of twelve blocks; of the next two the long one fits only when the first has ended."""
    rows = [(0, 90, 9, 0), (0, 110, 2, 0), (0, 10, 2, 0)]
    engine = Engine(TINY, 12, 16, 8, 240)
    queue = lambda age, *_: -np.arange(len(age))  # noqa: E731
    log = entries(run(small(rows, engine), queue))
    assert log[:2] == [[1, 0], [0, 0]] and [2, 0] in log and log.index([2, 0]) > 2
    assert entries(run(small(rows, engine), lambda _, prompt, *__: -prompt))[:2] == [[3, 0], [1, 0]]


def test_a_decision_that_lets_none_begin_is_kept() -> None:
    """The long one is next and has to wait, though a short one would fit; the replay waits as well."""
    one = small([(0, 10, 2, 0), (0, 110, 9, 0), (0, 90, 2, 0)], Engine(TINY, 12, 16, 8, 240))
    log = run(one, lambda _, prompt, *__: prompt)
    begun = [n for n, _ in entries(log) if n]
    assert begun[:2] == [2, 3] and entries(log)[1:3] == [[0, 0], [0, 0]]
    ended = [c.ended for c in replayed(decode(one.payload), log).calls]
    assert ended[0] > ended[1], "the first call came before all others, and begins after the second has ended"


def test_with_a_full_log_calls_are_served_as_they_came() -> None:
    one = small([(0, 40, 9, 0)] * 9, Engine(TINY, 9, 16, 2, 200))
    short = instance("one", "mine", replace(decode(one.payload), entries=4), 0.001)
    log = run(short, lambda age, *_: np.arange(len(age)))
    assert [n for n, _ in entries(log) if n] == [9, 8], "the policy is asked no more"
    outcome = replayed(decode(short.payload), log)
    rest = [c.first for c in outcome.calls[:7]]
    assert outcome.starved == 0 and rest == sorted(rest)


def test_nobody_is_asked_for_one_call_or_without_room() -> None:
    assert seen(small([(0, 40, 3, 0), (30, 40, 3, 0)], WIDE), chance(1)) == []
    views = seen(small([(0, 150, 1, 0)] * 3, Engine(TINY, 40, 16, 8, 60)), chance(1))
    assert [len(v["age"]) for v in views] == [3, 2], "the third iteration of a prompt has room"
    assert seen(small([(0, 90, 9, 0), (1, 90, 2, 0), (0, 90, 2, 0)], Engine(TINY, 9, 16, 8, 200)), chance(1))
    views = seen(small([(0, 90, 9, 0), (1, 90, 2, 0), (0, 90, 2, 0)], Engine(TINY, 9, 16, 8, 200)), chance(1))
    assert len(views) == 1, "neither of the others fits beside the first"
    late = [(0, 150, 1, 0), (1, 40, 1, 0), (0, 40, 1, 0)]
    one = small(late, Engine(TINY, 12, 16, 8, 60))
    (only,) = seen(one, chance(1))
    first = replayed(decode(one.payload), run(one, chance(1))).calls[0]
    assert only["age"][0] == pytest.approx(first.ended * 1e-12 - 1e-6), "what the first will need is not free"


# -- what a policy sees -----------------------------------------------------------------------------------------------


def test_views_tell_what_vllm_knows_of_a_request() -> None:
    one = small([(0, 40, 3, 2), (1, 30, 9, 0), (1, 20, 1, 1)], Engine(TINY, 12, 16, 1, 60))
    (only,) = seen(one, chance(1))
    requests = decode(one.payload).scenario.requests
    assert only["prompt"] == [30, 20] and only["priority"] == [0, 1] and only["generated"] == [0, 0]
    assert only["most"] == [requests[1].hint, requests[2].hint] and only["preemptions"] == [0, 0]
    assert only["age"][0] - only["age"][1] == pytest.approx(1e-6)
    outcome = replayed(decode(one.payload), run(one, chance(1)))
    assert only["age"][0] == pytest.approx(outcome.calls[0].ended * 1e-12 - 1e-6)


def test_calls_that_lost_their_cache_tell_so() -> None:
    views = seen(
        small([(0, 40, 30, 0)] * 5, Engine(TINY, 9, 16, 3, 200)), lambda age, *_: -np.arange(len(age))
    )
    lost = next(v for v in views if max(v["preemptions"]))
    assert lost["preemptions"][0] == 1 and lost["generated"][0] > 0 and lost["prompt"][0] == 40
    assert lost["preemptions"] == sorted(lost["preemptions"], reverse=True), "they stand before the others"


@given(rows=ROWS, engine=ENGINES, later=ROWS)
@settings(max_examples=12)
def test_no_view_depends_on_calls_that_have_not_come(rows: Any, engine: Engine, later: Any) -> None:
    def views(work: Any) -> list[dict[str, Any]]:
        found = seen(small(work, engine), lambda age, prompt, *_: age * 1e6 - prompt)
        return [{k: v for k, v in one.items() if k != "most"} for one in found]

    last = sum(gap for gap, *_ in rows[1:])
    once, again = views(rows), views([*rows, (200, 9, 3, 0), *later])
    oldest = [max(v["age"]) for v in once]
    before = [v for v, age in zip(once, oldest, strict=True) if age < 1e-6 * (200 - last)]
    assert before == again[: len(before)] or not before


@given(outputs=st.lists(st.integers(1, 5000), min_size=1, max_size=60), seed=st.integers(0, 99))
def test_nobody_is_promised_less_than_comes(outputs: list[int], seed: int) -> None:
    calls = [Request(str(n), 0, 9, output) for n, output in enumerate(outputs)]
    found = limits(calls, seed)
    assert all(limit >= call.output for limit, call in zip(found, calls, strict=True))
    assert all(limit & (limit - 1) == 0 and limit >= 16 for limit in found)
    assert max(found) <= LARGEST or max(outputs) > LARGEST


def test_half_of_the_senders_are_careful() -> None:
    found = limits([Request("", 0, 9, 20)] * 4000, 1)
    careful = [limit for limit in found if limit < LARGEST]
    assert 0.45 < len(careful) / len(found) < 0.55 and set(careful) == {32, 64, 128}


# -- the task ---------------------------------------------------------------------------------------------------------


def test_own_traces_have_one_class_and_the_whole_cache(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,900,20\n0.25,300,1300\n")
    (only,) = load("serving-priority", {"ttft": "3"}).read(path).instances
    decoded = decode(only.payload)
    assert decoded.engine.blocks == 7353 and {r.kind for r in decoded.scenario.requests} == {0}
    assert max(r.hint for r in decoded.scenario.requests) == 2048
    assert decoded.objectives == (objective(3.0, 0.5),) and only.reference == 4


def test_shipped_scores_come_out_again() -> None:
    shipped = TASK.shipped_scores()
    assert set(shipped) == set(TASK.baselines())
    search = TASK.instances("search").instances
    found = [judge(i, run(i, baseline("deadline"))).score for i in search]
    assert aggregate(search, found) == pytest.approx(shipped["deadline"].published["search"])


def test_policies_that_know_nothing_are_far_from_the_best() -> None:
    """And one that knows the lengths is beyond all: a decision is left."""
    shipped = TASK.shipped_scores()
    best = {
        n: max([s.published["gate"], *([s.tuned["gate"]] if s.tuned else [])]) for n, s in shipped.items()
    }
    known = {n: v for n, v in best.items() if n != "clairvoyant"}
    top = max(known.values())
    assert max(best[n] for n in ("random", "vllm-fcfs")) < top - 15 and best["newest-first"] < top - 6
    assert best["clairvoyant"] > top + 5


# -- in vLLM ----------------------------------------------------------------------------------------------------------

VLLM = {
    "vllm/__init__.py": "__version__ = '0.32.0'\n",
    "vllm/v1/__init__.py": "",
    "vllm/v1/core/__init__.py": "",
    "vllm/v1/core/sched/__init__.py": "",
    "vllm/v1/core/sched/request_queue.py": "from collections import deque\nclass FCFSRequestQueue(deque): ...\n",
    "vllm/v1/core/sched/scheduler.py": """
from .request_queue import FCFSRequestQueue
class Scheduler:
    def __init__(self, vllm_config): self.waiting = getattr(vllm_config, "queue", FCFSRequestQueue)()
    def schedule(self, throttle_prefills=False): return [r.request_id for r in self.waiting]
""",
    "vllm/v1/core/sched/async_scheduler.py": "from .scheduler import Scheduler\nclass AsyncScheduler(Scheduler): ...\n",
}
"""As much of vLLM 0.32 as the adapter touches; `make test-vllm` is the test with the real one."""
DRIVER = """
import json, sys, time
from types import SimpleNamespace as S
from winner.vllm_scheduler import RankedScheduler
from vllm.v1.core.sched.async_scheduler import AsyncScheduler

now = time.time()
def request(id_, prompt, age=1.0, lost=0, priority=0):
    return S(request_id=id_, num_prompt_tokens=prompt, num_output_tokens=0, max_tokens=9, priority=priority,
             num_preemptions=lost, arrival_time=now - age)
def config(**more): return S(scheduler_config=S(async_scheduling=more.pop("later", False)), **more)

one = RankedScheduler(vllm_config=config())
one.waiting.extend([request("a", 30), request("b", 10), request("c", 20, age=5), request("d", 20),
                    request("e", 20, age=0.5, lost=1)])
told = {"order": one.schedule(), "again": one.schedule(throttle_prefills=True)}
one.waiting.append(request("bad", 13)); told["failed"] = one.schedule(); told["after"] = one.schedule()
told["async"] = isinstance(RankedScheduler(config(later=True)), AsyncScheduler), isinstance(one, AsyncScheduler)
try: RankedScheduler(config(queue=list))
except ValueError as error: told["refused"] = str(error)
print(json.dumps(told))
"""


def test_vllms_queue_is_in_the_order_of_the_winner(tmp_path: Path) -> None:
    """A policy that fails, or a queue that is not vLLM's, ends neither the server nor the order of arrival."""
    for name, text in VLLM.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    package = tmp_path / "winner"
    package.mkdir()
    (package / "__init__.py").write_text(
        "def rank(age, prompt, generated, most, priority, preemptions):\n"
        "    if 13 in prompt: raise RuntimeError('unlucky')\n    return -prompt\n"
    )
    adapter = (HOSTS / "vllm_scheduler.py.j2").read_text()
    (package / "vllm_scheduler.py").write_text(
        render_text(adapter, package="winner", function="rank", arguments=BENCH.names)
    )
    ended = subprocess.run(
        [sys.executable, "-c", DRIVER],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["order"] == told["again"] == ["b", "e", "c", "d", "a"], "of equal ones as in the simulator"
    assert told["failed"] == told["after"] == ["b", "e", "c", "d", "a", "bad"]
    assert ended.stderr.count("RuntimeError: unlucky") == 1 and "served as they come" in ended.stderr
    assert told["async"] == [True, False] and "of the scheduling policy fcfs" in told["refused"]


@pytest.fixture
def client() -> Callable[[str], Any]:
    def made(rank: str) -> Any:
        text = (
            (HOSTS / "vllm_client.py.j2").read_text().replace("from . import {{ function }}\n", rank + "\n")
        )
        names: dict[str, Any] = {"__name__": "client"}
        code = compile(
            render_text(text, package="winner", function="rank", arguments=BENCH.names), "client", "exec"
        )
        exec(code, names)  # noqa: S102
        return SimpleNamespace(**names)

    return made


def test_priorities_of_requests_give_the_order_of_a_rule_that_ages_all_alike(
    client: Callable[[str], Any],
) -> None:
    head = "def rank(age, prompt, generated, most, priority, preemptions): return "
    made = client(head + "age - np.array([2.0, 8.0, 30.0])[priority] - 1e-3 * prompt")
    rows = [(900, 0, 3.0), (100, 1, 0.5), (100, 0, 9.0), (4000, 0, 0.0), (50, 2, 1.0), (900, 0, 3.5)]
    numbers = [made.priority(prompt, 200, kind, made.STARTED + sent) for prompt, kind, sent in rows]
    due = [sent + (2.0, 8.0, 30.0)[kind] + 1e-3 * prompt for prompt, kind, sent in rows]
    assert np.argsort(numbers).tolist() == np.argsort(due).tolist()
    assert all(type(n) is int for n in numbers)
    huge = client(head + "1e300 * prompt")
    assert huge.priority(9, 9) == -(2**62)
    for wrong in ((0, 9), (9, 0), (9, 9, 3)):
        with pytest.raises(ValueError, match="expected at least one token"):
            made.priority(*wrong)
    with pytest.raises(ValueError, match="gives no number"):
        client(head + "age * np.nan").priority(9, 9)
