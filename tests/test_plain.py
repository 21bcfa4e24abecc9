"""Plain tasks: what the base does for a task of numbers and arrays. The conformance suite runs on one as well."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy.picking import Picking

from evaluators.plain import Draw
from evaluators.plain_adapter import answer, unpack
from evaluators.task import ImpossibleAnswer, InvalidAnswer, TaskError

MINE = {"values": [0.5, 0.25, 0.5], "volumes": [2, 1, 3], "capacity": 3}


@pytest.fixture
def task() -> Picking:
    return Picking({})


def test_draws_are_the_same_for_ever() -> None:
    """The numbers come from SplitMix64 in plain Python, of a stream that the SHA-256 of the name starts."""
    draw = Draw("a")
    assert draw.integers(1, 6, 8).tolist() == [4, 1, 1, 2, 3, 1, 3, 2]
    assert draw.floats(0, 1, 2).tolist() == [0.3633175721820491, 0.24699278047981987]
    assert Draw("b").integers(1, 6, 8).tolist() != Draw("a").integers(1, 6, 8).tolist()


def test_draws_keep_their_range() -> None:
    many = Draw("range").integers(-2, 2, 5000)
    assert set(many.tolist()) == {-2, -1, 0, 1, 2} and all(np.bincount(many + 2) > 900)
    unit = Draw("range").floats(3, 4, 5000)
    assert unit.min() >= 3 and unit.max() < 4 and abs(unit.mean() - 3.5) < 0.02


def test_arguments_cross_with_their_types(task: Picking) -> None:
    (values, volumes, capacity), returned = unpack(task.instances("screen").instances[0].payload)
    assert values.dtype == np.float64 and volumes.dtype == np.int64 and type(capacity) is int
    assert returned == ("bool", 6) and values.flags.writeable and volumes.flags.owndata


@pytest.mark.parametrize(
    "wrong", ["[1.0] * 6", "[True] * 5", "[[True] * 6]", "True", "[2] * 6", "'abcdef'", "None"]
)
def test_the_adapter_refuses_other_types_and_shapes(task: Picking, wrong: str) -> None:
    payload = task.instances("screen").instances[0].payload

    def pick(values: object, volumes: object, capacity: object) -> object:  # noqa: ARG001
        return eval(wrong)  # noqa: S307 - our own texts

    with pytest.raises(ValueError, match="expected 6 values of type bool"):
        answer(pick, payload, {})


def test_scores_are_percent_of_the_reference_when_maximising(task: Picking) -> None:
    one = replace(task.instances("screen").instances[0], reference=10.0, reference_kind="best known")
    values = unpack(one.payload)[0][0]
    judged = task.judge(one, bytes([1, 0, 0, 0, 0, 0]))
    assert judged.value == pytest.approx(values[0]) and judged.score == pytest.approx(10 * values[0])


def test_answers_that_are_not_allowed_are_refused(task: Picking) -> None:
    one = task.instances("screen").instances[0]
    with pytest.raises(InvalidAnswer, match="litre"):
        task.judge(one, bytes([1] * 6))
    with pytest.raises(InvalidAnswer, match="0 or 1"):
        task.judge(one, bytes([2] + [0] * 5))
    with pytest.raises(ImpossibleAnswer, match="bound"):
        task.judge(replace(one, reference=0.0), bytes([1] + [0] * 5))


def test_options_are_bound_and_change_the_instances() -> None:
    half, quarter = (Picking({"room": room}).instances("search") for room in ("half", "quarter"))
    assert half.digest != quarter.digest
    with pytest.raises(TaskError, match="room"):
        Picking({"room": "none"})


def test_the_users_instances_are_read_with_their_references(task: Picking, tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(MINE | {"id": "m", "class": "c"}) + "\n" + json.dumps(MINE) + "\n")
    first, second = task.read(path)
    assert (first.id, first.group, first.size, second.id) == ("m", "c", 3, "2")
    assert first.reference == pytest.approx(0.5 + 0.25) and first.reference_kind == "bound"


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"values": None}, "list of numbers"),
        ({"values": []}, "list of numbers"),
        ({"values": [0.5, 0.25]}, "has 3 numbers; expected 2"),
        ({"values": [0.5, 0.25, 1500]}, "numbers from 0 to 1000"),
        ({"values": [0.5, 0.25, True]}, "expected numbers"),
        ({"volumes": [2, 1, 0]}, "at least 1"),
        ({"volumes": [2, 1, 1.5]}, "expected integers"),
        ({"capacity": "3"}, "expected integers"),
        ({"capacity": 2**80}, "'capacity' holds"),
    ],
)
def test_a_line_that_does_not_fit_is_refused_with_its_number(
    task: Picking, tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(MINE) + "\n" + json.dumps(MINE | change) + "\n")
    with pytest.raises(TaskError, match="line 2: ") as refused:
        task.read(path)
    assert reason in str(refused.value)
    path.write_text(json.dumps({"volumes": [1]}) + "\n")
    with pytest.raises(TaskError, match="'values' is missing"):
        task.read(path)
