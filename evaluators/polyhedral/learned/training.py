"""From measured schedules to a model: features, gradient boosting, and how well it ranks programs it has not seen.

Source: Friedman, "Greedy function approximation: a gradient boosting machine" (2001); learning speed-ups of schedules
from random programs as in LOOPer (Merouani et al. 2024) and Baghdadi et al., "A deep learning based cost model for
automatic code optimization" (2021), with trees in place of their networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.polyhedral.learned import measured
from evaluators.polyhedral.learned.features import NAMES, Featurer
from evaluators.polyhedral.learned.measured import SCALE, Sample
from evaluators.polyhedral.learned.moves import legal
from evaluators.polyhedral.learned.trees import Trees, exported
from evaluators.polyhedral.toolchain import Compiler
from evaluators.task import Figure, Missing, TaskError, Training

FOLDS = 5
LEAST = 2 * FOLDS
"""Programs without which there is no model."""
FEATURES = (
    *NAMES,
    *(f"{n} gained" for n in NAMES),
    "estimate of all gained",
    "instances",
    "data",
    "statements",
)
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ranking:
    """Spearman's rank correlation of predicted and measured speed-ups: over all schedules, and the mean over programs
    of that among the schedules of one, which is what a search needs. NaN where too few differ for any."""

    overall: float
    within: float


def train(
    out: Path,
    compiler: Compiler,
    *,
    programs: int,
    schedules: int,
    over: Callable[[], bool],
    say: Callable[[str], None],
) -> Training:
    """Measure what is missing until ``over()``, fit a model and write it to ``out``; the measurements are kept beside
    it in a file of JSON lines, from which training goes on another time.

    Raises TaskError without scikit-learn, for a file of another machine, and with too few programs."""
    _sklearn()
    path = out.with_suffix(".jsonl")
    kept = measured.collect(path, compiler, count=programs, schedules=schedules, over=over, say=say)
    samples = [s for s in measured.usable(kept) if legal(measured.program(s.program), s.plan)]
    numbers = sorted({s.program for s in samples})
    if len(numbers) < LEAST:
        raise TaskError(
            f"{len(numbers)} programs are measured and {LEAST} are the least for a model; go on with the same --out, "
            f"which keeps them in {path}"
        )
    say(f"fitting {len(samples)} schedules of {len(numbers)} programs")
    rows = features(samples)
    ranking = ranked(samples, rows)
    replace(fitted(rows, _targets(samples)), ranking=np.array([ranking.overall, ranking.within])).save(out)
    figures = (
        Figure("programs", float(len(numbers))),
        Figure("Spearman, held-out programs", ranking.overall),
        Figure("Spearman within a held-out program", ranking.within),
    )
    return Training(out, len(samples), tuple(f for f in figures if not math.isnan(f.value)))


def features(samples: Sequence[Sample]) -> Floats:
    """float64[samples, features], at the sizes where they were measured."""
    featurers: dict[int, Featurer] = {}
    rows = []
    for sample in samples:
        compiler = measured.program(sample.program)
        if sample.program not in featurers:
            featurers[sample.program] = Featurer(compiler, compiler.program.at(SCALE))
        rows.append(featurers[sample.program].vector(sample.plan))
    return np.array(rows)


def fitted(rows: Floats, targets: Floats) -> Trees:
    """Trees for logarithms of speed-ups to base 2. The same for the same data."""
    return exported(FEATURES, model(rows, targets))


def model(rows: Floats, targets: Floats) -> Any:
    """scikit-learn's model of them. Raises TaskError when it is not installed."""
    return (
        _sklearn()
        .GradientBoostingRegressor(
            loss="huber", n_estimators=300, learning_rate=0.06, max_depth=5, min_samples_leaf=6, subsample=0.6,
            max_features=0.4, random_state=0,
        )
        .fit(rows, targets)
    )  # fmt: skip


def ranked(samples: Sequence[Sample], rows: Floats) -> Ranking:
    """How models rank the programs that they were not fitted to: FOLDS of them, each without every FOLDS-th program."""
    from scipy.stats import spearmanr

    targets, numbers = _targets(samples), np.array([s.program for s in samples])
    fold = np.searchsorted(np.unique(numbers), numbers) % FOLDS
    found = np.zeros(len(samples))
    for k in range(FOLDS):
        found[fold == k] = fitted(rows[fold != k], targets[fold != k]).predict(rows[fold == k])
    within = [
        spearmanr(found[numbers == n], targets[numbers == n]).statistic
        for n in np.unique(numbers)
        if len(set(targets[numbers == n])) > 2 and len(set(found[numbers == n])) > 1
    ]
    overall = spearmanr(found, targets).statistic if len(set(found)) > 1 < len(set(targets)) else math.nan
    return Ranking(float(overall), float(np.mean(within)) if within else math.nan)


def _targets(samples: Sequence[Sample]) -> Floats:
    return np.log2([s.ratio or 1.0 for s in samples])


def _sklearn() -> Any:
    try:
        from sklearn import ensemble
    except ImportError:
        raise Missing(
            "scikit-learn is not installed; install the extra: pip install 'discover-heuristics[learned]'"
        ) from None
    return ensemble
