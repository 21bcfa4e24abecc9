"""What the sandbox's tests share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy

from discovery.sandbox.base import Layers
from discovery.sandbox.host import ZygoteSandbox

ADAPTER = Path(__file__).with_name("adapter.py")
MEMORY = 128 << 20
BARE = Layers(namespaces=False)
"""Namespaces are an extra that many machines lack, so the guarantees are tested without them."""


def numbers(*values: float) -> bytes:
    return numpy.array(values, dtype="<f8").tobytes()


def solve(
    sandbox: ZygoteSandbox, code: str, *values: float, limit: float = 0.5, **parameters: Any
) -> list[int]:
    """One session with one instance; the answer's numbers, as many as ``values``."""
    with sandbox.session(code, "f", parameters) as session:
        answer = session.call(numbers(*values), 8 * len(values), limit)
        session.finish()
    return [int(n) for n in numpy.frombuffer(answer.data, dtype="<i8")]
