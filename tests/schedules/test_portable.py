"""Arithmetic that is the same everywhere: against the library's, and sums against a loop, to the last bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.schedules.portable import FARTHEST, exp, log, total


@given(st.lists(st.floats(-FARTHEST, FARTHEST), min_size=1, max_size=20))
def test_the_exponential(xs: list[float]) -> None:
    np.testing.assert_allclose(exp(np.array(xs)), [math.exp(x) for x in xs], rtol=2e-15)


@given(st.lists(st.floats(1e-300, 1e300), min_size=1, max_size=20))
def test_the_logarithm(xs: list[float]) -> None:
    np.testing.assert_allclose(log(np.array(xs)), [math.log(x) for x in xs], rtol=2e-15, atol=1e-16)


def test_what_the_functions_keep() -> None:
    assert exp(np.zeros(3)).tolist() == [1.0, 1.0, 1.0] and log(np.ones(2)).tolist() == [0.0, 0.0]
    with np.errstate(all="ignore"):
        assert np.isnan(exp(np.array([np.nan]))).all(), "what has diverged stays so"
    assert exp(np.array([-1e9]))[0] == pytest.approx(math.exp(-FARTHEST), rel=1e-12)
    given = np.array([-3.5, 2.0])
    exp(given), log(given[1:])
    assert given.tolist() == [-3.5, 2.0], "arguments stay as they are"


@pytest.mark.parametrize(
    "shape", [(9, 3), (300,), (300, 1), (5, 7, 2), (1000, 2), (17, 1, 1, 3), (33, 1, 1), (1, 4), (200, 56)]
)
@pytest.mark.parametrize("turned", [False, True])
def test_sums_go_from_first_to_last(shape: tuple[int, ...], turned: bool) -> None:
    """Pairwise sums would differ in the last bits; that is what makes machines differ."""
    terms = np.random.default_rng(len(shape)).normal(size=shape) * 10.0 ** np.arange(shape[-1])
    if turned:
        terms = terms[::-1]
    found = terms[0].copy()
    for row in terms[1:]:
        found = found + row
    assert np.array_equal(total(terms), found)
