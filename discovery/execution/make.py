"""The executor by name."""

from __future__ import annotations

from discovery.errors import UsageError
from discovery.execution.base import Executor
from discovery.execution.local import InlineExecutor, LocalExecutor
from discovery.execution.lockstep import spec
from discovery.sandbox.host import ZygoteSandbox
from evaluators.policy import Asking, PolicyTask
from evaluators.task import Task, tier_of


def sandbox_for(task: Task, *, unsafe: bool = False) -> ZygoteSandbox:
    """A warm sandbox for a task of any kind. Raises SandboxUnavailable when this machine cannot isolate and ``unsafe``
    is not set, TaskError when the task asks for a tier that there is not."""
    return ZygoteSandbox(
        task.adapter,
        memory=task.memory,
        tier=tier_of(task),
        unsafe=unsafe,
        policy=spec(task.interface) if isinstance(task, PolicyTask) else None,
        asks=isinstance(task, Asking),
    )


def make_executor(task: Task, name: str, workers: int, *, unsafe: bool = False) -> Executor:
    """A started executor. Raises UsageError for an unknown name, and as :func:`sandbox_for` does."""

    def sandbox() -> ZygoteSandbox:
        return sandbox_for(task, unsafe=unsafe)

    if name == "local":
        return LocalExecutor(task, sandbox, workers)
    if name == "inline":
        return InlineExecutor(task, sandbox)
    raise UsageError(f"unknown executor {name!r}; there are: local, inline")
