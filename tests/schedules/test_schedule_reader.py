"""The user's own training problems: what is read, and what every refusal says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluators.registry import load
from evaluators.schedules import referee
from evaluators.schedules.problem import Problem, decode
from evaluators.task import TaskError

TASK = load("lr-schedule")
ROWS = [[0.5, 1], [2, 0], [1, 1], [0, 3]]
ONE: dict[str, Any] = {"features": ROWS, "labels": ["a", "b", "b", "a"], "steps": 20}


def written(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "mine.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def problem(folder: Path, **changed: Any) -> Problem:
    (found,) = TASK.read(written(folder, {**ONE, **changed}))
    return decode(found.withheld).problem


def test_a_problem_is_read(tmp_path: Path) -> None:
    (found,) = TASK.read(written(tmp_path, {**ONE, "id": "mine", "class": "x"}))
    posed = decode(found.withheld)
    assert (found.id, found.group, found.size, found.answer_bytes) == ("mine", "x", 20, 160)
    assert posed.problem.targets.tolist() == [0, 1, 1, 0] and posed.problem.classes == 2
    rows = np.array(ROWS)
    wanted = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    np.testing.assert_allclose(posed.problem.features[:2].T, wanted, atol=1e-6)
    assert posed.problem.features[2].tolist() == [1.0] * 4
    assert (posed.problem.l2, posed.problem.batch, len(found.payload)) == (1e-3, 8, 4 + 4 * 20)
    assert found.reference_kind == "baseline"
    assert TASK.judge(found, referee.linear(20).astype("<f8").tobytes()).score == 1.0


def test_settings_are_taken(tmp_path: Path) -> None:
    found = problem(tmp_path, steps=7.0, batch=2, l2=0.5)
    assert (found.steps, found.batch, found.l2) == (7, 2, 0.5)
    found = problem(tmp_path, loss="hinge", labels=[3, 9, 9, 3])
    assert (found.loss, found.targets.tolist(), found.l2) == ("hinge", [-1, 1, 1, -1], 0.0)
    found = problem(tmp_path, loss="absolute", labels=[1, 2, 3, 4.5])
    assert found.loss == "absolute" and found.targets.mean() == pytest.approx(0, abs=1e-6)
    assert problem(tmp_path, labels=[10, 2, 10, "2"]).targets.tolist() == [0, 1, 0, 1], "kinds are words"
    same = problem(tmp_path, features=[[1, 5], [2, 5], [3, 5], [4, 5]], labels=list("aabb"))
    assert same.features[1].tolist() == [0, 0, 0, 0], "what is constant tells nothing"
    rounded = problem(tmp_path, features=[[1, 0.1], [2, 0.1], [4, 0.1]], labels=["a", "b", "b"])
    assert rounded.features[1].tolist() == [0, 0, 0], "nor where its mean is rounded"
    assert problem(tmp_path, labels=[1, 1.0, 2, 2]).classes == 2


def test_several_problems_keep_their_order(tmp_path: Path) -> None:
    found = TASK.read(written(tmp_path, {**ONE, "id": "z"}, ONE, {**ONE, "id": 7}))
    assert [i.id for i in found] == ["z", "line-2", "7"]


def test_a_pilot_run_can_be_left_out(tmp_path: Path) -> None:
    (found,) = load("lr-schedule", {"pilot": "none"}).read(written(tmp_path, ONE))
    assert found.payload == (20).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"features": None}, "'features' is null; expected 2 to 5000 lists"),
        ({"features": [[1, 2]]}, "'features' is 1 examples"),
        ({"features": [[1, 2], [1], [1, 2], [1, 2]]}, r"features\[1\] is no list of 1 to 200 numbers"),
        ({"features": [[], [], [], []]}, r"features\[0\] is no list of"),
        ({"features": [1, 2, 3, 4]}, r"features\[0\] is no list of"),
        ({"features": [[1, 2], [1, None], [1, 2], [1, 2]]}, r"features\[1\] holds null; expected finite"),
        ({"features": [[1, True]] * 4}, r"features\[0\] holds true"),
        ({"features": [[1, 1e10]] * 4}, r"features\[0\] holds 1e\+?10|holds 10000000000.0"),
        ({"labels": ["a"]}, "'labels' is 1 of them; expected one for each of the 4 examples"),
        ({"labels": "abab"}, "'labels' is \"abab\""),
        ({"labels": ["a", "a", "a", "a"]}, "of 1 kinds; expected 2 to 20"),
        ({"labels": ["a", 0.5, "a", "b"]}, r"labels\[1\] is 0.5; expected a word or a whole number"),
        ({"loss": "hinge", "labels": ["a", "b", "c", "a"]}, "of 3 kinds; expected 2"),
        ({"loss": "absolute"}, r'labels\[0\] is "a"; expected a finite number'),
        ({"loss": "absolute", "labels": [2, 2, 2, 2]}, "all labels are equal"),
        ({"loss": "squared"}, "'loss' is \"squared\"; expected logistic, hinge, absolute"),
        ({"loss": []}, "'loss' is list; expected logistic"),
        ({"l2": 0}, "'l2' is 0; expected a number from 1e-06"),
        ({"l2": "x"}, "'l2' is \"x\""),
        ({"loss": "hinge", "l2": 0.1}, "'l2' is 0.1; expected 0, as hinge has no penalty"),
        ({"steps": 0}, "'steps' is 0; expected a whole number from 1 to 10000"),
        ({"batch": 1.5}, "'batch' is 1.5"),
        ({"epochs": 3}, 'there is no "epochs"'),
        ({"features": [[0, 0], [0, 1], [1, 0], [1, 1]], "labels": list("abba")}, "there is nothing to learn"),
        (
            {"loss": "absolute", "features": [[1]] * 5, "labels": [0, 0, 0, -1, 1]},
            "there is nothing to learn",
        ),
        ({"features": [[k] * 200 for k in range(4)], "batch": 256, "steps": 10_000}, "102,912 products"),
        (
            {
                "features": [[k] * 200 for k in range(20)],
                "labels": list("abcdefghijklmnopqrst"),
                "batch": 256,
            },
            "at most 200,000 a step",
        ),
        ({"id": ""}, "'id' is"),
    ],
)
def test_refusals_name_the_line_and_what_is_wrong(
    tmp_path: Path, changed: dict[str, Any], reason: str
) -> None:
    with pytest.raises(TaskError, match=reason) as refused:
        TASK.read(written(tmp_path, {**ONE, "id": "good"}, {**ONE, **changed}))
    assert "line 2: " in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["NaN", "Infinity"])
def test_numbers_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps(ONE).replace("0.5", text) + "\n")
    with pytest.raises(TaskError, match=f"{text} is not a feature; expected finite numbers"):
        TASK.read(path)
