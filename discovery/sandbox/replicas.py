"""The child's side of policy tasks: one namespace a replica, decisions in batches, a whole simulation on request.

Everything here belongs to the candidate once it runs, as everything in the child does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from discovery.sandbox.functions import Functions, Simulate
from discovery.sandbox.records import pack, pack_replies, unpack, unpack_replies

_INSIDE = 0
"""What the record of a simulation in the child says of its replica; nobody reads it."""


class Replicas:
    """``load`` executes the candidate's module in a new namespace and gives its functions, in the order of
    ``functions``. The module is executed once a replica, so that a policy may keep what it has seen of its own trace,
    and sees no other in its namespace."""

    def __init__(self, functions: Functions, load: Callable[[], Sequence[Callable[..., Any]]]) -> None:
        self._functions, self._load = functions, load
        self._loaded: dict[int, Sequence[Callable[..., Any]]] = {}

    def decide(self, body: bytes) -> bytes:
        """The replies to one message. Raises what the candidate raises, and ValueError for a reply of another form."""
        specs = self._functions.specs
        asked = [(at, unpack(specs[at], part)) for at, part in enumerate(self._functions.split(body)) if part]
        # A replica that is not asked has ended, and what it kept may go.
        loaded = {r: self._loaded.get(r) or self._load() for _, some in asked for r in some.replicas}
        self._loaded = loaded
        answer = []
        for at, some in asked:
            values = [
                loaded[replica][at](*arguments)
                for replica, arguments in zip(some.replicas, some.arguments, strict=True)
            ]
            answer.append(pack_replies(specs[at], values, some.lengths))
        return b"".join(answer)

    def simulate(self, simulate: Simulate, payload: bytes) -> bytes:
        """One whole simulation beside the candidate, in a namespace of its own; returns its event log. Views and
        replies go through the same records as through the pipe."""
        functions, loaded = self._functions, self._load()
        simulation = functions.start(simulate, payload)
        said = reply = None
        while True:
            try:
                said = simulation.send(reply)
            except StopIteration as end:
                log: bytes = end.value
                return log
            except ValueError as error:
                raise ValueError(f"{functions.asker(said)}{error}") from None
            at, view = functions.asked(said)
            spec = functions.specs[at]
            lengths = [spec.lengths(view)]
            (arguments,) = unpack(spec, pack(spec, [_INSIDE], [view], lengths)).arguments
            replies = pack_replies(spec, [loaded[at](*arguments)], lengths)
            reply = unpack_replies(spec, replies, lengths)[0]
