"""The executor by name."""

from __future__ import annotations

from discovery.errors import UsageError
from discovery.execution.base import Executor
from discovery.execution.local import InlineExecutor, LocalExecutor
from discovery.sandbox.host import ZygoteSandbox
from evaluators.task import Task, tier_of


def make_executor(task: Task, name: str, workers: int, *, unsafe: bool = False) -> Executor:
    """A started executor. Raises SandboxUnavailable when this machine cannot isolate and ``unsafe`` is not set,
    TaskError when the task asks for a tier that there is not."""
    tier = tier_of(task)

    def sandbox() -> ZygoteSandbox:
        return ZygoteSandbox(task.adapter, memory=task.memory, tier=tier, unsafe=unsafe)

    if name == "local":
        return LocalExecutor(task, sandbox, workers)
    if name == "inline":
        return InlineExecutor(task, sandbox)
    raise UsageError(f"unknown executor {name!r}; there are: local, inline")
