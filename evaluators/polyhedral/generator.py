"""Random affine programs: one to three nests over shared arrays, as texts of the description language.

Contractions, products with vectors, maps, scans and stencils in time, with transposed and shifted accesses and
triangular domains. Every number is drawn from a stream of its own and its text never changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from evaluators.plain import Draw

MATRICES, VECTORS = "ABCD", "xyz"
DEEP, FLAT = "size(17, 190, 460)", "size(29, 900, 2400)"
"""Sizes of programs with and without a nest three deep."""


@cache
def random_program(number: int) -> str:
    """The text of random program ``number``, a non-negative integer."""
    return _Writer(Draw(f"polyhedral random program {number}")).text()


class _Writer:
    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._deep = False
        self._timed = False

    def text(self) -> str:
        kinds: list[Callable[[], Iterator[str]]] = [
            self._contraction, self._product, self._map, self._scan, self._stencil, self._line_stencil,
        ]  # fmt: skip
        body: list[str] = []
        for _ in range(1 + self._below(3)):
            body += kinds[self._below(len(kinds))]()
        head = ['"""A random program"""', f"N = {DEEP if self._deep else FLAT}"]
        if self._timed:
            head[1] = (
                f"T, N = size(4, 12, 12), {DEEP.replace('17', '19') if self._deep else FLAT.replace('900', '500')}"
            )
        extents = {**dict.fromkeys(MATRICES, "N, N"), **dict.fromkeys(VECTORS, "N")}
        arrays = [f"{n} = array({e})" for n, e in extents.items() if any(f"{n}[" in line for line in body)]
        return "\n".join([*head, *arrays, *body]) + "\n"

    # -- nests ------------------------------------------------------------------------------------------------------

    def _contraction(self) -> Iterator[str]:
        """C[i, j] += A[·] B[·] over a third index."""
        self._deep = True
        c, a, b = self._different(MATRICES, 3)
        left, right = self._flipped("i, k"), self._flipped("k, j")
        upper = self._one(("N", "N", "i + 1"))
        yield "for i in range(N):"
        yield f"    for j in range({upper}):"
        if self._below(2):
            yield f"        {c}[i, j] {self._one(('= 0', '*= 0.5'))}"
        lower = self._one(("", "", "i, ", "j, "))
        yield f"        for k in range({lower}N):"
        yield f"            {c}[i, j] += {self._one(('', '0.5 * '))}{a}[{left}] * {b}[{right}]"

    def _product(self) -> Iterator[str]:
        """y += A x or A' x, where the vectors may be one."""
        y, x = self._different(VECTORS, 2)
        (a,) = self._different(MATRICES, 1)
        yield "for i in range(N):"
        if self._below(2):
            yield f"    {y}[i] *= 0.5"
        yield f"    for j in range({self._one(('N', 'N', 'i'))}):"
        yield f"        {y}[i] += {a}[{self._flipped('i, j')}] * {x}[j]"

    def _map(self) -> Iterator[str]:
        """B[i, j] = f(A[·], x[·])."""
        b, a = self._different(MATRICES, 2)
        (x,) = self._different(VECTORS, 1)
        second = self._one((f"{x}[{self._one('ij')}]", f"{b}[i, j]", "0.25"))
        yield "for i in range(N):"
        yield f"    for j in range({self._one(('N', 'N', 'i + 1'))}):"
        yield f"        {b}[i, j] = {a}[{self._flipped('i, j')}] {self._one('+-*')} 0.5 * {second}"

    def _scan(self) -> Iterator[str]:
        """A recurrence along rows, columns or a diagonal."""
        a, b = self._different(MATRICES, 2)
        back = self._one(("i - 1, j", "i, j - 1", "i - 1, j - 1"))
        yield "for i in range(1, N):"
        yield "    for j in range(1, N):"
        yield f"        {a}[i, j] = 0.5 * {a}[{back}] + {b}[{self._flipped('i, j')}]"

    def _stencil(self) -> Iterator[str]:
        """Neighbours' averages in time on a plane, in place or between two arrays."""
        self._timed = True
        a, b = self._different(MATRICES, 2)
        inside = self._below(3) == 0
        target = a if inside else b
        points = [f"{a}[{i}, {j}]" for i, j in self._neighbours()]
        yield "for t in range(T):"
        yield "    for i in range(1, N - 1):"
        yield "        for j in range(1, N - 1):"
        yield f"            {target}[i, j] = {1 / len(points):.6f} * ({' + '.join(points)})"
        if not inside:
            yield "    for i in range(1, N - 1):"
            yield "        for j in range(1, N - 1):"
            yield f"            {a}[i, j] = {self._one((f'{b}[i, j]', f'0.5 * ({b}[i, j] + {b}[i, j - 1])'))}"

    def _line_stencil(self) -> Iterator[str]:
        """The same on the rows of a plane, each for itself."""
        self._timed = True
        a, b = self._different(MATRICES, 2)
        yield "for t in range(T):"
        yield "    for i in range(N):"
        yield "        for j in range(1, N - 1):"
        yield f"            {b}[i, j] = 0.333 * ({a}[i, j - 1] + {a}[i, j] + {a}[i, j + 1])"
        yield "    for i in range(N):"
        yield "        for j in range(1, N - 1):"
        yield f"            {a}[i, j] = {b}[i, j]"

    # -- draws ------------------------------------------------------------------------------------------------------

    def _neighbours(self) -> list[tuple[str, str]]:
        steps = (" - 1", "", " + 1")
        chosen = [(f"i{p}", f"j{q}") for p in steps for q in steps if (not p and not q) or self._below(5) < 2]
        return chosen if len(chosen) > 1 else [*chosen, ("i - 1", "j")]

    def _different(self, names: str, count: int) -> list[str]:
        left = list(names)
        return [left.pop(self._below(len(left))) for _ in range(count)]

    def _flipped(self, pair: str) -> str:
        first, second = pair.split(", ")
        return pair if self._below(3) else f"{second}, {first}"

    def _one(self, options: Sequence[str]) -> str:
        return options[self._below(len(options))]

    def _below(self, count: int) -> int:
        return int(self._draw.integers(0, count - 1, 1)[0])
