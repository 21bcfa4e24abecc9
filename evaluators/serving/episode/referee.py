"""Replays event logs on the engines, without any policy: whether they are possible, and what they were worth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluators.serving.core.metrics import figures as figures_of
from evaluators.serving.core.simulation import Outcome
from evaluators.serving.episode.desk import Desk
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.recorder import Phase, Recorder
from evaluators.serving.episode.replay import Replay, hooks_of
from evaluators.serving.power import recognised
from evaluators.task import (
    Figure,
    ImpossibleAnswer,
    Instance,
    Judgement,
    in_classes,
)


@dataclass(frozen=True)
class Referee:
    """Of a task. ``desk``: its side of an episode; ``hooks``: those of its interface, in order, which the log's preface
    says a candidate has (bit i of its first number less 1)."""

    desk: Callable[[Problem, frozenset[str]], Desk]
    hooks: tuple[str, ...] = ()

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        """Replay the event log. The value is the goodput, calls within their limits a second; the score is that in per
        cent of the offered load.

        Raises InvalidAnswer for a log that no run of the engines can give, ImpossibleAnswer when the goodput is above
        the reference, ValueError when the instance has none."""
        problem = decode(instance.payload)
        value = problem.rate * share(problem, self.replayed(problem, answer))
        if instance.reference is None:
            raise ValueError(f"instance {instance.id!r} has no reference")
        if instance.reference_kind in ("proved optimum", "bound") and value > instance.reference:
            raise ImpossibleAnswer(
                f"{value:.3f} calls a second on {instance.id!r} are more than the {instance.reference:.3f} that arrive"
            )
        return Judgement(value, attained(value, instance.reference))

    def replayed(self, problem: Problem, answer: bytes) -> Outcome:
        """What happens when the engines do what the log says. Raises InvalidAnswer where that cannot be."""
        replay, desk = self._opened(problem, answer)
        return replay.outcome(desk)

    def recorded(self, problem: Problem, answer: bytes) -> tuple[Outcome, list[list[Phase]]]:
        """The same, and what each call did meanwhile."""
        replay, desk = self._opened(problem, answer)
        recorder = Recorder(desk, [e.host > 0 for e in problem.scenario.engines])
        outcome = replay.outcome(recorder)
        return outcome, recorder.phases(outcome)

    def _opened(self, problem: Problem, answer: bytes) -> tuple[Replay, Desk]:
        replay = Replay(problem, answer)
        hooks = hooks_of(replay.decision(), self.hooks) if self.hooks else frozenset()
        return replay, self.desk(problem, hooks)

    def replayed_figures(self, instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
        """What event logs tell besides: means over the instances of each one's figures, and counts in all."""
        problems = [decode(i.payload) for i in instances]
        outcomes = [self.replayed(problem, answer) for problem, answer in zip(problems, answers, strict=True)]
        runs = [
            figures_of(o, p.objectives[0], [recognised(e.costs) for e in p.scenario.engines])
            for p, o in zip(problems, outcomes, strict=True)
        ]
        found = [
            Figure(name, sum(known) / len(known), unit)
            for name, unit, values in (
                ("TTFT p50", "s", [r.ttft_p50 for r in runs]),
                ("TTFT p99", "s", [r.ttft_p99 for r in runs]),
                ("TBT p99", "s", [r.tbt_p99 for r in runs]),
                ("throughput", "calls/s", [r.throughput for r in runs]),
                ("Jain index", "", [r.fairness for r in runs]),
                ("energy", "kJ", [r.energy / 1000 for r in runs if r.energy is not None]),
                ("energy a token", "J", [r.joules for r in runs]),
            )
            if (known := [v for v in values if v is not None])
        ]
        split = any(e.prefill for p in problems for e in p.scenario.engines)
        several = any(len(p.scenario.engines) > 1 for p in problems) and not split
        return (
            *found,
            Figure("preemptions", float(sum(o.preemptions for o in outcomes)), "calls"),
            *([Figure("migrations", float(sum(o.migrations for o in outcomes)), "calls")] if several else []),
            *([Figure("hand-overs", float(sum(o.handed for o in outcomes)), "calls")] if split else []),
            *([Figure("changes of role", float(sum(o.turns for o in outcomes)), "")] if split else []),
            Figure("never ended", float(sum(o.starved for o in outcomes)), "calls"),
        )


def attained(value: float, reference: float) -> float:
    """Goodput in per cent of the load."""
    return 100.0 * value / reference if reference > 0 else 0.0


def share(problem: Problem, outcome: Outcome) -> float:
    """The share of all calls that ended within the limits of their kind."""
    limits = problem.objectives
    return sum(limits[c.request.kind].met(c) for c in outcome.calls) / len(outcome.calls)


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
