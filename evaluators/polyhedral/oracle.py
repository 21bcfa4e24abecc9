"""The trusted side of a candidate's questions: JSON in, JSON out, a budget of proofs for each instance."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from evaluators.polyhedral import view
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.program import Sizes
from evaluators.polyhedral.transforms import Meaningless, Transform, read
from evaluators.task import InvalidAnswer

PROOFS = 1000
"""For each instance: one for each transform of each new list and for each loop that is asked to be parallel, forty
where isl needs many operations. That bounds its time: to seconds where numbers are small, two minutes at the worst."""
MOST_QUESTIONS = 2_000


def oracle(compiler: Compiler, sizes: Sizes) -> Callable[[bytes], bytes | None]:
    """A fresh oracle for one call of a candidate. What is known from other calls costs the budget as much."""
    proved: set[tuple[Transform, ...]] = {()}
    looked: set[tuple[tuple[Transform, ...], str]] = set()
    left, questions = PROOFS, MOST_QUESTIONS

    def paid(transforms: tuple[Transform, ...]) -> bool:
        nonlocal left
        for k in range(1, len(transforms) + 1):
            if left >= 0 and transforms[:k] not in proved:
                proved.add(transforms[:k])
                left -= max(1, compiler.verdict(transforms[:k]).cost)
        return left >= 0

    def ask(question: bytes) -> bytes | None:
        nonlocal left, questions
        what, about = _question(question)
        questions -= 1
        if questions < 0:
            return None
        if what == "footprint":
            return _said(view.footprint(compiler.program, sizes, _extents(about)))
        wanted: list[str] | None = None
        if what == "parallel":
            about, wanted = _parts(about)
        try:
            transforms = read(about)
        except Meaningless as error:
            return _said(str(error) if what == "legal" else [])
        if not paid(transforms):
            return None
        verdict = compiler.verdict(transforms)
        if what == "legal":
            return _said(verdict.reason)
        if verdict.schedule is None:
            return _said([])
        if what == "tree":
            return _said(view.tree(verdict.schedule))
        loops = [n for n in verdict.schedule.nests if wanted is None or n in wanted]
        free = []
        for loop in loops:
            independent, cost = compiler.parallel(transforms, loop)
            left -= 0 if (transforms, loop) in looked else cost
            looked.add((transforms, loop))
            if left < 0:
                return None
            free += [loop] if independent else []
        return _said(free)

    return ask


def _question(question: bytes) -> tuple[str, Any]:
    try:
        what, about = json.loads(question)
    except (ValueError, TypeError, RecursionError):
        raise InvalidAnswer("the oracle was asked something that is no question") from None
    if what not in ("legal", "tree", "parallel", "footprint"):
        raise InvalidAnswer("the oracle was asked something that is no question")
    return what, about


def _parts(about: Any) -> tuple[Any, list[str] | None]:
    """Transforms, and names of loops (None: all)."""
    if not isinstance(about, list) or len(about) != 2 or not (about[1] is None or isinstance(about[1], list)):
        raise InvalidAnswer("the oracle was asked something that is no question")
    return about[0], about[1]


def _extents(about: Any) -> dict[str, int]:
    if not isinstance(about, dict) or not all(type(v) is int and 1 <= v < 2**40 for v in about.values()):
        raise InvalidAnswer(
            "footprint() takes a number of iterations, at least 1, for each loop that it names"
        )
    return about


def _said(reply: Any) -> bytes:
    return json.dumps(reply).encode()
