# ruff: noqa: ARG002 - sessions that play a script ignore most of what they are given
"""Policy tasks in the one pipeline: lock-step, time, what a policy can know, and the two ways to an event log."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
from toy.clerk import Clerk
from toy.guessing import Guessing

from db.ledger import Ledger
from discovery.candidate import check
from discovery.evaluation import Evaluation
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.execution.lockstep import SLACK_SECONDS, functions
from discovery.execution.make import make_executor, sandbox_for
from discovery.execution.stage import doubtful, run_stage, settle
from discovery.sandbox import host
from discovery.sandbox.base import Answer, CandidateFailure, Closing, Oracle, SandboxUnavailable
from discovery.sandbox.host import ZygoteSandbox
from discovery.sandbox.records import unpack

TASK = Clerk({})
SEARCH = TASK.instances("search")
HEAD = "def choose(lengths, waits, urgent, ends, time):\n"
SHORTEST = "import numpy as np\n" + HEAD + "    return np.argmin(lengths)\n"


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    made = make_executor(TASK, "inline", 1)
    yield made
    made.close()


def ran(executor: Executor, code: str, **changes: object) -> StageResult:
    job = StageJob(code, SEARCH, {})
    return executor.submit(replace(job, **changes)).result()  # type: ignore[arg-type]


# -- through real processes -------------------------------------------------------------------------------------------


def test_a_policy_gets_what_the_interface_says(executor: Executor) -> None:
    code = "import numpy as np\n" + HEAD + (
        "    assert type(lengths) is type(ends) is np.ndarray and type(time) is float\n"
        "    assert (lengths.dtype, waits.dtype, urgent.dtype) == (np.int64, np.float64, np.bool_)\n"
        "    assert len(lengths) == len(waits) == len(urgent) and len(ends) <= 3\n"
        "    assert not any(a.flags.writeable for a in (lengths, waits, urgent, ends))\n"
        "    return np.argmin(lengths)\n"
    )  # fmt: skip
    for inside in (False, True):
        result = ran(executor, code, inside=inside)
        assert result.outcome == "scored", result.reason
        assert result.answers == ran(executor, SHORTEST).answers


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        ("lengths[0] = 0; return 0", "error", "read-only"),
        ("return None", "error", "choose() returned type object, shape (); expected one int64"),
        ("return 0.5", "error", "choose() returned type float64, shape (); expected one int64"),
        ("return [0]", "error", "choose() returned type int64, shape (1,); expected one int64"),
        ("return lengths", "error", "expected one int64"),
        ("return -1 if time > 20 else 0", "error", "choose() returned -1; expected at least 0"),
        ("return 10**30", "error", "expected one int64"),
        ("return 99", None, "job 99 of "),
        ("return 1 / 0", "error", "ZeroDivisionError"),
    ],
)
def test_replies_of_another_form_are_refused_alike_on_both_ways(
    executor: Executor, body: str, outcome: str | None, reason: str
) -> None:
    for inside in (False, True):
        result = ran(executor, HEAD + f"    {body}\n", inside=inside)
        assert result.outcome == (outcome or ("error" if inside else "rejected"))
        assert reason in result.reason and result.scores == ()
        assert len(result.cpu) == 1, "what was used is known"


FORGED = """
import os, struct, sys
import numpy as np
def frame(body, kind=3, length=None, sequence=None):
    size = len(body) if length is None else length
    return struct.pack("<IBI", size, kind, 1 if sequence is None else sequence) + body
def choose(lengths, waits, urgent, ends, time):
    {say}
    return 0
"""


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        ("os.write(3, b'x')", "odd bytes"),
        ("os.write(3, frame(bytes(8)))", "the answer has 8 bytes where 80 are expected"),
        ("os.write(3, frame(bytes(800)))", "the answer has 800 bytes where 80 are expected"),
        ("os.write(3, frame(bytes(80)) + b'x')", "extra bytes"),
        ("os.write(3, frame(bytes(80)) * 2)", "extra bytes"),
        ("os.write(3, frame(bytes(80), sequence=2))", "odd bytes"),
        ("os.write(3, frame(bytes(8), kind=9))", "odd bytes"),
        ("os.write(3, frame(bytes(8), kind=8))", "odd bytes"),
        (
            "os.write(3, frame(struct.pack('<q', -7) * 10)); os._exit(0)",
            "a reply of choose() holds -7; expected at least 0",
        ),
        ("os.write(3, frame(struct.pack('<q', 2**62) * 10)); os._exit(0)", f"job {2**62} of"),
        ("os._exit(3)", "status 3"),
    ],
)
def test_what_is_no_answer_to_a_message_is_rejected(executor: Executor, say: str, reason: str) -> None:
    """Ten simulations are at their first decision, so 80 bytes are due."""
    result = ran(executor, FORGED.format(say=say))
    assert result.outcome in ("rejected", "error") and reason in result.reason, result.reason
    assert ran(executor, SHORTEST).outcome == "scored", "the next one is not harmed"


def test_an_answer_before_the_question_is_rejected(executor: Executor) -> None:
    """Right for the second message, but sent with the first."""
    result = ran(executor, FORGED.format(say="os.write(3, frame(bytes(80)) + frame(bytes(80), sequence=2))"))
    assert result.outcome == "rejected" and "extra bytes" in result.reason


def test_a_policy_that_computes_for_too_long_is_killed(executor: Executor) -> None:
    result = ran(executor, HEAD + "    while time > 30:\n        pass\n    return 0\n")
    limit = len(SEARCH) * TASK.decision_limit + SLACK_SECONDS
    assert result.outcome == "timeout" and f"more than {2 * limit:g} s" in result.reason
    assert 2 * limit <= result.cpu[0] < 2 * limit + 1


def test_each_replica_has_a_namespace_of_its_own(executor: Executor) -> None:
    """Time never goes back within one trace, and a global that all replicas shared would see it do so."""
    code = "LAST = [0.0]\n" + HEAD + "    assert time >= LAST[0]\n    LAST[0] = time\n    return 0\n"
    for inside in (False, True):
        assert ran(executor, code, inside=inside).outcome == "scored"
    shared = "import math\nmath.last = getattr(math, 'last', 0.0)\n" + HEAD + (
        "    assert time >= math.last\n    math.last = time\n    return 0\n"
    )  # fmt: skip
    assert ran(executor, shared).outcome == "error", "what is no global of the module is shared"


def test_a_module_may_take_its_time_in_every_replica(executor: Executor) -> None:
    """More than all decisions of the first message may; ten times as much is late."""
    table = "TABLE = [k * k for k in range({})]\n" + HEAD + "    return 0\n"
    assert ran(executor, table.format(50_000)).outcome == "scored"
    assert ran(executor, table.format(5_000_000)).outcome in ("timeout", "error")


def test_dataclasses_and_parameters_work_in_every_replica(executor: Executor) -> None:
    code = (
        "from __future__ import annotations\nimport dataclasses\n"
        "@dataclasses.dataclass\nclass Seen:\n    count: int = 0\nSEEN = Seen()\n"
        "def choose(lengths, waits, urgent, ends, time, *, start=0):\n"
        "    assert SEEN.count == len(ends) or len(ends) == 3\n    SEEN.count += 1\n    return start % len(lengths)\n"
    )
    assert ran(executor, code).answers != ran(executor, code, parameters={"start": 1}).answers


def test_a_zygote_that_dies_in_between_changes_nothing_unless_it_dies_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sandbox_for(TASK) as sandbox:
        whole = run_stage(sandbox, TASK, StageJob(SHORTEST, SEARCH, {}))
        sessions: list[host.ZygoteSession] = []
        deadly, call = 1, host.ZygoteSession.call

        def dying(self: host.ZygoteSession, *words: object) -> Answer:
            """The first message of a session is answered, unless it is one of the first ``deadly`` sessions."""
            if self not in sessions:
                sessions.append(self)
                if len(sessions) <= deadly:
                    os.kill(sandbox._zygote.pid, signal.SIGKILL)
            return call(self, *words)  # type: ignore[arg-type]

        monkeypatch.setattr(host.ZygoteSession, "call", dying)
        again = run_stage(sandbox, TASK, StageJob(SHORTEST, SEARCH, {}))
        assert (again.outcome, again.answers, len(sessions)) == ("scored", whole.answers, 2)
        sessions.clear()
        deadly = 2
        with pytest.raises(SandboxUnavailable, match="died twice"):
            run_stage(sandbox, TASK, StageJob(SHORTEST, SEARCH, {}))


# -- what a policy can know, and how a difference shows ---------------------------------------------------------------

PEEKING = """
import dataclasses
import numpy as np
def choose(lengths, waits, urgent, ends, time):
    frame = dataclasses.sys._getframe()
    while frame is not None and "payload" not in frame.f_locals:
        frame = frame.f_back
    if frame is not None:
        {use}
    return np.argmin(lengths)
"""


def evaluated(
    executor: Executor, new_ledger: Callable[[str], Ledger], code: str
) -> tuple[Evaluation, str | None]:
    candidate = check(code, TASK.interface)
    evaluation = Evaluation(TASK, executor, new_ledger("ledger"))
    assert evaluation.search(candidate, None).outcome == "scored"
    return evaluation, evaluation.confirm(candidate)


def test_outside_there_is_no_trace_to_look_at(executor: Executor) -> None:
    peeking = PEEKING.format(use="raise RuntimeError('seen')")
    assert "seen" in ran(executor, peeking, inside=True).reason, "inside it finds the payload"
    assert ran(executor, peeking).answers == ran(executor, SHORTEST).answers


def test_a_policy_that_uses_what_it_finds_inside_is_quarantined(
    executor: Executor, new_ledger: Callable[[str], Ledger]
) -> None:
    _, said = evaluated(executor, new_ledger, PEEKING.format(use="return np.argmax(lengths)"))
    assert said is not None and "scores differently on" in said


def test_other_event_logs_with_the_same_scores_are_found(
    executor: Executor, new_ledger: Callable[[str], Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = TASK.judge(SEARCH.instances[0], ran(executor, SHORTEST).answers[0])
    monkeypatch.setattr(Clerk, "judge", lambda *_: judged)
    _, said = evaluated(executor, new_ledger, PEEKING.format(use="return np.argmax(lengths)"))
    assert said == "run again beside its simulator it gives the same scores, but other event logs"


def test_an_honest_policy_is_confirmed_and_its_event_logs_are_kept(
    executor: Executor, new_ledger: Callable[[str], Ledger]
) -> None:
    evaluation, said = evaluated(executor, new_ledger, SHORTEST)
    record = evaluation.stored(check(SHORTEST, TASK.interface).hash, SEARCH)
    assert said is None and record is not None and record.answers is not None
    size = SEARCH.instances[0].answer_bytes
    logs = [record.answers[k : k + size] for k in range(0, len(record.answers), size)]
    assert [TASK.judge(i, log).score for i, log in zip(SEARCH, logs, strict=True)] == list(record.scores)


def test_the_screen_runs_inside_and_the_search_outside(
    executor: Executor, new_ledger: Callable[[str], Ledger]
) -> None:
    refusing = PEEKING.format(use="raise RuntimeError('inside')")
    evaluation = Evaluation(TASK, executor, new_ledger("ledger"))
    found = evaluation.search(check(refusing, TASK.interface), None)
    assert found.outcome == "error" and "inside" in found.reason, "the screen shows it its payload"
    assert ran(executor, refusing, screen=TASK.instances("screen")).screen is not None
    honest = evaluation.search(check(SHORTEST, TASK.interface), None)
    assert honest.lines is not None and honest.lines > 0
    assert evaluation._count(check(SHORTEST, TASK.interface)).lines == honest.lines


# -- time, by script --------------------------------------------------------------------------------------------------


@dataclass
class Played:
    """A session whose messages take the given times, and which always serves the first job."""

    times: Sequence[float]
    sizes: list[int] = field(default_factory=list)
    limits: list[float] = field(default_factory=list)
    isolated: bool = True
    layers: Mapping[str, object] = field(default_factory=dict)

    def session(self, *words: object, counted: int = 0) -> Played:
        return self

    def close(self) -> None: ...
    def __enter__(self) -> Played:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def call(self, payload: bytes, answer_bytes: int, limit: float, oracle: Oracle | None = None) -> Answer:
        taken = self.times[len(self.sizes)] if len(self.sizes) < len(self.times) else 0.0
        self.sizes.append(len(unpack(functions(TASK.interface).specs[0], payload).replicas))
        self.limits.append(limit)
        return Answer(bytes(answer_bytes), taken)

    def simulate(self, payload: bytes, answer_bytes: int, limit: float) -> Answer:
        raise AssertionError("outside")

    def finish(self) -> Closing:
        return Closing(b"", 0.0, 0)


JOB = StageJob("code", SEARCH, {})


def test_a_message_is_due_by_its_decisions_and_time_is_shared() -> None:
    played = Played([0.15, 0.03])
    result = run_stage(played, TASK, JOB)
    assert result.outcome == "scored" and played.sizes[0] == 10 and played.sizes == sorted(played.sizes)[::-1]
    first, *others = [n * TASK.decision_limit for n in played.sizes]
    assert played.limits == pytest.approx([first + 10 * SLACK_SECONDS, *(o + SLACK_SECONDS for o in others)])
    assert result.cpu == pytest.approx([0.018] * 10) and result.strain == pytest.approx([0.5] * 10)


def test_a_late_message_is_taken_again_alone() -> None:
    late = [0.0, 0.18]  # of 0.12 s
    result = run_stage(Played(late), TASK, JOB)
    assert doubtful(JOB, result) == tuple(range(10))
    again = Played([0.0])
    assert settle(again, TASK, JOB, result).outcome == "scored" and again.sizes[0] == 10
    twice = settle(Played(late), TASK, JOB, result)
    assert (twice.outcome, twice.marginal) == ("timeout", True)
    assert twice.reason.endswith("took 0.015 s of processor time a decision; the limit is 0.01 s")


def test_who_watches_sees_a_quarter_first() -> None:
    class Never:
        def stop(self, scores: Sequence[float], total: int) -> bool:
            return len(scores) == 2

    played = Played([])
    stopped = run_stage(played, TASK, replace(JOB, watch=Never()))
    assert stopped.outcome == "stopped" and len(stopped.scores) == 2 and max(played.sizes) == 3
    whole = run_stage(Played([]), TASK, JOB)
    assert whole.scores[:2] == stopped.scores


def test_stored_instances_are_not_run_again() -> None:
    played = Played([])
    result = run_stage(played, TASK, replace(JOB, prior=(1.0,) * 7))
    assert played.sizes[0] == 3 and result.scores == run_stage(Played([]), TASK, JOB).scores[7:]


# -- an oracle --------------------------------------------------------------------------------------------------------

GUESSING = Guessing({})
ASKED = GUESSING.instances("search")
GUESS = "def guess(low, high):\n    {body}\n"


@pytest.fixture(scope="module")
def guessing() -> Iterator[ZygoteSandbox]:
    with sandbox_for(GUESSING) as made:
        yield made


def guessed(sandbox: ZygoteSandbox, body: str) -> StageResult:
    return run_stage(sandbox, GUESSING, StageJob(GUESS.format(body=body), ASKED, {}))


def test_questions_are_answered_within_the_budget(guessing: ZygoteSandbox) -> None:
    assert guessed(guessing, "return (low + high) // 2").values == (0.0,) * len(ASKED)
    trivial = guessed(guessing, "return low")
    assert trivial.outcome == "scored" and max(trivial.values) > 10, (
        "the budget is not enough to count upwards"
    )
    assert trivial.cpu[0] > 0 and max(trivial.strain) < 0.5


def test_a_question_that_means_nothing_is_rejected(guessing: ZygoteSandbox) -> None:
    result = guessed(guessing, "return high + 1")
    assert result.outcome == "rejected" and result.reason == (
        f"instance {ASKED.instances[0].id}: asked for {ASKED.instances[0].size + 1}; expected 0 to "
        f"{ASKED.instances[0].size}"
    )
    assert guessed(guessing, "return (low + high) // 2").outcome == "scored"


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        ("frame(bytes(7), 9)", "odd bytes"),
        ("frame(bytes(9), 9)", "odd bytes"),
        ("frame(bytes(8), 9, 5)", "odd bytes"),
        ("frame(bytes(8), 9) * 2", "extra bytes"),
        ("frame(bytes(8), 9)[:12]", "more than 0.1 s of processor time"),
    ],
)
def test_what_is_no_question_is_rejected(guessing: ZygoteSandbox, say: str, reason: str) -> None:
    code = (
        "import os, struct\n"
        "def frame(body, kind, sequence=1):\n    return struct.pack('<IBI', len(body), kind, sequence) + body\n"
        f"def guess(low, high):\n    os.write(3, {say})\n    while True: pass\n"
    )
    result = run_stage(guessing, GUESSING, StageJob(code, ASKED, {}))
    assert result.outcome in ("rejected", "timeout") and reason in result.reason


def test_asking_without_end_is_bounded_by_the_clock(guessing: ZygoteSandbox) -> None:
    code = (
        "import sys\ndef guess(low, high):\n    ask = sys._getframe(1).f_locals['ask']\n    while True:\n"
        "        try:\n            ask(bytes(8))\n        except RuntimeError:\n            pass\n"
    )
    result = run_stage(guessing, GUESSING, StageJob(code, ASKED, {}))
    assert result.outcome == "timeout"


def test_a_task_without_an_oracle_answers_no_question(guessing: ZygoteSandbox) -> None:
    session = guessing.session(GUESS.format(body="return low"), "guess", {})
    with session, pytest.raises(CandidateFailure, match="odd bytes"):
        session.call(ASKED.instances[0].payload, 8, 0.25)
