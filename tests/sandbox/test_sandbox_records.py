"""Records of decisions: what goes in comes out, whatever the lengths and types."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.sandbox.records import Spec, pack, pack_replies, reply_bytes, unpack, unpack_replies

ARGUMENTS = (
    ("int64", "n"),
    ("bool", "m"),
    ("float64", None),
    ("float64", "n"),
    ("int64", None),
    ("bool", None),
)
WHOLE = st.integers(-(2**63), 2**63 - 1)
REAL = st.floats(allow_nan=False, width=64)


def spec(dtype: str = "float64", length: str | None = "n", low: float | None = None) -> Spec:
    return Spec("f", ARGUMENTS, (dtype, length), low)


@st.composite
def views(draw: st.DrawFn) -> list[Any]:
    n, m = draw(st.integers(0, 5)), draw(st.integers(0, 3))
    return [
        np.array(draw(st.lists(WHOLE, min_size=n, max_size=n)), np.int64),
        np.array(draw(st.lists(st.booleans(), min_size=m, max_size=m)), bool),
        draw(REAL),
        np.array(draw(st.lists(REAL, min_size=n, max_size=n)), float),
        draw(WHOLE),
        draw(st.booleans()),
    ]


@given(st.lists(views(), min_size=1, max_size=5))
@settings(max_examples=50)
def test_views_come_out_as_they_went_in(given_views: list[list[Any]]) -> None:
    lengths = [spec().lengths(view) for view in given_views]
    body = pack(spec(), range(7, 7 + len(given_views)), given_views, lengths)
    found = unpack(spec(), body)
    assert found.replicas == list(range(7, 7 + len(given_views))) and found.lengths == lengths
    for before, after in zip(given_views, found.arguments, strict=True):
        for one, other in zip(before, after, strict=True):
            assert np.array_equal(one, other) and type(other) in (np.ndarray, float, int, bool)
            assert not isinstance(other, np.ndarray) or not other.flags.writeable


@given(st.lists(st.lists(st.floats(-1e9, 1e9), max_size=4), min_size=1, max_size=5))
@settings(max_examples=50)
def test_replies_come_out_as_they_went_in(replies: list[list[float]]) -> None:
    lengths = [(len(r), 1) for r in replies]
    body = pack_replies(spec(low=-1e9), [np.array(r) for r in replies], lengths)
    assert len(body) == reply_bytes(spec(), lengths)
    found = unpack_replies(spec(low=-1e9), body, lengths)
    assert [f.tolist() for f in found] == replies


@pytest.mark.parametrize(
    ("dtype", "length", "values", "reason"),
    [
        ("float64", "n", [[1.0, 2.0], [1.0]], "shape (1,); expected 2 values"),
        ("float64", "n", [[1.0, 2.0], "ab"], "type <U2, shape ()"),
        ("float64", "n", [[1.0, 2.0], ["a", "b"]], "type <U1"),
        ("float64", "n", [[1.0, 2.0], [1.0, float("inf")]], "inf, which is not finite"),
        ("float64", "n", [[1.0, 2.0], [[1.0], [2.0]]], "shape (2, 1)"),
        ("float64", "n", [[1j, 2], [1, 2]], "type complex128"),
        ("float64", "n", [None, None], "type object"),
        ("int64", None, [1, 2.0], "type float64, shape (); expected one int64"),
        ("int64", None, [1, -3], "-3; expected at least 0"),
        ("bool", None, [True, 1], "type int64"),
    ],
)
def test_replies_of_another_form(dtype: str, length: str | None, values: list[Any], reason: str) -> None:
    with pytest.raises(ValueError, match="returned") as refused:
        pack_replies(spec(dtype, length, 0), values, [(2, 0), (2, 0)])
    assert reason in str(refused.value)


def test_padding_is_not_judged() -> None:
    lengths = [(2, 0), (1, 0)]
    body = pack_replies(spec(low=1), [[1.0, 2.0], [3]], lengths)
    assert [r.tolist() for r in unpack_replies(spec(low=1), body, lengths)] == [[1, 2], [3]]


def test_bytes_from_the_child_are_judged_again() -> None:
    lengths = [(2, 0), (1, 0)]
    for data, reason in (
        (np.array([1, np.nan, 3, 0]), "nan"),
        (np.array([1, 0.5, 3, 0]), "0.5; expected at least 1"),
    ):
        with pytest.raises(ValueError, match=reason):
            unpack_replies(spec(low=1), data.tobytes(), lengths)
    assert len(unpack_replies(spec(low=1), np.array([1, 2, 3, np.nan]).tobytes(), lengths)) == 2
    with pytest.raises(ValueError, match="must be 0 or 1"):
        unpack_replies(spec("bool", None), b"\x01\x02", lengths)


def test_a_spec_survives_json() -> None:
    assert Spec.read(json.loads(json.dumps(asdict(spec(low=0.5))))) == spec(low=0.5)
