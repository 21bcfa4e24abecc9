"""The language of affine programs: what is refused, and that what is read means what the Python text means."""

from __future__ import annotations

import re
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow import Run, iterators_of

from evaluators.polyhedral.dependences import Analysis
from evaluators.polyhedral.generator import random_program
from evaluators.polyhedral.language import MOST_DEPTH, MOST_STATEMENTS, parse, sized
from evaluators.polyhedral.program import Affine, Program
from evaluators.task import TaskError

HEAD = "N = size(9)\nA = array(N)\nB = array(N, N)\n"
DEEP = "".join(f"{'  ' * d}for i{d} in range(N):\n" for d in range(MOST_DEPTH + 1))
REFUSED = {
    # declarations
    "": (None, "no statement"),
    "N = size(9)\n": (None, "no statement"),
    "A = array(3)\nA[0] = 1\n": (None, "no size"),
    "N, M = size(9), size(9, 10)\nA = array(N)\nA[0] = 1\n": (None, "equally many"),
    "N = size()\n": (1, "whole numbers"),
    "N = size(0)\n": (1, "whole numbers"),
    "N = size(2.5)\n": (1, "whole numbers"),
    "N = size(100000001)\n": (1, "whole numbers"),
    "N = size(-3)\n": (1, "whole numbers"),
    "N = size(9, scale=3)\n": (1, "whole numbers"),
    "N = size(*A)\n": (1, "a number"),
    "N = size('9')\n": (1, "a number"),
    "N = size(True)\n": (1, "a number"),
    "N = size(9)\nA = array()\n": (2, "1 to 4 extents"),
    "N = size(9)\nA = array(N, N, N, N, N)\n": (2, "1 to 4 extents"),
    "N = size(9)\nA = array(N * N)\n": (2, "not affine"),
    "N = size(9)\nA = array(M)\n": (2, "'M' is neither"),
    "N = size(9)\nA = array(N, fill='zero')\n": (2, "uniform, dominant"),
    "N = size(9)\nA = array(N, fill=N)\n": (2, "uniform, dominant"),
    "N = size(9)\nA = array(N, like=3)\n": (2, "uniform, dominant"),
    "N = size(9)\nN = size(9)\n": (2, "declared already"),
    "N = size(9)\nA = array(N)\nA = 3\n": (3, "declared already"),
    "N, M = size(9)\n": (1, "expected `name"),
    "N, M = size(9), size(9), size(9)\n": (1, "as many values as names"),
    "[N, M] = size(9), size(9)\n": (1, "expected `name"),
    "N = M = size(9)\n": (1, "expected `name"),
    "N.x = size(9)\n": (1, "expected `name"),
    "a = nan\n": (1, "a number"),
    "a = 1e999\n": (1, "finite"),
    "a = -1e999\n": (1, "finite"),
    f"a = 1{'0' * 400}\n": (1, "finite"),
    f"a = 1{'0' * 5000}\n": (1, "not a program"),
    "a = 1j\n": (1, "a number"),
    "a = 'x'\n": (1, "a number"),
    "a = 1 + 1\n": (1, "a number"),
    "a = float('nan')\n": (1, "a number"),
    "a: int = 3\n": (1, "expected a loop"),
    "".join(f"n{k} = size(9)\n" for k in range(7)): (7, "at most 6 sizes"),
    "N = size(9)\n" + "".join(f"A{k} = array(N)\n" for k in range(25)): (26, "24 arrays"),
    # names
    **{f"{n} = size(9)\n": (1, "cannot be a name") for n in (
        "for_", "_N", "double", "c0", "c17", "kernel", "floord", "Min", "OR", "NaN", "Infinity", "linux", "typeof",
        "sqrt", "size", "range", "x" * 17, "é", "restrict", "max", "lesser", "Exists")},
    HEAD + "for A in range(N):\n    A[0] = 1\n": (4, "declared already"),
    HEAD + "for c1 in range(N):\n    A[0] = 1\n": (4, "cannot be a name"),
    HEAD + "for auto in range(N):\n    A[0] = 1\n": (4, "cannot be a name"),
    # loops
    HEAD + "for i in range(N):\n  for i in range(N):\n    A[i] = 1\n": (5, "is that of a loop around"),
    HEAD + "for i in A:\n    A[i] = 1\n": (4, "expected `for"),
    HEAD + "for i in reversed(range(N)):\n    A[i] = 1\n": (4, "expected `for"),
    HEAD + "for i in range():\n    A[i] = 1\n": (4, "expected `for"),
    HEAD + "for i in range(0, N, 2):\n    A[i] = 1\n": (4, "expected `for"),
    HEAD + "for i in range(stop=N):\n    A[i] = 1\n": (4, "expected `for"),
    HEAD + "for i, j in range(N):\n    A[i] = 1\n": (4, "expected `for"),
    HEAD + "for i in range(N):\n    A[i] = 1\nelse:\n    A[0] = 1\n": (4, "expected `for"),
    HEAD + "for i in range(*A):\n    A[i] = 1\n": (4, "not affine"),
    HEAD + "for i in range(N / 2):\n    A[i] = 1\n": (4, "not affine"),
    HEAD + "for i in range(N // 2):\n    A[i] = 1\n": (4, "not affine"),
    HEAD + "for i in range(2.0):\n    A[i] = 1\n": (4, "not affine"),
    HEAD + "for i in range(True):\n    A[i] = 1\n": (4, "not affine"),
    HEAD + "for i in range(A[0]):\n    A[i] = 1\n": (4, "not affine"),
    HEAD + "for i in range(i):\n    A[i] = 1\n": (4, "'i' is neither"),
    HEAD + "for i in range(M):\n    A[i] = 1\n": (4, "'M' is neither"),
    HEAD + "for i in range(float('inf')):\n    A[i] = 1\n": (4, "not affine"),
    HEAD + "for i in range(max(N, 3)):\n    A[i] = 1\n": (4, "a min(…)"),
    HEAD + "for i in range(min(N, 3), N):\n    A[i] = 1\n": (4, "a max(…)"),
    HEAD + "for i in range(max(), N):\n    A[i] = 1\n": (4, "a max(…)"),
    HEAD + "for i in range(min(N, 3, key=N)):\n    A[i] = 1\n": (4, "a min(…)"),
    HEAD + f"for i in range(min({', '.join(['N'] * 9)})):\n    A[i] = 1\n": (4, "at most 8 forms"),
    HEAD + "for i in range(min(N, min(N, 3))):\n    A[i] = 1\n": (4, "not affine"),
    HEAD + DEEP + "  " * MOST_DEPTH + "  A[0] = 1\n": (4 + MOST_DEPTH, "more than 6 deep"),
    # affine forms
    HEAD + "A[N * N] = 1\n": (4, "product of two names"),
    HEAD + "A[65 * N] = 1\n": (4, "coefficients go to 64"),
    HEAD + "A[64 * N + N] = 1\n": (4, "coefficients go to 64"),
    HEAD + "A[64 * (64 * (64 * N))] = 1\n": (4, "coefficients go to 64"),
    HEAD + "A[100000001] = 1\n": (4, "constants to"),
    HEAD + f"A[{'9' * 400}] = 1\n": (4, "constants to"),
    HEAD + f"A[{' * '.join(['99999'] * 60)}] = 1\n": (4, "constants to"),
    HEAD + "A[N % 2] = 1\n": (4, "not affine"),
    HEAD + "A[A[0]] = 1\n": (4, "not affine"),
    HEAD + "A[0:3] = 1\n": (4, "not affine"),
    HEAD + "A[...] = 1\n": (4, "not affine"),
    HEAD + "A[~N] = 1\n": (4, "not affine"),
    HEAD + "A[None] = 1\n": (4, "not affine"),
    HEAD + "A[0, 0] = 1\n": (4, "A has 1 dimensions, here 2"),
    HEAD + "B[0] = 1\n": (4, "B has 2 dimensions, here 1"),
    HEAD + "C[0] = 1\n": (4, "only declared arrays"),
    HEAD + "A[0][0] = 1\n": (4, "only declared arrays"),
    # guards
    HEAD + "if N > 3:\n    A[0] = 1\nelse:\n    A[0] = 2\n": (4, "`else`"),
    HEAD + "if N > 3:\n    A[0] = 1\nelif N > 2:\n    A[0] = 2\n": (4, "`else`"),
    HEAD + "if N != 3:\n    A[0] = 1\n": (4, "a guard is made of"),
    HEAD + "if N in 3:\n    A[0] = 1\n": (4, "a guard is made of"),
    HEAD + "if N is N:\n    A[0] = 1\n": (4, "a guard is made of"),
    HEAD + "if N > 3 or N < 2:\n    A[0] = 1\n": (4, "joined by `and`"),
    HEAD + "if not N > 3:\n    A[0] = 1\n": (4, "joined by `and`"),
    HEAD + "if N:\n    A[0] = 1\n": (4, "joined by `and`"),
    HEAD + "if A[0] > 3:\n    A[0] = 1\n": (4, "not affine"),
    # statements
    HEAD + "A[0] = 1\nM = size(3)\n": (5, "declarations come before"),
    HEAD + "for i in range(N):\n    a = 1\n": (5, "one element of an array"),
    HEAD + "A[0] = A[1] = 1\n": (4, "one element of an array"),
    HEAD + "A[0], A[1] = 1, 2\n": (4, "expected `name"),
    HEAD + "A[0] **= 2\n": (4, "+=, -=, *= or /="),
    HEAD + "A[0] //= 2\n": (4, "+=, -=, *= or /="),
    HEAD + "N += 1\n": (4, "one element of an array"),
    HEAD + "for i in range(N):\n    'text'\n": (5, "expected a loop"),
    **{HEAD + f"{s}\n": (4, "expected a loop") for s in (
        "import os", "del A", "pass", "print(A)", "while N:\n    A[0] = 1", "def f():\n    A[0] = 1",
        "class A:\n    pass", "with A:\n    A[0] = 1", "try:\n    A[0] = 1\nfinally:\n    A[0] = 1", "return", "A",
        "raise A", "assert N", "global N", "async def f():\n    pass", "match N:\n    case 1:\n        pass",
        "lambda: 0", "A[0]: float = 1", "(M := 3)")},
    "".join([HEAD, *["A[0] = 1\n"] * (MOST_STATEMENTS + 1)]): (4 + MOST_STATEMENTS, "more than 24 statements"),
    # values
    **{HEAD + f"A[0] = {v}\n": (4, "expected elements") for v in (
        "M", "A", "A[0] ** 2", "A[0] // 2", "A[0] % 2", "open('x')", "sqrt(A[0], key=1)", "+A[0]", "~A[0]", "not A[0]",
        "[1, 2]", "(1, 2)", "A[0] and 1", "A[0] > 1", "f'{N}'", "lambda: 0", "A[0] @ A[0]", "N.real", "A.sum()",
        "1 if N else 2", "1 if N < 2 < 3 else 2", "(M := 3)", "__import__('os')", "pow(N, 2)")},
    **{HEAD + f"A[0] = {v}\n": (4, "expected a number") for v in ("'x'", "None", "True", "1j", "b'x'", "...")},
    HEAD + "A[0] = 1e999\n": (4, "finite"),
    HEAD + "A[0] = sqrt()\n": (4, "sqrt takes 1"),
    HEAD + "A[0] = min(1)\n": (4, "min takes 2"),
    HEAD + "A[0] = max(1, 2, 3)\n": (4, "max takes 2"),
    HEAD + "A[0] = 1 if N in A else 2\n": (4, "expected elements"),
    HEAD + "A[0] = 1 if N in 3 else 2\n": (4, "one comparison"),
    HEAD + f"A[0] = {' + '.join(['N'] * 201)}\n": (4, "more than 400 parts"),
    # no Python at all
    "N = = 3\n": (1, "not a program"),
    HEAD + "  A[0] = 1\n": (4, "not a program"),
    HEAD + "A[0] = 1\x00\n": (None, "not a program"),
    HEAD + "A[0] = '\ud800'\n": (None, "not a program"),
    "#" * 20_001: (None, "longer than 20000"),
    HEAD + f"A[0] = {'(' * 5000}1{')' * 5000}\n": (None, ""),
    HEAD + f"A[0] = {'-' * 5000}1\n": (None, ""),
    HEAD + f"A[{'-' * 3000}N] = 1\n": (None, ""),
    HEAD + f"A[0] = {'sqrt(' * 90}1{')' * 90}\n" + f"A[0] = {' + '.join(['1'] * 3000)}\n": (None, ""),
    HEAD + f"A[0] = {'A[' * 90}0{']' * 90}\n": (4, "not affine"),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=lambda t: (t.removeprefix(HEAD).strip() or "nothing")[:40])
def test_a_text_that_is_no_program_is_one_sentence_with_its_line(text: str) -> None:
    line, reason = REFUSED[text]
    with pytest.raises(TaskError) as refused:
        parse(text, "mine.poly")
    said = str(refused.value)
    assert said.startswith("mine.poly" if line is None else f"mine.poly, line {line}: "), said
    assert reason in said and "\n" not in said and len(said) < 300


def test_accesses_outside_of_an_array_are_told_by_the_analysis() -> None:
    pytest.importorskip("islpy", reason="islpy is not installed")
    for text, array in (
        ("for i in range(N + 1):\n    A[i] = 1\n", "A"),
        ("for i in range(N):\n    A[i - 1] = 1\n", "A"),
        ("for i in range(N):\n    A[i] = B[i, N - i]\n", "B"),
        ("A[1] = 1\n", "A"),  # where N is 1
        ("for i in range(N):\n    A[i] = 1 if N == 3 else B[0, i + 1]\n", "B"),
    ):
        with pytest.raises(TaskError, match=rf"^mine\.poly: S0 reaches outside of {array} for some sizes"):
            Analysis(parse(HEAD + text, "mine.poly"))
    Analysis(parse(HEAD + "if N >= 2:\n    A[1] = 1\n", "mine.poly"))


WORDS = [
    *"for if else in range size array N M A B i j k 0 1 2 9 ( ) [ ] , : = += - + * / < == and min sqrt fill".split(),
    *["\n", "\n    ", "\n        ", " ", "'", "\\", "\x00", "é", "\ud800", "lambda", "**", "1e999", "9" * 30],
]


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=150)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
        st.tuples(st.integers(0, 40), st.integers(0, 400), st.sampled_from(WORDS)).map(
            lambda t: random_program(t[0])[: t[1]] + t[2] + random_program(t[0])[t[1] :]
        ),
    )
)
def test_no_text_raises_anything_but_a_sentence(text: str) -> None:
    try:
        assert isinstance(parse(text, "x"), Program)
    except TaskError as error:
        assert str(error).startswith("x") and "\n" not in str(error)


# -- meaning --------------------------------------------------------------------------------------------------------


@st.composite
def programs(draw: st.DrawFn) -> str:
    """Loops with any affine bounds and guards around statements; nothing is said of where they write."""
    lines = ["N, M = size(5), size(4)", "A = array(9, 9)"]
    names = ["N", "M"]

    def form(inside: list[str]) -> str:
        if draw(st.booleans()):  # bounds that meet often
            return draw(st.sampled_from([*names, *inside, *inside, "1", "2", "N - 1", "2 * M - N"]))
        terms = draw(st.lists(st.tuples(st.integers(-2, 2), st.sampled_from([*names, *inside])), max_size=2))
        text = " + ".join([*(f"{c} * {n}" for c, n in terms), str(draw(st.integers(-3, 3)))])
        return text if draw(st.booleans()) else f"-(({text}) - {draw(st.integers(0, 9))}) * 1"

    def body(inside: list[str], pad: str, left: int) -> None:
        for _ in range(draw(st.integers(1, 2))):
            kind = draw(st.sampled_from([0, 0, 1, 3] if inside else [0, 0, 0, 1])) if left else 3
            if kind == 0 and len(inside) < 3:
                iterator = "ijk"[len(inside)]
                low, high = (", ".join(form(inside) for _ in range(draw(st.integers(1, 2)))) for _ in "ab")
                low, high = f"max({low})" if "," in low else low, f"min({high})" if "," in high else high
                bounds = high if draw(st.booleans()) else f"{low}, {high}"
                lines.append(f"{pad}for {iterator} in range({bounds}):")
                body([*inside, iterator], pad + "    ", left - 1)
            elif kind == 1:
                operators = draw(
                    st.lists(st.sampled_from(["<", "<=", ">", ">=", "=="]), min_size=1, max_size=2)
                )
                chain = " ".join([form(inside), *(f"{o} {form(inside)}" for o in operators)])
                other = f" and {form(inside)} >= {form(inside)}" if draw(st.booleans()) else ""
                lines.append(f"{pad}if {chain}{other}:")
                body(inside, pad + "    ", left - 1)
            else:
                lines.append(f"{pad}A[0, 0] = 1")

    body([], "", 3)
    return "\n".join(lines) + "\n"


def check_domains(text: str, sizes: dict[str, int]) -> None:
    """Every statement has the instances that the Python text runs, and no others near them."""
    program = parse(text, "x")
    runs = Run(text, sizes).instances
    assert {s.name: s.iterators for s in program.statements} == iterators_of(text)
    for statement in program.statements:
        ran = [i.at for i in runs if i.statement == statement.name]
        span = range(
            min([v for at in ran for v in at], default=0) - 1,
            max([v for at in ran for v in at], default=0) + 2,
        )
        inside = [
            at
            for at in product(span, repeat=len(statement.iterators))
            if all(
                c.at({**sizes, **dict(zip(statement.iterators, at, strict=True))}) >= 0
                for c in statement.constraints
            )
        ]
        assert inside == ran
    for loop in program.loops:
        assert loop.name.startswith(loop.iterator)
    names = [loop.name for loop in program.loops]
    assert len(set(names)) == len(names)


@settings(max_examples=50)
@given(programs(), st.integers(1, 4), st.integers(1, 4))
def test_domains_and_order_are_those_of_the_text(text: str, n: int, m: int) -> None:
    if text.count("A[0, 0]") <= MOST_STATEMENTS:
        check_domains(text, {"N": n, "M": m})


@pytest.mark.parametrize("comparison", ["<", "<=", ">", ">=", "=="])
def test_every_comparison_is_that_of_the_text(comparison: str) -> None:
    for guard in (
        f"i {comparison} N - 3",
        f"2 {comparison} i",
        f"-1 <= i {comparison} 2",
        f"i > 0 and M {comparison} i",
    ):
        for bounds in ("-4, 9", "max(-3, 0 - N), min(M, 6)", "N", "M, N"):
            text = f"N, M = size(5), size(4)\nA = array(9, 9)\nfor i in range({bounds}):\n    if {guard}:\n"
            check_domains(text + "        for j in range(i, 3):\n            A[0, 0] = 1\n", {"N": 5, "M": 4})


def test_a_program_is_read_as_data() -> None:
    program = parse(
        '"""A title"""\nN, M = size(9, 90), size(8, 80)\nb = -1.5\nA = array(N + 1, M, fill="small")\n'
        "for i in range(1, N):\n    A[i, 0] -= b * A[i - 1, M - 1]\nfor i in range(N):\n    A[i, 0] = i\n",
        "one",
    )
    assert (
        program.sizes == ("N", "M")
        and program.scales == ((9, 90), (8, 80))
        and program.at(7) == {"N": 90, "M": 80}
    )
    assert [(a.name, a.shape, a.fill) for a in program.arrays] == [
        ("A", (Affine((("N", 1),), 1), Affine((("M", 1),))), "small")
    ]
    assert [(n.name, n.iterator) for n in program.loops] == [("i", "i"), ("i2", "i")]
    first, second = program.statements
    assert (first.name, first.loops, second.name, second.loops) == ("S0", ("i",), "S1", ("i2",))
    assert [str(s) for s in first.write.subscripts] == ["i", "0"]
    assert [[str(s) for s in a.subscripts] for a in first.reads] == [["i", "0"], ["i - 1", "M - 1"]]
    assert (first.operations, second.operations) == (2, 0) and program.written == ("A",)


def test_sizes_are_set_or_refused() -> None:
    program = parse("N, M = size(9, 90), size(8, 80)\nA = array(N)\nA[0] = 1\n", "one")
    assert sized(program, {"N": 3, "M": 2}).at(5) == {"N": 3, "M": 2}
    for wrong in ({}, {"N": 3}, {"N": 3, "M": 0}, {"N": 3, "M": 2, "K": 1}, {"N": 3, "M": 2.5}, {"N": 3, "M": "4"},
                  {"N": 3, "M": True}, {"N": 3, "M": 10**9}):  # fmt: skip
        with pytest.raises(TaskError, match=r"^one: sizes are N, M, whole numbers from 1 to"):
            sized(program, wrong)  # type: ignore[arg-type]


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-9, 9), st.integers(-9, 9))
def test_affine_forms_are_written_as_they_are(a: int, b: int, c: int, at: int) -> None:
    form = Affine.of({"i": a, "N": b}, c)
    assert re.fullmatch(r"-?(\d+\*)?\w+( [+-] (\d+\*)?\w+)*", str(form))
    text = f"N = size(5)\nA = array(9)\nfor i in range({at}, {at} + 1):\n    A[0] = 1 * ({form})\n"
    arrays = {"A": np.zeros(9)}
    Run(text, {"N": 7}, arrays)
    assert arrays["A"][0] == form.at({"i": at, "N": 7}) == a * at + b * 7 + c
    assert form.times(3).plus(form, -3) == Affine(())


def test_without_islpy_there_is_one_sentence_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "islpy", None)
    with pytest.raises(TaskError, match=r"^islpy is not installed; .* 'discover-heuristics\[polyhedral\]'$"):
        Analysis(parse(HEAD + "A[0] = 1\n", "x"))
