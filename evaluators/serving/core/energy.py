"""What an instance draws from the wall: joules from how long it computed, and what.

A model, not a meter. Cards draw ``idle`` without work and ``active`` while they compute at all; beyond that each byte
that comes from their memory and each operation has its price. So the energy is linear in a few totals of a run, and is
computed after it. The method is APEX's (Lin et al. 2024: the integral of idle power and activity); the shares come from
measurements, see :mod:`evaluators.serving.power`.
"""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.serving.core.costs import SECOND


@dataclass(frozen=True, slots=True)
class Work:
    """What an instance did in its ``iterations``, which took ``busy`` ps: tokens of prompts ``computed``, those after a
    preemption again, and tokens that decodes made; decodes ``read`` so many tokens in the cache. ``pairs`` is twice the
    number of pairs of tokens that attention of prompts looks at: c · (2x + c) for a chunk of c behind x."""

    busy: int
    iterations: int
    computed: int
    decoded: int
    read: int
    pairs: int


@dataclass(frozen=True, slots=True)
class Power:
    """What the cards of an instance draw together. ``idle``, ``active`` and ``most`` in W: without work, while they
    compute (all included), and never more than; the others in J for one of what :class:`Work` counts."""

    idle: float
    active: float
    most: float
    iteration: float
    token: float
    read: float
    pair: float

    def joules(self, work: Work, time: int) -> float:
        """Energy of ``work`` within ``time`` ps, J."""
        activity = (
            self.iteration * work.iterations
            + self.token * (work.computed + work.decoded)
            + self.read * work.read
            + self.pair * work.pairs
        )
        busy = work.busy / SECOND
        return self.idle * (time - work.busy) / SECOND + min(self.active * busy + activity, self.most * busy)
