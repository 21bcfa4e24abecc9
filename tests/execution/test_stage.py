# ruff: noqa: ARG002 - sandboxes that play a script ignore most of what they are given
"""One stage with a sandbox that plays a script: verdicts on time, retakes, and what is counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from toy.task import Knapsack

from discovery.execution.base import StageJob
from discovery.execution.stage import doubtful, run_stage, settle, unsettled
from discovery.sandbox.base import Answer, CandidateFailure, Closing, SandboxUnavailable
from evaluators.task import InstanceSet

TASK = Knapsack({})
SET = InstanceSet("four", TASK.instances("search").instances[:4])
LIMIT = SET.instances[0].limit
"""Of every call, s."""


@dataclass
class Played:
    """A sandbox whose calls take the given times and pack nothing; a text in place of a time fails."""

    times: Sequence[float | str]
    closing: CandidateFailure | None = None
    payloads: list[bytes] = field(default_factory=list)
    counted: list[int] = field(default_factory=list)
    """In how many calls of each session lines are counted."""
    isolated: bool = True
    layers: Mapping[str, object] = field(default_factory=dict)

    def session(
        self, code: str, function: str, parameters: Mapping[str, float | int | str], *, counted: int = 0
    ) -> Played:
        self.counted.append(counted)
        assert (code, function, dict(parameters)) == ("code", "rank", {})
        return self

    def close(self) -> None: ...
    def __enter__(self) -> Played:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def call(self, payload: bytes, answer_bytes: int, limit: float) -> Answer:
        time = self.times[len(self.payloads)]
        self.payloads.append(payload)
        if isinstance(time, str):
            raise CandidateFailure("error", time, 0.01)
        return Answer(bytes(answer_bytes), time)

    def finish(self) -> Closing:
        if self.closing is not None:
            raise self.closing
        return Closing(b"said", 0.1, 1000, 77)


JOB = StageJob("code", SET, {})


def test_times_are_those_of_the_sandbox() -> None:
    result = run_stage(Played([0.01, 0.02, 0.03, 0.04]), TASK, JOB)
    assert (result.outcome, result.cpu, result.output) == ("scored", (0.01, 0.02, 0.03, 0.04), b"said")
    assert result.scores == (0.0,) * 4 and result.answers == (bytes(10),) * 4 and not result.marginal


def test_a_confirmation_goes_backwards_and_is_given_forwards() -> None:
    played = Played([0.04, 0.03, 0.02, 0.01])
    result = run_stage(played, TASK, replace(JOB, confirm=True))
    assert played.payloads == [i.payload for i in reversed(SET.instances)]
    assert result.cpu == (0.01, 0.02, 0.03, 0.04)


def test_only_what_is_not_stored_is_released() -> None:
    played = Played([0.01, 0.01])
    assert len(run_stage(played, TASK, replace(JOB, prior=(1.0, 2.0))).scores) == 2
    assert played.payloads == [i.payload for i in SET.instances[2:]]


def test_nothing_is_released_after_a_failure_or_a_stop() -> None:
    played = Played([0.01, "boom", 0.01, 0.01])
    result = run_stage(played, TASK, JOB)
    assert (result.outcome, result.reason, len(result.scores), len(played.payloads)) == (
        "error",
        "boom",
        1,
        2,
    )
    assert result.cpu == (0.01, 0.01), "the time of the call that failed"

    class Stop:
        def stop(self, scores: Sequence[float], total: int) -> bool:
            assert total == 4
            return len(scores) == 3

    played = Played([0.01] * 4)
    assert run_stage(played, TASK, replace(JOB, prior=(5.0,), watch=Stop())).outcome == "stopped"
    assert len(played.payloads) == 2


def test_a_bad_end_spoils_all() -> None:
    result = run_stage(Played([0.01] * 4, CandidateFailure("rejected", "extra bytes")), TASK, JOB)
    assert (result.outcome, result.reason) == ("rejected", "extra bytes")


def test_a_refused_answer_names_the_instance() -> None:
    class Greedy(Played):
        def call(self, payload: bytes, answer_bytes: int, limit: float) -> Answer:
            return Answer(np.ones(answer_bytes, np.uint8).tobytes(), 0.01)

    result = run_stage(Greedy([]), TASK, JOB)
    assert result.outcome == "rejected" and result.reason.startswith(
        f"instance {SET.instances[0].id}: the items need"
    )
    easy = InstanceSet("low", tuple(replace(i, reference=-1.0) for i in SET))
    result = run_stage(Played([0.01] * 4), TASK, replace(JOB, instances=easy))
    assert result.outcome == "quarantined" and "proved optimum" in result.reason


def test_a_machine_that_cannot_isolate_is_no_result() -> None:
    class Broken(Played):
        def call(self, payload: bytes, answer_bytes: int, limit: float) -> Answer:
            raise SandboxUnavailable("no")

    with pytest.raises(SandboxUnavailable):
        run_stage(Broken([]), TASK, JOB)


# -- times near the limit --


@pytest.mark.parametrize(
    ("times", "again"),
    [
        ([0.1, 0.2, 0.3, 0.4], ()),
        ([0.1, 0.5, 0.3, 0.4], ()),
        ([0.1, 0.6, 0.9, 0.7], (2,)),
        ([0.1, 1.0, 0.9, 0.7], (1,)),
        ([1.1, 0.6, 1.9, 0.7], (0, 2)),
        ([2.5, 0.1, 0.1, 0.1], (0,)),
    ],
)
def test_what_is_taken_again(times: list[float], again: tuple[int, ...]) -> None:
    """In limits: all calls beyond the limit, else the slowest if it is beyond half."""
    result = run_stage(Played([t * LIMIT for t in times]), TASK, JOB)
    assert doubtful(JOB, result) == again


def test_a_clear_verdict_is_not_taken_again() -> None:
    result = run_stage(Played([0.9 * LIMIT, "boom"]), TASK, JOB)
    assert doubtful(JOB, result) == ()
    assert settle(Played([]), TASK, JOB, result) is result


def test_stored_instances_shift_the_positions() -> None:
    job = replace(JOB, prior=(1.0, 2.0))
    result = run_stage(Played([0.1 * LIMIT, 1.5 * LIMIT]), TASK, job)
    again = Played([1.4 * LIMIT, 0.2 * LIMIT])
    settled = settle(again, TASK, job, result)
    assert again.payloads == [i.payload for i in SET.instances[2:]]
    assert settled.outcome == "scored" and settled.marginal and settled.cpu == (0.1 * LIMIT, 0.2 * LIMIT)


def test_the_second_measurement_decides() -> None:
    slow = run_stage(Played([t * LIMIT for t in (0.1, 1.5, 0.1, 1.2)]), TASK, JOB)
    fine = settle(Played([t * LIMIT for t in (0.2, 0.8, 0.3, 0.9)]), TASK, JOB, slow)
    assert fine.outcome == "scored" and fine.marginal and fine.scores == slow.scores
    assert fine.cpu == tuple(t * LIMIT for t in (0.1, 0.8, 0.1, 0.9))
    late = settle(Played([t * LIMIT for t in (0.2, 0.8, 0.3, 1.1)]), TASK, JOB, slow)
    assert late.outcome == "timeout" and late.marginal
    assert late.reason.startswith(f"instance {SET.instances[3].id} (size 10) took 0.275 s")
    killed = settle(Played(["killed at twice the limit"]), TASK, JOB, slow)
    assert (killed.outcome, killed.reason, killed.marginal) == ("error", "killed at twice the limit", True)


def test_below_the_limit_a_slower_retake_is_a_timeout_too() -> None:
    near = run_stage(Played([t * LIMIT for t in (0.1, 0.7, 0.1, 0.1)]), TASK, JOB)
    assert settle(Played([0.1, 1.01 * LIMIT]), TASK, JOB, near).outcome == "timeout"
    assert settle(Played([0.1, 1.0 * LIMIT]), TASK, JOB, near).outcome == "scored"


def test_code_that_is_slow_in_a_later_call_is_slow_again() -> None:
    """The calls before the doubtful one are made again, with the screen: what a call takes may depend on them."""
    times = [t * LIMIT for t in (0.1, 0.1, 0.1, 0.1, 1.5, 0.1)]
    first = run_stage(Played(times), TASK, BOTH)
    assert first.outcome == "scored" and doubtful(BOTH, first) == (2,)
    again = Played(times)
    assert settle(again, TASK, BOTH, first).outcome == "timeout"
    assert again.payloads == [i.payload for i in (*SCREEN, *SET.instances[:3])]


def test_a_confirmation_takes_the_right_instance_again() -> None:
    """Its times come back in the set's order, so positions mean the same."""
    job = replace(JOB, confirm=True)
    result = run_stage(Played([t * LIMIT for t in (1.5, 0.1, 0.1, 0.1)]), TASK, job)
    again = Played([0.3 * LIMIT])
    assert settle(again, TASK, job, result).outcome == "scored"
    assert again.payloads == [SET.instances[3].payload]
    later = run_stage(Played([t * LIMIT for t in (0.1, 0.1, 1.5, 0.1)]), TASK, job)
    again = Played([t * LIMIT for t in (0.1, 0.1, 0.3)])
    settled = settle(again, TASK, job, later)
    assert settled.outcome == "scored" and settled.cpu == tuple(t * LIMIT for t in (0.1, 0.3, 0.1, 0.1))
    assert again.payloads == [SET.instances[k].payload for k in (3, 2, 1)]


def test_the_runs_own_limit_flags() -> None:
    played = [t * LIMIT for t in (0.1, 0.2, 0.1, 0.1)]
    assert run_stage(Played(played), TASK, replace(JOB, call_limits={10: 0.15 * LIMIT})).slow
    assert not run_stage(Played(played), TASK, replace(JOB, call_limits={10: 0.25 * LIMIT})).slow
    assert not run_stage(Played(played), TASK, replace(JOB, call_limits={99: 0.0})).slow


# -- the screen in the same child --

SCREEN = InstanceSet("two", TASK.instances("screen").instances[:2])
BOTH = replace(JOB, screen=SCREEN)


def test_the_screen_goes_first_and_does_not_count() -> None:
    played = Played([0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    result = run_stage(played, TASK, BOTH)
    assert played.payloads == [i.payload for i in (*SCREEN, *SET)]
    assert (result.outcome, result.cpu, result.output) == ("scored", (0.03, 0.04, 0.05, 0.06), b"said")
    assert len(result.scores) == 4 and result.passed
    assert result.screen is not None and result.screen.cpu == (0.01, 0.02)


def test_a_failed_screen_is_all_there_is() -> None:
    played = Played([0.01, "boom", 0.01, 0.01])
    result = run_stage(played, TASK, BOTH)
    assert len(played.payloads) == 2 and not result.passed
    assert (result.outcome, result.reason, result.scores) == ("error", "boom", ())
    assert result.screen is not None and len(result.screen.scores) == 1
    bad_end = run_stage(Played([0.01] * 6, CandidateFailure("rejected", "extra")), TASK, BOTH)
    assert bad_end.passed and (bad_end.outcome, bad_end.reason) == ("rejected", "extra")


def test_a_watch_never_sees_the_screen() -> None:
    class Never:
        def stop(self, scores: Sequence[float], total: int) -> bool:
            assert total == 4
            return len(scores) == 1

    stopped = run_stage(Played([0.01] * 6), TASK, replace(BOTH, watch=Never()))
    assert stopped.passed and stopped.outcome == "stopped" and len(stopped.scores) == 1


def test_a_doubtful_screen_is_settled_first() -> None:
    """Also where the search has failed in the meantime: what comes first decides."""
    for rest in ([0.1 * LIMIT] * 4, ["boom"]):
        doubt = run_stage(Played([0.1 * LIMIT, 1.5 * LIMIT, *rest]), TASK, BOTH)
        assert unsettled(BOTH, doubt)
        again = Played([0.1 * LIMIT, 1.1 * LIMIT])
        late = settle(again, TASK, BOTH, doubt)
        assert again.payloads == [i.payload for i in SCREEN]
        assert (late.outcome, late.passed, late.scores) == ("timeout", False, ())
        assert late.screen is not None and late.screen.marginal
        fine = settle(Played([0.1 * LIMIT, 0.2 * LIMIT]), TASK, BOTH, doubt)
        assert fine.passed and fine.outcome == doubt.outcome and not fine.marginal
    assert not unsettled(BOTH, run_stage(Played([0.1 * LIMIT] * 6), TASK, BOTH))


def test_screen_and_search_may_both_be_doubtful() -> None:
    doubt = run_stage(Played([t * LIMIT for t in (1.2, 0.1, 0.1, 1.3, 0.1, 0.1)]), TASK, BOTH)

    again = Played([t * LIMIT for t in (0.3, 0.1, 0.1, 0.4)])
    settled = settle(again, TASK, BOTH, doubt)
    assert again.payloads == [i.payload for i in (*SCREEN, *SET.instances[:2])]
    assert settled.outcome == "scored" and settled.marginal
    assert settled.cpu == tuple(t * LIMIT for t in (0.1, 0.4, 0.1, 0.1))


@pytest.mark.parametrize("counted", [False, True])
def test_lines_are_counted_on_the_screen_alone(counted: bool) -> None:
    screen = replace(SET, instances=SET.instances[:2])
    for job, calls in (
        (replace(JOB, screen=screen, counted=counted), 2),
        (replace(JOB, counted=counted), len(SET)),
    ):
        played = Played([0.01] * (len(SET) + 2))
        result = run_stage(played, TASK, job)
        assert result.outcome == "scored" and played.counted == [calls if counted else 0]
        assert result.lines == (77 if counted else None)
