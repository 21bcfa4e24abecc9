"""Optuna on a candidate's declared parameters: ask and tell, in memory, seeded.

Trial 0 is the candidate's own defaults, whose scores are known. Trials are compared instance by instance with the
best one so far (Optuna's ``WilcoxonPruner``), looked at every 20 instances. The caller runs the trials, one after
another, and keeps them; telling kept trials again brings the sampler back to where it was.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from searchspaces.space import Choice, FloatRange, ParameterValue, Range, Space

if TYPE_CHECKING:
    import optuna

LOOK_EVERY = 20
PRUNE_LEVEL = 0.1
STARTUP_TRIALS = 6

Mean = Literal["arithmetic", "geometric"]
"""How the scores of a trial become its value."""


@dataclass(frozen=True)
class Suggestion:
    """Trial ``number`` wants these parameters run."""

    number: int
    parameters: Mapping[str, ParameterValue]


@dataclass(frozen=True)
class Finished:
    """A trial that ran: ``value`` is its score over the whole set (None unless complete); ``scores`` one an instance,
    a prefix when it was pruned. A failed one has scores where it ran to its end and they count for nothing."""

    number: int
    parameters: Mapping[str, ParameterValue]
    state: Literal["complete", "pruned", "failed"]
    scores: tuple[float, ...]
    value: float | None


class Tuner:
    """One study. ``defaults`` cover the names of ``space``; other parameters are not tuned.

    Order of use: ``ask`` → run with ``watch`` → ``tell``; repeat."""

    def __init__(
        self,
        space: Space,
        defaults: Mapping[str, ParameterValue],
        *,
        seed: int,
        direction: Literal["minimize", "maximize"],
        mean: Mean = "arithmetic",
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        logging.getLogger("optuna").setLevel(logging.WARNING)
        self._direction: Literal["minimize", "maximize"] = direction
        self._mean: Mean = mean
        self._space = dict(space)
        self._distributions = {name: distribution(r) for name, r in space.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sampler = optuna.samplers.TPESampler(
                seed=seed % 2**32, multivariate=len(space) > 1, n_startup_trials=STARTUP_TRIALS
            )
            self._study = optuna.create_study(sampler=sampler, direction=direction)
        own = {name: defaults[name] for name in space}
        self._study.enqueue_trial(
            {n: float(v) if isinstance(space[n], FloatRange) else v for n, v in own.items()}
        )
        self._trial: optuna.trial.Trial | None = None

    def ask(self) -> Suggestion:
        """The next trial. The first one is the defaults."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._trial = self._study.ask(self._distributions)
        return Suggestion(
            self._trial.number, {n: readable(v, self._space[n]) for n, v in self._trial.params.items()}
        )

    def watch(self) -> Pruning:
        """The watch of the trial asked for last."""
        if self._trial is None:
            raise ValueError("no trial is open: call ask first")
        try:
            best = self._study.best_trial.intermediate_values
        except ValueError:  # no trial is complete yet
            best = {}
        return Pruning(tuple(best.values()), self._direction, self._mean)

    def tell(self, finished: Finished) -> None:
        """End the open trial. Scores are reported instance by instance, so that later trials are compared with them.

        Raises ValueError when ``finished`` is not the open trial."""
        import optuna

        trial = self._trial
        if trial is None or trial.number != finished.number:
            raise ValueError(f"trial {finished.number} is not open")
        if finished.state == "failed" and finished.scores:
            # Pruned without a value, it is worse than all others to the sampler, which never looks at what failed.
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif finished.state == "failed":
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        elif finished.state == "pruned":
            _report(trial, finished.scores, self._mean)
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            _report(trial, finished.scores, self._mean)
            self._study.tell(trial, finished.value)
        self._trial = None


@dataclass(frozen=True)
class Pruning:
    """Stops a trial that is worse than the best one so far, whose scores are ``best``, paired by instance (Wilcoxon
    signed-rank test). Empty: there is none yet. Plain data, so that it decides alike wherever the trial runs. With a
    geometric mean logarithms of scores are compared, and ``best`` holds these."""

    best: tuple[float, ...]
    direction: Literal["minimize", "maximize"]
    mean: Mean = "arithmetic"

    def stop(self, scores: Sequence[float], total: int) -> bool:
        """True when ``scores``, the first of ``total``, say that the trial is not worth ending."""
        if not self.best or len(scores) % LOOK_EVERY or len(scores) >= total:
            return False
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        state = optuna.trial.TrialState
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = optuna.create_study(direction=self.direction)
            study.add_trial(
                optuna.trial.create_trial(value=0.0, intermediate_values=_steps(self.best, "arithmetic"))
            )
            running = optuna.trial.create_trial(
                state=state.RUNNING, intermediate_values=_steps(scores, self.mean)
            )
            pruner = optuna.pruners.WilcoxonPruner(p_threshold=PRUNE_LEVEL, n_startup_steps=LOOK_EVERY)
            return bool(pruner.prune(study, running))


def readable(value: ParameterValue, declared: Range) -> ParameterValue:
    """Four significant digits: what runs is what the tuned text will say, and people read that text."""
    short = float(f"{value:.4g}") if isinstance(declared, FloatRange) else value
    return short if declared.holds(short) else value


def _steps(scores: Sequence[float], mean: Mean) -> dict[int, float]:
    """Scores as Optuna's intermediate values, which it averages and compares; what is not finite is none."""
    if mean == "geometric":
        return {step: math.log(score) for step, score in enumerate(scores) if 0 < score < math.inf}
    return {step: score for step, score in enumerate(scores) if math.isfinite(score)}


def _report(trial: optuna.trial.Trial, scores: Sequence[float], mean: Mean) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for step, score in _steps(scores, mean).items():
            trial.report(score, step)


def distribution(declared: object) -> optuna.distributions.BaseDistribution:
    import optuna

    if isinstance(declared, Choice):
        return optuna.distributions.CategoricalDistribution(declared.choices)
    if isinstance(declared, FloatRange):
        return optuna.distributions.FloatDistribution(declared.low, declared.high, log=declared.log)
    return optuna.distributions.IntDistribution(declared.low, declared.high, log=declared.log)  # type: ignore[attr-defined]
