"""The records of a policy's decisions, the same on both sides of the pipe, derived from the task's interface.

A message to the child holds the greatest length of each dimension (u64, in the order of the interface's arguments)
and m records: the replica, its own lengths, and the view's values, arrays padded to the greatest length. The answer
is m reply records, padded alike. Whole messages are coded at once, which keeps a decision to some microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

TYPES = {"int64": "<i8", "float64": "<f8", "bool": "|b1"}
ACCEPTED = {"int64": "iub", "float64": "iufb", "bool": "b"}
"""Kinds of numpy types that a reply of a type may have. What several replies become together (a truth value among whole
numbers is one of them) must be allowed for each alone, so that a verdict does not depend on the batch."""
_LENGTH = np.dtype("<u8")

Lengths = tuple[int, ...]
"""The length of each dimension."""
View = Sequence[Any]
"""The values of one view in the interface's order: a number for a scalar, a vector for an array."""
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Spec:
    """A function of an interface as the pipe sees it, plain data. ``arguments``: (dtype, name of the length or None for
    a scalar); ``returns`` the same of a reply, ``low`` and ``high`` its bounds."""

    function: str
    arguments: tuple[tuple[str, str | None], ...]
    returns: tuple[str, str | None]
    low: float | None = None
    high: float | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Spec:
        """From its fields as JSON gives them."""
        dtype, length = told["returns"]
        arguments = tuple((dtype, length) for dtype, length in told["arguments"])
        return cls(told["function"], arguments, (dtype, length), told["low"], told["high"])

    @cached_property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the lengths, in the order of the arguments."""
        return tuple(dict.fromkeys(length for _, length in self.arguments if length is not None))

    @cached_property
    def _measured(self) -> tuple[int, ...]:
        """For each dimension the first argument that has it."""
        lengths = [length for _, length in self.arguments]
        return tuple(lengths.index(name) for name in self.dimensions)

    def lengths(self, view: View) -> Lengths:
        """The lengths of a view."""
        return tuple([len(view[at]) for at in self._measured])


@dataclass(frozen=True)
class Decisions:
    """What the child makes of a message: for each of m decisions its replica, arguments and lengths."""

    replicas: list[int]
    arguments: list[tuple[Any, ...]]
    lengths: list[Lengths]


@lru_cache(maxsize=64)
def _record(spec: Spec, most: Lengths) -> np.dtype[np.void]:
    room = dict(zip(spec.dimensions, most, strict=True))
    fields: list[Any] = [("replica", "<u8"), ("lengths", "<u8", (len(most),))]
    for name, (dtype, length) in enumerate(spec.arguments):
        fields.append((str(name), TYPES[dtype], () if length is None else (room[length],)))
    return np.dtype(fields, align=True)


def _greatest(lengths: Sequence[Lengths]) -> Lengths:
    return lengths[0] if len(set(lengths)) == 1 else tuple(map(max, zip(*lengths, strict=True)))


def pack(spec: Spec, replicas: Sequence[int], views: Sequence[View], lengths: Sequence[Lengths]) -> bytes:
    """A message with one record for each view."""
    most = _greatest(lengths)
    rows = np.zeros(len(views), _record(spec, most))
    rows["replica"] = replicas
    rows["lengths"] = lengths
    even = all(own == most for own in lengths)
    for at, column in enumerate(zip(*views, strict=True)):
        target = rows[str(at)]
        if spec.arguments[at][1] is None:
            target[:] = column
        elif even:
            target[:] = np.concatenate(column).reshape(target.shape)
        else:
            for row, values in zip(target, column, strict=True):
                row[: len(values)] = values
    return np.array(most, _LENGTH).tobytes() + rows.tobytes()


def unpack(spec: Spec, body: bytes) -> Decisions:
    """The decisions of a message; arrays are read-only, scalars plain Python numbers."""
    start = _LENGTH.itemsize * len(spec.dimensions)
    most = tuple(np.frombuffer(body[:start], _LENGTH).tolist())
    rows = np.frombuffer(body, _record(spec, most), offset=start)
    lengths = [tuple(own) for own in rows["lengths"].tolist()]
    columns: list[list[Any]] = []
    for at, (_, length) in enumerate(spec.arguments):
        column = rows[str(at)]
        columns.append(column.tolist() if length is None else _cut(spec, length, column, lengths))
    return Decisions(rows["replica"].tolist(), list(zip(*columns, strict=True)), lengths)


def _cut(spec: Spec, length: str, column: Array, lengths: Sequence[Lengths]) -> list[Array]:
    """The rows of a padded column, each at its own length."""
    at, room = spec.dimensions.index(length), column.shape[1]
    if all(own[at] == room for own in lengths):
        return list(column)
    return [values[: own[at]] for values, own in zip(column, lengths, strict=True)]


def _reply(spec: Spec, lengths: Sequence[Lengths]) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type of a reply's values, and the shape of all replies to a message."""
    dtype, length = spec.returns
    if length is None:
        return np.dtype(TYPES[dtype]), (len(lengths),)
    most: int = _greatest(lengths)[spec.dimensions.index(length)]
    return np.dtype(TYPES[dtype]), (len(lengths), most)


def reply_bytes(spec: Spec, lengths: Sequence[Lengths]) -> int:
    """The exact length of the answer to a message."""
    dtype, shape = _reply(spec, lengths)
    return int(np.prod(shape)) * dtype.itemsize


def pack_replies(spec: Spec, values: Sequence[Any], lengths: Sequence[Lengths]) -> bytes:
    """What the candidate returned, as reply records. Raises ValueError with a sentence for the proposer."""
    dtype, shape = _reply(spec, lengths)
    try:
        found = np.asarray(values)
    except (ValueError, TypeError):  # values of several shapes, or no values at all
        found = np.empty(0, object)
    if found.shape == shape and found.dtype.kind in ACCEPTED[spec.returns[0]] and _even(spec, shape, lengths):
        found = found.astype(dtype, copy=False)
        used = found
    else:
        found, used = _one_by_one(spec, values, lengths)
    wrong = _complaint(spec, used)
    if wrong:
        raise ValueError(f"{spec.function}() returned {wrong}")
    return found.tobytes()


def _even(spec: Spec, shape: tuple[int, ...], lengths: Sequence[Lengths]) -> bool:
    """Whether no reply is padded."""
    if spec.returns[1] is None:
        return True
    at = spec.dimensions.index(spec.returns[1])
    return all(own[at] == shape[1] for own in lengths)


def _one_by_one(spec: Spec, values: Sequence[Any], lengths: Sequence[Lengths]) -> tuple[Array, Array]:
    """Replies of several lengths or types: all of them padded, and the values alone. Raises ValueError."""
    dtype, shape = _reply(spec, lengths)
    padded = np.zeros(shape, dtype)
    name, length = spec.returns
    used = []
    for row, (value, own) in enumerate(zip(values, lengths, strict=True)):
        one = np.asarray(value)
        size = None if length is None else own[spec.dimensions.index(length)]
        if one.shape != (() if size is None else (size,)) or one.dtype.kind not in ACCEPTED[name]:
            expected = f"one {name}" if size is None else f"{size} values of type {name}"
            raise ValueError(
                f"{spec.function}() returned type {one.dtype}, shape {one.shape}; expected {expected}"
            )
        padded[row if size is None else (row, slice(size))] = one
        used.append(one.astype(dtype).reshape(-1))
    return padded, np.concatenate(used)


def unpack_replies(spec: Spec, body: bytes, lengths: Sequence[Lengths]) -> list[Any]:
    """Reply records as plain numbers or read-only vectors, in order. Raises ValueError for values that are not finite
    or out of bounds, and for bytes that are no truth values."""
    dtype, shape = _reply(spec, lengths)
    if dtype.kind == "b" and np.frombuffer(body, np.uint8).max(initial=0) > 1:
        raise ValueError(f"each byte of a reply of {spec.function}() must be 0 or 1")
    found = np.frombuffer(body, dtype).reshape(shape)
    length = spec.returns[1]
    values = found.tolist() if length is None else _cut(spec, length, found, lengths)
    used = found if length is None or _even(spec, shape, lengths) else np.concatenate(values)
    wrong = _complaint(spec, used)
    if wrong:
        raise ValueError(f"a reply of {spec.function}() holds {wrong}")
    return values


def _complaint(spec: Spec, found: Array) -> str:
    """What is wrong with the values of replies; empty when nothing is."""
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        return f"{found[~np.isfinite(found)][0]}, which is not finite"
    tests: tuple[tuple[float | None, Callable[..., Any], str], ...] = (
        (spec.low, np.less, "at least"),
        (spec.high, np.greater, "at most"),
    )
    for bound, broken, words in tests:
        if bound is not None and (outside := broken(found, bound)).any():
            return f"{found[outside][0]}; expected {words} {bound:g}"
    return ""
