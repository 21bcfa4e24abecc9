"""The child's side of every :class:`evaluators.plain.PlainTask`: arguments out of the payload, the answer into bytes.

Runs inside the sandbox with numpy and nothing else of the project; it knows no references. A payload is u32 length of
a JSON header, the header ``[[dtype, n or null], …]`` (the arguments, last the return value), then the arguments' bytes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

LAYOUT = {"int64": "<i8", "float64": "<f8", "bool": "|b1"}
ACCEPTED = {"int64": "iu", "float64": "iuf", "bool": "b"}
"""Kinds of numpy types that a return value of a type may have."""


def answer(function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any]) -> bytes:
    """Call the candidate once, with fresh arrays. Raises ValueError with a message for the proposer."""
    arguments, (dtype, length) = unpack(payload)
    result = np.asarray(function(*arguments, **parameters))
    shape = () if length is None else (length,)
    if result.shape != shape or result.dtype.kind not in ACCEPTED[dtype]:
        wanted = f"one {dtype}" if length is None else f"{length} values of type {dtype}"
        raise ValueError(
            f"{function.__name__}() returned type {result.dtype}, shape {result.shape}; expected {wanted}"
        )
    return result.astype(LAYOUT[dtype]).tobytes()


def unpack(payload: bytes) -> tuple[list[Any], tuple[str, int | None]]:
    """The arguments, and type and length of the return value (a length of None is a scalar)."""
    end = 4 + int.from_bytes(payload[:4], "little")
    *layout, returned = json.loads(payload[4:end])
    arguments = []
    for dtype, length in layout:
        count = 1 if length is None else length
        values = np.frombuffer(payload, LAYOUT[dtype], count, end)
        end += values.nbytes
        arguments.append(values[0].item() if length is None else values.astype(dtype))
    return arguments, (returned[0], returned[1])
