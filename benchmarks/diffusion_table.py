"""All baselines of ``diffusion`` and ``diffusion-exit`` on both denoisers, as published and tuned:

    python benchmarks/diffusion_table.py [--task NAME] [--trials N --write]

Tuned numbers are those that ship; with ``--trials`` they are searched anew on the search split (under the task's
own floors of quality), and with ``--write`` the shipped scores are made of what is found. Rows: the report block of
the gate (small denoiser, families of the search, 400 texts each), and the final split's texts of the long denoiser
(all families, 100 texts each), with numbers tuned on the small one. Exits are replayed from recordings that are
made here. Forward passes are kept in memory and shared by the policies that come to the same state; some gigabytes.
The last part holds SchED's finding to paired tests: smooth bounds against a fixed step and against Prophet, each
tuned with as many trials.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import baseline_scores
import numpy as np
import optuna

from discovery.candidate import check
from discovery.statistics import paired_test
from evaluators.diffusion import decoding, quality
from evaluators.diffusion.early_exit.recording import trajectories
from evaluators.diffusion.early_exit.task import DiffusionExit
from evaluators.diffusion.early_exit.trajectory import Trajectory
from evaluators.diffusion.judging import right
from evaluators.diffusion.problem import parse
from evaluators.diffusion.unmasking.task import Diffusion
from evaluators.task import Instance, InstanceSet, Judgement, aggregate

KEPT_STATES = 120_000
"""Forward passes that a process keeps, at 15 to 21 kB each."""
BATCH = 25
LONG = "long"
Sets = Mapping[str, InstanceSet]


@dataclass(frozen=True)
class Row:
    """A baseline with some numbers on a set."""

    name: str
    kind: str
    set_name: str
    judged: tuple[Judgement, ...]


def remember() -> None:
    """Let policies share many more forward passes than a run would."""
    decoding.seen = lru_cache(maxsize=KEPT_STATES)(decoding.seen.__wrapped__)


def recorded(instances: Sequence[Instance]) -> list[Instance]:
    """Live instances of ``diffusion-exit`` (one denoiser) as replays, which are the same decodings."""
    made = []
    for start in range(0, len(instances), BATCH):
        block = instances[start : start + BATCH]
        asked = [parse(i.payload[1:]) for i in block]
        found = trajectories(asked[0][0], np.stack([prompt for _, prompt in asked]))
        made += [
            replace(i, payload=graded(asked[0][0], t).to_bytes()) for i, t in zip(block, found, strict=True)
        ]
    return made


def graded(model: str, recorded: Trajectory) -> Trajectory:
    """A recording with the quality after each pass, which the referee then need not find out."""
    worths = [right(model, recorded.prompt, recorded.text(n)) for n in range(1, recorded.passes + 1)]
    return replace(recorded, quality=np.array(worths, np.float32))


def sets_of(task: Diffusion | DiffusionExit, pool: Any, names: Sequence[str]) -> dict[str, InstanceSet]:
    """The sets of these names."""
    texts = [i for i in task.instances("final") if i.group.startswith(f"{LONG}-")]
    found = {
        "search": task.instances("search"),
        "gate": task.instances("gate"),
        LONG: InstanceSet(LONG, tuple(texts)),
    }
    found = {name: found[name] for name in names}
    if isinstance(task, DiffusionExit):
        for name in found.keys() & {"gate", LONG}:
            whole = found[name].instances
            blocks = [whole[k : k + BATCH] for k in range(0, len(whole), BATCH)]
            made = [i for block in pool.imap(recorded, blocks) for i in block]
            found[name] = InstanceSet(name, tuple(made))
    return found


def entry(job: tuple[str, str, int | None]) -> tuple[str, dict[str, Any], list[Row]]:
    """One baseline: its tuned numbers (searched with so many trials, or those that ship), and its rows."""
    task_name, name, trials = job
    task, sets = WORK[task_name]
    path = task.baselines()[name].path
    shipped = task.shipped_scores()
    numbers: dict[str, Any] = {}
    dear = isinstance(task, Diffusion)  # the clairvoyant decodes each text twice
    if path is None:
        judged = {
            s: [task.policy(name, i) for i in of] for s, of in sets.items() if s == "search" or not dear
        }
        return name, {}, [Row(name, "", s, tuple(found)) for s, found in judged.items()]
    candidate = check(path.read_text(encoding="utf-8"), task.interface)
    if candidate.space:
        if trials is not None:
            numbers = baseline_scores.tune(task, path, candidate, trials)
        elif name in shipped:
            numbers = dict(shipped[name].tuned_parameters)
    rows = []
    for kind, values in (("published", {}), ("tuned", numbers)):
        if kind == "published" or values:
            for set_name, instances in sets.items():
                judged = baseline_scores.judgements(task, path, instances, values)
                rows.append(Row(name, kind, set_name, tuple(judged)))
    return name, numbers, rows


WORK: dict[str, tuple[Any, Sets]] = {}


def score(task: Any, instances: InstanceSet, judged: Sequence[Judgement]) -> float | None:
    return baseline_scores.whole(task, instances, judged)


COLUMNS = "counts  speed-up   of sums   kept %  at least  worst family           %    QPS  by family  passes  baseline"


def told(task: Any, sets: Sets, rows: Sequence[Row]) -> None:
    """Print the table of each set, the fastest that count first."""
    for set_name in sets.keys() - {"search"}:
        instances = sets[set_name].instances
        print(
            f"\n{task.name} on {set_name}: {len(instances)} texts of {len({i.group for i in instances})} families"
        )
        print(COLUMNS)
        for *_, line in sorted(_line(instances, row) for row in rows if row.set_name == set_name):
            print(line)


def _line(instances: Sequence[Instance], row: Row) -> tuple[bool, float, str]:
    """A line of the table behind what it is sorted by."""
    values, totals = [j.value for j in row.judged], [i.size for i in instances]
    passes = [round(t / j.score) for t, j in zip(totals, row.judged, strict=True)]
    kept = quality.kept(instances, values)
    of = {f.name: f.value for f in quality.speeds(instances, values, passes, totals)}
    speed = aggregate(instances, [j.score for j in row.judged], "geometric")
    worst = min(kept.families, key=lambda f: (kept.families[f], f))
    sums, qps, by_family = (
        of[n] for n in ("speed-up over families, of sums of passes", "QPS", "QPS over families")
    )
    counts = "no" if kept.breach else "yes"
    line = (
        f"{counts:6}  {speed:8.3f}  {sums:8.3f}  {100 * kept.pooled:7.2f}  {100 * kept.lower:8.2f}  {worst:14} "
        f"{100 * kept.families[worst]:7.1f} {qps:6.2f}  {by_family:9.2f}  {of['forward passes a text']:6.2f}  "
        f"{row.name} {row.kind}"
    )
    return kept.breach is not None, -speed, line


def finding(sets: Sets, rows: Sequence[Row]) -> None:
    """SchED's finding, held to paired tests on logarithms of speed-ups."""
    by = {(r.name, r.kind, r.set_name): r for r in rows}
    print(
        "\nSmooth bounds against a fixed step and Prophet, tuned alike on search; above 0: smooth is faster"
    )
    for set_name in sets.keys() - {"search"}:
        groups = [i.group for i in sets[set_name]]
        for smooth in ("sched-linear", "sched-cosine", "sched-exponential"):
            for rival in ("fixed-step", "prophet"):
                pair = [by.get((n, "tuned", set_name)) for n in (smooth, rival)]
                if pair[0] is None or pair[1] is None:
                    print(
                        f"{set_name:6} {smooth:18} against {rival:10}: one has no tuned numbers that keep the quality"
                    )
                    continue
                a, b = ([j.score for j in row.judged] for row in pair)
                test = paired_test(a, b, groups, "maximize", 1, margin=0.0, mean="geometric")
                kept = [quality.kept(sets[set_name].instances, [j.value for j in row.judged]) for row in pair]
                print(
                    f"{set_name:6} {smooth:18} against {rival:10}: {100 * test.effect:+6.1f} % "
                    f"({100 * test.low:+.1f} to {100 * test.high:+.1f}), p {test.p:.4f}, "
                    f"kept {100 * kept[0].pooled:.2f} and {100 * kept[1].pooled:.2f} %"
                )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", choices=("diffusion", "diffusion-exit"), action="append")
    parser.add_argument("--trials", type=int, help="search the numbers anew with so many trials a baseline")
    parser.add_argument("--write", action="store_true", help="write the shipped scores (with --trials)")
    parser.add_argument(
        "--sets", nargs="+", choices=("search", "gate", LONG), default=["search", "gate", LONG]
    )
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for name in chosen.task or ("diffusion-exit", "diffusion"):
        started = time.monotonic()
        task = (Diffusion if name == "diffusion" else DiffusionExit)({})
        with get_context("fork").Pool(chosen.workers) as pool:
            WORK[name] = (task, sets_of(task, pool, chosen.sets))
        print(f"{name}: sets after {time.monotonic() - started:.0f} s", file=sys.stderr)
        jobs = [(name, baseline, chosen.trials) for baseline in task.baselines()]
        rows: list[Row] = []
        with get_context("fork").Pool(chosen.workers, initializer=remember) as pool:
            for baseline, numbers, own in pool.imap_unordered(entry, jobs):
                rows += own
                if chosen.write:
                    baseline_scores.store(task, baseline, scored(task, WORK[name][1], numbers, own))
                print(f"{baseline} after {time.monotonic() - started:.0f} s: {numbers}", file=sys.stderr)
        told(task, WORK[name][1], rows)
        if name == "diffusion-exit":
            finding(WORK[name][1], rows)


def scored(task: Any, sets: Sets, numbers: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """What ships of a baseline."""
    made: dict[str, Any] = {"published": {}, "tuned": {}}
    classes: dict[str, float] = {}
    best = 0.0
    for row in rows:
        found = score(task, sets[row.set_name], row.judged) if row.set_name != LONG else None
        if found is None:
            continue
        made[row.kind or "published"][row.set_name] = found
        if row.set_name == "search" and row.kind and found >= best:
            best = found
            classes = baseline_scores.class_means(sets["search"], [j.score for j in row.judged], "geometric")
    return {**made, "tuned_parameters": dict(numbers), "classes": classes}


if __name__ == "__main__":
    main()
