"""What a package promises, tried in the sandbox: that it repeats its answers, whether plain lists will do, and what
some calls give.

Scoring hands candidates int64 and float64 arrays. A list is not an array (``a + b`` appends), so a package that would
hand over lists could answer otherwise than was scored. Whether it does is not guessed from the code but tried.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from discovery.candidate import Candidate
from discovery.errors import NothingValid
from discovery.escape import plain
from discovery.execution.base import Executor, StageJob, StageResult
from evaluators.task import InstanceSet, Interface, Task

INSIDE = Path(__file__).parent / "templates" / "inside.py.j2"
"""Appended to a candidate's text for the child; it has nothing to fill in."""
CALL_BYTES, LARGE_BYTES = 1200, 3800
"""Of one recorded call as JSON; larger ones are passed over. Where no call is that small, one of up to LARGE_BYTES
is taken."""
LIST_SECONDS = 5.0
"""Processor time, s, of the instances on which lists are tried against arrays, by the scores' own clock."""
LEAST_TRIED = 20


@dataclass(frozen=True)
class Call:
    """One call of the task's function: plain arguments in order, and the plain result."""

    arguments: tuple[Any, ...]
    result: Any

    def to_json(self) -> dict[str, object]:
        return {"arguments": list(self.arguments), "result": self.result}


@dataclass(frozen=True)
class Rehearsal:
    """``arrays``: whether the code gets numpy arrays, ``why`` in one sentence; ``calls`` for the golden tests;
    ``isolated``: whether all that was tried in the sandbox."""

    arrays: bool
    why: str
    calls: tuple[Call, ...]
    isolated: bool


def rehearse(candidate: Candidate, task: Task, executor: Executor, seconds: Sequence[float]) -> Rehearsal:
    """Try the candidate as its package will call it. ``seconds`` is the processor time of each search instance, as
    stored; empty where it is unknown.

    Raises NothingValid when it is more than one function, fails, or does not repeat its answers."""
    if candidate.hooks:
        raise NothingValid(
            f"candidate {candidate.hash[:8]} cannot be exported: it defines {', '.join(candidate.hooks)} beside "
            f"{task.interface.function}, and a package is one function"
        )
    arrays, why = _arrays(candidate, task, executor, seconds)
    found = calls(candidate, task, executor, arrays=arrays)
    return Rehearsal(arrays, why, found, executor.isolated)


def calls(candidate: Candidate, task: Task, executor: Executor, *, arrays: bool) -> tuple[Call, ...]:
    """Some calls on the screen's instances and what they give, none of objects. Raises NothingValid."""
    text = wrapped(candidate.code, task.interface, arrays=arrays)
    job = StageJob(text, task.instances("screen"), {})
    again = executor.submit(replace(job, confirm=True))
    first, second = executor.submit(job).result(), again.result()
    for result in (first, second):
        if result.outcome != "scored":
            raise NothingValid(
                f"candidate {candidate.hash[:8]} ended as {result.outcome} when it was run again: "
                f"{plain(result.reason, limit=200)}"
            )
    if first.answers != second.answers:
        raise NothingValid(
            f"candidate {candidate.hash[:8]} answers otherwise when its calls come in another order (it keeps "
            "something from call to call, or draws from an unseeded generator), so no test could hold in a package"
        )
    if task.interface.objects:
        return ()
    found = _recorded(first.output, task.interface)
    if found:
        return found
    text = wrapped(candidate.code, task.interface, arrays=arrays, most=LARGE_BYTES)
    return _recorded(executor.submit(replace(job, code=text)).result().output, task.interface)


def wrapped(code: str, interface: Interface, *, arrays: bool, most: int = CALL_BYTES) -> str:
    """The candidate's text for the sandbox's child, called as the package calls it and with its calls printed. With
    objects it is the text itself: they are handed over as they are, and no JSON holds them."""
    if interface.objects:
        return code
    name = interface.function
    inside = INSIDE.read_text(encoding="utf-8")
    return f"{code}\n{inside}{name} = _discover_wrapped({name}, {not arrays}, {most})\n"


def _arrays(
    candidate: Candidate, task: Task, executor: Executor, seconds: Sequence[float]
) -> tuple[bool, str]:
    if task.interface.objects:
        arrays = any(a.kind not in ("scalar", "object") for a in task.interface.arguments)
        if arrays or imports_numpy(candidate.tree):
            return True, "the code imports numpy" if imports_numpy(
                candidate.tree
            ) else "some arguments are arrays"
        return False, "the code imports no numpy, and its arguments are objects"
    if all(a.kind == "scalar" for a in task.interface.arguments):
        numpy = imports_numpy(candidate.tree)
        return numpy, "the code imports numpy" if numpy else "no argument is an array"
    if imports_numpy(candidate.tree):
        return True, "the code imports numpy and is called with arrays, as it was scored"
    tried = _prefix(task.instances("search"), seconds)
    own = StageJob(candidate.code, tried, {}, part=True)
    listed = replace(own, code=wrapped(candidate.code, task.interface, arrays=False))
    both = [executor.submit(job) for job in (own, listed)]
    plainly, lists = (future.result() for future in both)
    if lists.outcome == "scored" and lists.answers == plainly.answers:
        return (
            False,
            f"the code imports no numpy; with lists it gave the same answers on {len(tried)} instances",
        )
    return True, f"the code imports no numpy, but works on arrays: with lists {_differs(lists)}"


def _differs(lists: StageResult) -> str:
    if lists.outcome != "scored":
        return f"it ended as {lists.outcome} ({plain(lists.reason, limit=120)})"
    return "its answers differ"


def _prefix(instances: InstanceSet, seconds: Sequence[float]) -> InstanceSet:
    """The first instances that take LIST_SECONDS by the stored times, at least LEAST_TRIED: the same every time."""
    count, used = 0, 0.0
    while count < len(instances) and (count < LEAST_TRIED or used < LIST_SECONDS):
        used += seconds[count] if count < len(seconds) else math.inf
        count += 1
    return InstanceSet(instances.name, instances.instances[:count])


def imports_numpy(tree: ast.AST) -> bool:
    """Whether the code names numpy in an import, anywhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(a.name.split(".")[0] == "numpy" for a in node.names):
            return True
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numpy":
            return True
    return False


def _recorded(output: bytes, interface: Interface) -> tuple[Call, ...]:
    """The calls that the child printed. It may print anything: only calls of the right shape are taken."""
    found: list[Call] = []
    for line in output.decode("utf-8", "replace").splitlines():
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(told, dict) or set(told) != {"arguments", "result"}:
            continue
        arguments, result = told["arguments"], told["result"]
        kinds = [a.kind for a in interface.arguments]
        if isinstance(arguments, list) and len(arguments) == len(kinds):
            shapes = [*zip(arguments, kinds, strict=True), (result, interface.returns.kind)]
            if all(_plain(value, scalar=kind == "scalar") for value, kind in shapes):
                found.append(Call(tuple(arguments), result))
    return tuple(found)


def _plain(value: object, *, scalar: bool) -> bool:
    if scalar:
        return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return isinstance(value, list) and all(_plain(v, scalar=True) for v in value)
