"""The child's side of ``polyhedral``: a program as frozen objects, an oracle whose questions are messages.

Runs inside the sandbox with nothing but the standard library; it knows no references and proves nothing: the trusted
side checks every transform again.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

ANSWER_BYTES = QUERY_BYTES = 8192
"""An answer and a question: JSON, padded with spaces."""


class Access(NamedTuple):
    array: str
    write: bool
    matrix: tuple[tuple[int, ...], ...]
    offsets: tuple[int, ...]
    strides: tuple[int, ...]


class Statement(NamedTuple):
    name: str
    loops: tuple[str, ...]
    instances: float
    operations: int
    accesses: tuple[Access, ...]


class Loop(NamedTuple):
    name: str
    parent: str
    trip: float
    statements: tuple[str, ...]


class Array(NamedTuple):
    name: str
    shape: tuple[int, ...]
    bytes: int


class Dependence(NamedTuple):
    source: str
    target: str
    array: str
    kind: str
    loops: tuple[str, ...]
    distances: tuple[tuple[Any, Any], ...]


class Machine(NamedTuple):
    l1: int
    l2: int
    l3: int
    vector: int
    registers: int


class Program(NamedTuple):
    sizes: tuple[tuple[str, int], ...]
    loops: tuple[Loop, ...]
    statements: tuple[Statement, ...]
    arrays: tuple[Array, ...]
    dependences: tuple[Dependence, ...]
    tree: tuple[Any, ...]
    machine: Machine


class Oracle:
    """Answers questions about a list of transforms, within a budget: beyond it every question raises RuntimeError."""

    def __init__(self, ask: Callable[[bytes], bytes]) -> None:
        self._ask = ask

    def is_legal(self, transforms: Sequence[Any]) -> bool:
        """Whether they can be applied, each to a legal schedule, and leave one."""
        return not self.reason(transforms)

    def reason(self, transforms: Sequence[Any]) -> str:
        """Why they are refused, "" where they are legal."""
        return str(self._asked("legal", transforms))

    def tree(self, transforms: Sequence[Any]) -> tuple[Any, ...]:
        """Loops and statements after legal transforms: ``(name, (what it holds, …))`` for a loop, a name for a
        statement. () where they are refused."""
        return tuple(_frozen(self._asked("tree", transforms)))

    def parallel_loops(self, transforms: Sequence[Any]) -> tuple[str, ...]:
        """Loops whose iterations are independent after legal transforms; () where they are refused."""
        return tuple(self._asked("parallel", [transforms, None]))

    def is_parallel(self, transforms: Sequence[Any], loop: str) -> bool:
        """Whether the iterations of one loop are independent after legal transforms; much cheaper than all of them."""
        return bool(self._asked("parallel", [transforms, [str(loop)]]))

    def footprint(self, extents: Mapping[str, int]) -> int:
        """Bytes touched while each loop of the program runs so many of its iterations (all where it is not named)."""
        return int(self._asked("footprint", {str(k): int(v) for k, v in extents.items()}))

    def _asked(self, what: str, about: Any) -> Any:
        return json.loads(self._ask(padded([what, about], QUERY_BYTES)))


def answer(
    function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any], ask: Callable[[bytes], bytes]
) -> bytes:
    """Call the candidate once. Raises ValueError with a message for the proposer."""
    transforms = function(program_of(json.loads(payload)["program"]), Oracle(ask), **parameters)
    if not isinstance(transforms, list | tuple):
        raise ValueError(
            f"{function.__name__}() returned {type(transforms).__name__}; expected a list of transforms"
        )
    return padded(list(transforms), ANSWER_BYTES)


def padded(value: Any, size: int) -> bytes:
    """JSON of exactly so many bytes. Raises ValueError where it is no plain data or too long."""
    try:
        text = json.dumps(value, default=_plain, separators=(",", ":")).encode("ascii")
    except (TypeError, RecursionError):
        raise ValueError("transforms are names, whole numbers, and tuples or lists of these") from None
    if len(text) > size:
        raise ValueError(f"the transforms take {len(text)} bytes as text; {size} is the most")
    return text.ljust(size)


def program_of(given: Mapping[str, Any]) -> Program:
    """The program as frozen objects."""
    statements = [
        Statement(
            s["name"], tuple(s["loops"]), s["instances"], s["operations"],
            tuple(
                Access(a["array"], a["write"], _frozen(a["matrix"]), tuple(a["offsets"]), tuple(a["strides"]))
                for a in s["accesses"]
            ),
        )
        for s in given["statements"]
    ]  # fmt: skip
    return Program(
        sizes=tuple(given["sizes"].items()),
        loops=tuple(Loop(n["name"], n["parent"], n["trip"], tuple(n["statements"])) for n in given["loops"]),
        statements=tuple(statements),
        arrays=tuple(Array(a["name"], tuple(a["shape"]), a["bytes"]) for a in given["arrays"]),
        dependences=tuple(
            Dependence(
                d["source"], d["target"], d["array"], d["kind"], tuple(d["loops"]), _frozen(d["distances"])
            )
            for d in given["dependences"]
        ),
        tree=_frozen(given["tree"]),
        machine=Machine(**given["machine"]),
    )


def _frozen(value: Any) -> Any:
    return tuple(_frozen(v) for v in value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Numbers of numpy, and its arrays, as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError
