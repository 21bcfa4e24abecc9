"""What a policy may see: what a real engine knows of itself. True output lengths and later arrivals are not in it.

A view of an instance is made for each decision and cannot be changed: totals are in it, lists are made when they are
asked for, so that a policy pays for what it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from evaluators.serving.core.calls import Call
from evaluators.serving.core.instance import Instance


class _Totals(NamedTuple):
    time: int
    """ps"""
    instance: Instance
    """For the simulator, as :attr:`StepView.queue` and :attr:`StepView.decoding` are."""
    sequences: int
    """Decoding calls."""
    kv: int
    """Tokens that they hold."""
    started: int
    """How many calls of the queue are partly prefilled."""
    budget: int
    """Tokens left for prefill in this iteration."""
    places: int
    """Calls that may still be admitted."""
    free: int
    """Free blocks, without those that the decodes of this iteration take."""


class StepView(_Totals):
    """One instance between two iterations. Arrays have one entry a call of the queue (partly prefilled calls in the
    order of their admission, then waiting ones in their order) or a decoding call (in the order in which they came)."""

    __slots__ = ()
    hook = "step"

    @property
    def queue(self) -> list[Call]:
        """The calls that chunks name by their place."""
        return self.instance.prefilling + self.instance.waiting

    @property
    def decoding(self) -> list[Call]:
        """The decoding calls in their order."""
        return list(self.instance.decoding.values())

    @property
    def swapped(self) -> list[Call]:
        """The calls that resume names by their place: their cache is on the host."""
        return list(self.instance.swapped)

    @property
    def running(self) -> list[Call]:
        """The calls that preempt names by their place: decoding ones, then partly prefilled ones."""
        return [*self.instance.decoding.values(), *self.instance.prefilling]

    @property
    def blocks(self) -> int:
        return self.instance.blocks

    @property
    def block(self) -> int:
        return self.instance.block

    def holds(self, call: Call) -> int:
        """Tokens that a decoding call holds."""
        return call.length + self.instance.step - call.joined

    def left(self) -> Sequence[int]:
        """Tokens that each call of the queue has left to compute; what the prefix cache holds counts as computed."""
        instance = self.instance
        queue = instance.prefilling + instance.waiting
        if instance.span:
            return [instance.left(c) for c in queue]
        return [c.length - c.computed for c in queue]

    def takes(self, place: int, tokens: int) -> int:
        """Free blocks that ``tokens`` more of the call at this place of the queue would take."""
        instance, started = self.instance, self.started
        call = instance.prefilling[place] if place < started else instance.waiting[place - started]
        return instance.wants(call, tokens, set())

    def waited(self) -> Sequence[int]:
        """ps since the arrival of each call of the queue."""
        now = self.time
        return [now - c.request.arrival for c in self.queue]

    def generated(self) -> Sequence[int]:
        """Tokens that each decoding call has generated."""
        step = self.instance.step
        return [c.generated + step - c.joined for c in self.instance.decoding.values()]

    def cached(self) -> Sequence[int]:
        """Tokens that each decoding call holds."""
        step = self.instance.step
        return [c.length + step - c.joined for c in self.instance.decoding.values()]


def seen(now: int, instance: Instance) -> StepView:
    """What an instance is like at ``now``."""
    decodes, started = len(instance.decoding), len(instance.prefilling)
    return _new(
        StepView,
        (
            now, instance, decodes, instance.kv, started, instance.budget - decodes,
            instance.cap - decodes - started - instance.arriving,
            instance.free - instance.needed,
        ),
    )  # fmt: skip


_new = tuple.__new__
"""Much faster than the call that a named tuple makes of it."""


class ClusterView:
    """All instances: when a call has come (``route``), when its prefill has ended on an instance for prefill alone
    (``hand``: where does it decode?), or when it is time to look after them (``control``, without a call)."""

    __slots__ = ("call", "hook", "instances", "time")

    def __init__(self, now: int, hook: str, call: Call | None, instances: Sequence[Instance]) -> None:
        self.hook = hook
        self.time = now
        """ps"""
        self.call, self.instances = call, instances
        """For the simulator, as the instance of a step's view is."""

    @property
    def prompt(self) -> int:
        """Tokens of the call; 0 without one."""
        return self.call.request.prompt if self.call is not None else 0

    @property
    def kind(self) -> int:
        return self.call.request.kind if self.call is not None else 0

    def queued(self) -> Sequence[int]:
        """Prompt tokens still to be computed, by instance."""
        return [sum(map(i.left, i.prefilling + i.waiting)) for i in self.instances]

    def outstanding(self) -> Sequence[int]:
        """Calls that have not ended, by instance."""
        return [i.sequences + len(i.waiting) for i in self.instances]

    def found(self) -> Sequence[int]:
        """Tokens of the call's prompt that are in the prefix cache, by instance."""
        call = self.call
        return [call.request.prompt - i.left(call) if call is not None else 0 for i in self.instances]

    def prefill(self) -> Sequence[bool]:
        """Which instances are for prefill alone."""
        return [i.prefill for i in self.instances]

    def decoding(self, instance: int) -> Sequence[int]:
        """Tokens that each decoding call of an instance holds, in the order in which migrations name them."""
        here = self.instances[instance]
        step = here.step + here.progress(self.time)
        return [c.length + step - c.joined for c in here.decoding.values()]

    def free(self) -> Sequence[int]:
        """Free blocks, by instance."""
        return [i.peek(self.time)[1] for i in self.instances]

    def kv(self) -> Sequence[int]:
        """Tokens that decoding calls hold, by instance."""
        return [i.peek(self.time)[0] for i in self.instances]
