"""How fast the serving simulator is, through its real views and with every plan checked, in this process and over the
pipe of the sandbox.

Run: ``python benchmarks/serving_speed.py [requests]``. Llama-2-7B on one A100, Poisson arrivals at 4/s, lengths drawn
from log-normals with means near 1,049 prompt and 209 output tokens, chunks of 512 tokens, at most 128 calls. Prints
simulated requests and iterations a second of processor time with the policy asked at every iteration and with it asked
where there is something to decide (both must give the same times), and how ten times the requests compare. What a
request costs is taken apart by leaving out one thing after the other, interleaved, the best of several rounds: the
policy (its answers are read from a list) and the check of plans; views are made once more by themselves.

Over the pipe 64 simulations stand in lock-step, and a child answers how many tokens the iteration may hold, from what
it is shown of the queue; a decision is one simulation's part of a message. Processor time is that of this process and
of the child. Figures of a busy machine are low by a factor; ratios carry over.
"""

from __future__ import annotations

import math
import os
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from discovery.execution.lockstep import BATCH, lockstep
from discovery.execution.make import sandbox_for
from evaluators.policy import Simulation
from evaluators.serving.batching.task import Serving
from evaluators.serving.core import simulation
from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.metrics import Objective, figures
from evaluators.serving.core.plans import checked
from evaluators.serving.core.simulation import Engine, Outcome, Scenario, played, simulate
from evaluators.serving.core.views import StepView, seen
from evaluators.serving.episode.steps import chunked
from evaluators.serving.timing import kv_cache, timing
from evaluators.task import Instance, Interface, Value

RATE, CHUNK, BLOCK, CAP, SHAPE = 4.0, 512, 16, 128, 0.9
MEANS = (1049, 209)
PATIENT, ROUNDS = 10**9, 4
COMPILED = not str(simulation.__file__).endswith(".py")
"""Whether the core is what `make fast` makes: its check of plans cannot be left out."""
EACH = 400
"""Requests of each simulation over the pipe."""
ROOM = f"def room(left, decoding, free, places):\n    return {CHUNK}\n"


class Chunked:
    """First come, first served with chunked prefill beside all decodes, after Sarathi-Serve: a call begins where its
    whole prompt has room, and goes on until it is computed. A plan stands until something happens."""

    def __init__(self, chunk: int = CHUNK, block: int = BLOCK) -> None:
        self._chunk, self._block = chunk, block

    def step(self, view: StepView) -> Any:
        free, places, started, room, block = view.free, view.places, view.started, view.budget, self._block
        if self._chunk - view.sequences < room:
            room = self._chunk - view.sequences
        chunks = []
        for place, tokens in enumerate(view.left()):
            count = tokens if tokens < room else room
            if place < started:
                free -= -(-count // block)
            else:
                free -= -(-tokens // block)
                places -= 1
            if count <= 0 or free < 0 or places < 0:
                break
            room -= count
            chunks.append((place, count))
        return chunks, (), PATIENT


def requests(count: int, seed: int = 1) -> tuple[Request, ...]:
    draw, now, found = random.Random(seed), 0.0, []
    prompt, output = (math.log(mean) - SHAPE**2 / 2 for mean in MEANS)
    for number in range(count):
        now += draw.expovariate(RATE)
        lengths = (max(1, round(draw.lognormvariate(mu, SHAPE))) for mu in (prompt, output))
        found.append(Request(str(number), round(now * SECOND), *lengths))
    return tuple(found)


def timed(work: tuple[Request, ...], engine: Engine, policy: object, *, every: bool) -> tuple[Outcome, float]:
    start = time.process_time()
    outcome = played(Scenario((engine,), work, every=every), policy)
    return outcome, time.process_time() - start


class Recorded:
    """Gives the answers of an earlier run without a look at the view."""

    def __init__(self, answers: list[Any]) -> None:
        self._answers = iter(answers)

    def step(self, _: StepView) -> Any:
        return next(self._answers)


class Recording(Chunked):
    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Any] = []
        self.view: StepView | None = None

    def step(self, view: StepView) -> Any:
        self.view = view
        self.answers.append(super().step(view))
        return self.answers[-1]


def unchecked(answer: Any, view: StepView) -> Any:
    """The plan in an answer that is legal."""
    chunks, _, steps = answer
    queue = view.instance.prefilling + view.instance.waiting
    return tuple([(queue[p], n) for p, n in chunks]), 0, steps, (), (), ()


def parts(work: tuple[Request, ...], engine: Engine, *, every: bool) -> tuple[Outcome, list[float]]:
    """The run, and processor seconds of it, without the policy, without the check as well, and of its views."""
    recording = Recording()
    outcome, _ = timed(work, engine, recording, every=every)
    view = recording.view
    assert view is not None
    best = [math.inf] * 4
    for _ in range(ROUNDS):
        for number, check in enumerate((checked,) if COMPILED else (checked, checked, unchecked)):
            policy = Recorded(recording.answers) if number else Chunked()
            simulation.checked = check
            best[number] = min(best[number], timed(work, engine, policy, every=every)[1])
        simulation.checked = checked
        start = time.process_time()
        for _ in range(outcome.decisions):
            seen(view.time, view.instance)
        best[3] = min(best[3], time.process_time() - start)
    return outcome, best


class Piped(Serving):
    """A task whose policy says how many tokens the next iteration may hold; calls fill it as they came."""

    interface = Interface(
        "room",
        "",
        (
            Value("left", "array", "int64", "", length="n"),
            *(Value(name, "scalar", "int64", "") for name in ("decoding", "free", "places")),
        ),
        Value("room", "scalar", "int64", ""),
    )

    def __init__(self, engine: Engine, *, every: bool) -> None:
        super().__init__({})
        self._engine, self._every = engine, every
        self._work = {str(seed).encode(): requests(EACH, seed) for seed in range(BATCH)}
        self.replicas = [Instance("", "", EACH, seed, 0, 60.0, None, "baseline") for seed in self._work]
        self.decisions = 0

    def simulate(self, payload: bytes) -> Simulation:  # type: ignore[override]
        run = simulate(Scenario((self._engine,), self._work[payload], every=self._every))
        try:
            view: Any = next(run)
            while True:
                room = yield np.array(view.left(), np.int64), view.sequences, view.free, view.places
                chunks, gone, _ = chunked(view, chunk=room)
                view = run.send((chunks, gone, PATIENT))
        except StopIteration as ended:
            self.decisions += ended.value.decisions
        return b""


def piped(task: Piped) -> tuple[float, float]:
    """Processor seconds here and in the child."""
    with sandbox_for(task) as sandbox:
        found = []
        for _ in range(ROUNDS):
            task.decisions = 0
            with sandbox.session(ROOM, "room", {}) as session:
                start = time.process_time()
                done = list(lockstep(session, task, task.replicas, watched=False))
                found.append((time.process_time() - start, sum(d.cpu_seconds for d in done)))
                session.finish()
    return min(found, key=sum)


def main(count: int) -> None:
    say = sys.stdout.write
    cache = kv_cache("llama-2-7b", "a100")
    engine = Engine(
        Costs.of(timing("llama-2-7b", "a100")), blocks=cache.blocks, block=cache.tokens, cap=CAP, budget=2048
    )
    work = requests(count)
    prompts, outputs = sum(r.prompt for r in work) / count, sum(r.output for r in work) / count
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {count} requests, ")
    say(
        f"means {prompts:.0f} and {outputs:.0f} tokens; the core is {'compiled' if COMPILED else 'not compiled'}\n"
    )
    told = []
    for every in (True, False):
        outcome, best = parts(work, engine, every=every)
        told.append([(c.first, c.ended, c.worst) for c in outcome.calls])
        name = "asked at every iteration" if every else "asked where there is a decision"
        say(f"{name}: {count / best[0]:,.0f} requests/s, {outcome.iterations / best[0]:,.0f} iterations/s, ")
        say(f"{outcome.decisions} decisions\n")
        if COMPILED:
            continue
        whole, recorded, bare, views = (1e6 * seconds / count for seconds in best)
        say(f"  {whole:.1f} µs a request: views {views:.1f}, policy and its reading of them ")
        say(f"{whole - recorded:.1f}, check of plans {recorded - bare:.1f}, the rest {bare - views:.1f}\n")
    say(f"the two agree, call by call: {told[0] == told[1]}\n")
    found = figures(outcome, Objective(SECOND, SECOND // 5))
    say(f"goodput {found.goodput:.2f}/s of {found.throughput:.2f}/s (TTFT 1 s, TBT 0.2 s), ")
    say(f"TTFT p99 {found.ttft_p99:.1f} s\n")
    more = requests(10 * count)
    pairs = []
    for _ in range(ROUNDS - 1):
        ten = sum(timed(work, engine, Chunked(), every=False)[1] for _ in range(10))
        pairs.append((ten, timed(more, engine, Chunked(), every=False)[1]))
    ten, longer = map(min, zip(*pairs, strict=True))
    say(f"ten times the requests: {10 * longer / ten:.1f} x the time; ")
    say(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB\n")
    say(f"over the pipe, {BATCH} simulations of {EACH} requests in lock-step:\n")
    for every, name in ((True, "every iteration"), (False, "a decision")):
        task = Piped(engine, every=every)
        here, child = piped(task)
        decisions, each = task.decisions, 1e6 / task.decisions
        say(f"  asked at {name}: {decisions / (here + child):,.0f} decisions/s, ")
        say(
            f"{BATCH * EACH / (here + child):,.0f} requests/s ({decisions / BATCH / EACH:.1f} decisions each; "
        )
        say(f"{each * here:.1f} µs of a decision here, {each * child:.1f} in the child)\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
