"""Tasks whose candidate talks with the trusted side while it works: policy tasks, and answer tasks with an oracle.

A **policy task** is simulated on the trusted side. Its candidate is asked at each decision with a view that holds only
what a real system would know then; what has not happened yet is never in its process. What is kept of an instance is
the *event log*, which the referee replays without any candidate.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, Protocol, runtime_checkable

from evaluators.task import Instance, Interface

Simulation = Generator[Any, Any, bytes]
"""Yields views: the values of the interface's arguments in order (a number for a scalar, a numpy vector for an array,
of the argument's dtype), which it may reuse for the next view. Gets replies: a plain number or a read-only vector of
the type of ``interface.returns``, within its bounds. Ends with the event log, exactly ``answer_bytes`` long. Raises
ValueError for a reply that it refuses, with a reason for the proposer.

Where the interface has hooks it yields pairs instead: the name of the function that it asks, and a view of that
function's arguments. The reply is of that function's type."""


@runtime_checkable
class PolicyTask(Protocol):
    """What a policy task has besides the contract of :class:`evaluators.task.Task`.

    ``adapter`` is the simulator: a module with ``simulate``, a pure function of what it is given and of the replies,
    with numpy and, where it needs several files, modules of its own task that know no references. It runs on the
    trusted side for every score of record, and inside the sandbox for the quick screen and for the comparison of event
    logs. ``judge`` replays an event log. ``limit`` of an instance is the processor time of a whole simulation, s: the
    limit of a decision times the most decisions that there can be."""

    interface: Interface
    decision_limit: float
    """Processor time of one decision, s."""

    simulate: Callable[..., Simulation]
    """``simulate(payload)``: the simulation of one instance, at its beginning. Where the interface has hooks it is
    ``simulate(payload, hooks)``: ``hooks`` are the names of those that the candidate defines (a frozenset). The others
    are never asked; the simulation follows a rule of its own there."""


@runtime_checkable
class Asking(Protocol):
    """An answer task whose candidate may ask an oracle while it works on an instance.

    The adapter's function is then ``answer(function, payload, parameters, ask)``, with hooks as a fifth argument where
    the interface has any: ``ask`` takes a question of exactly
    ``query_bytes`` and gives the reply; it raises RuntimeError once the budget is used up."""

    query_bytes: int

    def oracle(self, instance: Instance) -> Callable[[bytes], bytes | None]:
        """A fresh oracle for one call: question → reply (at least one byte), or None once the instance's budget of
        operations is used up. It runs on the trusted side. Raises InvalidAnswer for a question that means nothing,
        with a reason for the proposer."""
        ...
