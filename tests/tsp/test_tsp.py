# ruff: noqa: ARG005
"""Tour construction: generator, harness, referee and references, each against its definition in plain Python."""

from __future__ import annotations

import hashlib
import math
import runpy
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.registry import load
from evaluators.task import ImpossibleAnswer, Instance, InvalidAnswer, TaskError, aggregate
from evaluators.tsp import adapter, splits
from evaluators.tsp.instances import Spec, generate
from evaluators.tsp.problem import decode, encode, length, limit, lower_bound
from evaluators.tsp.referee import figures, judge

TASK = load("tsp-construct")
GOLDENS = {
    "uniform-n50-s1001": "a3bb7e12b07227669c8e2fa3137fb65831fb29b3b2c437d32a6c803f455c72c5",
    "clustered-n50-s1001": "cca7ed0881e71e43d95b804b897d29a1b9d02a577f7c11de3a1a8bbe1201b423",
}
"""SHA-256 of payloads as first generated. They are right because the shipped tours were found for exactly these
instances."""


def instance(
    places: list[tuple[float, float]], reference: float | None, kind: Any = "best known"
) -> Instance:
    x, y = (np.array(side, dtype=float) for side in zip(*places, strict=True))
    n = len(places)
    return Instance("one", "user", n, encode(x, y), 8 * n, limit(n), reference, kind)


def around(places: list[tuple[float, float]], tour: list[int]) -> float:
    """The length by its definition."""
    return sum(math.dist(places[a], places[b]) for a, b in zip(tour, [*tour[1:], tour[0]], strict=True))


def shortest(places: list[tuple[float, float]]) -> float:
    """The optimum by trying every order."""
    return min(around(places, [0, *rest]) for rest in permutations(range(1, len(places))))


def by_definition(rule: Callable[..., Any], places: list[tuple[float, float]]) -> list[int]:
    """The harness in plain words: the views from their descriptions, the lowest number goes next."""
    left, bottom = min(p[0] for p in places), min(p[1] for p in places)
    side = max(max(p[0] for p in places) - left, max(p[1] for p in places) - bottom)
    at = [((px - left) / side, (py - bottom) / side) for px, py in places]
    tour = [0]
    while len(tour) < len(at):
        todo = [c for c in range(len(at)) if c not in tour]
        if len(todo) == 1:
            tour += todo
            break
        here = at[tour[-1]]
        keys = rule(
            np.array([math.dist(here, at[c]) for c in todo]),
            np.array([math.dist(at[0], at[c]) for c in todo]),
            np.array([sum(math.dist(at[c], at[o]) for o in todo) / (len(todo) - 1) for c in todo]),
            np.array([min(math.dist(at[c], at[o]) for o in todo if o != c) for c in todo]),
            np.array([at[c][0] - here[0] for c in todo]),
            np.array([at[c][1] - here[1] for c in todo]),
        )
        tour.append(todo[int(np.argmin(keys))])
    return tour


# -- instances ------------------------------------------------------------------------------------------------------


def test_goldens() -> None:
    for id_, expected in GOLDENS.items():
        spec = Spec(id_.partition("-")[0], 50, 1001)
        assert spec.id == id_
        assert hashlib.sha256(encode(*generate(spec))).hexdigest() == expected


@pytest.mark.parametrize("family", ["uniform", "clustered"])
def test_cities_lie_in_the_unit_square(family: str) -> None:
    x, y = map(np.concatenate, zip(*(generate(Spec(family, 200, s)) for s in range(100)), strict=True))
    assert min(x.min(), y.min()) >= 0 and max(x.max(), y.max()) < 1
    for side in (x, y):
        assert side.mean() == pytest.approx(0.5, abs=0.03)
        assert side.var() == pytest.approx(1 / 12, rel=0.1)


def test_clustered_cities_have_near_neighbours() -> None:
    """Half as far as those of uniform cities."""
    near = {}
    for family in ("uniform", "clustered"):
        x, y = generate(Spec(family, 200, 5))
        gaps = np.hypot(np.subtract.outer(x, x), np.subtract.outer(y, y)) + 9 * np.eye(200)
        near[family] = gaps.min(axis=1).mean()
    assert near["clustered"] < 0.6 * near["uniform"]


def test_the_splits() -> None:
    assert {s: len(TASK.instances(s)) for s in ("screen", "search", "gate", "final")} == {
        "screen": 6, "search": 64, "gate": 200, "final": 160
    }  # fmt: skip
    assert TASK.gate_blocks == 8 and len(TASK.gate(7)) == 100
    assert {i.group for i in TASK.instances("final")} == {
        "uniform n=100", "clustered n=100", "uniform n=200", "clustered n=200"
    }  # fmt: skip
    assert {i.reference_kind for i in TASK.instances("search")} == {"best known"}


def test_altered_references_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = splits.tours("screen")
    swapped = ((found[0][0], found[0][2], found[0][1], *found[0][3:]), *found[1:])
    monkeypatch.setattr(splits, "tours", lambda name: swapped)
    with pytest.raises(TaskError, match="SHA-256"):
        splits.load.__wrapped__("screen")
    monkeypatch.setattr(splits, "tours", lambda name: ((0, 1, 1, 3, 4, 5, 6, 7), *found[1:]))
    with pytest.raises(TaskError, match="no tour"):
        splits.load.__wrapped__("screen")


# -- references -----------------------------------------------------------------------------------------------------


def test_every_reference_is_the_length_of_its_witness() -> None:
    for name in splits.all_parts():
        for known, tour in zip(splits.load(name), splits.tours(name), strict=True):
            x, y = decode(known.payload)
            assert known.reference == pytest.approx(
                around(list(zip(x, y, strict=True)), list(tour)), rel=1e-12
            )
            assert known.reference >= lower_bound(x, y)


def test_small_references_are_optimal() -> None:
    """Screen has instances small enough to try every order."""
    small = [i for i in TASK.instances("screen") if i.size == 8]
    assert len(small) == 3
    for one in small:
        x, y = decode(one.payload)
        assert one.reference == pytest.approx(shortest(list(zip(x, y, strict=True))), rel=1e-12)


def test_references_are_as_short_as_the_literature_says() -> None:
    """Optimal tours of uniform cities have mean lengths of 3.84, 5.69 and 7.76 for 20, 50 and 100 cities (Kool, van
    Hoof & Welling 2019, table 1, 10,000 instances each); ``rel`` is three standard errors of our sets."""
    found: dict[int, list[float]] = {}
    for made in (TASK.instances("search"), TASK.instances("gate"), *map(TASK.gate, range(TASK.gate_blocks))):
        for i in made:
            found.setdefault(i.size, []).append(i.reference or 0.0)
    means = {n: sum(v) / len(v) for n, v in found.items()}
    assert means[20] == pytest.approx(3.84, rel=0.04)
    assert means[50] == pytest.approx(5.69, rel=0.01)
    assert means[100] == pytest.approx(7.76, rel=0.008)


# -- the harness ----------------------------------------------------------------------------------------------------

RULES: tuple[Callable[..., Any], ...] = (
    lambda d, s, m, near, dx, dy: d,
    lambda d, s, m, near, dx, dy: d - 0.3 * s + 0.1 * m,
    lambda d, s, m, near, dx, dy: near - d,
    lambda d, s, m, near, dx, dy: dx + 0.37 * dy,
    lambda d, s, m, near, dx, dy: 0.01 * d - 0.7 * m,  # of two unvisited cities both have the same mean
)
PLACES = st.lists(st.tuples(st.integers(0, 997), st.integers(0, 991)), min_size=3, max_size=12, unique=True)


@settings(max_examples=150, deadline=None)
@given(PLACES, st.sampled_from(RULES))
def test_the_harness_goes_where_the_number_is_lowest(
    places: list[tuple[int, int]], rule: Callable[..., Any]
) -> None:
    # A crooked map: ties would be decided by the last bit, which the two ways of adding do not share.
    bent = [(px + 0.1 * math.sin(k), py + 0.1 * math.cos(3 * k)) for k, (px, py) in enumerate(places)]
    one = instance(bent, 1.0)
    found = adapter.answer(rule, one.payload, {})
    tour = np.frombuffer(found, "<i8").tolist()
    assert tour == by_definition(rule, bent)
    assert judge(one, found).value == pytest.approx(around(bent, tour), rel=1e-12)


def test_what_the_candidate_sees() -> None:
    seen: list[Any] = []

    def rule(*views: Any, k: float) -> Any:
        seen.append([v.tolist() for v in views])
        assert {v.dtype for v in views} == {np.dtype(float)} and k == 2.0
        keys = k * views[0]
        for v in views:
            v[:] = -1  # copies: this changes nothing
        return keys

    square = [(10.0, 10.0), (10.0, 14.0), (12.0, 10.0), (14.0, 14.0)]
    found = adapter.answer(rule, instance(square, 1.0).payload, {"k": 2.0})
    assert np.frombuffer(found, "<i8").tolist() == [0, 2, 1, 3]
    far = math.sqrt(5) / 2
    assert seen[0] == [
        [1, 0.5, math.sqrt(2)], [1, 0.5, math.sqrt(2)], [(1 + far) / 2, far, (1 + far) / 2], [1, far, 1],
        [0, 0.5, 1], [1, 0, 1],
    ]  # fmt: skip
    assert seen[1][0] == [far, far] and seen[1][4:] == [[-0.5, 0.5], [1, 1]]
    assert len(seen) == 2


def test_ties_go_to_the_first_city_and_a_map_may_be_a_line() -> None:
    line = [(0.0, 0.0), (2.0, 0.0), (1.0, 0.0)]
    assert np.frombuffer(
        adapter.answer(lambda *v: v[0] * 0, instance(line, 1.0).payload, {}), "<i8"
    ).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "returned NoneType"),
        (1, "returned int"),
        ([[1.0, 2.0]], r"shape \(1, 2\)"),
        (["a", "b"], "expected one number for each of the 2 unvisited"),
        ([1.0], r"shape \(1,\)"),
        ([1.0, float("nan")], "returned nan; numbers must be finite"),
        ([1.0, -float("inf")], "returned -inf"),
    ],
)
def test_bad_numbers_are_refused_with_a_reason(result: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        adapter.answer(lambda *v: result, instance([(0, 0), (1, 0), (0, 1)], 1.0).payload, {})
    assert len(str(error.value)) < 300


# -- the referee ----------------------------------------------------------------------------------------------------


def order(*cities: int) -> bytes:
    return np.array(cities, dtype="<i8").tobytes()


def test_the_referee_measures_and_refuses() -> None:
    square = instance([(0, 0), (1, 0), (1, 1), (0, 1)], 4.0)
    assert (judge(square, order(0, 1, 2, 3)).value, judge(square, order(2, 1, 0, 3)).score) == (4, 0)
    assert judge(square, order(0, 2, 1, 3)).score == pytest.approx(100 * (2 * math.sqrt(2) + 2 - 4) / 4)
    for cities, reason in (
        ((0, 1, 2, 4), "position 3 of the tour holds 4; cities are numbered 0 to 3"),
        ((0, -1, 2, 3), "position 1 of the tour holds -1"),
        ((0, 1, 1, 3), "city 1 occurs 2 times and city 2 is missing"),
    ):
        with pytest.raises(InvalidAnswer, match=reason):
            judge(square, order(*cities))


def test_a_best_known_reference_may_be_beaten_a_proved_one_not() -> None:
    known = instance([(0, 0), (1, 0), (1, 1), (0, 1)], 5.0)
    assert judge(known, order(0, 1, 2, 3)).score == pytest.approx(-20)
    assert [f.value for f in figures([known], [4.0])] == [4.0, 1.0]
    with pytest.raises(ImpossibleAnswer):
        judge(instance([(0, 0), (1, 0), (1, 1), (0, 1)], 5.0, "proved optimum"), order(0, 1, 2, 3))


# -- figures of the literature --------------------------------------------------------------------------------------


def test_nearest_neighbour_is_as_far_off_as_the_literature_says() -> None:
    """Mean tours of 4.50, 7.00 and 9.68 (Kool, van Hoof & Welling 2019, table 1)."""
    path = TASK.baselines()["nearest-neighbour"].path
    assert path is not None
    rule = runpy.run_path(str(path))["next_city"]
    found: dict[int, list[float]] = {}
    for made in (TASK.instances("search"), TASK.instances("gate")):
        for i in made:
            found.setdefault(i.size, []).append(judge(i, adapter.answer(rule, i.payload, {})).value)
    means = {n: sum(v) / len(v) for n, v in found.items()}
    assert means[20] == pytest.approx(4.50, rel=0.06)
    assert means[50] == pytest.approx(7.00, rel=0.03)
    assert means[100] == pytest.approx(9.68, rel=0.03)
    assert length(np.array([0.0, 3, 3]), np.array([0.0, 0, 4]), [0, 1, 2]) == 12


def test_shipped_scores_come_out_again() -> None:
    shipped = TASK.shipped_scores()
    assert set(shipped) == set(TASK.baselines())
    search = TASK.instances("search").instances
    found = [judge(i, adapter.answer(RULES[0], i.payload, {})).score for i in search]
    assert aggregate(search, found) == pytest.approx(shipped["nearest-neighbour"].published["search"])
