"""What a run was worth: goodput and the figures beside it, from what happened to its calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.serving.core.calls import DONE, Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.energy import Power
from evaluators.serving.core.simulation import Outcome


@dataclass(frozen=True)
class Objective:
    """What a call needs to count (a service level objective): at most ``ttft`` to its first token and at most ``tbt``
    between two tokens, in ps."""

    ttft: int
    tbt: int

    def met(self, call: Call) -> bool:
        return call.state == DONE and call.ttft <= self.ttft and call.worst <= self.tbt


@dataclass(frozen=True)
class Figures:
    """Rates are calls or tokens a second of simulated time, from the first arrival to the later of the last arrival and
    the last end; times are seconds. ``fairness`` is Jain's index of the calls' slowdowns (time in the system over
    tokens), 1 when all are alike. None where nothing ended. ``energy`` is that of the whole run, ``joules`` its
    share for each token of a call that ended, in J; None where the power of an engine is not known."""

    goodput: float
    throughput: float
    tokens: float
    ttft_p50: float | None
    ttft_p99: float | None
    tbt_p99: float | None
    fairness: float | None
    preemptions: int
    starved: int
    energy: float | None
    joules: float | None


def figures(outcome: Outcome, objective: Objective, powers: Sequence[Power | None] = ()) -> Figures:
    """The figures of a run; ``powers`` of its engines in their order."""
    ended = [c for c in outcome.calls if c.state == DONE]
    first = min((c.request.arrival for c in outcome.calls), default=0)
    last = max((max(c.request.arrival, c.ended) for c in outcome.calls), default=0)
    seconds = max(last - first, 1) / SECOND
    waits = sorted(c.ttft for c in ended)
    tokens = sum(c.request.output for c in ended)
    energy = _energy(outcome, powers)
    gaps = sorted(c.worst for c in ended if c.request.output > 1)
    return Figures(
        goodput=sum(map(objective.met, ended)) / seconds,
        throughput=len(ended) / seconds,
        tokens=tokens / seconds,
        ttft_p50=_quantile(waits, 0.5),
        ttft_p99=_quantile(waits, 0.99),
        tbt_p99=_quantile(gaps, 0.99),
        fairness=_jain(
            [(c.ended - c.request.arrival) / (c.request.prompt + c.request.output) for c in ended]
        ),
        preemptions=outcome.preemptions,
        starved=outcome.starved,
        energy=energy,
        joules=energy / tokens if energy is not None and tokens else None,
    )


def _energy(outcome: Outcome, powers: Sequence[Power | None]) -> float | None:
    """The energy of all engines from the beginning to the end of the run."""
    known = [power for power in powers if power is not None]
    if not known or len(known) < len(outcome.work):
        return None
    return sum(p.joules(work, outcome.end) for p, work in zip(known, outcome.work, strict=True))


def _quantile(ordered: Sequence[int], q: float) -> float | None:
    """The smallest value that at least a share ``q`` of the ordered ones do not exceed, s."""
    if not ordered:
        return None
    return ordered[max(0, -int(-q * len(ordered) // 1) - 1)] / SECOND


def _jain(values: Sequence[float]) -> float | None:
    """(Σx)² / (n Σx²) (Jain, Chiu & Hawe, DEC-TR-301, 1984)."""
    squares = sum(v * v for v in values)
    return sum(values) ** 2 / (len(values) * squares) if squares else None
