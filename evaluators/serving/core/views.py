"""What a policy may see: what a real engine knows of itself. True output lengths and later arrivals are not in it.

Views are made for each decision and read lazily, so that a policy pays for what it looks at."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.serving.core.calls import Call
from evaluators.serving.core.instance import Instance


class StepView:
    """One instance between two iterations. Arrays have one entry a call of the queue (partly prefilled calls in the
    order of their admission, then waiting ones in their order) or a decoding call (in the order in which they came)."""

    __slots__ = ("_decoding", "_queue", "instance", "time")
    hook = "step"

    def __init__(self, now: int, instance: Instance) -> None:
        self.time = now
        """ps"""
        self.instance = instance
        """For the simulator, as :attr:`queue` and :attr:`decoding` are."""
        self._queue: list[Call] | None = None
        self._decoding: list[Call] | None = None

    @property
    def queue(self) -> list[Call]:
        """The calls that chunks name by their place."""
        if self._queue is None:
            self._queue = self.instance.prefilling + self.instance.waiting
        return self._queue

    @property
    def decoding(self) -> list[Call]:
        """The decoding calls in their order."""
        if self._decoding is None:
            self._decoding = list(self.instance.decoding.values())
        return self._decoding

    @property
    def swapped(self) -> list[Call]:
        """The calls that resume names by their place: their cache is on the host."""
        return self.instance.swapped

    def holds(self, call: Call) -> int:
        """Tokens that a decoding call holds."""
        return call.length + self.instance.step - call.joined

    @property
    def running(self) -> list[Call]:
        """The calls that preempt names by their place: decoding ones, then partly prefilled ones."""
        return self.decoding + self.instance.prefilling

    @property
    def budget(self) -> int:
        """Tokens left for prefill in this iteration."""
        return self.instance.budget - len(self.instance.decoding)

    @property
    def places(self) -> int:
        """Calls that may still be admitted."""
        return self.instance.cap - self.instance.sequences

    @property
    def free(self) -> int:
        """Free blocks, without those that the decodes of this iteration take."""
        return self.instance.free - self.instance.needed

    @property
    def blocks(self) -> int:
        return self.instance.blocks

    @property
    def block(self) -> int:
        return self.instance.block

    @property
    def sequences(self) -> int:
        """Decoding calls."""
        return len(self.instance.decoding)

    @property
    def kv(self) -> int:
        """Tokens that they hold."""
        return self.instance.kv

    @property
    def started(self) -> int:
        """How many calls of the queue are partly prefilled."""
        return len(self.instance.prefilling)

    def left(self) -> Sequence[int]:
        """Tokens that each call of the queue has left to compute; what the prefix cache holds counts as computed."""
        left = self.instance.left
        return [left(c) for c in self.queue]

    def takes(self, place: int, tokens: int) -> int:
        """Free blocks that ``tokens`` more of the call at this place of the queue would take."""
        return self.instance.wants(self.queue[place], tokens, set())

    def waited(self) -> Sequence[int]:
        """ps since the arrival of each call of the queue."""
        now = self.time
        return [now - c.request.arrival for c in self.queue]

    def generated(self) -> Sequence[int]:
        """Tokens that each decoding call has generated."""
        step = self.instance.step
        return [c.generated + step - c.joined for c in self.decoding]

    def cached(self) -> Sequence[int]:
        """Tokens that each decoding call holds."""
        return [self.holds(c) for c in self.decoding]


class ClusterView:
    """All instances: when a call has come (``route``), when its prefill has ended on an instance for prefill alone
    (``hand``: where does it decode?), or when it is time to look after them (``control``, without a call)."""

    __slots__ = ("_call", "_instances", "hook", "time")

    def __init__(self, now: int, hook: str, call: Call | None, instances: Sequence[Instance]) -> None:
        self.hook = hook
        self.time = now
        """ps"""
        self._call, self._instances = call, instances

    @property
    def prompt(self) -> int:
        """Tokens of the call; 0 without one."""
        return self._call.request.prompt if self._call is not None else 0

    @property
    def kind(self) -> int:
        return self._call.request.kind if self._call is not None else 0

    def queued(self) -> Sequence[int]:
        """Prompt tokens still to be computed, by instance."""
        return [sum(map(i.left, i.prefilling + i.waiting)) for i in self._instances]

    def outstanding(self) -> Sequence[int]:
        """Calls that have not ended, by instance."""
        return [i.sequences + len(i.waiting) for i in self._instances]

    def found(self) -> Sequence[int]:
        """Tokens of the call's prompt that are in the prefix cache, by instance."""
        call = self._call
        return [call.request.prompt - i.left(call) if call is not None else 0 for i in self._instances]

    def prefill(self) -> Sequence[bool]:
        """Which instances are for prefill alone."""
        return [i.prefill for i in self._instances]

    def decoding(self, instance: int) -> Sequence[int]:
        """Tokens that each decoding call of an instance holds, in the order in which migrations name them."""
        here = self._instances[instance]
        step = here.step + here.progress(self.time)
        return [c.length + step - c.joined for c in here.decoding.values()]

    def free(self) -> Sequence[int]:
        """Free blocks, by instance."""
        return [i.peek(self.time)[1] for i in self._instances]

    def kv(self) -> Sequence[int]:
        """Tokens that decoding calls hold, by instance."""
        return [i.peek(self.time)[0] for i in self._instances]
