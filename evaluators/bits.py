"""Random bits with their own arithmetic: SplitMix64 on plain 64-bit integers.

Source: Steele, Lea & Flood, "Fast splittable pseudorandom number generators" (OOPSLA 2014). The generator is a
counter put through a bijection, so that draw ``i`` of a stream is a pure function of (stream, i); numpy serves only
as a calculator modulo 2**64, and no release of it can change a value.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]

MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15
FIRST = 0xBF58476D1CE4E5B9
SECOND = 0x94D049BB133111EB


def mix(z: int) -> int:
    """The finaliser of SplitMix64, a bijection of 64-bit integers."""
    z = ((z ^ (z >> 30)) * FIRST) & MASK
    z = ((z ^ (z >> 27)) * SECOND) & MASK
    return z ^ (z >> 31)


def stream(*parts: int) -> int:
    """The start state of the stream named by ``parts`` (non-negative integers below 2**64)."""
    state = len(parts)
    for part in parts:
        state = mix((state + GAMMA) & MASK ^ part)
    return state


def draws(state: int, start: int, count: int) -> Bits:
    """Draws ``start`` … ``start + count - 1`` of a stream: 64 random bits each."""
    counter = np.arange(start + 1, start + count + 1, dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = counter * np.uint64(GAMMA) + np.uint64(state)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(FIRST)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(SECOND)
    return z ^ (z >> np.uint64(31))
