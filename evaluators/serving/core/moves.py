"""Caches on the move: out to the host's memory and back, from a prefill to a decode instance, and live migration.

A call keeps its blocks where it leaves until they are copied, and takes those where it goes before the copy begins. It
joins the batch there at the first boundary after the copy. A live migration copies what is in the cache while the call
goes on decoding, then stops it for the rest (Llumnix's two last rounds; earlier rounds would only shorten the stop)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import Literal

from evaluators.serving.core.calls import DECODE, FOREVER, MOVING, SWAPPED, Call
from evaluators.serving.core.instance import Instance
from evaluators.serving.core.link import Link

What = Literal["out", "in", "handed", "copied", "moved"]


class Moves:
    """The transfers of a run. ``host`` and ``network``: each instance's link to its host's memory, and its outgoing
    one. ``woken`` is called with an instance at which something happened between its own events."""

    def __init__(
        self,
        instances: Sequence[Instance],
        host: Sequence[Link],
        network: Sequence[Link],
        woken: Callable[[Instance, int], None],
    ) -> None:
        self._instances, self._host, self._network, self._woken = instances, host, network, woken
        self._ends: list[tuple[int, int, What, Call]] = []
        self._count = 0
        self._bound: dict[int, tuple[Instance, int]] = {}
        """Of a call on its way: where to, and how many tokens are copied already."""
        self.next = FOREVER
        """When the next transfer ends."""
        self.migrations = self.handed = self.aborted = 0

    # -- to the host and back ------------------------------------------------------------------------------------------

    def swap_out(self, call: Call, now: int) -> None:
        """A decoding call stops and its cache goes to the host; there must be room for it."""
        source = self._instances[call.instance]
        source.detach(call, now)
        call.held = -(-call.length // source.block)
        source.host_free -= call.held
        call.state = SWAPPED
        call.preempted += 1
        self._begin(self._host[source.number], now, call.held * source.block_bytes, "out", call)

    def swap_in(self, call: Call, now: int) -> None:
        """A call in ``swapped`` comes back; there must be a place and blocks for it."""
        instance = self._instances[call.instance]
        instance.swapped.remove(call)
        instance.reserve(call, call.held)
        call.state = MOVING
        self._begin(self._host[instance.number], now, call.held * instance.block_bytes, "in", call)

    # -- between instances ---------------------------------------------------------------------------------------------

    def hand_over(self, call: Call, target: Instance, now: int) -> None:
        """A call whose prefill has ended goes to ``target``, as soon as there is memory and a place for it. Where there
        is none now, the policy of ``target`` is asked at the next boundary what should make room."""
        call.state = MOVING
        self._bound[call.number] = (target, 0)
        target.expected.append(call)
        self.expected(target, now)
        if target.expected:
            self._woken(target, now)

    def sends(self, call: Call) -> bool:
        """Whether a call is on its way, or will be once there is room: it may have been computed anew meanwhile."""
        return call.number in self._bound

    def expected(self, target: Instance, now: int) -> None:
        """Begin the transfers to ``target`` that have room by now, in order."""
        waiting = target.expected
        while waiting and target.has_room(-(-waiting[0].length // target.block), now):
            call = waiting.pop(0)
            source = self._instances[call.instance]
            target.arriving += 1
            self.handed += 1
            self._reserve(call, target, -(-call.length // target.block), now)
            self._begin(self._network[source.number], now, call.reserved * source.block_bytes, "handed", call)

    def turn(self, instance: Instance, alone: bool, now: int) -> None:
        """An instance changes its role. Calls that wait for room there, when it decodes no longer, are handed over
        again; those that wait here for room elsewhere stay, when it does. So only instances for prefill alone ever wait
        for others, and never for each other."""
        instance.prefill = alone
        for source in self._instances:
            for target in self._instances:
                if (target if alone else source) is instance:
                    self._recall(source, target, now)

    def _recall(self, source: Instance, target: Instance, now: int) -> None:
        """The calls of ``source`` that wait for room at ``target`` are handed over no more."""
        again = [call for call in target.expected if call.instance == source.number]
        for call in again:
            target.expected.remove(call)
            del self._bound[call.number]
            source.handed.append(call)
        if again:
            self._woken(source, now)

    def migrate(self, call: Call, target: Instance, now: int) -> bool:
        """Begin a live migration. False when the call does not decode, is on its way already, finds no room, or
        would go to an instance for prefill alone."""
        source = self._instances[call.instance]
        tokens = call.length + source.step + source.progress(now) - call.joined
        blocks = -(-tokens // target.block)
        if (
            call.state != DECODE
            or target is source
            or target.prefill
            or self.sends(call)
            or not target.has_room(blocks, now)
        ):
            return False
        target.arriving += 1
        self._reserve(call, target, blocks, now)
        self._bound[call.number] = (target, tokens)
        self._begin(self._network[source.number], now, blocks * source.block_bytes, "copied", call)
        return True

    def stop(self, source: Instance, now: int) -> None:
        """At a boundary of ``source``: the calls that are copied but for their last tokens go."""
        stopping, source.stopping = source.stopping, []
        for call in stopping:
            target, copied = self._bound[call.number]
            if call.state != DECODE or call.instance != source.number:
                self._abort(call)  # it ended, or lost its cache, while it was copied
                continue
            tokens = call.length + source.step - call.joined
            more = -(-tokens // target.block) - call.reserved
            if more > 0 and target.spare(now) < more:
                self._abort(call)
                continue
            source.detach(call, now)
            call.state = MOVING
            self._reserve(call, target, more, now)
            self.migrations += 1
            size = (tokens - copied) * source.block_bytes // source.block
            self._begin(self._network[source.number], now, size, "moved", call)

    # -- ends ----------------------------------------------------------------------------------------------------------

    def end(self, now: int) -> None:
        """Whatever ends at ``now``."""
        while self._ends and self._ends[0][0] == now:
            _, _, what, call = heappop(self._ends)
            here = self._instances[call.instance]
            if what == "out":
                here.release(call)
                here.swapped.append(call)
                self._woken(here, now)
            elif what == "in":
                here.host_free += call.held
                call.held = 0
                here.ready.append(call)
                self._woken(here, now)
            elif what == "copied":
                here.stopping.append(call)
                self._woken(here, now)
            else:
                target, _ = self._bound.pop(call.number)
                here.release(call)
                call.blocks, call.reserved = call.reserved, 0
                call.instance = target.number
                target.ready.append(call)
                self._woken(here, now)
                self._woken(target, now)
        self.next = self._ends[0][0] if self._ends else FOREVER

    def _reserve(self, call: Call, target: Instance, blocks: int, now: int) -> None:
        """Take blocks where a call goes. A stretch there was planned with them, so it is cut short."""
        target.take(blocks)
        call.reserved += blocks
        if blocks:
            self._woken(target, now)

    def _abort(self, call: Call) -> None:
        target, _ = self._bound.pop(call.number)
        target.free += call.reserved
        target.arriving -= 1
        call.reserved = 0
        self.aborted += 1

    def _begin(self, link: Link, now: int, size: int, what: What, call: Call) -> None:
        heappush(self._ends, (link.send(now, size), self._count, what, call))
        self._count += 1
        self.next = self._ends[0][0]
