"""Pictures for notebooks, drawn from the data that `discovery.review` and `discovery.explain` give.

Each function takes such an object and returns a :class:`Picture`; nothing is computed here that those do not know. The
extra `notebooks` brings matplotlib. What only a family of tasks knows comes from the task as plain data
(:mod:`evaluators.pictures`).
"""

from __future__ import annotations

from discovery.pictures.answers import answers, by_class, measured
from discovery.pictures.canvas import Picture
from discovery.pictures.classes import wins
from discovery.pictures.demo import Demo, seeded
from discovery.pictures.distributions import against_reference, cumulative
from discovery.pictures.gantt import gantt
from discovery.pictures.lineage import lineage
from discovery.pictures.lines import lines
from discovery.pictures.outline import outline
from discovery.pictures.pareto import pareto
from discovery.pictures.parts import curves, parts
from discovery.pictures.progress import progress
from discovery.pictures.tiling import tiling

__all__ = [
    "Demo",
    "Picture",
    "against_reference",
    "answers",
    "by_class",
    "cumulative",
    "curves",
    "gantt",
    "lineage",
    "lines",
    "measured",
    "outline",
    "pareto",
    "parts",
    "progress",
    "seeded",
    "tiling",
    "wins",
]
