"""Boosted regression trees as plain arrays: kept in a file of numbers, predicted with numpy alone.

They are fitted by scikit-learn (:mod:`evaluators.polyhedral.learned.training`); nothing of it is needed afterwards, and
no file is unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from evaluators.task import TaskError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Trees:
    """``names``: of the features. Nodes of all trees, one after the other: a node with ``feature`` -1 is a leaf with
    ``value``, any other goes to ``left`` where its feature, as a float32, is at most ``threshold``, else to ``right``
    (indices among all nodes). The prediction is ``start`` plus the value of one leaf for each of ``roots``.

    ``ranking``: Spearman's rank correlations with measurements of programs that other trees of this kind, fitted
    without them, had not seen: over all schedules, within a program (NaN: not known)."""

    names: npt.NDArray[np.str_]
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats
    roots: Ints
    start: Floats
    ranking: Floats = field(default_factory=lambda: np.full(2, np.nan))

    def predict(self, rows: Floats) -> Floats:
        """float64[n] for float64[n, features]."""
        given = np.asarray(rows, np.float64).reshape(-1, len(self.names)).astype(np.float32)
        at = np.tile(self.roots, (len(given), 1))
        line = np.arange(len(given))[:, None]
        while np.any((feature := self.feature[at]) >= 0):
            below = given[line, feature] <= self.threshold[at]
            at = np.where(feature < 0, at, np.where(below, self.left[at], self.right[at]))
        return np.asarray(self.start[0] + self.value[at].sum(axis=1), np.float64)

    def save(self, path: Path) -> None:
        """Write them to an ``.npz`` file of this very name, whole or not at all."""
        draft = path.with_name(f".{path.name}.draft")
        with draft.open("wb") as file:
            np.savez_compressed(file, **{f.name: getattr(self, f.name) for f in fields(self)})
        draft.replace(path)


def exported(names: Sequence[str], model: Any) -> Trees:
    """The trees of a fitted ``GradientBoostingRegressor``."""
    trees = [one.tree_ for (one,) in model.estimators_]
    roots = np.concatenate([[0], np.cumsum([t.node_count for t in trees])[:-1]])
    leaf = np.concatenate([t.children_left < 0 for t in trees])
    left, right = (
        np.concatenate([getattr(t, side) + root for t, root in zip(trees, roots, strict=True)])
        for side in ("children_left", "children_right")
    )
    value = model.learning_rate * np.concatenate([t.value[:, 0, 0] for t in trees])
    start = model.init_.predict(np.zeros((1, len(names))))
    return Trees(
        names=np.array(list(names)),
        feature=np.where(leaf, -1, np.concatenate([t.feature for t in trees])).astype(np.int32),
        threshold=np.where(leaf, 0.0, np.concatenate([t.threshold for t in trees])),
        left=np.where(leaf, 0, left).astype(np.int32),
        right=np.where(leaf, 0, right).astype(np.int32),
        value=np.where(leaf, value, 0.0),
        roots=roots.astype(np.int32),
        start=np.asarray(start, np.float64).reshape(1),
    )


def _whole(trees: Trees) -> bool:
    """Whether the arrays fit one another, and every walk from a root ends: children come after their parents."""
    nodes = (trees.feature, trees.threshold, trees.left, trees.right, trees.value)
    if any(a.ndim != 1 for a in (*nodes, trees.names, trees.roots)) or len({len(a) for a in nodes}) > 1:
        return False
    inner = np.flatnonzero(trees.feature >= 0)
    children = np.concatenate([trees.left[inner] - inner, trees.right[inner] - inner])
    last = np.maximum(trees.left[inner], trees.right[inner]).max(initial=0)
    return bool(
        (children > 0).all()
        and last < len(trees.feature)
        and (trees.feature < len(trees.names)).all()
        and ((trees.roots >= 0) & (trees.roots < len(trees.feature))).all()
    )


def load(path: Path, names: Sequence[str]) -> Trees:
    """The trees of a file. Raises TaskError where it is no model, or one of other features."""
    try:
        with np.load(path, allow_pickle=False) as file:
            found = Trees(**{f.name: file[f.name] for f in fields(Trees)})
        if not _whole(found):
            raise ValueError
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, BadZipFile, EOFError, TypeError, AttributeError):
        raise TaskError(f"{path} is no model of schedules; `discover train` makes one") from None
    if list(found.names) != list(names):
        raise TaskError(
            f"{path} is a model of other features than this version's; train it anew with `discover train`"
        )
    return found
