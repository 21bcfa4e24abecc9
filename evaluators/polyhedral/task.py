"""The task ``polyhedral``: an autoscheduler for affine loop programs, scored by measured speed-ups over gcc -O3."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from evaluators.polyhedral import catalogue, policies, problem, reader, referee, splits
from evaluators.polyhedral.adapter import QUERY_BYTES
from evaluators.polyhedral.hosts import HOSTS
from evaluators.polyhedral.learned import training
from evaluators.polyhedral.measuring import Measurer
from evaluators.polyhedral.oracle import PROOFS, oracle
from evaluators.polyhedral.pictures import pictures
from evaluators.polyhedral.toolchain import Compiler, compiler
from evaluators.registry import bind
from evaluators.task import (
    Baseline,
    Direction,
    Instance,
    InstanceSet,
    Interface,
    Judgement,
    Mean,
    Option,
    ShippedScore,
    Split,
    TaskError,
    Training,
    Value,
)

HERE = Path(__file__).parent
MOST_THREADS = 64

INTERFACE = Interface(
    function="schedule",
    summary=(
        "Return a list of transforms that make the loop program fast on this machine. Each is applied to what the ones "
        "before it have made, and each must leave a legal schedule."
    ),
    arguments=(
        Value(
            "program", "object", "object",
            "the loop program, frozen: sizes, loops, statements, arrays, dependences, tree, machine",
        ),
        Value("oracle", "object", "object", "is_legal, reason, tree, is_parallel, parallel_loops, footprint"),
    ),
    returns=Value("transforms", "object", "object", "a list of tuples: a name, then its values"),
    facts=(
        "program.tree: a sequence of nodes; a loop is (name, (what it holds, ...)), a statement is its name.",
        "program.loops: name, parent, trip (iterations at the middle of the loops around), statements. "
        "program.statements: name, loops (outer to inner), instances, operations, accesses (the write first).",
        "An access: array, write, matrix (a row of coefficients by loop for each dimension), offsets (the constant "
        "of each dimension), strides (elements per iteration of each of the statement's loops; 0: it stands still).",
        "program.arrays: name, shape, bytes. program.sizes: pairs of name and value.",
        "program.dependences: source, target, array, kind, loops (common ones), distances (least and greatest along "
        "each, None where it grows with the sizes).",
        "program.machine: l1, l2, l3 (bytes), vector (doubles), registers.",
        "Transforms: ('fuse', first, next), ('distribute', loop, keep), ('interchange', (loops, outermost first)), "
        "('skew', loop, by, factor), ('reverse', loop), ('shift', statement, loop, by), ('strip', loop, size), "
        "('tile', (loops), (sizes)), ('register_tile', (loops), (factors)), ('unroll', loop, factor), "
        "('vectorise', loop), ('parallel', loop), ('affine', ((statement, rows, positions), ...)).",
        "Loops of interchange and tile each hold nothing but the next one. Tiling i makes i.t outside and keeps i; "
        "register_tile makes i.r, and its points, still named i, are written out innermost.",
        "oracle.is_parallel(transforms, loop) tells whether iterations are independent, parallel_loops(transforms) all "
        "such loops, oracle.footprint({loop: iterations}) bytes touched.",
        "distribute keeps the first parts in the loop, the others get a new loop named like it with a number: i2.",
        "Statements S0, S1, ... keep their names. oracle.tree(transforms) tells the tree that transforms make.",
        f"The oracle proves {PROOFS} transforms and loops a program; then it raises RuntimeError.",
        "The score is the geometric mean of the speed-ups over gcc -O3 of the untransformed program, one thread. An "
        "illegal list counts as 0.95 and is not run. [] is 1.",
    ),
)  # fmt: skip


class Polyhedral:
    """The task bound to its options. Constructing one starts nothing; instances need islpy and a C compiler."""

    name: str = "polyhedral"
    summary: str = "loop schedules: legal transforms that make affine programs fast, timed against gcc -O3"
    direction: Direction = "maximize"
    unit: str = "x"
    mean: Mean = "geometric"
    measured: bool = True
    version: str = "1"
    interface: Interface = INTERFACE
    seeds: tuple[str, ...] = ("unit-stride", "tailored")
    options: tuple[Option, ...] = (
        Option(
            "threads",
            "1",
            f"threads of OpenMP, 1 to {MOST_THREADS}; above 1 wall time is measured, which is noisy",
        ),
        Option("polly", "", "a clang with Polly as one more reference policy, such as clang-19"),
        Option(
            "model", "", "a file of discover train for the policy learned, in place of the one that ships"
        ),
        Option("pluto", "", "Pluto's polycc as one more reference policy"),
    )
    adapter: Path = HERE / "adapter.py"
    memory: int = 128 * 2**20
    gate_blocks: int = 1
    query_bytes: int = QUERY_BYTES
    hosts = HOSTS

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)
        given = self.settings["threads"]
        if (
            not given.isascii()
            or not given.isdecimal()
            or len(given) > 9
            or not 1 <= int(given) <= MOST_THREADS
        ):
            raise TaskError(
                f"option threads={given!r} of task {self.name!r} is not a whole number from 1 to {MOST_THREADS}"
            )
        self._threads = int(given)

    @cached_property
    def compiler(self) -> Compiler:
        """gcc. Raises TaskError when there is none."""
        return compiler("gcc", ("-fopenmp",) if self._threads > 1 else ())

    @cached_property
    def _measurer(self) -> Measurer:
        return Measurer(self.compiler, self._threads)

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines(self.settings)

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return catalogue.shipped_scores(self.version, self.settings)

    def instances(self, split: Split) -> InstanceSet:
        """Programs in fixed order; ``gate`` gives the report block. Raises TaskError without islpy or a compiler."""
        names = {"screen": "screen", "search": "search", "gate": "report", "final": "final"}
        if split not in names:
            raise TaskError(f"task {self.name!r} has no split {split!r}; expected {', '.join(names)}")
        return splits.load(names[split], self._machine)

    def gate(self, block: int) -> InstanceSet:
        if block:
            raise TaskError(f"task {self.name!r} has no gate block {block}; expected 0")
        return splits.load("look", self._machine)

    def read(self, path: Path) -> InstanceSet:
        """The user's own program: a text of the description language, one instance for each scale of its sizes."""
        return reader.read(path, self._machine)

    def oracle(self, instance: Instance) -> Callable[[bytes], bytes | None]:
        """A fresh oracle for one call."""
        compiled, sizes, _ = problem.opened(instance.payload, instance.id)
        return oracle(compiled, sizes)

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        return referee.judge(instance, answer, self._measurer, self._threads)

    def policy(self, name: str, instance: Instance) -> Judgement:
        """See :mod:`evaluators.polyhedral.policies`."""
        return policies.judged(name, instance, self._measurer, self.settings)

    def train(
        self,
        out: Path,
        *,
        programs: int,
        schedules: int,
        over: Callable[[], bool],
        say: Callable[[str], None],
    ) -> Training:
        """See :mod:`evaluators.polyhedral.learned.training`."""
        return training.train(out, self.compiler, programs=programs, schedules=schedules, over=over, say=say)

    figures = staticmethod(referee.figures)
    pictures = staticmethod(pictures)

    @property
    def _machine(self) -> str:
        return f"{self.compiler.version}, {self._threads} threads"
