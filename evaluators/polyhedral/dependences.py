"""What a program's statements owe to one another, and the proof that a schedule keeps it.

Two instances depend on each other when both touch an element and at least one writes it; the one that runs first in
the program has to run first in every schedule. All such pairs count (flow, anti and output dependences, without
reduction to the nearest), for all sizes at once. A schedule maps instances to times, and it is legal when no
dependence has an image that does not go forward: one question to isl for each relation.

Source: Feautrier, "Some efficient solutions to the affine scheduling problem" (1992), for legality as a condition on
times; the images are computed as in Kelly & Pugh's mapping frameworks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evaluators.polyhedral.program import Access, Affine, Program, Statement
from evaluators.polyhedral.tree import Schedule, original
from evaluators.task import Missing, TaskError

CHEAP, OPERATIONS = 30_000, 100_000
"""isl's own operations for a proof, whatever the machine: what most proofs need, and the most. That is some tenths of a
second, and some seconds where coefficients grow large: an operation is one however long its numbers are."""
Kind = str


class OutOfOperations(Exception):
    """isl has used up its operations: the schedule is too complicated to be proved legal, so it counts as illegal."""


def isl() -> Any:
    """The module islpy. Raises TaskError when it is not installed."""
    try:
        import islpy
    except ImportError:
        raise Missing(
            "islpy is not installed; install the extra: pip install 'discover-heuristics[polyhedral]'"
        ) from None
    return islpy


@dataclass(frozen=True)
class Dependence:
    """``source`` runs before ``target`` because of ``array``. ``relation`` is an isl map from instances of the one to
    those of the other. ``kind``: flow (write, read), anti (read, write) or output (write, write)."""

    source: str
    target: str
    array: str
    kind: Kind
    relation: Any

    def __str__(self) -> str:
        return f"the {self.kind} dependence from {self.source} to {self.target} through {self.array}"


class Analysis:
    """The dependences of one program, in an isl context of its own. Not to be used by two threads at once.

    Raises TaskError where the program reads or writes outside its arrays, and when islpy is missing."""

    def __init__(self, program: Program, operations: int = OPERATIONS) -> None:
        self.program = program
        self.isl = isl()
        self.context = self.isl.Context()
        self._operations = operations
        self.generous = 10 * operations
        """For what is done once: the dependences, the C of a schedule; some seconds at most."""
        self._domains: dict[str, Any] = {}
        self._statements = {s.name: s for s in program.statements}
        try:
            with self.budget(self.generous):
                for statement in program.statements:
                    self._check_accesses(statement)
                self.dependences = tuple(self._dependences())
        except OutOfOperations:
            raise TaskError(f"{program.name}: the program is too complicated to be analysed") from None

    @contextmanager
    def budget(self, operations: int | None = None) -> Iterator[None]:
        """isl may use a budget of operations within. Raises OutOfOperations when it is used up."""
        self.context.reset_operations()
        self.context.set_max_operations(operations or self._operations)
        try:
            yield
        except self.isl.Error:
            if self._spent():
                raise OutOfOperations("the question takes isl more than its operations") from None
            raise
        finally:
            self.context.set_max_operations(0)

    def _spent(self) -> bool:
        """Whether isl refuses all further work; what it says then depends on what it was at, such as reading a text."""
        try:
            self.isl.Set.read_from_str(self.context, "{ : }")
        except self.isl.Error:
            return True
        return False

    # -- sets and maps ----------------------------------------------------------------------------------------------

    @cached_property
    def parameters(self) -> str:
        return f"[{', '.join(self.program.sizes)}] -> "

    @cached_property
    def context_set(self) -> Any:
        """What is known of the sizes: each is at least 1."""
        known = " and ".join(f"{n} >= 1" for n in self.program.sizes)
        return self.isl.Set.read_from_str(self.context, f"{self.parameters}{{ : {known} }}")

    def domain(self, name: str) -> Any:
        """The instances of a statement, an isl set."""
        if name not in self._domains:
            statement = self._statements[name]
            inside = " and ".join(f"{c} >= 0" for c in statement.constraints) or "true"
            text = f"{self.parameters}{{ {_tuple(statement)} : {inside} }}"
            self._domains[name] = self.isl.Set.read_from_str(self.context, text).intersect_params(
                self.context_set
            )
        return self._domains[name]

    def map(self, statement: str, rows: tuple[Affine, ...], name: str = "") -> Any:
        """The isl map of a statement's instances to the values of ``rows``."""
        text = f"{self.parameters}{{ {_tuple(self._statements[statement])} -> {name}[{', '.join(map(str, rows))}] }}"
        return self.isl.Map.read_from_str(self.context, text)

    def access(self, statement: str, access: Access) -> Any:
        """Instances of the domain → elements."""
        return self.map(statement, access.subscripts, access.array).intersect_domain(self.domain(statement))

    def _check_accesses(self, statement: Statement) -> None:
        for access in (statement.write, *statement.reads):
            shape = self.program.array[access.array].shape
            names = [f"e_{k}" for k in range(len(shape))]  # no size is called so
            inside = " and ".join(f"0 <= {n} < {extent}" for n, extent in zip(names, shape, strict=True))
            text = f"{self.parameters}{{ {access.array}[{', '.join(names)}] : {inside} }}"
            box = self.isl.Set.read_from_str(self.context, text)
            if not self.access(statement.name, access).range().is_subset(box):
                raise TaskError(
                    f"{self.program.name}: {statement.name} reaches outside of {access.array} for some sizes; "
                    "mend the bounds of its loops or the extents of the array"
                )

    def _dependences(self) -> Iterator[Dependence]:
        order = original(self.program)
        for source in self.program.statements:
            for target in self.program.statements:
                before = None
                for kind, firsts, seconds in (
                    ("flow", (source.write,), target.reads),
                    ("anti", source.reads, (target.write,)),
                    ("output", (source.write,), (target.write,)),
                ):
                    for first in firsts:
                        for second in seconds:
                            if first.array != second.array:
                                continue
                            if before is None:
                                before = self._before(order, source.name, target.name)
                            both = self.access(source.name, first).apply_range(
                                self.access(target.name, second).reverse()
                            )
                            relation = both.intersect(before).coalesce()
                            if not relation.is_empty():
                                yield Dependence(source.name, target.name, first.array, kind, relation)

    def _before(self, order: Schedule, source: str, target: str) -> Any:
        """Pairs of instances of which the first runs before the second in the program."""
        times = [self.map(s, order.time(s)) for s in (source, target)]
        forward = self.isl.Map.lex_lt(times[0].get_space().range())
        return times[0].apply_range(forward).apply_range(times[1].reverse())

    # -- proofs -----------------------------------------------------------------------------------------------------

    def broken(
        self, schedule: Schedule, statements: frozenset[str] | None = None, operations: int | None = None
    ) -> Dependence | None:
        """A dependence that the schedule breaks, or None: it is legal. Only dependences of ``statements`` are looked at
        where they are given. Raises OutOfOperations."""
        with self.budget(operations):
            for dependence, image in self._images(schedule, statements):
                backward = self.isl.Map.lex_ge(image.get_space().domain())
                if not image.is_disjoint(backward):
                    return dependence
        return None

    def carried(self, schedule: Schedule, loop: str, operations: int | None = None) -> Dependence | None:
        """A dependence between different iterations of ``loop`` within one iteration of the loops around it, or None:
        its iterations are independent. The schedule is legal. Raises OutOfOperations."""
        place = 2 * len(schedule.around[loop]) + 1
        inside = frozenset(schedule.nests[loop].row)
        with self.budget(operations):
            for dependence, image in self._images(schedule, inside):
                if not {dependence.source, dependence.target} <= inside:
                    continue
                if not image.is_disjoint(self._same_but(place, image.get_space())):
                    return dependence
        return None

    def _same_but(self, place: int, space: Any) -> Any:
        """Pairs of times, the same before ``place`` and different there."""
        names = [[f"{side}{k}" for k in range(space.dim(self.isl.dim_type.in_))] for side in "ab"]
        equal = " and ".join(["true", *(f"a{k} = b{k}" for k in range(place))])
        a, b = (", ".join(n) for n in names)
        return self.isl.Map.read_from_str(
            self.context, f"{{ [{a}] -> [{b}] : {equal} and a{place} != b{place} }}"
        )

    def _images(
        self, schedule: Schedule, statements: frozenset[str] | None
    ) -> Iterator[tuple[Dependence, Any]]:
        times: dict[str, Any] = {}
        for dependence in self.dependences:
            pair = dependence.source, dependence.target
            if statements is not None and not statements & set(pair):
                continue
            for name in pair:
                if name not in times:
                    times[name] = self.map(name, schedule.time(name))
            yield dependence, dependence.relation.apply_domain(times[pair[0]]).apply_range(times[pair[1]])

    # -- summaries --------------------------------------------------------------------------------------------------

    def distances(self, dependence: Dependence, loops: int) -> tuple[tuple[int | None, int | None], ...]:
        """Least and greatest distance of a dependence along its statements' first ``loops`` iterators (None: no bound,
        or one that grows with the sizes)."""
        found = []
        for k in range(loops):
            relation = dependence.relation
            n, m = (relation.dim(t) for t in (self.isl.dim_type.in_, self.isl.dim_type.out))
            a, b = (", ".join(f"{side}{k}" for k in range(d)) for side, d in (("a", n), ("b", m)))
            text = f"{{ [{dependence.source}[{a}] -> {dependence.target}[{b}]] -> [b{k} - a{k}] }}"
            gaps = relation.wrap().apply(self.isl.Map.read_from_str(self.context, text))
            gaps = gaps.project_out(self.isl.dim_type.param, 0, gaps.dim(self.isl.dim_type.param))
            found.append((_end(gaps.dim_min_val, 0), _end(gaps.dim_max_val, 0)))
        return tuple(found)


def _end(bound: Callable[[int], Any], at: int) -> int | None:
    value = bound(at)
    return int(value.to_python()) if value.is_int() else None


def _tuple(statement: Statement) -> str:
    return f"{statement.name}[{', '.join(statement.iterators)}]"
