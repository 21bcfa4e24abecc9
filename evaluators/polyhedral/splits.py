"""Which programs are in which split: kernels by name, random programs by number, each at a size.

Search, gate and final share no kernel; the final split has other sizes of the searched ones beside its own. All
numbers of random programs are here, so that none is used twice: those from TRAINING on train the cost model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from evaluators.polyhedral.generator import random_program
from evaluators.polyhedral.language import parse
from evaluators.polyhedral.problem import make
from evaluators.polyhedral.program import Sizes
from evaluators.task import InstanceSet

KERNELS = Path(__file__).parent / "kernels"
SMALL, MIDDLE, LARGE = 0, 1, 2

SEARCH = ("gemm", "mvt", "jacobi-1d", "lu", "2mm", "atax", "heat-3d", "trmm", "syrk", "doitgen")
"""The first ones are the screen as well."""
SEARCH_LARGE = ("gemm", "mvt", "heat-3d")
GATE = ("gemver", "jacobi-2d", "cholesky", "3mm", "bicg", "seidel-2d", "syr2k")
FINAL = (
    "symm", "gesummv", "fdtd-2d", "adi", "durbin", "trisolv", "covariance", "correlation", "floyd-warshall",
    "nussinov", "gramschmidt", "ludcmp", "deriche",
)  # fmt: skip
LOOK_RANDOM, REPORT_RANDOM, FINAL_RANDOM = range(100, 106), range(106, 112), range(112, 132)
TRAINING = 1000


@dataclass(frozen=True)
class Place:
    """A program and its size: ``scale`` of its text, times ``percent`` / 100 and a few more."""

    program: str
    scale: int
    percent: int = 100

    @property
    def id(self) -> str:
        return f"{self.program}-{('small', 'middle', 'large')[self.scale]}" + (
            f"-{self.percent}" if self.percent != 100 else ""
        )


def places(split: str) -> Iterator[Place]:
    """The instances of ``screen``, ``search``, ``look``, ``report`` and ``final``, in their order."""
    if split == "screen":
        yield from (Place(k, SMALL) for k in SEARCH[:4])
    elif split == "search":
        yield from (Place(k, MIDDLE) for k in SEARCH)
        yield from (Place(k, LARGE) for k in SEARCH_LARGE)
    elif split in ("look", "report"):
        percent = 100 if split == "look" else 91
        numbers = LOOK_RANDOM if split == "look" else REPORT_RANDOM
        yield from (Place(k, MIDDLE, percent) for k in GATE)
        yield from (Place(f"random-{n}", MIDDLE) for n in numbers)
        yield from (Place(k, LARGE, percent) for k in GATE)
    else:
        yield from (Place(k, MIDDLE) for k in FINAL)
        yield from (Place(f"random-{n}", MIDDLE) for n in FINAL_RANDOM)
        yield from (Place(k, MIDDLE, 123) for k in SEARCH)
        yield from (Place(k, LARGE) for k in FINAL)


def text_of(program: str) -> str:
    """The text of a kernel or of ``random-NUMBER``."""
    kind, _, number = program.partition("-")
    return (
        random_program(int(number)) if kind == "random" else (KERNELS / f"{program}.poly").read_text("utf-8")
    )


def sizes_of(place: Place) -> Sizes:
    """Sizes other than those of the text are odd ones, so that no tile fits."""
    sizes = parse(text_of(place.program), place.program).at(place.scale)
    if place.percent == 100:
        return sizes
    return {n: v * place.percent // 100 | 1 for n, v in sizes.items()}


@cache
def load(split: str, machine: str) -> InstanceSet:
    """The instances of a split on this machine. Raises TaskError when islpy is missing."""
    made = (
        make(p.id, p.program, text_of(p.program), sizes_of(p), machine, strict=split == "screen")
        for p in places(split)
    )
    return InstanceSet({"look": "gate-0", "report": "gate"}.get(split, split), tuple(made))
