"""How much the genetic proposer gains, without sandbox and ledger: a stand-alone loop with the run's own rules.

    python benchmarks/genetic.py --task smtt --seeds 1-5            tuning on
    python benchmarks/genetic.py --task smtt --seeds 1-5 --no-tune
    python benchmarks/genetic.py --task smtt-index --seeds 1-3
    python benchmarks/genetic.py --task toy --seeds 1-3             other names, units and return type
    python benchmarks/genetic.py --speed                            processor time a proposal

Batches of 8 are proposed from the archive after batch g−2; parents, archive, early stop, tuner and gate test are those
of the run. Candidates are our own proposer's: they run in a plain forked child of this script. Prints, for each
seed, the champion's gain over the best seed on search and on the gate's report blocks, relative.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import random
import resource
import statistics
import struct
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from db.records import EntryKey
from discovery.candidate import Candidate, check, with_defaults
from discovery.draws import generator, key
from discovery.population.archive import Archive, Member, Snapshot
from discovery.population.islands import Islands
from discovery.population.operators import Shares
from discovery.population.strategy import Situation
from discovery.proposers.base import Brief, Parent, ProposerRefused, Request
from discovery.proposers.genetic import GeneticProposer
from discovery.statistics import EarlyStop, alpha, gains, one_sided_p, paired_test
from evaluators import registry
from evaluators.task import (
    Instance,
    InstanceSet,
    Interface,
    InvalidAnswer,
    Judgement,
    Value,
    aggregate,
    in_classes,
)
from searchspaces.tuner import Finished, Tuner

BATCH, TRIALS = 8, 20


@dataclass(frozen=True)
class Settings:
    task: str
    samples: int
    tune: bool
    islands: int
    capacity: int
    strategy: Islands
    migration: int = 0
    cells: int = 0


@dataclass(frozen=True)
class Result:
    seed: int
    search: float
    gate: float
    seconds: float
    valid: int
    scored: int
    looks: int
    promoted: int
    best: float
    """Gate gain of the best on search, whatever the gate looks said."""
    code: str


class ToyTask:
    """Test-only: predict waiting times in whole minutes. ``forecast(load, staff, open_now)`` returns int64 in 0..600;
    the truth is a quadratic in load over staff that the seed rule lacks. Score: mean absolute error, minimised."""

    name = "toy"
    direction = "minimize"
    unit = "min"
    gate_blocks = 16
    seeds = ("plain",)
    interface = Interface(
        "forecast",
        "Return the waiting time of each desk.",
        (
            Value("load", "array", "float64", "work queued", unit="min", low=0, high=120, length="desks"),
            Value(
                "staff", "array", "int64", "people at each desk", unit="people", low=1, high=9, length="desks"
            ),
            Value("open_now", "mask", "bool", "desk is open", length="desks"),
            Value("pause", "scalar", "float64", "minutes until it opens", unit="min", low=0),
        ),
        Value("wait", "array", "int64", "whole minutes", unit="min", low=0, high=600, length="desks"),
    )
    code = (
        "import numpy as np\n\n\ndef forecast(load, staff, open_now, pause):\n"
        "    return np.rint(load).astype(np.int64)\n"
    )

    def instances(self, split: str) -> InstanceSet:
        return self._set({"search": 1, "gate": 2}[split], 40 if split == "search" else 200)

    def gate(self, block: int) -> InstanceSet:
        return self._set(100 + block, 80)

    def _set(self, seed: int, count: int) -> InstanceSet:
        rng = np.random.default_rng(seed)
        rows = []
        for k in range(count):
            n = 30
            load, staff = rng.uniform(0, 120, n), rng.integers(1, 10, n)
            opened, pause = rng.random(n) < 0.7, rng.uniform(0, 40)
            payload = (
                struct.pack("<d", pause) + load.tobytes() + staff.astype("<i8").tobytes() + opened.tobytes()
            )
            rows.append(Instance(f"{seed}-{k}", "all", n, payload, 8 * n, 0.1, None, "baseline"))
        return InstanceSet(str(seed), tuple(rows))

    @staticmethod
    def _read(instance: Instance) -> tuple[Any, Any, Any, float]:
        n, p = instance.size, instance.payload
        load = np.frombuffer(p, "<f8", n, 8)
        staff = np.frombuffer(p, "<i8", n, 8 + 8 * n)
        return load, staff, np.frombuffer(p, "?", n, 8 + 16 * n), struct.unpack_from("<d", p)[0]

    @staticmethod
    def answer_of(function: Callable[..., Any], instance: Instance, parameters: Mapping[str, Any]) -> bytes:
        load, staff, opened, pause = ToyTask._read(instance)
        found = np.asarray(function(load.copy(), staff.copy(), opened.copy(), pause, **parameters))
        if found.dtype != np.int64 or found.shape != load.shape:
            raise TypeError(f"int64 of shape {load.shape} expected, not {found.dtype} of {found.shape}")
        return found.tobytes()

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        load, staff, opened, pause = self._read(instance)
        truth = 0.6 * load + 0.5 * load * load / load.mean() / staff + np.where(opened, 0.0, pause)
        found = np.frombuffer(answer, "<i8")
        if (found < 0).any() or (found > 600).any():
            raise InvalidAnswer("outside 0..600")
        error = float(np.abs(found - truth).mean())
        return Judgement(error, error)


def load_task(name: str) -> tuple[Any, Callable[..., bytes], dict[str, str]]:
    """The task, its ``answer(function, instance, parameters)`` and its seeds' codes by name."""
    if name == "toy":
        task: Any = ToyTask()
        return task, ToyTask.answer_of, {"plain": ToyTask.code}
    task = registry.load(name)
    spec = importlib.util.spec_from_file_location("adapter", task.adapter)
    assert spec is not None and spec.loader is not None
    adapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapter)
    baselines = task.baselines()
    codes = {n: baselines[n].path.read_text() for n in task.seeds}
    return task, lambda f, i, p: adapter.answer(f, i.payload, p), codes


class Bench:
    """Runs candidates on instance sets, each in a forked child, with the task's limits."""

    def __init__(self, task: Any, answer: Callable[..., bytes]) -> None:
        self.task, self.answer = task, answer

    def scores(
        self,
        code: str,
        parameters: Mapping[str, Any],
        instances: Sequence[Instance],
        stop: Callable[..., bool],
    ) -> tuple[str, tuple[float, ...]]:
        """("scored" | "stopped" | reason, scores)."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            result: tuple[str, tuple[float, ...]]
            try:
                limit = int(2 * sum(i.limit for i in instances) + 5)
                resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
                warnings.simplefilter("ignore")
                np.seterr(all="ignore")
                result = self._run(code, parameters, instances, stop)
            except BaseException as error:
                result = (f"{type(error).__name__}: {error}"[:200], ())
            os.write(writer, json.dumps(result).encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            data = pipe.read()
        os.waitpid(child, 0)
        if not data:
            return "killed", ()
        outcome, scores = json.loads(data)
        return str(outcome), tuple(float(score) for score in scores)

    def _run(
        self,
        code: str,
        parameters: Mapping[str, Any],
        instances: Sequence[Instance],
        stop: Callable[..., bool],
    ) -> tuple[str, tuple[float, ...]]:
        space: dict[str, Any] = {}
        exec(compile(code, "candidate", "exec"), space)
        function, found = space[self.task.interface.function], []
        for instance in instances:
            start = time.process_time()
            answer = self.answer(function, instance, parameters)
            if time.process_time() - start > instance.limit:
                return "timeout", ()
            found.append(self.task.judge(instance, answer).score)
            if stop(found, len(instances)):
                return "stopped", tuple(found)
        return "scored", tuple(found)


def never(_scores: Sequence[float], _total: int) -> bool:
    return False


class Run:
    """One run of the loop."""

    def __init__(self, settings: Settings, seed: int) -> None:
        self.settings, self.seed = settings, seed
        self.task, answer, self.codes = load_task(settings.task)
        self.bench = Bench(self.task, answer)
        self.search = self.task.instances("search").instances
        self.brief = Brief(self.task.interface, "", self.task.direction, self.task.unit, 1.0)
        self.known: set[str] = set()
        self.valid = self.scored = self.looks = self.promoted = 0

    def go(self) -> Result:
        began = time.process_time() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        seeds = [
            self._member(check(c, self.task.interface), (-1 - i, "own"), 0)
            for i, c in enumerate(self.codes.values())
        ]
        seeds = [s for s in seeds if s is not None]
        archive = Archive(
            seeds,
            islands=self.settings.islands,
            capacity=self.settings.capacity,
            direction=self.task.direction,
            cells=self.settings.cells,
            migration=self.settings.migration,
        )
        first = champion = min(seeds, key=lambda m: m.score)
        snapshots: list[Snapshot] = [archive.snapshot(), archive.snapshot()]
        knowns: list[frozenset[str]] = [frozenset(m.hash for m in seeds)] * 2
        self.known |= {m.hash for m in seeds}
        best = first
        proposer = GeneticProposer()
        for start in range(0, self.settings.samples, BATCH):
            slots = range(start, min(start + BATCH, self.settings.samples))
            rival, view, known = snapshots[-1], snapshots[-2], knowns[-2]
            batch = [self._slot(k, proposer, view, known, rival) for k in slots]
            members = [m for m in batch if m is not None]
            if self.settings.tune:
                members += self._tuned(members, rival)
            archive.admit(members, start // BATCH)
            snapshots.append(archive.snapshot())
            knowns.append(frozenset(self.known))
            if members:
                leader = min(members, key=lambda m: m.score)
                best = min(best, leader, key=lambda m: m.score)
                champion = self._look(leader, champion)
        seconds = time.process_time() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - began
        gate = self.task.instances("gate").instances
        levels = [self._gate(m, gate) for m in (first, champion, best)]
        return Result(
            self.seed, 1 - best.score / first.score, 1 - levels[1] / levels[0], seconds, self.valid, self.scored,
            self.looks, self.promoted, 1 - levels[2] / levels[0], champion.code,
        )  # fmt: skip

    def _gate(self, member: Member, gate: Sequence[Instance]) -> float:
        found = self.bench.scores(member.code, {}, gate, never)[1]
        return aggregate(gate, found) if len(found) == len(gate) else math.inf

    def _slot(
        self, k: int, proposer: GeneticProposer, view: Snapshot, known: frozenset[str], rival: Snapshot
    ) -> Member | None:
        island = k % self.settings.islands
        situation = Situation(island, view, proposer.operators)
        plan = self.settings.strategy.plan(situation, generator(self.seed, k, 0, "plan"))
        parents = tuple(Parent(m.hash, m.code, m.score) for m in plan.parents)
        request = Request(k, 0, plan.operator, self.seed, self.brief, parents, known=known)
        try:
            candidate = check(proposer.ask(request, ()).text, self.task.interface)
        except ProposerRefused:
            return None
        if candidate.hash in self.known:
            return None
        self.known.add(candidate.hash)
        stop = EarlyStop(rival.median(island).scores, self.task.direction).stop
        return self._member(candidate, (k, "own"), island, stop)

    def _member(
        self, candidate: Candidate, where: tuple[int, str], island: int, stop: Callable[..., bool] = never
    ) -> Member | None:
        outcome, scores = self.bench.scores(candidate.code, {}, self.search, stop)
        self.valid += outcome in ("scored", "stopped")
        if outcome != "scored":
            return None
        self.scored += 1
        score = aggregate(self.search, scores)
        return Member(
            EntryKey(*where), candidate.hash, candidate.code, score, scores, candidate.nodes, island,
            in_classes(self.search, scores),
        )  # fmt: skip

    def _tuned(self, members: Sequence[Member], snapshot: Snapshot) -> list[Member]:
        found = []
        eligible = [m for m in members if m.score < snapshot.median(m.island).score]
        for member in sorted(eligible, key=lambda m: m.score):
            candidate = check(member.code, self.task.interface)
            if candidate.space and len(found) < -(-BATCH // 4):
                found.append(self._study(member, candidate))
        return [m for m in found if m is not None]

    def _study(self, member: Member, candidate: Candidate) -> Member | None:
        seed = key(self.seed, member.key.k, 0, "tune")
        tuner = Tuner(candidate.space, candidate.defaults, seed=seed, direction=self.task.direction)
        best = Finished(0, dict(candidate.defaults), "complete", member.scores, member.score)
        for number in range(TRIALS):
            suggestion = tuner.ask()
            if number == 0:
                tuner.tell(best)
                continue
            # The pruner lives on this side, the scores in the child: it looks at the scores one block at a time.
            watch, scores, state = tuner.watch(), (), "complete"
            for end in range(20, len(self.search) + 20, 20):
                outcome, part = self.bench.scores(
                    candidate.code, suggestion.parameters, self.search[len(scores) : end], never
                )
                if outcome != "scored":
                    state = "failed"
                    break
                scores += part
                if watch.stop(scores, len(self.search)):
                    state = "pruned"
                    break
            value = aggregate(self.search, scores) if state == "complete" else None
            finished = Finished(number, suggestion.parameters, state, scores, value)
            tuner.tell(finished)
            if value is not None and best.value is not None and value < best.value:
                best = finished
        if best.number == 0 or best.value is None:
            return None
        child = check(with_defaults(candidate, best.parameters), self.task.interface)
        self.known.add(child.hash)
        return replace(
            member, key=EntryKey(member.key.k, "tuned"), hash=child.hash, code=child.code, score=best.value,
            scores=best.scores, nodes=child.nodes,
            by_group=in_classes(self.search, best.scores),
        )  # fmt: skip

    def _look(self, leader: Member, champion: Member) -> Member:
        """At most one gate look a batch, by the rules of the run."""
        direction = self.task.direction
        if leader.score > 0.995 * champion.score:
            return champion
        if one_sided_p(gains(leader.scores, champion.scores, direction)) >= 0.1:
            return champion
        order = random.Random(key(self.seed, "blocks")).sample(
            range(self.task.gate_blocks), self.task.gate_blocks
        )
        block = self.task.gate(order[self.looks % len(order)]).instances
        self.looks += 1
        ours = self.bench.scores(leader.code, {}, block, never)[1]
        theirs = self.bench.scores(champion.code, {}, block, never)[1]
        if len(ours) != len(block):
            return champion
        result = paired_test(
            ours, theirs, [i.group for i in block], direction, key(self.seed, self.looks, "flips")
        )
        if result.p >= alpha(self.looks) or result.effect < 0.005:
            return champion
        self.promoted += 1
        return leader


def one(job: tuple[Settings, int]) -> Result:
    return Run(*job).go()


def speed(name: str) -> None:
    """Processor time of a proposal over parents as a run has them: small chains from the seeds."""
    task, _, codes = load_task(name)
    brief = Brief(task.interface, "", "minimize", "", 1.0)
    proposer, times = GeneticProposer(), []
    parents = [Parent(check(c, task.interface).hash, c, 1.0) for c in codes.values()]
    for k in range(600):
        chosen = (parents[k % len(parents)], parents[(7 * k + 1) % len(parents)])
        operator = ("improve", "improve", "improve", "combine", "simplify")[k % 5]
        start = time.process_time()
        try:
            reply = proposer.ask(Request(k, 0, operator, 1, brief, chosen), ())
        except ProposerRefused:
            continue
        times.append(1e3 * (time.process_time() - start))
        if k % 20 == 0 and len(reply.text) < 1_500:
            parents = [*parents[-10:], Parent(check(reply.text, task.interface).hash, reply.text, 1.0)]
    checked = []
    for parent in parents:
        start = time.process_time()
        check(parent.code, task.interface)
        checked.append(1e3 * (time.process_time() - start))
    times.sort()
    print(
        f"{name}: a proposal takes {statistics.median(times):.2f} ms of processor time at the median, "
        f"{times[int(0.9 * len(times))]:.2f} at 90 %, of which a check takes {statistics.median(checked):.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", default="smtt")
    parser.add_argument("--seeds", default="1-5")
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--no-tune", action="store_true")
    parser.add_argument("--islands", type=int, default=2)
    parser.add_argument("--capacity", type=int, default=12)
    parser.add_argument("--tournament", type=int, default=3)
    parser.add_argument("--combine", type=float, default=0.2)
    parser.add_argument("--simplify", type=float, default=0.05)
    parser.add_argument("--mate", type=float, default=0.1)
    parser.add_argument("--fronts", type=float, default=0.0)
    parser.add_argument("--niche", type=float, default=0.1)
    parser.add_argument("--migration", type=int, default=0)
    parser.add_argument("--cells", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--code", action="store_true", help="print the champions")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--speed", action="store_true")
    a = parser.parse_args()
    if a.speed:
        speed(a.task)
        return
    shares = Shares(a.combine, a.simplify)
    strategy = Islands(size=a.tournament, shares=shares, mate=a.mate, front=a.fronts, niche=a.niche)
    settings = Settings(
        a.task, a.samples, not a.no_tune, a.islands, a.capacity, strategy, a.migration, a.cells
    )
    low, _, high = a.seeds.partition("-")
    seeds = range(int(low), int(high or low) + 1)
    results = []
    with ProcessPoolExecutor(a.workers) as pool:
        for r in pool.map(one, [(settings, s) for s in seeds]):
            results.append(r)
            print(
                f"seed {r.seed}: champion on the gate {100 * r.gate:+.1f} % (best on search "
                f"{100 * r.best:+.1f} % there, "
                f"{100 * r.search:+.1f} % on search); {r.valid} ran, {r.scored} scored in full, {r.looks} looks, "
                f"{r.promoted} promotions, {r.seconds:.0f} s of processor time",
                flush=True,
            )
            if a.code:
                print(r.code)
    gate = [100 * r.gate for r in results]
    print(
        f"{a.task}, tuning {'off' if a.no_tune else 'on'}, {a.samples} samples: gate gain median "
        f"{statistics.median(gate):.1f} %, least {min(gate):.1f} %, "
        f"{sum(g >= 10 for g in gate)} of {len(gate)} ≥ 10 %, "
        f"{sum(g >= 5 for g in gate)} ≥ 5 %"
    )
    if a.json:
        a.json.write_text(json.dumps([vars(SimpleNamespace(**r.__dict__)) for r in results], indent=1))


if __name__ == "__main__":
    main()
