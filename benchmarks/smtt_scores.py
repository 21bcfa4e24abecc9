"""Makes the shipped scores of the SMTT baselines on search and gate, as published and tuned on search by Optuna.

    python benchmarks/smtt_scores.py [--task smtt|smtt-index] [--only NAME …] [--trials 120]

Our own files run in this process, through the task's adapter and referee. Baselines already scored in the file are made
anew; the others in it are kept if the version is the same.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from discovery.candidate import Candidate, check
from evaluators.registry import load
from evaluators.task import InstanceSet, Task, aggregate
from searchspaces.space import Choice, FloatRange, IntRange, ParameterValue

DATA = Path(__file__).resolve().parents[1] / "evaluators" / "smtt" / "data"


def score(task: Task, path: Path, instances: InstanceSet, parameters: Mapping[str, ParameterValue]) -> float:
    """The score of a candidate file on a set."""
    function = runpy.run_path(str(path))[task.interface.function]
    answer = runpy.run_path(str(task.adapter))["answer"]
    scores = [task.judge(i, answer(function, i.payload, parameters)).score for i in instances]
    return aggregate(instances.instances, scores)


def tune(task: Task, path: Path, candidate: Candidate, trials: int) -> dict[str, ParameterValue]:
    """The best parameters on the search split; trial 0 is the published defaults, repeated points are not run again."""
    instances = task.instances("search")
    seen: dict[tuple[ParameterValue, ...], float] = {}

    def objective(trial: optuna.Trial) -> float:
        values = {name: _suggest(trial, name, declared) for name, declared in candidate.space.items()}
        key = tuple(values.values())
        if key not in seen:
            seen[key] = score(task, path, instances, values)
        return seen[key]

    study = optuna.create_study(direction=task.direction, sampler=optuna.samplers.TPESampler(seed=0))
    study.enqueue_trial({name: candidate.defaults[name] for name in candidate.space})
    study.optimize(objective, n_trials=trials)
    return dict(study.best_params)


def _suggest(trial: optuna.Trial, name: str, declared: object) -> ParameterValue:
    if isinstance(declared, FloatRange):
        return trial.suggest_float(name, declared.low, declared.high, log=declared.log)
    if isinstance(declared, IntRange):
        return trial.suggest_int(name, declared.low, declared.high, log=declared.log)
    assert isinstance(declared, Choice)
    return trial.suggest_categorical(name, list(declared.choices))


def entry(task: Task, path: Path | None, trials: int) -> dict[str, Any]:
    """One baseline's scores; the reference policy without a file has 0 by definition."""
    if path is None:
        return {"published": {"search": 0.0, "gate": 0.0}, "tuned": {}, "tuned_parameters": {}}
    candidate = check(path.read_text(encoding="utf-8"), task.interface)
    sets = {split: task.instances(split) for split in ("search", "gate")}
    published = {split: score(task, path, instances, {}) for split, instances in sets.items()}
    if not candidate.space:
        return {"published": published, "tuned": {}, "tuned_parameters": {}}
    best = tune(task, path, candidate, trials)
    tuned = {split: score(task, path, instances, best) for split, instances in sets.items()}
    return {"published": published, "tuned": tuned, "tuned_parameters": best}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", action="append", choices=("smtt", "smtt-index"))
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--trials", type=int, default=120)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for name in options.task or ("smtt-index", "smtt"):
        task = load(name)
        path = DATA / f"scores-{name}.json"
        kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        same = kept.get("version") == task.version and kept.get("settings") == dict(task.settings)
        found = dict(kept["baselines"]) if same else {}
        for baseline in task.baselines().values():
            if options.only and baseline.name not in options.only:
                continue
            start = time.perf_counter()
            found[baseline.name] = entry(task, baseline.path, options.trials)
            sys.stderr.write(
                f"{name} {baseline.name} {found[baseline.name]} {time.perf_counter() - start:.0f} s\n"
            )
            known = {n: found[n] for n in task.baselines() if n in found}
            shipped = {"version": task.version, "settings": dict(task.settings), "baselines": known}
            path.write_text(json.dumps(shipped, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
