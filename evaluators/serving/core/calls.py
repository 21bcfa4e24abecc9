"""A call: one generation that an engine serves, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass

WAITING, PREFILL, DECODE, SWAPPED, MOVING, DONE, REFUSED = range(7)
"""States of a call: in a queue; prompt partly computed; generating; its cache on the host; its cache on a link; ended;
never to be served (its prompt is longer than the cache)."""

FOREVER = 1 << 62
"""A time that never comes, ps."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call as the workload has it. ``arrival`` in ps; ``prompt`` and ``output`` in tokens, at least 1 each: a policy
    never sees ``output``, at most ``hint``, a guess of it with the scenario's noise (0: none). ``kind`` is the class of
    service, ``prefix`` names what its prompt begins with, block by block."""

    id: str
    arrival: int
    prompt: int
    output: int
    kind: int = 0
    hint: int = 0
    prefix: tuple[int, ...] = ()


class Call:
    """A request on its way. ``length`` tokens must be in the cache before its next token comes (the prompt and what was
    generated before it last lost its place), ``computed`` of them are. It holds ``blocks`` of its own on its instance
    and uses ``shared`` spans there; ``held`` are its blocks on the host, ``reserved`` those where it goes. Times in
    ps."""

    __slots__ = (
        "blocks",
        "computed",
        "ended",
        "entered",
        "first",
        "generated",
        "held",
        "instance",
        "joined",
        "last",
        "length",
        "number",
        "preempted",
        "request",
        "reserved",
        "shared",
        "state",
        "worst",
    )  # fmt: skip

    def __init__(self, request: Request, number: int) -> None:
        self.request, self.number = request, number
        self.state, self.instance = WAITING, -1
        self.length, self.computed, self.generated = request.prompt, 0, 0
        self.joined = 0
        self.blocks = self.shared = self.held = self.reserved = 0
        self.entered = request.arrival
        self.first = self.last = -1
        self.worst = 0
        self.preempted = 0
        self.ended = -1

    @property
    def ttft(self) -> int:
        """Time to the first token; -1 before it."""
        return self.first - self.request.arrival if self.first >= 0 else -1

    @property
    def tbt(self) -> int:
        """The longest time between two tokens."""
        return self.worst
