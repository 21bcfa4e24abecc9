"""What a forward pass says, number by number, and what a policy sees of it."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evaluators.diffusion.reading import Looking, Reading, read
from evaluators.diffusion.tokens import MASK

LOGITS = arrays(np.float64, (3, 6), elements=st.floats(-30, 30, width=32))


def slow(row: list[float], before: list[float] | None) -> tuple[float, float, float, float, int]:
    """Probability, margin, entropy, drift and the best token of one position."""
    known = {t: v for t, v in enumerate(row) if t != MASK}
    top = max(known.values())
    whole = sum(math.exp(v - top) for v in known.values())
    log = {t: v - top - math.log(whole) for t, v in known.items()}
    first, second = sorted(known.values(), reverse=True)[:2]
    entropy = -sum(math.exp(v) * v for v in log.values())
    drift = 0.0 if before is None else sum(math.exp(v) * (v - before[t]) for t, v in log.items())
    return (
        math.exp(max(log.values())),
        first - second,
        entropy,
        drift,
        min(t for t, v in known.items() if v == top),
    )


def logs(row: list[float]) -> list[float]:
    top = max(v for t, v in enumerate(row) if t != MASK)
    whole = sum(math.exp(v - top) for t, v in enumerate(row) if t != MASK)
    return [v - top - math.log(whole) for v in row]


@given(LOGITS, LOGITS)
def test_readings_against_a_slow_one(first, second):
    kept = first.copy()
    reading, log = read(first, None)
    assert np.array_equal(first, kept)
    _compare(reading, [slow(row, None) for row in first.tolist()])
    again, _ = read(second, log)
    _compare(again, [slow(b, logs(a)) for a, b in zip(first.tolist(), second.tolist(), strict=True)])


def _compare(reading: Reading, rows: list[tuple[float, float, float, float, int]]) -> None:
    for found, wanted in zip(
        (reading.probability, reading.margin, reading.entropy, reading.drift), list(zip(*rows, strict=True))[:4],
        strict=True,
    ):  # fmt: skip
        assert found.dtype == np.float16 and (found >= 0).all()
        step = 1 / 32 if found is reading.margin else 1 / 1024
        np.testing.assert_allclose(found, np.maximum(wanted, 0), rtol=1e-3, atol=0.51 * step)
        below = found[found < 2].astype(float)
        assert np.array_equal(below, np.rint(below / step) * step)
    assert reading.best.tolist() == [row[4] for row in rows]
    assert MASK not in reading.best


@given(st.lists(st.lists(st.integers(0, 2), min_size=4, max_size=4), min_size=1, max_size=6))
def test_runs_befores_and_ends_over_the_passes(bests):
    table = np.linspace(0, 10, 11)
    looking = Looking(4, 9, table, end=0)
    last = np.zeros(4)
    for number, best in enumerate(bests, start=1):
        probability = np.full(4, 0.125 * number, np.float16)
        margin = np.array([0, 2.5, 10, 60000], np.float16)
        reading = Reading(probability, margin, probability, probability, np.array(best))
        masked = np.array([True, False, True, True])
        view = looking.look(reading, masked)
        (
            shown, shares, margins, standing, _, _, before, run, ending, place, step, total,
        ) = view  # fmt: skip
        for at in range(4):
            length = 1
            while length < number and bests[number - 1 - length][at] == best[at]:
                length += 1
            assert run[at] == length
        assert shown.tolist() == [True, False, True, True] and shown is not masked
        assert ending.tolist() == [b == 0 for b in best]
        assert before.tolist() == last.tolist()
        assert standing.tolist() == [0.0, 0.25, 1.0, 1.0]
        assert margins.tolist() == [0, 2.5, 10, 60000]
        assert place.tolist() == [0, 1 / 3, 2 / 3, 1]
        assert (step, total) == (number, 9)
        last = shares
