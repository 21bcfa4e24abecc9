"""New expressions from what is in scope: terminals of a type, differences, ratios and weighted products of them.

Expressions are built as text and parsed once where they are put in.
"""

from __future__ import annotations

from collections.abc import Iterator

from discovery.proposers.genetic.chance import Chance
from discovery.proposers.genetic.expressions import Env
from discovery.proposers.genetic.types import ANY, NONNEGATIVE, POSITIVE, Dim, Type, Unit

UNLIKE = 0.06
"""Share of terms whose unit is not that of the sum they join."""
COMPOUND = 0.6
"""Share of terms that are more than one terminal."""

Leaf = tuple[str, Type]


class Scope:
    """What can be named at one place, for expressions of one dimension."""

    def __init__(
        self,
        env: Env,
        dim: Dim | None,
        numpy: str,
        parameters: frozenset[str],
        chance: Chance,
        positions: frozenset[str],
    ) -> None:
        self._numpy = numpy
        self._chance = chance
        self._dim = dim
        self.scalars: list[Leaf] = []
        self.arrays: list[Leaf] = []
        """Of exactly the wanted dimension."""
        self.others: list[Leaf] = []
        """Of other dimensions: only their aggregates are of use."""
        self.masks: list[Leaf] = []
        for leaf in _leaves(env, parameters, positions):
            found = leaf[1]
            if found.dtype == "bool":
                if found.rank and found.dim == dim and dim is not None:
                    self.masks.append(leaf)
            elif not found.rank:
                self.scalars.append(leaf)
            elif found.dim == dim:
                self.arrays.append(leaf)
            else:
                self.others.append(leaf)

    def leaf(self, unit: Unit | None, rank: int, free: float = UNLIKE) -> Leaf | None:
        """A terminal, of the unit if there is one (and mostly even if others are more)."""
        pool = self.arrays if rank else self.scalars
        like = pool if not unit or self._chance.flip(free) else [p for p in pool if p[1].unit in (unit, None)]
        if rank:
            return self._chance.pick(like) if like else None
        if self._sources() and (not like or self._chance.flip(0.5)):
            return self.aggregate(unit) or (self._chance.pick(like) if like else None)
        return self._chance.pick(like) if like else None

    def _sources(self) -> list[Leaf]:
        return [*self.arrays, *self.others]

    def aggregate(self, unit: Unit | None, of: Leaf | None = None) -> Leaf | None:
        """Mean, maximum, minimum or sum of an array."""
        pool = [s for s in self._sources() if not unit or s[1].unit == unit]
        if of is None and self.arrays and self._chance.flip(0.75):
            pool = [s for s in self.arrays if not unit or s[1].unit == unit] or pool
        source = of or (self._chance.pick(pool) if pool else None)
        if source is None:
            return None
        name = self._chance.weighted(((5.0, "mean"), (2.0, "max"), (1.0, "min"), (2.0, "sum")))
        found = source[1]
        dtype = "float" if name == "mean" else found.dtype
        return f"{self._numpy}.{name}({source[0]})", Type(0, dtype, None, found.unit, found.sign)

    def ratio(self, rank: int) -> Leaf | None:
        """A pure number: one quantity over another of the same unit."""
        top = self.leaf(None, rank)
        if top is None:
            return None
        if rank and self._chance.flip(0.6):
            bottom = self.aggregate(top[1].unit, top if self._chance.flip(0.6) else None)
        else:
            bottom = self.leaf(top[1].unit, 1 if rank and self._chance.flip(0.3) else 0, free=0.0)
        if bottom is None or bottom[0] == top[0]:
            return None
        over, shape = top[0], top[1]
        if self._chance.flip(0.2):
            less = self.leaf(top[1].unit, rank, free=0.0)
            if less is not None and less[0] not in (over, bottom[0]):
                over, shape = f"({over} - {less[0]})", top[1]._replace(sign=ANY)
        sign = min(shape.sign, bottom[1].sign) if bottom[1].sign != ANY else ANY
        return f"{over} / {positive(bottom, self._numpy)}", Type(
            rank, "float", self._dim if rank else None, (), sign
        )

    def term(self, unit: Unit | None, rank: int) -> Leaf | None:
        """A summand for an expression of this unit: a terminal or something small built from terminals."""
        first = self.leaf(unit, rank)
        if first is None or not self._chance.flip(COMPOUND):
            return first
        shape = self._chance.weighted(((7.0, "scaled"), (2.0, "less"), (2.0, "beyond"), (0.5, "away")))
        if shape == "scaled":
            ratio = self.ratio(rank if self._chance.flip(0.75) else 0)
            if ratio is None:
                return first
            sign = min(first[1].sign, ratio[1].sign)
            return f"{first[0]} * ({ratio[0]})", first[1]._replace(dtype="float", sign=sign)
        second = self.leaf(first[1].unit, rank if self._chance.flip(0.7) else 0, free=0.0)
        if second is None or second[0] == first[0]:
            return first
        pair = (first, second) if self._chance.flip(0.5) else (second, first)
        less = f"{pair[0][0]} - {pair[1][0]}"
        if shape == "less":
            return f"({less})", first[1]._replace(sign=ANY)
        if shape == "away":
            return f"abs({less})", first[1]._replace(sign=NONNEGATIVE)
        bound = f"{self._numpy}.maximum({less}, 0)" if rank else f"max({less}, 0)"
        return bound, first[1]._replace(sign=NONNEGATIVE)

    def condition(self, unit: Unit | None, rank: int) -> str | None:
        """A comparison of two quantities of like units."""
        if rank and self.masks and self._chance.flip(0.2):
            return self._chance.pick(self.masks)[0]
        first = self.term(unit, rank)
        if first is None:
            return None
        second = self.leaf(first[1].unit, rank if self._chance.flip(0.4) else 0, free=0.0)
        if second is None or second[0] == first[0]:
            return None
        return f"{first[0]} {self._chance.pick(('<', '>'))} {second[0]}"


def positive(value: Leaf, numpy: str) -> str:
    """A divisor that is never zero."""
    written, found = value
    if found.sign == POSITIVE:
        return written if written.isidentifier() or written.endswith((")", "]")) else f"({written})"
    return f"({written} + 1)" if found.sign == NONNEGATIVE else f"({numpy}.abs({written}) + 1)"


def _leaves(env: Env, parameters: frozenset[str], positions: frozenset[str]) -> Iterator[Leaf]:
    """Names, and arrays at the positions or masks in scope; the order is that of the environment. A number that only
    counts steps is no position: something must be read there already."""
    chosen: list[tuple[str, Type, Dim]] = []
    reached: list[Dim | None] = []
    for name, found in env.items():
        if found.rank and found.indexes is not None and not found.plain and found.dim != found.indexes:
            chosen.append((name, found, found.indexes))
            reached.append(found.dim)
        elif found.indexes is not None and not found.rank and name in positions:
            chosen.append((name, found, found.indexes))
    for name, found in env.items():
        masks = found.rank and found.dtype == "bool" and found.dim is not None
        if masks and found.dim is not None and ("sel", found.dim, found.tag) not in reached:
            chosen.append((name, found._replace(dim=("sel", found.dim, found.tag)), found.dim))
    for name, found in env.items():
        if name in parameters or found.counts is not None or found.indexes is not None:
            continue
        if not found.plain:
            if found.dtype == "bool":
                if found.rank:
                    yield name, found
                continue
            yield name, found
        elif not found.rank:
            continue
        if found.dtype == "bool":
            continue
        if found.rank:
            for by, at, into in chosen:
                if into != found.dim or (found.plain and at.rank):
                    continue
                rank = at.rank
                yield (
                    f"{name}[{by}]",
                    found._replace(rank=rank, dim=at.dim if rank else None, plain=False, tag=None),
                )
