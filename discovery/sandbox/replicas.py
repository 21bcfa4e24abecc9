"""The child's side of policy tasks: one namespace a replica, decisions in batches, a whole simulation on request.

Everything here belongs to the candidate once it runs, as everything in the child does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from discovery.sandbox.records import Spec, pack, pack_replies, unpack, unpack_replies

Simulate = Callable[[bytes], Generator[Any, Any, bytes]]
"""The adapter of a policy task: payload → views, replies, and at the end the event log."""
_INSIDE = 0
"""What the record of a simulation in the child says of its replica; nobody reads it."""


class Replicas:
    """``load`` executes the candidate's module in a new namespace and gives its function. The module is executed once
    a replica, so that a policy may keep what it has seen of its own trace, and sees no other in its namespace."""

    def __init__(self, spec: Spec, load: Callable[[], Callable[..., Any]]) -> None:
        self._spec, self._load = spec, load
        self._functions: dict[int, Callable[..., Any]] = {}

    def decide(self, body: bytes) -> bytes:
        """The replies to one message. Raises what the candidate raises, and ValueError for a reply of another form."""
        asked = unpack(self._spec, body)
        # A replica that is not asked has ended, and what it kept may go.
        functions = {r: self._functions.get(r) or self._load() for r in asked.replicas}
        self._functions = functions
        values = [
            functions[replica](*arguments)
            for replica, arguments in zip(asked.replicas, asked.arguments, strict=True)
        ]
        return pack_replies(self._spec, values, asked.lengths)

    def simulate(self, simulate: Simulate, payload: bytes) -> bytes:
        """One whole simulation beside the candidate, in a namespace of its own; returns its event log. Views and
        replies go through the same records as through the pipe."""
        function = self._load()
        simulation = simulate(payload)
        try:
            view = next(simulation)
            while True:
                lengths = [self._spec.lengths(view)]
                (arguments,) = unpack(self._spec, pack(self._spec, [_INSIDE], [view], lengths)).arguments
                replies = pack_replies(self._spec, [function(*arguments)], lengths)
                view = simulation.send(unpack_replies(self._spec, replies, lengths)[0])
        except StopIteration as end:
            log: bytes = end.value
            return log
