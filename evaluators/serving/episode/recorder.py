"""What each call did and when, taken down while an event log is replayed: nobody pays for it who does not draw.

A :class:`Recorder` looks over the shoulder of a task's desk. From the stretches of iterations that it is told of it
knows when calls were computed and decoded; why one was not follows from what came before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from evaluators.serving.core.calls import MOVING, REFUSED, SWAPPED, Call
from evaluators.serving.core.costs import lasting
from evaluators.serving.core.instance import Instance
from evaluators.serving.core.simulation import Outcome
from evaluators.serving.episode.desk import Desk, Entries

WAITING, PREFILL, DECODE, HOST, LINK = "waiting", "prefill", "decode", "on the host", "on a link"
KINDS = (WAITING, PREFILL, DECODE, HOST, LINK)
"""What a call does: it waits for its first or next chunk; tokens of its prompt are computed; it generates; its cache is
in the host's memory or on its way there or back; its cache is on its way to another instance or waits for room
there."""


class Phase(NamedTuple):
    """Of a call, in ps."""

    kind: str
    start: int
    end: int


class Recorder:
    """A desk that passes everything on to another one."""

    def __init__(self, desk: Desk, hosts: Sequence[bool]) -> None:
        """``hosts``: whether each instance has memory of its host to use."""
        self._desk, self.idle_advice, self._hosts = desk, desk.idle_advice, hosts
        self._instances: dict[int, Instance] = {}
        self._active: dict[int, list[tuple[Phase, int]]] = {}
        """Of each call, when it was computed or decoded and on which instance."""

    def decides(self, view: Any) -> bool:
        return self._desk.decides(view)

    def ask(self, view: Any) -> Any:
        return self._desk.ask(view)

    def answer(self, view: Any, reply: Any) -> Entries:
        return self._desk.answer(view, reply)

    def act(self, view: Any, entries: Entries) -> Any:
        for instance in (view.instance,) if view.hook == "step" else view.instances:
            self._instances[instance.number] = instance
        return self._desk.act(view, entries)

    def saw(self, instance: int, start: int, first: int, growth: int, count: int, decodes: int) -> None:
        self._desk.saw(instance, start, first, growth, count, decodes)
        end, here = start + lasting(first, growth, count), self._instances[instance]
        for number in here.decoding:
            self._add(number, Phase(DECODE, start, end), instance)
        for call, _ in here.under_way[-1]:
            self._add(call.number, Phase(PREFILL, start, end), instance)

    def _add(self, number: int, phase: Phase, instance: int) -> None:
        """Phases of a kind that follow upon each other are one."""
        known = self._active.setdefault(number, [])
        if known:
            (kind, start, end), where = known[-1]
            if (kind, end, where) == (phase.kind, phase.start, instance):
                known.pop()
                phase = phase._replace(start=start)
        known.append((phase, instance))

    def phases(self, outcome: Outcome) -> list[list[Phase]]:
        """What each call did from its arrival to its end, or to that of the simulation, without a gap. Nothing of a
        call that was refused."""
        return [[] if c.state == REFUSED else self._of(c, outcome.end) for c in outcome.calls]

    def _of(self, call: Call, end: int) -> list[Phase]:
        found: list[Phase] = []
        now, last = call.request.arrival, -1
        for phase, instance in self._active.get(call.number, ()):
            if phase.start > now:
                here = instance == last and self._hosts[instance]
                kind = WAITING if phase.kind == PREFILL else HOST if here else LINK
                found.append(Phase(kind, now, phase.start))
            found.append(phase)
            now, last = phase.end, instance
        if call.ended < 0 and now < end:
            away = {SWAPPED: HOST, MOVING: HOST if call.held else LINK}
            found.append(Phase(away.get(call.state, WAITING), now, end))
        return found
