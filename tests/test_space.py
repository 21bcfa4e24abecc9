"""SEARCH_SPACE as a literal: what is read, what is refused, what holds."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchspaces.space import (
    MAX_CHOICES,
    MAX_PARAMETERS,
    Choice,
    FloatRange,
    IntRange,
    Range,
    SpaceError,
    read,
)
from searchspaces.tuner import Finished, Tuner


def of(text: str) -> dict[str, Range]:
    return read(ast.parse(text, mode="eval").body)


def test_the_documented_example() -> None:
    text = (
        '{"k": {"low": 0.25, "high": 8.0, "log": True}, "passes": {"low": 1, "high": 5}, "rule": ["a", "b"]}'
    )
    assert of(text) == {
        "k": FloatRange(0.25, 8.0, True),
        "passes": IntRange(1, 5),
        "rule": Choice(("a", "b")),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1, 2]", "must be a dictionary"),
        ("dict(a=1)", "literal dictionary"),
        ("{'a': x}", "literal dictionary"),
        ("{'a': [1][0]}", "literal dictionary"),
        ("{**{}}", "literal dictionary"),
        ("{1: [1]}", "must be parameter names"),
        ("{'a b': [1]}", "must be parameter names"),
        ("{'': [1]}", "must be parameter names"),
        ("{'a': 3}", "SEARCH_SPACE['a'] must be"),
        ("{'a': {'low': 1}}", "SEARCH_SPACE['a'] must be"),
        ("{'a': {'low': 1, 'high': 2, 'step': 1}}", "SEARCH_SPACE['a'] must be"),
        ("{'a': {'low': '1', 'high': 2}}", "SEARCH_SPACE['a'] must be"),
        ("{'a': {'low': True, 'high': 2}}", "SEARCH_SPACE['a'] must be"),
        ("{'a': {'low': 1, 'high': 2, 'log': 1}}", "SEARCH_SPACE['a'] must be"),
        ("{'a': {'low': 1.0, 'high': 1e999}}", "SEARCH_SPACE['a'] must be"),
        (f"{{'a': {{'low': 0, 'high': {2**53}}}}}", "SEARCH_SPACE['a'] must be"),
        ("{'a': {'low': 3, 'high': 2}}", "low 3 is above high 2"),
        ("{'a': {'low': 0, 'high': 2, 'log': True}}", "needs low > 0, not 0"),
        ("{'a': {'low': -1.0, 'high': 2, 'log': True}}", "needs low > 0"),
        ("{'a': {'low': -1e308, 'high': 1e308}}", "at most 1e+100 in size"),
        ("{'a': {'low': 1.7e308, 'high': 1.79e308}}", "at most 1e+100 in size"),
        ("{'a': {'low': 0.0, 'high': 5e-324}}", "too close"),
        ("{'a': {'low': 1.0, 'high': 1.0000000000000002}}", "too close"),
        (f"{{'a': {{'low': {2**53 - 2}, 'high': {2**53 - 1}, 'log': True}}}}", "too close"),
        ("{'a': []}", "a choice is a list of 1 to"),
        ("{'a': [None]}", "a choice is a list of 1 to"),
        ("{'a': [True, False]}", "a choice is a list of 1 to"),
        ("{'a': [[1]]}", "a choice is a list of 1 to"),
        ("{'a': [1e999]}", "a choice is a list of 1 to"),
        (f"{{'a': list(range({MAX_CHOICES}))}}", "literal dictionary"),
        (f"{{'a': {list(range(MAX_CHOICES + 1))}}}", "a choice is a list of 1 to"),
        ("{'a': [1, 1]}", "must differ"),
        (str({f"a{k}": [1] for k in range(MAX_PARAMETERS + 1)}), f"at most {MAX_PARAMETERS} are allowed"),
    ],
)
def test_refusals_say_why(text: str, said: str) -> None:
    with pytest.raises(SpaceError) as refused:
        of(text)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_bounds_of_size() -> None:
    assert len(of(str({f"a{k}": [1] for k in range(MAX_PARAMETERS)}))) == MAX_PARAMETERS
    assert of(f"{{'a': {list(range(MAX_CHOICES))}}}") == {"a": Choice(tuple(range(MAX_CHOICES)))}
    assert of("{'a': {'low': 2, 'high': 2}}") == {"a": IntRange(2, 2)}
    assert of("{'a': [1, 1.0, '1']}") == {"a": Choice((1, 1.0, "1"))}, "of different types, so different"


@pytest.mark.parametrize("companion", [{}, {"z": {"low": 0.0, "high": 1.0}}])
@pytest.mark.parametrize(
    ("low", "high", "log"),
    [
        (-1e100, 1e100, False),
        (1e-300, 1e100, True),
        (0.0, 1e-100, False),
        (1e100 * (1 - 2e-9), 1e100, False),
        (1.0, 1.000000002, True),
        (3.5, 3.5, True),
        (-(2**53) + 1, 2**53 - 1, False),
        (2**53 - 2, 2**53 - 1, False),
        (1, 2**53 - 1, True),
        (2**53 - 1, 2**53 - 1, True),
    ],
)
def test_the_widest_and_narrowest_ranges_can_be_sampled(
    low: float, high: float, log: bool, companion: dict[str, object]
) -> None:
    space = of(repr({"a": {"low": low, "high": high, "log": log}, **companion}))
    tuner = Tuner(space, {"a": low, "z": 0.5}, seed=3, direction="minimize")
    for number in range(14):
        parameters = tuner.ask().parameters
        assert space["a"].holds(parameters["a"])
        score = float(number % 5)
        tuner.tell(Finished(number, parameters, "complete", (score,) * 3, score))


def test_what_holds() -> None:
    assert IntRange(1, 3).holds(3) and not IntRange(1, 3).holds(4) and not IntRange(1, 3).holds(2.0)
    assert FloatRange(1, 3).holds(2) and FloatRange(1, 3).holds(3.0) and not FloatRange(1, 3).holds(3.01)
    assert (
        not FloatRange(0, 3).holds(True)
        and not IntRange(0, 3).holds(True)
        and not FloatRange(0, 3).holds("1")
    )
    assert not FloatRange(0, 3).holds(float("nan"))
    assert Choice((1, "a")).holds("a") and not Choice((1, "a")).holds(1.0) and not Choice((1,)).holds(True)


literals = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(literals)
def test_any_literal_is_read_or_refused(value: object) -> None:
    try:
        found = of(repr(value))
    except SpaceError:
        return
    assert all(isinstance(r, FloatRange | IntRange | Choice) for r in found.values())
