"""A trace: the requests of a workload, as plain frozen data that a simulation can read without parsing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evaluators.task import TaskError

PREFIX_BLOCK = 512
"""Tokens that one prefix id stands for, as in Mooncake's traces."""


@dataclass(frozen=True)
class Trace:
    """Requests by arrival; entry i of every field is request i. Times in seconds, lengths in tokens.

    ``prefixes`` names the content of a prompt, an id for each 512 tokens from its start on (a last, partial
    block has one too): prompts whose ids agree up to some place have the same text up to there. Empty for requests
    of which nothing is known.
    """

    name: str
    ids: tuple[str, ...]
    arrivals: tuple[float, ...]
    """Never decreasing, the first at 0 or later."""
    prompts: tuple[int, ...]
    """At least 1."""
    outputs: tuple[int, ...]
    """At least 1. A policy must not see them."""
    prefixes: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rate(self) -> float:
        """Requests a second: the gaps between arrivals, inverted; infinite when all arrive at once."""
        seconds = self.arrivals[-1] - self.arrivals[0]
        return (len(self) - 1) / seconds if seconds > 0 else float("inf")

    def at_rate(self, rate: float) -> Trace:
        """The same requests at ``rate`` a second: times from the first arrival on are stretched alike, bursts kept.
        Raises TaskError where all arrive at once."""
        if self.arrivals[0] == self.arrivals[-1]:
            raise TaskError(f"the requests of {self.name} all arrive at once; they have no rate to change")
        factor, start = self.rate / rate, self.arrivals[0]
        return replace(self, arrivals=tuple((time - start) * factor for time in self.arrivals))
