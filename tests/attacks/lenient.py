"""An adapter that makes an answer of anything: what is left is the host and the referee."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import numpy as np


def answer(function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any]) -> bytes:
    both = np.frombuffer(payload, dtype="<i8").astype(np.int64)
    n = len(both) // 2
    result = function(both[:n].copy(), both[n:].copy(), **parameters)
    try:
        numbers = np.array(
            [int(x) & (2**32 - 1) if x >= 0 else int(x) for x in islice(result, n)], dtype="<i8"
        )
    except Exception:
        numbers = np.zeros(n, "<i8")
    return np.resize(numbers, n).astype("<i8").tobytes()
