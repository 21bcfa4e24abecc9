"""The event loop: arrivals, iterations, and the decisions between them.

:func:`simulate` is a generator. It yields a view, whose ``hook`` says what is asked, and is sent what the policy
answers; in process the caller calls the policy, over a pipe it sends records, and both give the same events. Moments at
which there is nothing to decide are passed over, unless the scenario asks at every iteration.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import TypeVar

from evaluators.serving.core.calls import FOREVER, REFUSED, Call, Request
from evaluators.serving.core.costs import Costs
from evaluators.serving.core.energy import Work
from evaluators.serving.core.instance import Instance
from evaluators.serving.core.link import Link
from evaluators.serving.core.moves import Moves
from evaluators.serving.core.plans import NOTHING, Calls, Refused, checked
from evaluators.serving.core.views import ClusterView, StepView, seen


@dataclass(frozen=True)
class Engine:
    """An instance as a scenario describes it: see :class:`~evaluators.serving.core.instance.Instance`. ``host`` blocks
    fit into its host's memory; ``host_bandwidth`` and ``network`` are bytes a second, ``latency`` of a transfer ps."""

    costs: Costs
    blocks: int
    block: int = 16
    cap: int = 128
    budget: int = 2048
    span: int = 0
    block_bytes: int = 0
    host: int = 0
    host_bandwidth: int = 25 * 10**9
    network: int = 25 * 10**9
    latency: int = 10**7
    prefill: bool = False


@dataclass(frozen=True)
class Scenario:
    """``every``: ask ``step`` at each iteration, else only where there is something to decide. An instance that
    computes nothing though calls wait asks again after ``poll``. ``until`` after the last arrival the run ends with
    whatever still waits. ``control``: how often the policy looks after the instances, 0 for never. All in ps."""

    engines: tuple[Engine, ...]
    requests: tuple[Request, ...]
    every: bool = False
    poll: int = 10**10
    control: int = 0
    until: int = 600 * 10**12


@dataclass
class Outcome:
    """What happened. ``refusals`` counts illegal answers of the policy by the reason; ``forced`` preemptions are those
    that the engine made because the policy left it no memory. ``starved``: calls that had not ended at the end;
    ``turns``: how often an instance changed its role. ``work`` is what each instance did until ``end`` (ps)."""

    calls: list[Call]
    end: int = 0
    decisions: int = 0
    forced: int = 0
    preemptions: int = 0
    refusals: dict[str, int] = field(default_factory=dict)
    starved: int = 0
    rejected: int = 0
    migrations: int = 0
    handed: int = 0
    turns: int = 0
    work: tuple[Work, ...] = ()
    iterations: int = 0


T = TypeVar("T")
Asking = Generator[StepView | ClusterView, object, T]
Simulation = Asking[Outcome]
Log = Callable[[int, int, int, int, int, int], None]
"""Told of every stretch when it ends: instance, start (ps), first, growth, count, decoding calls."""


def simulate(scenario: Scenario, log: Log | None = None) -> Simulation:
    """Run ``scenario``; the generator's value is the :class:`Outcome`. Requests are in order of arrival."""
    calls = [Call(request, number) for number, request in enumerate(scenario.requests)]
    return _Run(scenario, calls, log).loop()


class _Run:
    def __init__(self, scenario: Scenario, calls: list[Call], log: Log | None) -> None:
        self._scenario, self._calls, self._log, self._every = scenario, calls, log, scenario.every
        self._outcome = Outcome(calls)
        self._instances = [
            Instance(
                n, e.costs, blocks=e.blocks, block=e.block, cap=e.cap, budget=e.budget, span=e.span,
                block_bytes=e.block_bytes, host=e.host, prefill=e.prefill,
            )
            for n, e in enumerate(scenario.engines)
        ]  # fmt: skip
        host = [Link(e.host_bandwidth, e.latency) for e in scenario.engines]
        network = [Link(e.network, e.latency) for e in scenario.engines]
        self._moves = Moves(self._instances, host, network, self._wake)
        self._alone = len(self._instances) == 1
        self._linked = not self._alone or scenario.control > 0 or any(e.host for e in scenario.engines)
        """Whether anything but arrivals and iterations can happen."""
        self._ends = [FOREVER] * len(self._instances)
        """When each instance's iteration or stretch ends, or it asks again."""
        self._woken: list[Instance] = []

    def loop(self) -> Simulation:
        ends, instances, woken, moves = self._ends, self._instances, self._woken, self._moves
        alone, linked, every = self._alone, self._linked, self._every
        step, settle = self._step, Instance.settle if self._log is None else self._settle
        arrivals = [call.request.arrival for call in self._calls]
        limit = min((arrivals[-1] if arrivals else 0) + self._scenario.until, FOREVER - 1)
        arrivals.append(FOREVER)
        arrival, following, asked, tick = arrivals[0], 0, 0, self._scenario.control or FOREVER
        while True:
            now = ends[0] if alone else min(ends)
            if arrival < now:
                now = arrival
            if linked:
                if moves.next < now:
                    now = moves.next
                if tick < now <= limit:
                    now = tick
            if now > limit:
                break
            # Arrivals first: a call that comes as an iteration ends may be in the next one.
            while arrival == now:
                call = self._calls[following]
                self._arrive(call, instances[0] if alone else (yield from self._routed(call, now)), now)
                following += 1
                arrival = arrivals[following]
            for instance in instances:
                if ends[instance.number] == now:  # an iteration or stretch ends, or it has waited in vain
                    ends[instance.number] = FOREVER
                    if instance.under_way[3]:
                        settle(instance, now)
                    if instance not in woken:
                        woken.append(instance)
            if linked:
                if moves.next == now:
                    moves.end(now)
                if tick == now:
                    tick += self._scenario.control
                    yield from self._controlled(now)
                woken.sort(key=attrgetter("number"))
            for instance in woken:
                if linked:
                    yield from self._received(instance, now)
                if instance.standing and instance.stands():
                    ends[instance.number] = instance.begin(now, instance.chunks, instance.standing)
                elif (
                    instance.waiting
                    or instance.prefilling
                    or instance.swapped
                    or (instance.decoding and (every or instance.needed > instance.free or instance.expected))
                ):
                    asked += 1
                    view = seen(now, instance)
                    step(instance, now, view, (yield view))
                elif instance.decoding:
                    ends[instance.number] = instance.begin(now, (), FOREVER)
            woken.clear()
        self._outcome.decisions += asked
        return self._finished(now, limit)

    def _routed(self, call: Call, now: int) -> Asking[Instance]:
        """Where a call goes."""
        self._outcome.decisions += 1
        return self._named("route", (yield ClusterView(now, "route", call, self._instances)))

    def _settle(self, instance: Instance, now: int) -> None:
        if self._log is not None:
            self._log(instance.number, *instance.under_way[:-1], len(instance.decoding))
        instance.settle(now)

    def _received(self, instance: Instance, now: int) -> Asking[None]:
        """At a boundary of an instance: caches go and come. An instance that is no longer for prefill alone keeps what
        it has not handed over, as it has places, and any keeps a call that was to migrate before it lost its own: it
        still is."""
        moves = self._moves
        while instance.handed:
            call, target = instance.handed[0], instance
            stays = not instance.prefill or moves.sends(call)
            if stays and instance.sequences >= instance.cap:
                break
            del instance.handed[0]
            if not stays:
                self._outcome.decisions += 1
                answer = yield ClusterView(now, "hand", call, self._instances)
                target = self._named("hand", answer, instance)
            if target is instance:
                instance.keep(call)
            else:
                moves.hand_over(call, target, now)
        if instance.stopping:
            moves.stop(instance, now)
        if instance.ready:
            instance.accept()
        moves.expected(instance, now)

    def _wake(self, instance: Instance, now: int) -> None:
        """Something has come to an instance: let it decide, at the end of the iteration under way if there is one."""
        instance.standing = 0
        if instance.under_way[3]:
            end = instance.cut(now)
            if end is not None:
                self._ends[instance.number] = end
        elif instance not in self._woken:
            self._woken.append(instance)

    def _named(self, hook: str, answer: object, here: Instance | None = None) -> Instance:
        """The instance that a policy named; the first that serves where it named none. A call is handed over to one
        that is not for prefill alone, or stays ``here`` where there is a place."""
        if type(answer) is int and 0 <= answer < len(self._instances):
            named = self._instances[answer]
            if hook == "route" or not named.prefill or (named is here and here.sequences < here.cap):
                return named
        self._refuse(f"{hook}: no such instance")
        return next((i for i in self._instances if hook == "route" or not i.prefill), self._instances[0])

    def _controlled(self, now: int) -> Asking[None]:
        """The actions of a control step: (from, place among its decoding calls, to) migrates a call, (instance, bool)
        says whether an instance is for prefill alone. Roles change after the migrations, to decode first."""
        self._outcome.decisions += 1
        answer = yield ClusterView(now, "control", None, self._instances)
        chosen: list[tuple[Call, Instance]] = []
        roles: list[tuple[bool, Instance]] = []
        try:
            for where, what, *to in answer or ():  # type: ignore[attr-defined]
                instance = self._instances[where]
                if to:
                    (target,) = to
                    chosen.append((list(instance.decoding.values())[what], self._instances[target]))
                elif type(what) is bool:
                    roles.append((what, instance))
                else:
                    raise TypeError
        except (TypeError, ValueError, IndexError):
            self._refuse("control: an action is (from, place, to) or (instance, whether for prefill alone)")
            return
        for call, target in chosen:
            if not self._moves.migrate(call, target, now):
                self._refuse("control: a migration that is not possible")
        for alone, instance in sorted(roles, key=lambda role: role[0]):
            if alone and all(i.prefill for i in self._instances if i is not instance):
                self._refuse("control: no instance would decode")
            elif alone != instance.prefill:
                self._outcome.turns += 1
                self._moves.turn(instance, alone, now)

    def _arrive(self, call: Call, instance: Instance, now: int) -> None:
        """Put a call into an instance's queue, unless its cache can never hold it."""
        if call.request.prompt + call.request.output > instance.blocks * instance.block:
            call.state = REFUSED
            self._outcome.rejected += 1
            return
        call.instance = instance.number
        instance.waiting.append(call)
        self._wake(instance, now)

    def _step(self, instance: Instance, now: int, view: StepView, answer: object) -> None:
        """Start the next iteration as answered; where memory is short all the same, make room."""
        try:
            chunks, taken, steps, preempt, swap, resume = checked(answer, view)
        except Refused as refusal:
            self._refuse(str(refusal))
            chunks, taken, steps, preempt, swap, resume = NOTHING
        if preempt or swap or resume:
            self._displace(now, preempt, swap, resume)
        while instance.needed + taken > instance.free and instance.decoding:
            chunks = self._force(instance, chunks, now)
            taken, steps = instance.taken(chunks), 1  # the plan could not be kept: another is made at once
        if chunks or instance.decoding:
            end = instance.begin(now, chunks, 1 if self._every else steps)
        elif instance.waiting or instance.prefilling or instance.swapped:
            end = now + self._scenario.poll
        else:
            return
        self._ends[instance.number] = end
        if preempt:
            self._moves.expected(instance, now)

    def _displace(self, now: int, preempt: Calls, swap: Calls, resume: Calls) -> None:
        """Calls lose their places, or come back from the host."""
        for call in preempt:
            self._instances[call.instance].preempt(call, now)
        for call in swap:
            self._moves.swap_out(call, now)
        for call in resume:
            self._moves.swap_in(call, now)
        self._outcome.preemptions += len(preempt) + len(swap)

    def _force(
        self, instance: Instance, chunks: tuple[tuple[Call, int], ...], now: int
    ) -> tuple[tuple[Call, int], ...]:
        """Make room: give up the plan's last chunk, else the call that was admitted last."""
        if chunks:
            return chunks[:-1]
        victim = instance.youngest()
        if victim is None:
            raise RuntimeError("an instance is short of memory and holds no call")
        instance.preempt(victim, now)
        self._outcome.forced += 1
        self._outcome.preemptions += 1
        return ()

    def _refuse(self, reason: str) -> None:
        self._outcome.refusals[reason] = self._outcome.refusals.get(reason, 0) + 1

    def _finished(self, now: int, limit: int) -> Outcome:
        for instance in self._instances:
            if end := instance.stop(limit):
                self._settle(instance, end)
        outcome = self._outcome
        outcome.end = now if now < FOREVER else max((c.ended for c in self._calls), default=0)
        outcome.starved = sum(c.ended < 0 and c.state != REFUSED for c in self._calls)
        outcome.work = tuple(i.work() for i in self._instances)
        outcome.migrations, outcome.handed = self._moves.migrations, self._moves.handed
        outcome.iterations = sum(i.iterations for i in self._instances)
        return outcome


def _missing(name: str, _: object) -> None:
    raise TypeError(f"the policy has no {name}, which this scenario asks")


def played(scenario: Scenario, policy: object, log: Log | None = None) -> Outcome:
    """Run ``scenario`` with a policy in this process: an object with ``step(view)``; ``route(view)`` where there are
    several instances, ``hand(view)`` where some are for prefill alone or come to be, ``control(view)`` where the
    scenario has it."""
    run = simulate(scenario, log)
    names = ("step", "route", "hand", "control")
    hooks = {name: getattr(policy, name, partial(_missing, name)) for name in names}
    send, step = run.send, hooks["step"]
    try:
        view = next(run)
        while True:
            view = send(step(view) if type(view) is StepView else hooks[view.hook](view))
    except StopIteration as ended:
        outcome: Outcome = ended.value
        return outcome
