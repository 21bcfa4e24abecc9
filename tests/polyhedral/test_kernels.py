"""The kernels: their C, as written and as isl prints it, does bit for bit what their Python text does, and that is
the mathematics in their names."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
import scipy.ndimage
import scipy.sparse.csgraph
from slow import Arrays, Run

from evaluators.polyhedral import codegen, language
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.generator import random_program
from evaluators.polyhedral.measuring import described
from evaluators.polyhedral.program import Program
from evaluators.polyhedral.toolchain import compiler as find
from evaluators.polyhedral.worker import filled

pytest.importorskip("islpy", reason="islpy is not installed")

KERNELS = Path(codegen.__file__).parent / "kernels"
NAMES = sorted(p.stem for p in KERNELS.glob("*.poly"))
EXACT = ("-O0", "-ffp-contract=off")
"""The compiler's own liberties with rounding are off, and C's doubles are Python's."""


def text_of(name: str) -> str:
    return (KERNELS / f"{name}.poly").read_text("utf-8")


@cache
def compiler_of(text: str) -> Compiler:
    return Compiler(language.parse(text, "kernel"))


def generated(text: str) -> str:
    own = compiler_of(text)
    schedule = own.verdict(()).schedule
    assert schedule is not None
    return own.text(schedule)


def called(path: Path, program: Program, sizes: dict[str, int], arrays: Arrays) -> Arrays:
    """What an object makes of copies of the arrays."""
    made = {n: a.copy() for n, a in arrays.items()}
    longs = [ctypes.c_long(sizes[n]) for n in program.sizes]
    function = ctypes.CDLL(str(path)).kernel
    function.restype = None
    function(*longs, *[ctypes.c_void_p(made[a.name].ctypes.data) for a in program.arrays])
    return made


def inputs(program: Program, sizes: dict[str, int], seed: int) -> Arrays:
    return filled(described(program)["arrays"], sizes, seed)


def interpreted(text: str, sizes: dict[str, int], arrays: Arrays) -> Arrays:
    made = {n: a.copy() for n, a in arrays.items()}
    run = Run(text, sizes, made)
    assert {n: a.shape for n, a in made.items()} == run.shapes
    return made


def sizes_to_try(program: Program) -> list[dict[str, int]]:
    """Ones, twos, and small sizes that differ."""
    return [
        {n: value + k * step for k, n in enumerate(program.sizes)}
        for value, step in ((1, 0), (2, 0), (3, 1), (7, -1))
    ]


def check(text: str) -> None:
    program = compiler_of(text).program
    objects = [find(extra=EXACT).compiled(c) for c in (codegen.reference(program), generated(text))]
    for seed, sizes in enumerate(sizes_to_try(program)):
        arrays = inputs(program, sizes, seed)
        wanted = interpreted(text, sizes, arrays)
        for path in objects:
            made = called(path, program, sizes, arrays)
            for name, array in wanted.items():
                assert np.array_equal(array, made[name], equal_nan=True), (name, sizes)


def test_there_are_thirty() -> None:
    assert len(NAMES) == 30


@pytest.mark.usefixtures("gcc")
@pytest.mark.parametrize("name", NAMES)
def test_both_texts_in_c_do_what_the_text_in_python_does(name: str) -> None:
    check(text_of(name))


@pytest.mark.usefixtures("gcc")
def test_so_do_random_programs() -> None:
    for number in range(6):
        check(random_program(number))


@pytest.mark.usefixtures("gcc")
@pytest.mark.parametrize(
    "text",
    [
        # numbers of every kind
        "N = size(5)\na, b, c = -0.0, -2.5, 1e-300\nA = array(N)\nfor i in range(N):\n"
        "    A[i] = -a - b * -A[i] + (-b) / c * 1e-300 - -1 + 123456789012345678 * 1e-20\n",
        # every function and comparison
        *(
            "N = size(5)\nA = array(N, N)\nfor i in range(N):\n    for j in range(N):\n"
            f"        A[i, j] = exp(A[i, j]) + sqrt(abs(A[i, j] - 0.5)) + min(A[i, j], 0.5) * max(i, j) + "
            f"(i * 2 - j if i {o} j else N / 3)\n"
            for o in ("==", "!=", "<", "<=", ">", ">=")
        ),
        # guards, chains of comparisons, bounds of several forms, negative steps of subscripts
        "N, M = size(5), size(6)\nA = array(N + 2 * M, M)\nfor i in range(max(-N, 0 - M, 1), min(N, 2 * M - 1)):\n"
        "    if 1 < i <= M - 1 and N >= 2:\n        for j in range(i, M):\n            A[2 * j + N - i - 1, M - 1 - j] "
        "-= A[i, j] / 3\n    if i == 3:\n        if M == 3:\n            A[i, 0] *= i\n",
        # names that generated texts use for themselves somewhere
        *(
            f"{n} = size(5)\ny0, S0 = array({n}, {n}), array({n})\n"
            f"for {i} in range({n}):\n    S0[{i}] = 2\n    for a1 in range({i}):\n        y0[{i}, a1] = S0[a1] + {i}\n"
            for n, i in (("e0", "e1"), ("o0", "isnan"), ("b0", "a0"), ("S1", "errno"))
        ),
    ],
)
def test_so_does_every_word_of_the_language(text: str) -> None:
    check(text)


# -- mathematics ----------------------------------------------------------------------------------------------------

Maths = Callable[[dict[str, npt.NDArray[np.float64]]], dict[str, npt.NDArray[np.float64]]]


def _lower(new: npt.NDArray[np.float64], old: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The lower triangle of the one, the rest of the other."""
    return np.tril(new) + np.triu(old, 1)


def _lu(a: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    p, low, up = scipy.linalg.lu(a)
    assert np.array_equal(p, np.eye(len(a))), "diagonally dominant: no pivots"
    return np.tril(low, -1) + up


def _stencil(steps: int, *arrays: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]) -> Arrays:
    """To and fro between two arrays, the border kept."""
    a, b = (x.copy() for x in arrays)
    inner = (slice(1, -1),) * a.ndim
    for _ in range(steps):
        for source, target in ((a, b), (b, a)):
            target[inner] = scipy.ndimage.correlate(source, weights)[inner]
    return {"A": a, "B": b}


def _cross(centre: float, arm: float, dimensions: int) -> npt.NDArray[np.float64]:
    weights = np.zeros((3,) * dimensions)
    for d in range(dimensions):
        for end in (0, 2):
            weights[tuple(end if k == d else 1 for k in range(dimensions))] = arm
    weights[(1,) * dimensions] = centre
    return weights


def _gramschmidt(a: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> Arrays:
    q, r = np.linalg.qr(a)
    signs = np.sign(np.diag(r))
    return {"Q": q * signs, "R": np.triu(signs[:, None] * r) + np.tril(below, -1)}


def _shortest(a: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Dijkstra's paths between different vertices; from one to itself the shortest round trip."""
    made = scipy.sparse.csgraph.dijkstra(a)
    rounds = (made + made.T + np.diag(np.full(len(a), np.inf))).min(axis=1)
    return made + np.diag(np.minimum(np.diag(a), rounds))


def _symmetric(a: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.tril(a) + np.tril(a, -1).T


def _durbin(r: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return scipy.linalg.solve_toeplitz(np.concatenate([[1.0], r[:-1]]), -r)


def _most_pairs(letters: npt.NDArray[np.float64], table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """By the recurrence on intervals, shortest first."""
    made, n = table.copy(), len(letters)
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            best = [made[i, j], made[i, j - 1], made[i + 1, j]]
            pair = float(letters[i] + letters[j] == 3) if length > 1 else 0.0
            best.append(made[i + 1, j - 1] + pair)
            best += [made[i, k] + made[k + 1, j] for k in range(i + 1, j)]
            made[i, j] = max(best)
    return made


MATHEMATICS: dict[str, Maths] = {
    "2mm": lambda v: {"D": 1.2 * v["D"] + 1.5 * v["A"] @ v["B"] @ v["C"]},
    "3mm": lambda v: {"G": v["A"] @ v["B"] @ v["C"] @ v["D"]},
    "atax": lambda v: {"y": v["A"].T @ (v["A"] @ v["x"])},
    "bicg": lambda v: {"s": v["A"].T @ v["r"], "q": v["A"] @ v["p"]},
    "cholesky": lambda v: {"A": _lower(np.linalg.cholesky(_symmetric(v["A"])), v["A"])},
    "correlation": lambda v: {"corr": np.corrcoef(v["table"], rowvar=False)},
    "covariance": lambda v: {"cov": np.cov(v["table"], rowvar=False)},
    "doitgen": lambda v: {"A": v["A"] @ v["C"]},
    "durbin": lambda v: {"y": _durbin(v["r"])},
    "floyd-warshall": lambda v: {"path": _shortest(v["path"])},
    "gemm": lambda v: {"C": 1.2 * v["C"] + 1.5 * v["A"] @ v["B"]},
    "gemver": lambda v: (
        a := v["A"] + np.outer(v["u1"], v["v1"]) + np.outer(v["u2"], v["v2"]),
        x := v["x"] + 1.2 * a.T @ v["y"] + v["z"],
        {"A": a, "x": x, "w": v["w"] + 1.5 * a @ x},
    )[-1],
    "gesummv": lambda v: {"y": 1.5 * v["A"] @ v["x"] + 1.2 * v["B"] @ v["x"]},
    "gramschmidt": lambda v: _gramschmidt(v["A"], v["R"]),
    "heat-3d": lambda v: _stencil(3, v["A"], v["B"], weights=_cross(0.25, 0.125, 3)),
    "jacobi-1d": lambda v: _stencil(7, v["A"], v["B"], weights=np.full(3, 0.33333)),
    "jacobi-2d": lambda v: _stencil(5, v["A"], v["B"], weights=_cross(0.2, 0.2, 2)),
    "lu": lambda v: {"A": _lu(v["A"])},
    "ludcmp": lambda v: {"A": _lu(v["A"]), "x": np.linalg.solve(v["A"], v["b"])},
    "mvt": lambda v: {"x1": v["x1"] + v["A"] @ v["y1"], "x2": v["x2"] + v["A"].T @ v["y2"]},
    "nussinov": lambda v: {"table": _most_pairs(v["seq"], v["table"])},
    "symm": lambda v: {"C": 1.2 * v["C"] + 1.5 * _symmetric(v["A"]) @ v["B"]},
    "syr2k": lambda v: {"C": _lower(1.2 * v["C"] + 1.5 * (v["A"] @ v["B"].T + v["B"] @ v["A"].T), v["C"])},
    "syrk": lambda v: {"C": _lower(1.2 * v["C"] + 1.5 * v["A"] @ v["A"].T, v["C"])},
    "trisolv": lambda v: {"x": scipy.linalg.solve_triangular(v["L"], v["b"], lower=True)},
    "trmm": lambda v: {"B": 1.5 * (np.tril(v["A"], -1) + np.eye(len(v["A"]))).T @ v["B"]},
}


@pytest.mark.usefixtures("gcc")
@pytest.mark.parametrize("name", MATHEMATICS)
def test_a_kernel_is_the_mathematics_that_its_name_says(name: str) -> None:
    program = compiler_of(text_of(name)).program
    sizes = program.at(0)
    arrays = inputs(program, sizes, 3)
    path = find(extra=EXACT).compiled(codegen.reference(program))
    made = called(path, program, sizes, arrays)
    for array, wanted in MATHEMATICS[name](arrays).items():
        np.testing.assert_allclose(made[array], wanted, rtol=1e-9, atol=1e-12, err_msg=array)


def test_what_an_array_holds_at_first() -> None:
    text = "N, M = size(9), size(40)\n" + "".join(
        f'{n} = array(N, M, fill="{f}")\n'
        for n, f in zip("ABCD", ("uniform", "dominant", "small", "letters"), strict=True)
    )
    program = language.parse(text + "A[0, 0] = 1\n", "x")
    sizes = {"N": 9, "M": 40}
    made = inputs(program, sizes, 1)
    diagonal = np.eye(9, 40, dtype=bool)
    assert all(a.shape == (9, 40) for a in made.values())
    assert 0 <= made["A"].min() < 0.05 and 0.95 < made["A"].max() < 1
    assert 40 <= made["B"][diagonal].min() <= made["B"].max() < 41 and made["B"][~diagonal].max() < 1
    assert 0.9 / 40 < made["C"].max() < 1 / 40
    assert set(made["D"].ravel()) == {0.0, 1.0, 2.0, 3.0}
    again, other = inputs(program, sizes, 1), inputs(program, sizes, 2)
    assert all(np.array_equal(made[n], again[n]) and not np.array_equal(made[n], other[n]) for n in made)
    # as PCG64 of these seeds gives it, whatever numpy's version
    assert made["A"][0, 0] == np.random.Generator(np.random.PCG64([1, 0])).random()
