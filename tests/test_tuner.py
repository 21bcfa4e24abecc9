"""The tuner: defaults first, the same suggestions again, pruning, and numbers that people can read."""

from __future__ import annotations

import math
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchspaces.space import Choice, FloatRange, IntRange, ParameterValue, Space
from searchspaces.tuner import LOOK_EVERY, Finished, Suggestion, Tuner, readable

SPACE: Space = {"x": FloatRange(0.0, 4.0), "n": IntRange(1, 9), "rule": Choice(("a", "b"))}
OWN: dict[str, ParameterValue] = {"x": 3.5, "n": 2, "rule": "b", "fixed": 7}
SIZE = 60


def tuner(direction: str = "minimize", seed: int = 5, space: Space = SPACE) -> Tuner:
    return Tuner(space, OWN, seed=seed, direction=direction)  # type: ignore[arg-type]


def cost(s: Suggestion) -> float:
    """Least at x = 1, n = 5, rule a."""
    x, n = float(s.parameters["x"]), int(s.parameters["n"])
    return (x - 1) ** 2 + abs(n - 5) / 4 + (s.parameters["rule"] != "a")


def scores(level: float) -> tuple[float, ...]:
    return tuple(level + math.sin(k) / 10 for k in range(SIZE))


def played(made: Tuner, trials: int, sign: float = 1.0) -> list[Finished]:
    """A whole study with pruning; ``sign`` −1 turns costs into gains."""
    found = []
    for _ in range(trials):
        suggestion = made.ask()
        every, watch = scores(sign * cost(suggestion)), made.watch()
        stop = next((m for m in range(1, SIZE + 1) if watch.stop(every[:m], SIZE)), None)
        value = None if stop else sum(every) / SIZE
        state: Literal["complete", "pruned"] = "pruned" if stop else "complete"
        found.append(Finished(suggestion.number, suggestion.parameters, state, every[: stop or SIZE], value))
        made.tell(found[-1])
    return found


def test_trial_zero_is_the_defaults_of_the_space() -> None:
    first = tuner().ask()
    assert first == Suggestion(0, {"x": 3.5, "n": 2, "rule": "b"})


def test_an_integer_default_of_a_float_range_is_taken() -> None:
    made = Tuner({"x": FloatRange(0.0, 4.0)}, {"x": 2}, seed=1, direction="minimize")
    assert made.ask().parameters == {"x": 2.0}


def test_the_same_seed_suggests_the_same() -> None:
    first, second, other = played(tuner(), 12), played(tuner(), 12), played(tuner(seed=6), 12)
    assert first == second and first != other
    assert [f.number for f in first] == list(range(12))


def test_a_seed_may_be_of_64_bits() -> None:
    assert played(tuner(seed=2**64 - 1), 3) == played(tuner(seed=2**64 - 1), 3)


@pytest.mark.parametrize("kept", [1, 4, 9])
def test_kept_trials_told_again_lead_to_the_same_next(kept: int) -> None:
    """As on resume: the sampler is where it was, and goes on as the undisturbed one."""
    whole = played(tuner(), 14)
    resumed = tuner()
    for finished in whole[:kept]:
        assert resumed.ask().parameters == finished.parameters
        resumed.tell(finished)
    assert played(resumed, 14 - kept) == whole[kept:]


def test_a_failed_trial_is_told_and_passed_over() -> None:
    one, two = tuner(), tuner()
    for made in (one, two):
        played(made, 3)
        made.tell(Finished(made.ask().number, {}, "failed", (), None))
    assert played(one, 5) == played(two, 5)


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1.0), ("maximize", -1.0)])
def test_it_improves_on_the_defaults(direction: str, sign: float) -> None:
    found = played(tuner(direction), 20, sign)
    complete = [f.value for f in found if f.value is not None]
    best = min(complete) if direction == "minimize" else max(complete)
    assert sign * best < sign * complete[0] - 3
    assert any(f.state == "pruned" for f in found)


@pytest.mark.parametrize(("direction", "sign"), [("minimize", 1.0), ("maximize", -1.0)])
def test_clearly_worse_is_pruned_at_the_first_look(direction: str, sign: float) -> None:
    made = tuner(direction)
    made.tell(Finished(made.ask().number, {}, "complete", scores(0.0), 0.0))
    for level, stops in ((5.0, LOOK_EVERY), (-5.0, None)):
        number, watch, every = made.ask().number, made.watch(), scores(sign * level)
        looks = [m for m in range(1, SIZE + 1) if watch.stop(every[:m], SIZE)]
        assert (looks[0] if looks else None) == stops
        if stops:
            made.tell(Finished(number, {}, "pruned", every[:LOOK_EVERY], None))
        else:
            made.tell(Finished(number, {}, "complete", every, sign * level))


def test_pruning_looks_every_twenty_and_never_at_the_end() -> None:
    made = tuner()
    made.tell(Finished(made.ask().number, {}, "complete", scores(0.0), 0.0))
    made.ask()
    watch, every = made.watch(), scores(5.0)
    assert [m for m in range(1, SIZE + 1) if watch.stop(every[:m], SIZE)] == [20, 40]


def test_order_of_use() -> None:
    made = tuner()
    with pytest.raises(ValueError, match="no trial is open"):
        made.watch()
    with pytest.raises(ValueError, match="trial 0 is not open"):
        made.tell(Finished(0, {}, "failed", (), None))
    made.ask()
    with pytest.raises(ValueError, match="trial 1 is not open"):
        made.tell(Finished(1, {}, "failed", (), None))


finite = st.floats(-1e12, 1e12)


@given(finite, finite, st.floats(0, 1))
def testreadable_numbers_stay_in_range(a: float, b: float, at: float) -> None:
    declared = FloatRange(min(a, b), max(a, b))
    value = min(max(declared.low + at * (declared.high - declared.low), declared.low), declared.high)
    shown = readable(value, declared)
    assert declared.holds(shown)
    assert shown == value or float(f"{shown:.4g}") == shown


def testreadable_numbers() -> None:
    assert readable(0.123456, FloatRange(0, 1)) == 0.1235
    assert readable(0.99999, FloatRange(0, 0.99999)) == 0.99999, "rounding would leave the range"
    assert readable(12345, IntRange(0, 99999)) == 12345
    assert readable("a", Choice(("a", "b"))) == "a"


@settings(max_examples=10)
@given(st.integers(0, 2**63), st.floats(0.001, 1.0), st.floats(1.5, 1e6))
def test_suggestions_stay_in_the_space(seed: int, low: float, factor: float) -> None:
    wide, whole = FloatRange(low, low * factor, True), IntRange(1, 64, True)
    space: Space = {"x": wide, "n": whole, "one": IntRange(4, 4), "c": Choice((1, 2.5))}
    made = Tuner(space, {"x": low, "n": 1, "one": 4, "c": 2.5}, seed=seed, direction="minimize")
    for _ in range(9):
        suggestion = made.ask()
        assert all(space[n].holds(v) for n, v in suggestion.parameters.items()), suggestion
        value = float(suggestion.parameters["n"])
        made.tell(Finished(suggestion.number, suggestion.parameters, "complete", (1.0,), value))


@given(levels=st.lists(st.floats(0.5, 2), min_size=3, max_size=8), scale=st.sampled_from([2.0**-8, 2.0**8]))
@settings(max_examples=10, deadline=None)
def test_a_geometric_study_compares_logarithms(levels: list[float], scale: float) -> None:
    """It prunes as an arithmetic study of logarithms does, also when all scores are multiplied."""
    told = []
    for mean, turned in (
        ("geometric", float),
        ("geometric", lambda s: scale * s),
        ("arithmetic", math.log),
    ):
        made = Tuner(SPACE, OWN, seed=5, direction="maximize", mean=mean)  # type: ignore[arg-type]
        seen = []
        for level in levels:
            suggestion = made.ask()
            every = [turned(level * (1 + 0.9 * math.sin(7 * k + level))) for k in range(SIZE)]
            stop = next((m for m in range(1, SIZE + 1) if made.watch().stop(every[:m], SIZE)), None)
            seen.append(stop)
            ended = tuple(every[: stop or SIZE])
            made.tell(
                Finished(
                    suggestion.number, suggestion.parameters, "pruned" if stop else "complete", ended,
                    None if stop else sum(map(math.log, every)) if mean == "geometric" else sum(every),
                )
            )  # fmt: skip
        told.append(seen)
    assert told[0] == told[1] == told[2]


def broken_trials(told: bool) -> int:
    """Trials in ten studies that break a bound beyond which values would be better still; whether that is ``told``."""
    space: Space = {"x": FloatRange(0.0, 1.0), "y": FloatRange(0.0, 1.0)}
    count = 0
    for seed in range(10):
        made = Tuner(space, {"x": 0.1, "y": 0.1}, seed=seed, direction="maximize")
        for number in range(20):
            found = made.ask().parameters
            x, y = float(found["x"]), float(found["y"])
            value = x + 2 * y
            if x**2 + 3 * y**2 <= 1.0:
                made.tell(Finished(number, found, "complete", (value,), value))
            else:
                count += 1
                made.tell(Finished(number, found, "failed", (value,) if told else (), None))
    return count


def test_the_sampler_learns_from_a_failed_trial_that_ran_to_its_end() -> None:
    assert broken_trials(True) < 0.7 * broken_trials(False)


def test_a_failed_trial_with_scores_is_never_the_best_one() -> None:
    """Others are not compared with it."""
    made = tuner(direction="maximize")
    first = made.ask()
    made.tell(Finished(0, first.parameters, "complete", scores(1.0), 1.0))
    second = made.ask()
    made.tell(Finished(1, second.parameters, "failed", scores(100.0), None))
    made.ask()
    assert made.watch().best == scores(1.0)
