"""The task ``serving-prefix``: which call begins, what a policy sees of shared prefixes, event logs and their referee,
and what BatchLLM found."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving_support import TINY, Bench, Policy, arriving

from discovery.cli.main import main
from evaluators.registry import load
from evaluators.serving.core.calls import DONE
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.simulation import Engine
from evaluators.serving.episode.problem import decode
from evaluators.serving.episode.specs import Spec
from evaluators.serving.episode.workload import instance, objective
from evaluators.serving.prefix import batches, clairvoyant
from evaluators.serving.prefix.instances import make, problem
from evaluators.task import Instance, InvalidAnswer

BENCH = Bench("serving-prefix")
TASK = BENCH.task
run, baseline = BENCH.run, BENCH.rule
REFEREE = BENCH.referee
Row = tuple[int, int, int, tuple[int, ...]]
LIMITS = (objective(1e-3, 1e-3),)
CHAINS = st.lists(st.integers(0, 2), max_size=5)
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 90), st.integers(1, 40), CHAINS), min_size=1, max_size=20
)
ENGINES = st.builds(
    partial(Engine, TINY, span=1), st.integers(10, 40), st.just(16), st.integers(2, 12), st.just(600)
)
"""A prompt and its output fit into nine blocks of 16, each of which is a span."""


def small(rows: Any, engine: Engine) -> Instance:
    """Rows are the gap before a call, µs, its prompt, its output and its path in a tree of prefixes, which has three
    branches at each span; the id of a span is its whole path."""
    calls = tuple(
        replace(call, prefix=paths(path)[: call.prompt // (16 * engine.span)])
        for call, (*_, path) in zip(arriving([row[:3] for row in rows]), rows, strict=True)
    )
    return instance("one", "mine", problem(engine, calls, LIMITS), 0.001)


def paths(path: Any) -> tuple[int, ...]:
    return tuple(accumulate(path, lambda above, branch: 4 * above + branch + 1, initial=0))[1:]


def chance(seed: int) -> Policy:
    draw = np.random.default_rng(seed)
    return lambda left, *_: draw.integers(-3, 3, len(left)) + 0.5


def views(one: Instance, policy: Policy | None = None) -> list[dict[str, Any]]:
    """What a policy was shown."""
    return BENCH.views(one, policy or (lambda left, *_: np.zeros(len(left))))


def begun(log: bytes) -> list[list[int]]:
    """The calls, from 1, that began after each decision; [] where none could."""
    found: list[list[int]] = [[]]
    for number, other in np.frombuffer(log, "<u2").reshape(-1, 2).tolist():
        if number:
            found[-1].append(number)
        elif not other:
            found.append([])
    while found and not found[-1]:
        found.pop()
    return found


# -- event logs and their referee -------------------------------------------------------------------------------------


@given(rows=ROWS, engine=ENGINES, seed=st.integers(0, 99))
@settings(max_examples=30)
def test_a_log_is_what_happened(rows: Any, engine: Engine, seed: int) -> None:
    """Under a policy that decides by chance everything ends, no plan is refused, and calls begin as the log says."""
    one = small(rows, engine)
    log = run(one, chance(seed))
    outcome = REFEREE.replayed(decode(one.payload), log)
    assert not outcome.refusals and outcome.starved == outcome.rejected == 0
    entered = {c.number + 1: c.entered for c in outcome.calls if not c.preempted}
    times = [entered[n] for group in begun(log) for n in group if n in entered]
    assert times == sorted(times)


def test_logs_that_cannot_be() -> None:
    one = small([(0, 300, 2, ()), (0, 300, 2, ()), (0, 300, 2, ())], Engine(TINY, 60, 16, 8, 600, span=1))
    log = run(one, baseline("trivial"))
    rows = np.frombuffer(log, "<u2").reshape(-1, 2)
    assert rows[:3].tolist() == [[1, 0], [2, 0], [0, 0]]

    def changed(*entries: tuple[int, int]) -> bytes:
        found = np.zeros_like(rows)
        found[: len(entries)] = entries
        return found.tobytes()

    late = rows.copy()
    late[-1, 0] = 1
    for wrong, reason in (
        (changed((4, 0), (0, 0)), "names call 4, which does not wait then"),
        (changed((1, 0), (2, 0), (3, 0), (0, 0)), "lets a call begin for which there is no room"),
        (late.tobytes(), "goes on after the last decision"),
        (log[:-4], f"has {len(log) - 4} bytes; expected {len(log)}"),
    ):
        with pytest.raises(InvalidAnswer, match=reason):
            REFEREE.judge(one, wrong)


def test_a_log_that_is_full_leaves_the_queue_as_it_stands() -> None:
    served = decode(small([(0, 300, 2, ())] * 6, Engine(TINY, 200, 16, 8, 600, span=1)).payload)
    short = instance("one", "mine", type(served)(served.scenario, served.objectives, 3), 0.001)
    last = lambda left, *_: np.arange(len(left))  # noqa: E731
    outcome = REFEREE.replayed(decode(short.payload), run(short, last))
    assert [c.number for c in sorted(outcome.calls, key=lambda c: c.entered)] == [4, 5, 0, 1, 2, 3]
    assert all(c.state == DONE for c in outcome.calls)


# -- which call begins ------------------------------------------------------------------------------------------------


def test_the_highest_begins_while_there_is_room_and_what_does_not_fit_stops_the_rest() -> None:
    rows: list[Row] = [(0, 200, 9, ()), (0, 400, 9, ()), (0, 300, 9, ()), (0, 100, 9, ())]
    numbers = {4: [1.0, 3.0, 2.0, 0.0]}
    policy = lambda left, *_: np.array(numbers.get(len(left), [0.0] * len(left)))  # noqa: E731
    wide = Engine(TINY, 200, 16, 8, 600, span=1)
    assert begun(run(small(rows, wide), policy))[0] == [2, 3], (
        "512 tokens: the second whole, of the third a part"
    )
    two = Engine(TINY, 200, 16, 1, 600, span=1)
    assert begun(run(small(rows, two), policy))[0] == [2], "places"
    narrow = Engine(TINY, 40, 16, 8, 600, span=1)
    assert begun(run(small(rows, narrow), policy))[0] == [2], "of 40 blocks 25 are taken, the next takes 19"
    assert [] in begun(run(small(rows, narrow), lambda left, *_: left)), "and nobody overtakes it"


def test_a_call_that_is_alone_is_not_asked_about() -> None:
    rows: list[Row] = [(0, 300, 1, ()), (400, 300, 1, ()), (400, 300, 1, ())]
    one = small(rows, Engine(TINY, 200, 16, 8, 600, span=1))
    assert views(one) == [] and not np.frombuffer(run(one, baseline("trivial")), "<u2").any()


# -- what a policy sees -----------------------------------------------------------------------------------------------


def test_views_tell_of_prefixes() -> None:
    """Two calls of one document begin together with a third that has nothing in common with them."""
    document, other = (0, 1, 2, 0, 1, 2), (1, 1, 1)
    rows: list[Row] = [
        (0, 96 + 200, 9, document), (0, 96 + 40, 9, document), (0, 500, 9, other), (0, 48 + 60, 9, document[:3]),
        (0, 96 + 300, 9, document),
    ]  # fmt: skip
    one = small(rows, Engine(TINY, 200, 16, 8, 600, span=1))
    first, second = views(one)
    assert first["left"] == first["length"] == [296, 136, 500, 108, 396] and first["cached"] == [0] * 5
    assert first["coming"] == [0] * 5 and first["common"] == [96, 96, 0, 48, 96]
    assert first["sharing"] == [3, 3, 1, 4, 3]
    assert (first["room"], first["free"], first["capacity"], first["online"]) == (512, 3200, 3200, 0)
    # 296 + 136 tokens and 80 of the third have begun; what the fourth needs is in the cache at the end of that
    assert second["left"] == [60, 300] and second["cached"] == [48, 96] and second["coming"] == [0, 0]
    assert second["common"] == [48, 96] and second["sharing"] == [2, 1], "the common prefix is what it was"
    assert second["decoding"] == 2 and second["held"] == 296 + 136
    assert second["room"] == 512 - 2 - 420
    # the prefix once, the rest of either, and what the third takes until its prompt ends
    assert second["free"] == 16 * (200 - 6 - 13 - 3 - 32)


def test_what_is_being_computed_is_coming() -> None:
    """512 tokens of the first are computed, the rest of its twelve spans of 64 is on its way."""
    rows: list[Row] = [(0, 810, 1, (0,) * 12), (0, 800, 1, (0,) * 12), (0, 100, 1, (1,))]
    one = small(rows, Engine(TINY, 200, 16, 8, 600, span=4))
    _, shown = views(one, lambda left, *_: left.astype(float))
    assert shown["cached"] == [512, 0] and shown["coming"] == [256, 0] and shown["left"] == [288, 100]
    assert shown["room"] == 512 - 298


@given(rows=ROWS, engine=ENGINES, later=ROWS)
@settings(max_examples=12)
def test_no_view_depends_on_the_future(rows: Any, engine: Engine, later: Any) -> None:
    """Neither on calls that have not come, until one does, nor on how long a call will be, until one ends."""
    online = [*rows, (40, 9, 3, ())]
    one, last = small(online, engine), 1e-6 * sum(gap for gap, *_ in online[1:])
    once, again = views(one), views(small([*online, (50, 9, 3, (0, 1)), *later], engine))
    before = [v for v in once if v["time"] < last + 40e-6]
    assert before == again[: len(before)]
    longer = views(small([(gap, prompt, output + 1, path) for gap, prompt, output, path in online], engine))
    outcome = REFEREE.replayed(decode(one.payload), run(one, baseline("trivial")))
    end = min(c.ended for c in outcome.calls) / SECOND
    before = [v for v in once if v["time"] < end]
    assert before == longer[: len(before)]


# -- the task ---------------------------------------------------------------------------------------------------------


def test_batches_have_groups() -> None:
    trace, again, other = (batches.generate("tree", 60, seed) for seed in (3, 3, 4))
    assert trace.arrivals[0] == 0.0 and trace == again != other
    roots = {prefix[: 768 // batches.SPAN] for prefix in trace.prefixes}
    assert len(roots) == 1, "all begin with the same 768 tokens"
    counts = np.unique([prefix[8] for prefix in trace.prefixes], return_counts=True)[1]
    assert 60 / 12 <= len(counts) <= 60 / 2 and counts.max() <= 12
    for prompt, prefix in zip(trace.prompts, trace.prefixes, strict=True):
        assert len(prefix) == prompt // batches.SPAN and len(set(prefix)) == len(prefix)


def test_a_batch_counts_what_has_ended_by_its_deadline() -> None:
    one = make(Spec("documents", "llama2-l40s", 180, 40, 7))
    log, deadline = run(one, baseline("trivial")), decode(one.payload).scenario.until
    outcome, found = REFEREE.replayed(decode(one.payload), log), REFEREE.judge(one, log)
    ended = sum(c.state == DONE for c in outcome.calls)
    assert 0 < ended < 40 and outcome.end >= deadline >= max(c.ended for c in outcome.calls)
    assert found.score == pytest.approx(100 * ended / 40)
    assert found.value == pytest.approx(ended) and one.reference == 40, "calls"


MOONCAKE = "".join(
    json.dumps({"timestamp": 10 * k, "input_length": 1500, "output_length": 20, "hash_ids": [1 << 40, 8, 9 + k]}) + "\n"
    for k in range(4)
)  # fmt: skip


def test_an_own_trace_shares_what_its_hash_ids_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ids of any size; a trace of calls that all come at once is a batch whose deadline is ``ttft``."""
    monkeypatch.chdir(tmp_path)
    Path("m.jsonl").write_text(MOONCAKE)
    with pytest.raises(SystemExit, match="0"):
        main(["score", "baseline:batchllm", "--task", "serving-prefix", "--instances", "m.jsonl", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["instances"]
    assert (row["id"], row["reference"], row["reference_kind"]) == ("m", 100, "bound") and row["value"] > 0
    (only,) = TASK.read(Path("m.jsonl")).instances
    assert [v["cached"] for v in views(only)][-1] == [1024, 1024]
    Path("batch.csv").write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n3,900,20\n3,300,30\n")
    (batch,) = load("serving-prefix", {"ttft": "9"}).read(Path("batch.csv")).instances
    assert decode(batch.payload).scenario.until == 9 * SECOND and batch.reference == 2


def test_shipped_scores_bracket_what_is_left_to_decide() -> None:
    """They come out again; what knows nothing is far below the best, what knows everything above."""
    shipped = TASK.shipped_scores()
    assert set(shipped) == set(TASK.baselines())
    screen = TASK.instances("screen").instances
    assert all(0 < REFEREE.judge(i, run(i, baseline("cached-first"))).score <= 100 for i in screen)
    best = {
        n: max([s.published["gate"], *([s.tuned["gate"]] if s.tuned else [])]) for n, s in shipped.items()
    }
    known = max(v for n, v in best.items() if n != "clairvoyant")
    assert max(best["random"], best["trivial"]) < known - 15 and known < best["clairvoyant"] - 2


# -- what the papers found --------------------------------------------------------------------------------------------


def test_groups_beat_arrival_order_offline() -> None:
    """In arrival order the prefix of a group leaves the cache before its next call comes, and a call that does not fit
    holds up those behind it; grouped, a prefix is computed once and held once (Zheng et al. 2024: 1.3 to 10.8 times the
    throughput of vLLM and SGLang). Here a batch of documents takes 2.1 times as long in arrival order."""
    one = make(Spec("documents", "qwen3-a100", 10, 80, 5))
    ends = {}
    for name in ("vllm-fcfs", "batchllm"):
        calls = REFEREE.replayed(decode(one.payload), run(one, baseline(name))).calls
        assert all(c.state == DONE for c in calls)
        ends[name] = max(c.ended for c in calls)
    assert ends["vllm-fcfs"] > 1.7 * ends["batchllm"]


def test_the_clairvoyant_does_not_lose() -> None:
    one = make(Spec("documents", "llama2-l40s", 180, 30, 5))
    rules = ("batchllm", "shortest-first", "share-of-prefix")
    assert clairvoyant.score(one) >= max(REFEREE.judge(one, run(one, baseline(n))).score for n in rules)
