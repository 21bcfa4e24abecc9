"""The executor by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.errors import UsageError
from discovery.execution.base import Executor
from discovery.execution.local import InlineExecutor, LocalExecutor
from discovery.execution.lockstep import functions
from discovery.sandbox.host import ZygoteSandbox
from evaluators.policy import Asking, PolicyTask
from evaluators.task import Task, tier_of

if TYPE_CHECKING:
    from discovery.execution.leases import Leases


def sandbox_for(task: Task, *, unsafe: bool = False) -> ZygoteSandbox:
    """A warm sandbox for a task of any kind. Raises SandboxUnavailable when this machine cannot isolate and ``unsafe``
    is not set, TaskError when the task asks for a tier that there is not."""
    return ZygoteSandbox(
        task.adapter,
        memory=task.memory,
        tier=tier_of(task),
        unsafe=unsafe,
        policy=functions(task.interface) if isinstance(task, PolicyTask) else None,
        asks=isinstance(task, Asking),
    )


def make_executor(
    task: Task,
    name: str,
    workers: int,
    *,
    unsafe: bool = False,
    address: str | None = None,
    leases: Leases | None = None,
) -> Executor:
    """A started executor. ``address`` is a cluster's, and ``leases`` hears who works on what there, and who is lost;
    on this machine nobody takes a job anywhere, and what is under way when the process ends is simply not done.

    Raises UsageError for an unknown name, EnvironmentProblem when there is no such cluster, and as :func:`sandbox_for`
    does."""

    def sandbox() -> ZygoteSandbox:
        return sandbox_for(task, unsafe=unsafe)

    if name == "local":
        return LocalExecutor(task, sandbox, workers)
    if name == "inline":
        return InlineExecutor(task, sandbox)
    if name == "ray":
        if address is None:
            raise UsageError(
                "the ray executor needs --address HOST:PORT, where the head of the cluster listens"
            )
        from discovery.execution.ray import RayExecutor

        return RayExecutor(task, workers, address, unsafe=unsafe, leases=leases)
    raise UsageError(f"unknown executor {name!r}; there are: local, inline, ray")
