"""Importances: the parameter that decides comes first, and nothing is said where there is nothing to say."""

from __future__ import annotations

import pytest

from searchspaces.importance import LEAST, grid, importances, scattered
from searchspaces.space import Choice, FloatRange, IntRange, ParameterValue, Range, Space

SPACE: Space = {
    "strong": FloatRange(0.0, 4.0),
    "weak": FloatRange(0.01, 100.0, log=True),
    "count": IntRange(1, 9),
    "rule": Choice(("a", "b")),
    "fixed": IntRange(3, 3),
}


def value(point: dict[str, ParameterValue]) -> float:
    return float(point["strong"]) ** 2 + 0.001 * float(point["weak"])


@pytest.mark.parametrize("direction, sign", [("minimize", 1), ("maximize", -1)])
def test_the_parameter_that_decides_comes_first(direction: str, sign: float) -> None:
    points = [(p, sign * value(p)) for p in scattered(SPACE, 60, seed=3)]
    found = importances(SPACE, points, direction)  # type: ignore[arg-type]
    assert found is not None and next(iter(found)) == "strong" and found["strong"] > 0.5
    assert set(found) == set(SPACE) and found["fixed"] == 0.0
    assert sum(found.values()) == pytest.approx(1.0)


def test_too_little_gives_none() -> None:
    points = [(p, value(p)) for p in scattered(SPACE, 60, seed=3)]
    assert importances(SPACE, points[: LEAST - 1], "minimize") is None
    assert importances(SPACE, [(p, 1.0) for p, _ in points], "minimize") is None
    assert importances({"fixed": SPACE["fixed"]}, [({"fixed": 3}, v) for _, v in points], "minimize") is None


def test_random_points_are_seeded_and_inside() -> None:
    assert scattered(SPACE, 9, seed=1) == scattered(SPACE, 9, seed=1) != scattered(SPACE, 9, seed=2)
    for point in scattered(SPACE, 40, seed=7):
        assert all(SPACE[name].holds(v) for name, v in point.items())


@pytest.mark.parametrize(
    "declared, expected",
    [
        (FloatRange(0.0, 3.0), [0.0, 1.0, 2.0, 3.0]),
        (FloatRange(0.001, 1.0, log=True), [0.001, 0.01, 0.1, 1.0]),
        (IntRange(1, 2), [1, 2]),
        (IntRange(1, 1000, log=True), [1, 10, 100, 1000]),
        (FloatRange(2.0, 2.0), [2.0]),
        (Choice(("a", 2, "c")), ["a", 2, "c"]),
    ],
)
def test_a_grid_reaches_both_ends(declared: Range, expected: list[ParameterValue]) -> None:
    assert grid(declared, 4) == expected
