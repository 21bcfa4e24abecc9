"""Random programs: the same for ever, always programs, and different ones."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from evaluators.polyhedral.generator import random_program
from evaluators.polyhedral.language import parse

GOLDEN = "14d1229dd9ff07b23227978d3f1d7f743613c319a5cc4add914ac870630e0334"
"""SHA-256 of the texts of random programs 0 to 200, one after the other, as first generated."""


def test_the_texts_never_change() -> None:
    texts = "".join(random_program(k) for k in range(201))
    assert hashlib.sha256(texts.encode()).hexdigest() == GOLDEN


@pytest.mark.parametrize("tens", range(21))
def test_random_programs_are_programs(tens: int) -> None:
    pytest.importorskip("islpy", reason="islpy is not installed")
    from evaluators.polyhedral.compiler import Compiler

    for number in range(10 * tens, min(10 * tens + 10, 201)):
        compiler = Compiler(parse(random_program(number), f"random-{number}"))
        schedule = compiler.verdict(()).schedule
        assert schedule is not None and compiler.analysis.broken(schedule) is None
        assert {len(s) for s in compiler.program.scales} == {3}
        assert all(
            min(compiler.program.shape(a.name, compiler.program.at(0))) >= 3 for a in compiler.program.arrays
        )
        used = {access.array for s in compiler.program.statements for access in (s.write, *s.reads)}
        assert used == {a.name for a in compiler.program.arrays}


def test_random_programs_vary() -> None:
    programs = [parse(random_program(k), "x") for k in range(201)]
    assert len({p.text for p in programs}) >= 195
    statements = Counter(len(p.statements) for p in programs)
    depths = Counter(max(len(s.loops) for s in p.statements) for p in programs)
    nests = Counter(len(p.body) for p in programs)
    assert set(statements) >= {1, 2, 3, 4} and max(statements.values()) < 100
    assert set(depths) == {2, 3} and min(depths.values()) >= 40
    assert set(nests) == {1, 2, 3} and min(nests.values()) >= 30
    assert {len(p.sizes) for p in programs} == {1, 2}
