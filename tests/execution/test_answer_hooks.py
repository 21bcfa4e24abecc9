"""Answer tasks with hooks: the adapter gets those that a candidate defines, bound to their parameters, with one
namespace for all; alone and beside an oracle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy.choosing import Choosing
from toy.choosing.adapter import answer
from toy.guessing import Guessing

from discovery.candidate import check, signatures, with_defaults
from discovery.errors import NothingValid
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.execution.make import make_executor
from discovery.plugins.rehearsal import rehearse
from evaluators.task import Interface, Value

TASK = Choosing({})
SEARCH = TASK.instances("search")
SEED = TASK.baselines()["choosy"]
assert SEED.path is not None
CHOOSY = SEED.path.read_text()
RANK = "def rank(weights, volumes, capacity):\n    return weights\n"


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    made = make_executor(TASK, "inline", 1)
    yield made
    made.close()


def ran(executor: Executor, code: str, **changes: Any) -> StageResult:
    return executor.submit(replace(StageJob(code, SEARCH, {}), **changes)).result()


def answered(code: str, **parameters: float) -> tuple[bytes, ...]:
    """The answers in this process: the adapter with functions whose parameters are bound by hand."""
    module: dict[str, Any] = {}
    exec(code, module)  # noqa: S102 - our own texts
    known = signatures(code, TASK.interface)
    mine = {name: {k: v for k, v in parameters.items() if k in taken} for name, taken in known.items()}
    hooks = {
        name: lambda *given, name=name: module[name](*given, **mine[name]) for name in known if name != "rank"
    }
    return tuple(answer(module["rank"], i.payload, mine["rank"], hooks) for i in SEARCH)


# -- what the adapter gets --------------------------------------------------------------------------------------------

HOOKS = {
    "take": "def take(weight, volume, left, *, least={least}):\n    KEPT.append(weight)\n"
    "    return weight >= least or len(KEPT) % 2 == 0\n",
    "enough": "def enough(left, *, least={least}):\n    return left < least or len(KEPT) > 9\n",
}
MAIN = (
    "KEPT = []\ndef rank(weights, volumes, capacity, *, power={power}):\n    KEPT.clear()\n"
    "    return weights / volumes**power\n"
)


@given(
    hooks=st.sets(st.sampled_from(sorted(HOOKS))).flatmap(lambda s: st.permutations(["", *sorted(s)])),
    least=st.integers(0, 30),
    power=st.floats(0, 2),
    given=st.dictionaries(st.sampled_from(["least", "power"]), st.integers(0, 2)),
)
@settings(max_examples=15, deadline=None)
def test_the_sandbox_gives_what_the_adapter_gives_here(
    executor: Executor, hooks: list[str], least: int, power: float, given: dict[str, float]
) -> None:
    """Any hooks in any order with any of their parameters, which an absent function does not get."""
    code = "".join(HOOKS[h].format(least=least) if h else MAIN.format(power=power) for h in hooks)
    known = {name for taken in signatures(code, TASK.interface).values() for name in taken}
    parameters = {k: v for k, v in given.items() if k in known}
    for ways in ({}, {"confirm": True}):
        result = ran(executor, code, parameters=parameters, **ways)
        assert (result.outcome, result.answers) == ("scored", answered(code, **parameters)), result.reason


def test_hooks_matter_and_only_top_level_ones_are_there(executor: Executor) -> None:
    bare = ran(executor, RANK)
    picky = RANK + "def take(weight, volume, left):\n    return bool(weight > 20)\n"
    assert bare.answers == answered(RANK) and ran(executor, picky).answers == answered(picky) != bare.answers
    nested = RANK + "if True:\n    def take(weight, volume, left):\n        return False\n"
    assert ran(executor, nested).answers == bare.answers


def test_a_tuned_child_is_what_was_tried(executor: Executor) -> None:
    candidate = check(CHOOSY, TASK.interface)
    assert candidate.hooks == ("take", "enough")
    assert candidate.defaults == {"power": 1.0, "least": 0.25, "rest": 0}
    plain = ran(executor, CHOOSY)
    for changed in ({"least": 1.5}, {"rest": 9, "power": 0.0}):
        result = ran(executor, CHOOSY, parameters=changed)
        assert result.answers == answered(CHOOSY, **changed) != plain.answers
        assert ran(executor, with_defaults(candidate, changed)).answers == result.answers


# -- hostile ones -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "outcome", "reason"),
    [
        ("def take(weight, volume, left):\n    return 1 // 0\n", "error", "ZeroDivisionError"),
        ("def take(weight, volume, left):\n    return 'yes'\n", "error", "take() returned a str; expected True"),
        ("def take(weight, volume, left):\n    while True: pass\n", "timeout", "processor time"),
        ("def take(weight, volume, left):\n    raise SystemExit\n", "rejected", ""),
        ("def take(weight, volume, left):\n    return True\ntake = 5\n", "error", "'take' is no function"),
        ("def take(weight, volume, left):\n    return True\ndel take\n", "error", "defines no 'take'"),
        ("def take(weight, volume):\n    return True\n", "error", "TypeError: take() takes 2 positional arguments"),
        ("def take(weight, volume, left):\n    take_from(1)\n", "error", "NameError"),
    ],
)  # fmt: skip
def test_a_bad_hook_is_the_candidates_failure(
    executor: Executor, more: str, outcome: str, reason: str
) -> None:
    result = ran(executor, RANK + more)
    assert result.outcome == outcome and reason in result.reason, result.reason
    assert result.scores == () and ran(executor, RANK).outcome == "scored"


def test_a_forged_answer_from_a_hook_has_the_wrong_length(executor: Executor) -> None:
    forged = (
        f"{RANK}import os, struct\ndef take(weight, volume, left):\n"
        "    os.write(3, struct.pack('<IBI', 3, 3, 1) + bytes(3))\n    os._exit(0)\n"
    )
    result = ran(executor, forged)
    assert result.outcome == "rejected" and "3 bytes" in result.reason


def test_the_mapping_cannot_be_changed(executor: Executor) -> None:
    code = (
        "import sys\ndef rank(weights, volumes, capacity):\n"
        "    sys._getframe(1).f_locals['hooks']['take'] = None\n    return weights\n"
    )
    assert "does not support item assignment" in ran(executor, code).reason


# -- beside an oracle -------------------------------------------------------------------------------------------------

ASKING = """
def answer(function, payload, parameters, ask, hooks):
    low, high = 0, int.from_bytes(payload, "little")
    guess = hooks["begin"](high) if "begin" in hooks else int(function(low, high, **parameters))
    said = ask(guess.to_bytes(8, "little", signed=True))
    return (guess if said == b"=" else high if said == b">" else low).to_bytes(8, "little", signed=True)
"""


def test_an_oracle_comes_before_the_hooks(tmp_path: Path) -> None:
    (tmp_path / "adapter.py").write_text(ASKING)
    high = Guessing.interface.arguments[1]
    begin = Interface(
        "begin", "The first guess.", (high,), Value("first", "scalar", "int64", "it"), absent="none."
    )

    class Begun(Guessing):
        interface = replace(Guessing.interface, hooks=(begin,))
        adapter = tmp_path / "adapter.py"

    task = Begun({})
    asked = task.instances("search")
    executor = make_executor(task, "inline", 1)
    try:
        main = "def guess(low, high):\n    return low\n"
        told = [(0).to_bytes(8, "little"), *(i.size.to_bytes(8, "little") for i in asked)]
        for code in (main, main + "def begin(high, *, k=0):\n    return high - k\n"):
            result = executor.submit(StageJob(code, asked, {"k": 1} if "begin" in code else {})).result()
            assert result.outcome == "scored", result.reason
            assert set(result.answers) <= set(told)
            assert set(result.answers) == ({told[0]} if "begin" in code else set(told[1:]))
    finally:
        executor.close()


# -- a package --------------------------------------------------------------------------------------------------------


def test_a_package_is_one_function(executor: Executor) -> None:
    """What calls the hooks is the task's adapter, which no package has."""
    assert len(rehearse(check(RANK, TASK.interface), TASK, executor, ()).calls) >= 3
    with pytest.raises(
        NothingValid, match="it defines take, enough beside rank, and a package is one function"
    ):
        rehearse(check(CHOOSY, TASK.interface), TASK, executor, ())
