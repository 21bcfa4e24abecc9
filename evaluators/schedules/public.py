"""The problems of the final split: small public data sets, as scikit-learn carries them, over three horizons.

None of them ships here: public data are never part of this repository, so that ``final`` needs the extra ``learned``.
Features are standardised (what is constant becomes 0), and a constant one is added.

| class | data set |
|---|---|
| ``iris``, ``wine``, ``cancer``, ``digits`` | multinomial logistic regression: 3, 3, 2 and 10 classes |
| | (of ``digits`` sums of 2 × 2 pixels, 16 of them, which is a quarter of the work) |
| ``cancer-hinge`` | a support vector machine without a penalty |
| ``diabetes-absolute`` | least absolute deviations; the target in standard deviations |
| ``digits-net`` | digits, a net with 16 hidden units |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from evaluators.schedules.instances import PENALTY, with_constant
from evaluators.schedules.portable import Floats, total
from evaluators.schedules.problem import Loss, Problem, single
from evaluators.task import Missing

HORIZONS = (250, 500, 1_000)
SEED = 100_000


@dataclass(frozen=True)
class Setting:
    """A data set of scikit-learn, and what is made of it."""

    data: str
    loss: Loss = "logistic"
    hidden: int = 0
    batch: int = 8


SETTINGS = {
    "iris": Setting("iris"),
    "wine": Setting("wine"),
    "cancer": Setting("breast_cancer", batch=16),
    "digits": Setting("digits"),
    "cancer-hinge": Setting("breast_cancer", "hinge", batch=4),
    "diabetes-absolute": Setting("diabetes", "absolute"),
    "digits-net": Setting("digits", hidden=16),
}


def problems() -> Iterator[tuple[str, str, Problem]]:
    """Id, class and problem. Raises Missing without scikit-learn."""
    made = {name: problem(setting) for name, setting in SETTINGS.items()}
    for number, steps in enumerate(HORIZONS):
        for name, one in made.items():
            yield f"{name}-t{steps}", name, replace(one, steps=steps, seed=SEED + number)


def problem(setting: Setting) -> Problem:
    """A setting's problem. Raises Missing without scikit-learn."""
    try:
        from sklearn import datasets
    except ImportError:
        raise Missing(
            "the final split of lr-schedule trains on data sets of scikit-learn, which is not installed; install the "
            "extra: pip install 'discover-heuristics[learned]'"
        ) from None
    rows, targets = getattr(datasets, f"load_{setting.data}")(return_X_y=True)
    if setting.data == "digits":  # whole numbers, so that sums are exact
        rows = rows.reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    return made(standardised(rows.T), targets.astype(np.float64), setting)


def made(features: Floats, targets: Floats, setting: Setting) -> Problem:
    """A problem of standardised features; targets are classes from 0, or numbers."""
    classes = 1
    l2 = 0.0
    if setting.loss == "logistic":
        classes, l2 = int(targets.max()) + 1, PENALTY
    elif setting.loss == "hinge":
        targets = np.where(targets > 0, 1.0, -1.0)
    else:
        targets = standardised(targets[None])[0]
    return Problem(
        setting.loss,
        single(with_constant(features)),
        single(targets),
        classes,
        l2,
        setting.hidden,
        setting.batch,
    )


def standardised(features: Floats) -> Floats:
    """Each row float64[n] with mean 0 and variance 1, constant ones 0."""
    columns = np.ascontiguousarray(features.T, dtype=np.float64)
    centred = columns - total(columns) / len(columns)
    spread = np.sqrt(total(centred * centred) / len(columns))
    constant = columns.min(axis=0) == columns.max(axis=0)  # though the mean be rounded
    spread[constant | (spread == 0)] = np.inf
    return np.asarray((centred / spread).T, np.float64)
