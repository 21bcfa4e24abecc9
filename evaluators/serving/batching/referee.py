"""Replays event logs on the engine, without any policy: whether they are possible, and what they were worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from evaluators.serving.batching.problem import ENTRY_BYTES, Problem, decode
from evaluators.serving.batching.simulator import NOTHING, decides
from evaluators.serving.core.calls import Call
from evaluators.serving.core.metrics import figures as figures_of
from evaluators.serving.core.simulation import Outcome
from evaluators.serving.core.simulation import simulate as serve
from evaluators.serving.core.views import StepView
from evaluators.task import (
    Figure,
    ImpossibleAnswer,
    Instance,
    InvalidAnswer,
    Judgement,
    in_classes,
)

Entries = Iterator[list[int]]


def judge(instance: Instance, answer: bytes) -> Judgement:
    """Replay the event log. The value is the goodput, calls within their limits a second; the score is that in per cent
    of the offered load.

    Raises InvalidAnswer for a log that no run of the engine can give, ImpossibleAnswer when the goodput is above the
    reference, ValueError when the instance has none."""
    problem = decode(instance.payload)
    value = problem.rate * share(problem, replayed(problem, answer))
    if instance.reference is None:
        raise ValueError(f"instance {instance.id!r} has no reference")
    if instance.reference_kind in ("proved optimum", "bound") and value > instance.reference:
        raise ImpossibleAnswer(
            f"{value:.3f} calls a second on {instance.id!r} are more than the {instance.reference:.3f} that arrive"
        )
    return Judgement(value, attained(value, instance.reference))


def attained(value: float, reference: float) -> float:
    """Goodput in per cent of the load."""
    return 100.0 * value / reference if reference > 0 else 0.0


def share(problem: Problem, outcome: Outcome) -> float:
    """The share of all calls that ended within the limits of their kind."""
    limits = problem.objectives
    return sum(limits[c.request.kind].met(c) for c in outcome.calls) / len(outcome.calls)


def replayed(problem: Problem, answer: bytes) -> Outcome:
    """What happens when the engine does what the log says. Raises InvalidAnswer where that cannot be."""
    if len(answer) != ENTRY_BYTES * problem.entries:
        raise InvalidAnswer(
            f"the event log has {len(answer)} bytes; expected {ENTRY_BYTES * problem.entries}"
        )
    rows: Entries = iter(np.frombuffer(answer, "<u2").reshape(-1, 2).tolist())
    run = serve(problem.scenario)
    try:
        view = next(run)
        while True:
            assert isinstance(view, StepView)
            view = run.send(_plan(rows, view) if decides(view) else NOTHING)
    except StopIteration as ended:
        outcome: Outcome = ended.value
    if outcome.refusals:
        raise InvalidAnswer(f"the event log holds a plan that the engine refuses: {min(outcome.refusals)}")
    if any(number or tokens for number, tokens in rows):
        raise InvalidAnswer("the event log goes on after the last call")
    return outcome


def _plan(rows: Entries, view: StepView) -> tuple[list[tuple[int, int]], list[int], int]:
    """The next plan of the log; once it is used up, nothing is computed any more."""
    chunks: list[tuple[int, int]] = []
    gone: list[int] = []
    places: dict[int, int] = {}
    for number, tokens in rows:
        if not number and not tokens:
            break
        places = places or _places(view.queue)
        if number not in places:
            raise InvalidAnswer(f"the event log names call {number}, which does not wait then")
        if tokens:
            chunks.append((places[number], tokens))
        else:
            gone.append(view.sequences + places[number])
    return chunks, gone, 1


def _places(queue: Sequence[Call]) -> dict[int, int]:
    """Where each call stands in the queue, by its number in the log."""
    return {call.number + 1: place for place, call in enumerate(queue)}


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """Beside the score: the mean goodput and load, and the worst class's mean score."""
    rows = [(i, v, i.reference) for i, v in zip(instances, values, strict=True) if i.reference]
    if not rows:
        return ()
    means = in_classes([i for i, _, _ in rows], [attained(v, r) for _, v, r in rows])
    worst = min(means, key=means.__getitem__)
    return (
        Figure("goodput", sum(v for _, v, _ in rows) / len(rows), "calls/s"),
        Figure("offered load", sum(r for _, _, r in rows) / len(rows), "calls/s"),
        Figure(f"worst class ({worst})", means[worst], "%"),
    )


def replayed_figures(instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
    """What event logs tell besides: means over the instances of each one's figures, and counts in all."""
    problems = [decode(i.payload) for i in instances]
    outcomes = [replayed(problem, answer) for problem, answer in zip(problems, answers, strict=True)]
    runs = [figures_of(o, p.objectives[0]) for p, o in zip(problems, outcomes, strict=True)]
    found = [
        Figure(name, sum(known) / len(known), unit)
        for name, unit, values in (
            ("TTFT p50", "s", [r.ttft_p50 for r in runs]),
            ("TTFT p99", "s", [r.ttft_p99 for r in runs]),
            ("TBT p99", "s", [r.tbt_p99 for r in runs]),
            ("throughput", "calls/s", [r.throughput for r in runs]),
        )
        if (known := [v for v in values if v is not None])
    ]
    return (
        *found,
        Figure("preemptions", float(sum(o.preemptions for o in outcomes)), "calls"),
        Figure("never ended", float(sum(o.starved for o in outcomes)), "calls"),
    )
