"""Asks for a number between two bounds until it is found or the oracle says no more."""

from collections.abc import Callable, Mapping
from typing import Any


def answer(
    function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any], ask: Callable[[bytes], bytes]
) -> bytes:
    low, high = 0, int.from_bytes(payload, "little")
    guess = 0
    try:
        while True:
            guess = int(function(low, high, **parameters))
            said = ask(guess.to_bytes(8, "little", signed=True))
            if said == b"=":
                break
            low, high = (guess + 1, high) if said == b">" else (low, guess - 1)
    except RuntimeError:
        pass
    return guess.to_bytes(8, "little", signed=True)
