"""Who shares what: the prefixes of a problem's prompts as a matrix, so that a view of hundreds of calls is a few array
operations."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.calls import Call
from evaluators.serving.core.instance import Instance
from evaluators.serving.episode.problem import Ints, Problem

WIDEST = 512
"""Spans of a prompt that are looked at; what is behind them counts as not shared."""


class Prefixes:
    """Of all calls of ``problem``. ``tokens``: those of a span."""

    def __init__(self, problem: Problem) -> None:
        prefixes = [r.prefix for r in problem.scenario.requests]
        lengths = np.array([min(len(p), WIDEST) for p in prefixes])
        width = int(lengths.max()) + 1
        self.tokens = problem.engine.span * problem.engine.block
        self._ids = np.unique(np.array([i for p in prefixes for i in p], np.int64))
        self._none = len(self._ids)
        self._rows = np.full((len(prefixes), width), self._none)
        self._rows[np.arange(width) < lengths[:, None]] = np.searchsorted(
            self._ids, np.array([i for p in prefixes for i in p[:WIDEST]], np.int64)
        )
        self._depths = np.arange(1, width + 1)
        self._arrivals = np.array([r.arrival for r in problem.scenario.requests], np.int64)
        self._calls, self._came = np.zeros(self._none + 1, np.int64), 0

    def found(self, numbers: Ints, lengths: Ints, instance: Instance) -> tuple[Ints, Ints]:
        """Tokens of each call's prompt that are in the cache, and those behind them that calls which have begun are
        computing; its last token is always computed."""
        here = np.zeros(self._none + 1, bool)
        self._mark(here, instance.cache)
        rows, most = self._rows[numbers], (lengths - 1) // self.tokens
        cached = np.minimum((~here[rows]).argmax(1), most)
        if not instance.prefilling:
            return cached * self.tokens, np.zeros_like(cached)
        for call in instance.prefilling:
            self._mark(here, call.request.prefix[: call.length // self.tokens])
        return cached * self.tokens, (np.minimum((~here[rows]).argmax(1), most) - cached) * self.tokens

    def _mark(self, here: npt.NDArray[np.bool_], ids: Iterable[int]) -> None:
        here[np.searchsorted(self._ids, np.fromiter(ids, np.int64))] = True

    def shared(self, numbers: Ints, lengths: Ints, now: int) -> tuple[Ints, Ints]:
        """How many of these calls have a prefix in common with each, itself among them, and how many tokens that has.
        Of a call's prefixes it is the one that saves most tokens a call if it is computed once for all calls that have
        come by ``now``, ended ones as well: (1 - 1/calls) · tokens, where BatchLLM chooses one level of a tree of
        prefixes; no tokens where nothing is shared."""
        came = int(np.searchsorted(self._arrivals, now, "right"))
        if came > self._came:
            self._calls += np.bincount(self._rows[self._came : came].ravel(), minlength=self._none + 1)
            self._came = came
            self._calls[self._none] = 1
        rows, depths = self._rows[numbers], self._depths
        saved = depths - depths / self._calls[rows]
        saved[depths > ((lengths - 1) // self.tokens)[:, None]] = 0.0
        best, each = saved.argmax(1), np.arange(len(numbers))
        some = saved[each, best] > 0
        sharing = np.bincount(rows.ravel(), minlength=self._none + 1)[rows[each, best]]
        return np.where(some, sharing, 1), np.where(some, depths[best] * self.tokens, 0)


def numbered(calls: Iterable[Call]) -> tuple[Ints, Ints]:
    """(numbers, lengths) of some calls, at least one."""
    numbers, lengths = np.array([(c.number, c.length) for c in calls], np.int64).T
    return numbers, lengths
