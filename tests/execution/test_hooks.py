"""Tasks with hooks: several functions of one candidate, asked in the same messages, with one namespace and one set of
parameters; what a candidate does not define is never asked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy.desk import Desk
from toy.desk.simulator import simulate

from discovery.candidate import Refused, check, signatures, with_defaults
from discovery.errors import NothingValid
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.execution.make import make_executor
from discovery.lifting import Numbers, literals
from discovery.plugins.rehearsal import rehearse
from discovery.sandbox import host
from discovery.sandbox.base import Answer
from discovery.sandbox.functions import Functions
from discovery.sandbox.records import Spec
from evaluators.task import InstanceSet

TASK = Desk({})
SEARCH = TASK.instances("search")
SEED = TASK.baselines()["shortest"]
assert SEED.path is not None
SHORTEST = SEED.path.read_text()
RANK = "def rank(lengths, waits, rush):\n    return waits\n"


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    made = make_executor(TASK, "inline", 1)
    yield made
    made.close()


def ran(executor: Executor, code: str, **changes: Any) -> StageResult:
    return executor.submit(replace(StageJob(code, SEARCH, {}), **changes)).result()


def played(code: str, payload: bytes, **parameters: float) -> tuple[bytes, list[str]]:
    """One simulation in this process, without records, pipe or sandbox: its event log and who was asked."""
    module: dict[str, Any] = {}
    exec(code, module)  # noqa: S102 - our own texts
    known = signatures(code, TASK.interface)
    simulation, reply, asked = simulate(payload, frozenset(known) - {"rank"}), None, []
    while True:
        try:
            name, view = simulation.send(reply)
        except StopIteration as end:
            return end.value, asked
        asked.append(name)
        found = module[name](*view, **{k: v for k, v in parameters.items() if k in known[name]})
        reply = np.array(found, float) if name == "rank" else found


# -- against a plain simulation ---------------------------------------------------------------------------------------

HOOKS = {
    "admit": "def admit(length, waiting, urgent, *, limit={limit}):\n    KEPT.append(length)\n"
    "    return bool(waiting < limit or urgent)\n",
    "rest": "def rest(time, waiting, *, limit={limit}):\n    return int(len(KEPT) % 2 if waiting < limit else 0)\n",
}
MAIN = (
    "KEPT = [1]\ndef rank(lengths, waits, rush):\n    KEPT.append(int(waits.sum()))\n"
    "    return waits * {weight} - lengths * (KEPT[-1] + KEPT[-2]) + rush\n"
)


@st.composite
def policies(draw: st.DrawFn) -> str:
    """The main function and any of the hooks, in any order, all of which keep and use what the others keep."""
    parts = [
        MAIN.format(weight=draw(st.integers(-3, 9))),
        *map(HOOKS.get, draw(st.sets(st.sampled_from(sorted(HOOKS))))),
    ]  # type: ignore[list-item]
    limit = draw(st.integers(0, 5))
    return "".join(part.replace("{limit}", str(limit)) for part in draw(st.permutations(parts)))


@given(code=policies(), jobs=st.lists(st.integers(1, 14), min_size=1, max_size=7))
@settings(max_examples=12, deadline=None)
def test_all_ways_give_what_a_plain_simulation_gives(executor: Executor, code: str, jobs: list[int]) -> None:
    instances = InstanceSet("drawn", tuple(TASK._drawn(f"{k}", n) for k, n in enumerate(jobs)))
    expected = tuple(played(code, i.payload)[0] for i in instances)
    for ways in ({}, {"inside": True}, {"confirm": True}):
        result = ran(executor, code, instances=instances, **ways)
        assert (result.outcome, result.answers) == ("scored", expected), result.reason


def test_one_message_a_round_carries_all_hooks(executor: Executor, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many messages as the longest simulation has decisions; most of them are mixed."""
    messages: list[int] = []
    call = host.ZygoteSession.call

    def counted(self: host.ZygoteSession, payload: bytes, *rest: Any) -> Answer:
        sizes = np.frombuffer(payload[:24], "<u8")
        assert 24 + sizes.sum() == len(payload)
        messages.append(int((sizes > 0).sum()))
        return call(self, payload, *rest)

    monkeypatch.setattr(host.ZygoteSession, "call", counted)
    result = ran(executor, SHORTEST)
    walks = [played(SHORTEST, i.payload) for i in SEARCH]
    assert result.answers == tuple(log for log, _ in walks)
    assert {name for _, asked in walks for name in asked} == {"rank", "admit", "rest"}
    assert len(messages) == max(len(asked) for _, asked in walks) and messages.count(3) > 5


def test_what_is_not_defined_is_not_asked(executor: Executor) -> None:
    assert ran(executor, RANK).answers == tuple(played(RANK, i.payload)[0] for i in SEARCH)
    assert set(played(RANK, SEARCH.instances[0].payload)[1]) == {"rank"}
    unchecked = RANK + "if True:\n    def admit(length, waiting, urgent):\n        return False\n"
    assert ran(executor, unchecked).answers == ran(executor, unchecked, inside=True).answers
    assert ran(executor, unchecked).answers == ran(executor, RANK).answers, "hooks stand at the top level"
    gone = RANK + "def admit(length, waiting, urgent):\n    return True\ndel admit\n"
    assert "defines no 'admit'" in ran(executor, gone).reason


# -- wrong replies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("admit(length, waiting, urgent):\n    return 1", "admit() returned type int64, shape (); expected one bool"),
        ("rest(time, waiting):\n    return -1", "rest() returned -1; expected at least 0"),
        ("rest(time, waiting):\n    return 9", "rest(): a rest of 9 after a job of "),
        ("rest(time, waiting):\n    return 1 // 0", "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_wrong_reply_names_its_hook(executor: Executor, hook: str, reason: str) -> None:
    for inside in (False, True):
        result = ran(executor, f"{RANK}def {hook}\n", inside=inside)
        assert result.outcome in ("error", "rejected") and reason in result.reason, result.reason
        assert result.scores == () and len(result.cpu) == 1


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("bytes([7]) * 10", "each byte of a reply of admit() must be 0 or 1"),
        ("bytes(9)", "the answer has 9 bytes where 10 are expected"),
    ],
)
def test_forged_replies_of_a_hook(executor: Executor, body: str, reason: str) -> None:
    """All ten simulations ask at first whether the first job may wait: 10 bytes are due."""
    forged = (
        f"{RANK}import os, struct\ndef admit(length, waiting, urgent):\n    body = {body}\n"
        "    os.write(3, struct.pack('<IBI', len(body), 3, 1) + body)\n    os._exit(0)\n"
    )
    result = ran(executor, forged)
    assert result.outcome == "rejected" and reason in result.reason, result.reason


def test_a_task_that_asks_for_what_is_not_there_is_wrong_itself() -> None:
    functions = Functions((Spec("a", (), ("bool", None)), Spec("b", (), ("bool", None))), hooked=True)
    assert functions.asked(("b", ())) == (1, ())
    with pytest.raises(RuntimeError, match="asks for 'b'; the candidate's functions are a"):
        functions.only(()).asked(("b", ()))


# -- the check --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            "def admit(length, urgent):\n    return True\n",
            "admit must take exactly the positional arguments (length, waiting, urgent) without defaults; it has "
            "(length, urgent); tunable numbers go after '*'",
        ),
        ("def rest(time, waiting):\n    return 0\n" * 2, "the function 'rest' is defined 2 times"),
        ("rest = len\n", "there is no top-level function 'rest'; expected def rest(time, waiting, *, …), or nothing"),
        ("if 1:\n    def rest(time, waiting):\n        return 0\n", "there is no top-level function 'rest'"),
        ("from math import floor as rest\n", "there is no top-level function 'rest'"),
        ("def rest(time, waiting, *, k):\n    return 0\n", "'k' needs a number or string as its default"),
        (
            "def admit(length, waiting, urgent, *, k=1):\n    return True\n"
            "def rest(time, waiting, *, k=2):\n    return 0\n",
            "the keyword-only argument 'k' is 1 in one function and 2 in rest; the same name is the same parameter",
        ),
        ("SEARCH_SPACE = {'k': {'low': 0, 'high': 1}}\n", "SEARCH_SPACE names 'k'"),
    ],
)  # fmt: skip
def test_hooks_are_checked_like_the_function(more: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        check(RANK + more, TASK.interface)
    assert reason in str(refused.value)


def test_a_local_name_is_no_hook() -> None:
    found = check("def rank(lengths, waits, rush):\n    rest = waits\n    return rest\n", TASK.interface)
    assert found.hooks == ()


# -- parameters -------------------------------------------------------------------------------------------------------


def test_each_function_gets_the_parameters_that_it_has(executor: Executor) -> None:
    candidate = check(SHORTEST, TASK.interface)
    assert candidate.hooks == ("admit", "rest")
    assert candidate.defaults == {"patience": 1.5, "room": 6} and candidate.space.keys() == {
        "patience",
        "room",
    }
    assert [x.value for x in literals(candidate)] == [4], "defaults are no literals to tune"
    plain = ran(executor, SHORTEST)
    for changed in ({"room": 1}, {"patience": 0.5}, {"room": 2, "patience": 3.0}):
        result = ran(executor, SHORTEST, parameters=changed)
        assert result.answers == tuple(played(SHORTEST, i.payload, **changed)[0] for i in SEARCH)
        assert result.answers != plain.answers
        assert ran(executor, SHORTEST, parameters=changed, inside=True).answers == result.answers
        for text in (with_defaults(candidate, changed), Numbers(candidate).text(changed)):
            assert check(text, TASK.interface).defaults == {**candidate.defaults, **changed}
            assert ran(executor, text).answers == result.answers, "a tuned child is what was tried"


# -- a package --------------------------------------------------------------------------------------------------------


def test_a_candidate_without_hooks_is_rehearsed_like_any_other(executor: Executor) -> None:
    found = rehearse(check(RANK, TASK.interface), TASK, executor, ())
    assert len(found.calls) >= 4 and not found.arrays and found.isolated
    keeping = "KEPT = []\n" + RANK.replace(
        "return waits", "KEPT.append(1)\n    return [len(KEPT) for _ in waits]"
    )
    with pytest.raises(
        NothingValid, match="it defines admit, rest beside rank, and a package is one function"
    ):
        rehearse(check(SHORTEST, TASK.interface), TASK, executor, ())
    with pytest.raises(NothingValid, match="keeps something from call to call"):
        rehearse(check(keeping, TASK.interface), TASK, executor, ())
