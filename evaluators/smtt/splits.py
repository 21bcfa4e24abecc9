"""Which instances form which split: disjoint seed ranges, fixed orders in which the cells alternate.

A *part* is a split's share of one family (one block of it, for the gate); parts are what references are made for,
shipped and checked by. A set of several families interleaves their parts instance by instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evaluators.smtt.instances import CELLS, FAMILIES, OFF_GRID, Spec

LOOK_BLOCKS = 16
REPORT_BLOCKS = 4
SCREEN_SEED, SEARCH_SEED, LOOK_SEED, REPORT_SEED, FINAL_SEED = 1, 1_000, 10_000, 20_000, 100_000
BLOCK_SEEDS = 100
"""Seeds set apart for one gate block."""

SCREEN = ((6, 60, 40), (9, 40, 20), (12, 60, 20), (15, 80, 20), (18, 40, 60), (20, 60, 60))
PROVABLE_1000 = (
    (20, 20), (20, 40), (40, 60), (40, 80), (40, 100), (60, 80),
    (60, 100), (80, 40), (80, 60), (80, 80), (80, 100), (20, 60),
)  # fmt: skip
"""Cells of the grid in which 1000 jobs are proved in seconds to minutes; the others may take hours."""


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order: ``screen``, ``search-FAMILY``, ``look-FAMILY-BLOCK``,
    ``report-FAMILY-BLOCK``, ``final``."""
    kind, _, rest = name.partition("-")
    if kind == "screen":
        return tuple(Spec("pvw", n, tf, rdd, SCREEN_SEED) for n, tf, rdd in SCREEN)
    if kind == "search":
        return tuple(_grid(rest, (50, 100), SEARCH_SEED, 3))
    if kind in ("look", "report"):
        family, _, block = rest.partition("-")
        first = {"look": LOOK_SEED, "report": REPORT_SEED}[kind] + BLOCK_SEEDS * int(block)
        return tuple(_grid(family, (100, 200), first, 8))
    if kind == "final":
        return tuple(_final())
    raise ValueError(f"no part {name!r}")


def search_parts(families: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of parts whose instances alternate; the groups follow one another."""
    return (tuple(f"search-{f}" for f in families),)


def look_parts(families: Sequence[str], block: int) -> tuple[tuple[str, ...], ...]:
    return (tuple(f"look-{f}-{block}" for f in families),)


def report_parts(families: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(f"report-{f}-{block}" for f in families) for block in range(REPORT_BLOCKS))


def all_parts() -> Iterator[str]:
    """Every part that ships references, the most needed first."""
    yield "screen"
    for family in FAMILIES:
        yield f"search-{family}"
    for family in FAMILIES:
        yield from (f"report-{family}-{block}" for block in range(REPORT_BLOCKS))
        yield from (f"look-{family}-{block}" for block in range(LOOK_BLOCKS))
    yield "final"


def file_of(name: str) -> str:
    """The data file that holds a part's references: one for each split and family."""
    kind, _, rest = name.partition("-")
    return "-".join([kind, rest.partition("-")[0]]) if rest else kind


def _grid(family: str, sizes: tuple[int, int], first: int, seeds: int) -> Iterator[Spec]:
    """All cells at both sizes for each seed. Cells come in steps of 7 of 20, so that any stretch of the order is a
    fair sample of the grid; the sizes alternate too."""
    for seed in range(first, first + seeds):
        for half in range(2):
            for step in range(len(CELLS)):
                tf, rdd = CELLS[7 * step % len(CELLS)]
                yield Spec(family, sizes[(step + half) % 2], tf, rdd, seed)


def _final() -> Iterator[Spec]:
    for seed in (FINAL_SEED, FINAL_SEED + 1):
        for step in range(len(CELLS)):
            for family in FAMILIES:
                yield Spec(family, 500, *CELLS[7 * step % len(CELLS)], seed)
            yield Spec("pvw", 500, *OFF_GRID[7 * step % len(OFF_GRID)], seed)
    for tf, rdd in PROVABLE_1000:
        yield Spec("pvw", 1000, tf, rdd, FINAL_SEED)
