"""Tries attacks the way a run evaluates candidates: an executor, real zygotes, the real referee of ``smtt``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from attacks import weakenings
from attacks.attack import Attack
from attacks.instances import ROOMY, SET, SHARES, SHARES_SET, SPOILT
from attacks.weakenings import WEAKENINGS, changed
from attacks.world import World, children, end
from discovery.execution.base import StageJob, StageResult
from discovery.execution.local import InlineExecutor
from discovery.sandbox import frames, host, process
from discovery.sandbox.base import Layers
from discovery.sandbox.host import ZygoteSandbox
from discovery.sandbox.selftest import LayerReport
from evaluators.smtt.task import Smtt
from evaluators.task import Tier

HERE = Path(__file__).parent
MEMORY = 32 << 20
IDLE = 0.25
SOON, LATE = 0.5, 5.0
"""Seconds after which a job on a weakened bench is ended from outside: one that should hang, and any other."""
TASK = Smtt({})
SETS = {"smtt": SET, "spoilt": SPOILT, "roomy": ROOMY, "shares": SHARES_SET}
LONGEST = 300
"""Characters of a reason."""
HONEST = "def schedule(processing_times, due_dates):\n    return list(range(len(due_dates)))"


@dataclass(frozen=True)
class Trial:
    """What came of an attack: the stage's outcome ("quarantined" also where a confirmation differs), its reason, what
    ``changed`` outside, and whether the attack's marker is ``lit``."""

    outcome: str
    reason: str
    changed: str
    lit: bool


class Bench:
    """Attacks run here one after another. ``off``: the defences that are off."""

    def __init__(self, world: World, layers: Layers, off: frozenset[str], tier: Tier) -> None:
        self._world, self._off, self._layers, self._tier = world, off, layers, tier
        self._made: list[ZygoteSandbox] = []
        self._executors: dict[str, InlineExecutor] = {}

    @property
    def sandbox(self) -> ZygoteSandbox:
        """One of those that attacks run in."""
        if not self._made:
            self._executor("smtt")
        return self._made[0]

    def close(self) -> None:
        for executor in self._executors.values():
            executor.close()

    def _executor(self, name: str) -> InlineExecutor:
        """Started when first needed, for the set of instances called ``name``."""
        task = SHARES if name == "shares" else TASK
        adapter = (
            HERE / ("lenient.py" if "adapter" in self._off else "adapter.py")
            if task is TASK
            else task.adapter
        )

        def make() -> ZygoteSandbox:
            self._made.append(
                ZygoteSandbox(
                    adapter, memory=MEMORY, layers=self._layers, tier=self._tier, unsafe=bool(self._off)
                )
            )
            return self._made[-1]

        if name not in self._executors:
            self._executors[name] = InlineExecutor(task, make)
        return self._executors[name]

    def run(self, attack: Attack) -> Trial:
        """One attack; what it left outside is cleaned up."""
        executor = self._executor(attack.task)
        job = StageJob(self.code(attack), SETS[attack.task], {})
        if attack.before and "one fork" not in self._off:
            executor.submit(replace(job, code=attack.before + "\n" + HONEST)).result()
        hung = False
        try:
            with self._watched(SOON if attack.marker == "hang" else LATE) as watch:
                result = executor.submit(job).result()
            hung = watch.fired
            again = self._again(executor, attack, job) if result.outcome == "scored" else None
        except Exception as error:
            changed = self._world.changed(self._pids())
            return Trial(
                "crashed", f"{type(error).__name__}: {error}", changed, attack.marker == "crash" or hung
            )
        changed = self._world.changed(self._pids())
        outcome = result.outcome
        differs = again is not None and (again.outcome, again.scores) != ("scored", result.scores)
        if differs and attack.marker == "kept" and "confirmation" not in self._off:
            outcome = "quarantined"
        scored = outcome == "scored"
        lit: dict[str, Callable[[], bool]] = {
            "order": lambda: _reversed(result),
            "scored": lambda: scored,
            "score": lambda: scored and result.scores != deserved(result),
            "world": lambda: bool(changed),
            "differs": lambda: differs,
            "kept": lambda: scored,
            "text": lambda: not result.reason.isprintable(),
            "long": lambda: len(result.reason) > LONGEST or len(result.output) > frames.OUTPUT_BYTES,
            "hang": lambda: hung,
            "crash": lambda: False,
        }
        return Trial(outcome, result.reason, changed, lit[attack.marker]())

    def code(self, attack: Attack) -> str:
        """The text of ``attack`` as it is tried here."""
        code = attack.source(self._world.names(self.sandbox._zygote.pid))
        return f"{attack.before}\n{code}" if "one fork" in self._off else code

    def _again(self, executor: InlineExecutor, attack: Attack, job: StageJob) -> StageResult | None:
        """The job once more for an attack on repetition: just so, or as the confirmation of an elite does it."""
        if attack.marker not in ("differs", "kept"):
            return None
        return executor.submit(replace(job, confirm=attack.marker == "kept")).result()

    def _pids(self) -> list[int]:
        return [sandbox._zygote.pid for sandbox in self._made]

    @contextmanager
    def _watched(self, patience: float) -> Iterator[_Watch]:
        watch = _Watch(self._pids, patience, on=bool(self._off))
        try:
            yield watch
        finally:
            watch.cancel()


class _Watch:
    """Ends the children of the ``zygotes`` every ``patience`` seconds: a killed child is run once more, by another."""

    def __init__(self, zygotes: Callable[[], list[int]], patience: float, *, on: bool) -> None:
        self.fired = False
        self._zygotes, self._patience = zygotes, patience
        self._over = threading.Event()
        if on:
            threading.Thread(target=self._wait, daemon=True).start()

    def cancel(self) -> None:
        self._over.set()

    def _wait(self) -> None:
        while not self._over.wait(self._patience):
            self.fired = True
            for pid in children(self._zygotes()):
                end(pid)


def _reversed(result: StageResult) -> bool:
    """Whether an answer is the reverse order, an attack's word for success."""
    found = (np.frombuffer(answer, "<i8") for answer in result.answers)
    return any(np.array_equal(order, np.arange(len(order))[::-1]) for order in found)


def deserved(result: StageResult) -> tuple[float, ...]:
    """The scores of the answers that were given."""
    return tuple(TASK.judge(i, a).score for i, a in zip(SET, result.answers, strict=False))


class OwnProcess:
    """The harness without a border, see :mod:`attacks.own_process`; a report that does not come is a breach, too."""

    def __init__(self, world: World) -> None:
        self._world = world
        paths = os.pathsep.join((str(HERE.parent), str(HERE.parents[1]), *sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "attacks.own_process"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | {"KEY": "SECRET", "SECRET_KEY": "x", "PYTHONPATH": paths},
        )  # fmt: skip

    def close(self) -> None:
        self._process.communicate()

    def run(self, attack: Attack) -> Trial:
        assert self._process.stdin is not None and self._process.stdout is not None
        code = attack.source(self._world.names(self._process.pid))
        self._process.stdin.write(json.dumps(code).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line.strip():
            return Trial("crashed", "no report came", "", True)
        report = json.loads(line)
        orders = [np.frombuffer(bytes.fromhex(a), "<i8") for a in report["answers"]]
        told = any(np.array_equal(o, np.arange(len(o))[::-1]) for o in orders)
        true = [TASK.judge(i, np.arange(i.size).astype("<i8").tobytes()).score for i in SET]
        scored = report["outcome"] == "scored"
        lit = {"order": told, "scored": scored, "score": scored and report["scores"] != true}
        return Trial(report["outcome"], "", "", lit.get(attack.marker, False))


@contextmanager
def bench(
    world: World, layers: Layers, off: Iterable[str] = (), tier: Tier = "strict"
) -> Iterator[Bench | OwnProcess]:
    """A bench with the defences ``off``, patient for no longer than a test may be."""
    names = frozenset(off)
    layers = replace(layers, **{w.layer: False for n in names if (w := WEAKENINGS[n]).layer})
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(host, "IDLE_SECONDS", IDLE)
        patch.setattr(host, "LOAD_SECONDS", 2 * IDLE)
        patch.setattr(process, "_GRACE_TENTHS", 3)
        edits = changed(names)
        stack.enter_context(weakenings.weak_functions(e for e in edits if not weakenings.inside(e)))
        if any(map(weakenings.inside, edits)):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            weakenings.weak_copy(filter(weakenings.inside, edits), folder)
            patch.setattr(process, "ROOT", folder)
        if names:
            patch.setattr(host, "examine", _unexamined)
        made = OwnProcess(world) if "own process" in names else Bench(world, layers, names, tier)
        stack.callback(made.close)
        yield made


def _unexamined(zygote: process.Zygote, layers: Layers, *, full: bool) -> LayerReport:  # noqa: ARG001
    """In place of the self-test, which would take a weak layer off altogether."""
    held = dict.fromkeys(process.REQUIRED, True)
    return LayerReport(held, (), True, (), zygote.landlock_abi, zygote.namespaces, "", "", "", zygote.tier)
