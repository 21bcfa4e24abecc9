"""What runs on the nodes of a Ray cluster: one actor a core, each with a warm zygote of its own.

An actor is trusted as the driver is. Candidates run in its zygote's children, which are forked from a program of
their own: the actor's process itself neither forks nor isolates itself. Only bytes come in and go out.
"""

from __future__ import annotations

import platform
import time
from collections import OrderedDict
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from discovery.execution import wire
from discovery.execution.base import Executor, StageResult
from discovery.sandbox.base import SandboxUnavailable
from evaluators.task import InstanceSet, Task

SETS_KEPT = 32


def identity(task: Task) -> dict[str, str]:
    """What must be the same on every machine, so that one gives the scores of the other."""
    try:
        own = version("discover-heuristics")
    except PackageNotFoundError:
        own = "a checkout"
    return {
        "discover": own,
        f"the evaluator of {task.name}": task.version,
        "numpy": version("numpy"),
        "Python": ".".join(platform.python_version_tuple()[:2]),
    }


class Worker:
    """An actor. It never raises while it is made, so that what is missing on its node can be told."""

    def __init__(self, task: str, settings: Mapping[str, str], unsafe: bool) -> None:
        self._wanted = (task, dict(settings), unsafe)
        self._executor: Executor | None = None
        self._sets: OrderedDict[str, InstanceSet] = OrderedDict()

    def hello(self) -> bytes:
        """Start the zygote, which proves what this node can isolate: {"node", "identity", "isolated", "layers"}, or
        {"node", "problem"} with a sentence."""
        import ray

        from discovery.execution.make import make_executor
        from evaluators.registry import load
        from evaluators.task import TaskError

        name, settings, unsafe = self._wanted
        node: str = ray.util.get_node_ip_address()
        try:
            task = load(name, settings)
            self._executor = make_executor(task, "inline", 1, unsafe=unsafe)
        except (TaskError, SandboxUnavailable) as error:
            return wire.encode({"node": node, "problem": str(error)})
        return wire.encode(
            {
                "node": node,
                "identity": identity(task),
                "isolated": self._executor.isolated,
                "layers": dict(self._executor.layers),
            }
        )

    def run(self, jobs: bytes, sets: Mapping[str, Any]) -> bytes:
        """The seconds that a chunk of jobs took, and its results; or a sentence where the sandbox failed. ``sets`` are
        references to the instance sets that the jobs name, by digest."""
        import ray

        def find(digest: str) -> InstanceSet:
            if digest not in self._sets:
                self._sets[digest] = wire.decode_set(ray.get(sets[digest]))
                while len(self._sets) > SETS_KEPT:
                    self._sets.popitem(last=False)
            self._sets.move_to_end(digest)
            return self._sets[digest]

        assert self._executor is not None, "hello comes first"
        begun = time.monotonic()
        results: list[StageResult] = []
        try:
            for job in wire.decode(jobs, find):
                results.append(self._executor.submit(job).result())
        except SandboxUnavailable as error:
            return wire.encode(str(error))
        return wire.encode((time.monotonic() - begun, results))
