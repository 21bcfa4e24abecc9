"""What a decision of a policy task costs through the pipe, in batches of 64, next to a call in this process.

    python benchmarks/policy.py [--decisions 400] [--slots 16] [--rounds 5]

A simulator that does nothing but show one view again and again asks a policy that returns one of its arguments: what is
left is the pipe, both of its sides; then one that asks two functions in turn, so that every message is mixed. Then the
same with ``cache-eviction`` and LRU, its simulator included. Processor
time is that of this process and of the child, so that a loaded machine changes it little. Target: at most 15 µs.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from discovery.execution.lockstep import BATCH, Done, lockstep
from discovery.execution.make import sandbox_for
from discovery.sandbox.base import Parameters
from discovery.sandbox.host import ZygoteSandbox
from evaluators.caching.instances import Spec, generate
from evaluators.caching.splits import instance
from evaluators.caching.task import INTERFACE, CacheEviction
from evaluators.policy import Simulation
from evaluators.registry import load
from evaluators.task import Instance

POLICY = "def evict(idle, age, uses, gap, total, absence, known, time):\n    return idle\n"


class Showing(CacheEviction):
    """Shows the same view ``decisions`` times, with the interface of ``cache-eviction``."""

    def __init__(self, slots: int, decisions: int) -> None:
        super().__init__({})
        self.shown, self._slots = decisions, slots

    def simulate(self, payload: bytes) -> Simulation:  # noqa: ARG002
        columns = [numpy.arange(1, self._slots + 1) for _ in range(5)]
        for at in range(self.shown):
            yield *columns, at, at, at
        return bytes(2)


class Mixed(Showing):
    """Asks the function and a hook like it in turn; every other simulation begins with the hook."""

    interface = replace(INTERFACE, hooks=(replace(INTERFACE, function="keep", absent="nothing."),))

    def simulate(self, payload: bytes, hooks: frozenset[str]) -> Simulation:  # type: ignore[override]  # noqa: ARG002
        self._begun = not getattr(self, "_begun", False)
        for at, view in enumerate(super().simulate(payload), start=self._begun):
            yield ("evict", "keep")[at % 2], view
        return bytes(2)


@dataclass(frozen=True)
class Cost:
    """Microseconds a decision: wall time, processor time of this process and of the child."""

    wall: float
    host: float
    child: float


def measure(
    sandbox: ZygoteSandbox, task: CacheEviction, instances: Sequence[Instance], rounds: int
) -> tuple[Cost, int]:
    """The round with the least processor time, and its number of decisions."""
    found: list[Cost] = []
    decisions = 0
    hooks: dict[str, Parameters] = {name: {} for name in task.interface.hook_names}
    code = POLICY + "".join(POLICY.replace("evict", name) for name in hooks)
    for _ in range(rounds):
        with sandbox.session(code, "evict", {}, hooks=hooks) as session:
            wall, host = time.perf_counter(), time.process_time()
            done: list[Done] = list(lockstep(session, task, instances, hooks=hooks, watched=False))
            host, wall = time.process_time() - host, time.perf_counter() - wall
            session.finish()
        decisions = _decisions(task, done)
        child = sum(d.cpu_seconds for d in done)
        found.append(Cost(*(1e6 * seconds / decisions for seconds in (wall, host, child))))
    return min(found, key=lambda c: c.host + c.child), decisions


def _decisions(task: CacheEviction, done: Sequence[Done]) -> int:
    if isinstance(task, Showing):
        return task.shown * len(done)
    return sum(int((numpy.frombuffer(d.answer, "<i2") >= 0).sum()) for d in done)


def direct(slots: int, decisions: int = 20_000) -> float:
    """Microseconds of a plain call with ready arguments in this process."""
    namespace: dict[str, object] = {}
    exec(compile(POLICY, "<policy>", "exec"), namespace)
    evict, columns = namespace["evict"], [numpy.arange(1, slots + 1) for _ in range(5)]
    assert callable(evict)
    started = time.process_time()
    for at in range(decisions):
        evict(*columns, at, at, at)
    return 1e6 * (time.process_time() - started) / decisions


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--decisions", type=int, default=400)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}, "
        f"numpy {numpy.__version__}, batches of {BATCH}, {options.slots} slots"
    )
    plain = direct(options.slots)
    print(f"a call in this process: {plain:.2f} us")
    real = load("cache-eviction")
    assert isinstance(real, CacheEviction)
    traces = [
        instance(str(seed), "zipf", options.slots, generate(Spec("zipf", options.slots, 1000, seed)))
        for seed in range(BATCH)
    ]
    same = [replace(i, payload=traces[0].payload) for i in traces]
    mixed = Mixed(options.slots, options.decisions)
    with sandbox_for(real) as sandbox, sandbox_for(mixed) as hooked:
        for name, task, instances in (
            ("the pipe alone", Showing(options.slots, options.decisions), traces),
            ("the pipe alone, two functions in every message", mixed, traces),
            ("cache-eviction with its simulator, in step throughout", real, same),
            ("cache-eviction with its simulator, traces of several lengths", real, traces),
        ):
            cost, decisions = measure(hooked if task is mixed else sandbox, task, instances, options.rounds)
            used = cost.host + cost.child
            print(
                f"{name}: {used:.1f} us of processor time a decision (here {cost.host:.1f}, child {cost.child:.1f}), "
                f"{cost.wall:.1f} us of wall time, {decisions} decisions; ratio to a call {used / plain:.0f}"
            )


if __name__ == "__main__":
    main()
