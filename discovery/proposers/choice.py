"""Which model a slot asks, and at which temperature: a pure function of seed, slot and what is known of the models.

The bandit is Thompson sampling with a budget (Xia, Li, Qin, Yu, Liu: Thompson Sampling for Budgeted Multi-armed
Bandits, IJCAI 2015): of each model's chance to improve on the parents a draw is made from its posterior, and the
model with the most chance for its cost is asked. Draws differ by slot, so a batch that is proposed at once still asks
several models. Costs are known from the replies, so their mean is used in place of a second draw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from db.records import Attempt
from discovery.config import ModelChoice
from discovery.draws import generator
from evaluators.task import Direction

CHEAPEST = 0.05
"""The least that a model counts as costing, as a share of the dearest: a free one is not asked for ever."""


@dataclass(frozen=True)
class Arm:
    """A model that can be asked. ``temperatures`` are the rungs that its slots take in turn; none leaves them to the
    server."""

    name: str
    weight: float = 1.0
    temperatures: tuple[float, ...] = ()


@dataclass(frozen=True)
class Tally:
    """What is known of a model: slots that were to write code, how many improved on each of their parents, and tokens
    and US dollars of the slots whose figures are known."""

    slots: int = 0
    improved: int = 0
    tokens: int = 0
    counted: int = 0
    cost: float = 0.0
    priced: int = 0

    def add(self, attempt: Attempt, improved: bool) -> Tally:
        tokens, cost = attempt.tokens, attempt.cost
        return Tally(
            slots=self.slots + 1,
            improved=self.improved + improved,
            tokens=self.tokens + (tokens or 0),
            counted=self.counted + (tokens is not None),
            cost=self.cost + (cost or 0.0),
            priced=self.priced + (cost is not None),
        )


def improved(attempt: Attempt, direction: Direction) -> bool:
    """Whether a slot found something new that is better than each of its scored parents."""
    scored = [p for p in attempt.parents if p is not None]
    if attempt.score is None or attempt.duplicate or not scored:
        return False
    sign = 1 if direction == "minimize" else -1
    return all(sign * attempt.score < sign * p for p in scored)


class Choice:
    """Chooses for one run. ``learn`` takes in a batch at a time; what was known after each of the newest is kept."""

    def __init__(
        self, seed: int, arms: Sequence[Arm], rule: ModelChoice, *, islands: int, direction: Direction
    ) -> None:
        self._seed, self._rule, self._islands, self._direction = seed, rule, islands, direction
        self._arms = {arm.name: arm for arm in arms}
        self._known: dict[int, Mapping[str, Tally]] = {}
        self._newest: Mapping[str, Tally] = {}

    @property
    def learns(self) -> bool:
        """Whether what it chooses depends on how models did."""
        return self._rule == "bandit" and len(self._arms) > 1

    def learn(self, g: int, attempts: Iterable[Attempt]) -> None:
        """Take in batch ``g``."""
        tallies = dict(self._newest)
        for attempt in attempts:
            if attempt.arm in self._arms and attempt.operator != "reflect":
                before = tallies.get(attempt.arm, Tally())
                tallies[attempt.arm] = before.add(attempt, improved(attempt, self._direction))
        self._newest = self._known[g] = tallies
        self._known.pop(g - 3, None)

    def known(self, g: int) -> Mapping[str, Tally]:
        """What was known after batch ``g``."""
        return self._known.get(g, {})

    def choose(self, k: int, known: Mapping[str, Tally]) -> tuple[str, float | None]:
        """The model and the temperature of slot ``k``."""
        arm = self._arms[self._name(k, known)]
        rungs = arm.temperatures
        # The islands take turns slot by slot, so each of them climbs the whole ladder.
        return arm.name, rungs[k // self._islands % len(rungs)] if rungs else None

    def _name(self, k: int, known: Mapping[str, Tally]) -> str:
        names = list(self._arms)
        draw = generator(self._seed, k, 0, "model")
        if len(names) == 1:
            return names[0]
        if self._rule == "weights":
            return draw.choices(names, [self._arms[name].weight for name in names])[0]
        untried = [name for name in names if name not in known]
        if untried:  # each once in every round, in an order of the round's own
            generator(self._seed, k // len(untried), 0, "round of models").shuffle(untried)
            return untried[k % len(untried)]
        costs = relative_costs(known)
        chances = {
            n: draw.betavariate(1 + known[n].improved, 1 + known[n].slots - known[n].improved) for n in names
        }
        return max(names, key=lambda name: chances[name] / costs[name])


def relative_costs(known: Mapping[str, Tally]) -> dict[str, float]:
    """The mean cost of a slot by model, from ``CHEAPEST`` to 1 for the dearest: in US dollars where all models have
    prices and not all are free, else in tokens. A model whose tokens are not told either counts as the dearest."""
    means: dict[str, float | None] = {n: t.cost / t.priced if t.priced else None for n, t in known.items()}
    if None in means.values() or not any(means.values()):
        means = {n: t.tokens / t.counted if t.counted else None for n, t in known.items()}
    dearest = max((m for m in means.values() if m is not None), default=0.0)
    if dearest <= 0:
        return dict.fromkeys(known, 1.0)
    return {n: 1.0 if m is None else max(CHEAPEST, m / dearest) for n, m in means.items()}
