"""Makes the shipped scores of the built-in tasks' baselines on search and gate, as published and as tuned on search.

    python benchmarks/baseline_scores.py [--task smtt …] [--option families=or] [--only NAME …] [--trials 120]
    python benchmarks/baseline_scores.py --classes [--task smtt …]        the classes alone, with the numbers that ship

Our own files run in this process, through the task's adapter (of a policy task: beside its simulator) and referee. A
file ``data/scores-TASK.json`` holds one entry, or a list of one for each binding of the options; entries of another
version go. Baselines already scored are made anew; the others are kept.
"""

from __future__ import annotations

import argparse
import json
import runpy
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import optuna

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from discovery.candidate import Candidate, check, signatures
from discovery.execution.lockstep import functions
from discovery.review.stored import class_means
from discovery.sandbox.replicas import Replicas
from evaluators.policy import Asking, PolicyTask
from evaluators.registry import BUILT_IN, load
from evaluators.task import Instance, InstanceSet, Judgement, Showing, Task, aggregate, breach_of, mean_of
from searchspaces.space import Choice, FloatRange, IntRange, ParameterValue


def offline(task: Task, instances: InstanceSet) -> float:
    """The reference policy of ``online-bin-packing``."""
    from evaluators.binpacking.offline import answer

    found = [task.judge(i, answer(i.payload)).score for i in instances]
    return aggregate(instances.instances, found, mean_of(task))


def clairvoyant(task: Task, instances: InstanceSet) -> float:
    """The reference policy of a serving task: ``score`` in its module ``clairvoyant``."""
    module = import_module(f"{type(task).__module__.rpartition('.')[0]}.clairvoyant")
    return aggregate(instances.instances, [module.score(i) for i in instances])


POLICIES = {"offline": offline, "clairvoyant": clairvoyant}
"""Reference policies by name, of tasks that do not score them themselves (:class:`evaluators.task.Showing`); one that
is not here made the references, so that it scores 0."""


def policy_score(task: Task, name: str, instances: InstanceSet) -> float | None:
    """The score of a reference policy on a set; None where it does not keep what the task wants kept."""
    if isinstance(task, Showing):
        return whole(task, instances, [task.policy(name, i) for i in instances])
    return POLICIES[name](task, instances) if name in POLICIES else 0.0


def whole(task: Task, instances: InstanceSet, found: Sequence[Judgement]) -> float | None:
    """The score of a set; None where it does not keep what the task wants kept."""
    if breach_of(task, instances, [j.value for j in found]) is not None:
        return None
    return aggregate(instances.instances, [j.score for j in found], mean_of(task))


def judgements(
    task: Task, path: Path, instances: InstanceSet, parameters: Mapping[str, ParameterValue]
) -> list[Judgement]:
    """The referee's word on a candidate file, instance by instance."""
    known = signatures(path.read_text(encoding="utf-8"), task.interface)

    def load() -> list[Callable[..., Any]]:
        module = runpy.run_path(str(path))
        return [
            partial(module[f], **{k: v for k, v in parameters.items() if k in taken})
            for f, taken in known.items()
        ]

    if isinstance(task, PolicyTask):
        replicas = Replicas(functions(task.interface).only(known), load)
        return [task.judge(i, replicas.simulate(task.simulate, i.payload)) for i in instances]
    answer = runpy.run_path(str(task.adapter))["answer"]
    named = dict(zip(known, load(), strict=True))
    function = named.pop(task.interface.function)
    hooks = (named,) if task.interface.hooks else ()
    return [task.judge(i, answer(function, i.payload, {}, *asking(task, i), *hooks)) for i in instances]


def asking(task: Task, instance: Instance) -> tuple[Callable[[bytes], bytes], ...]:
    """What the adapter of a task with an oracle takes besides: ``ask`` for one call."""
    if not isinstance(task, Asking):
        return ()
    oracle = task.oracle(instance)

    def ask(question: bytes) -> bytes:
        reply = oracle(question)
        if reply is None:
            raise RuntimeError("the budget of questions is used up")
        return reply

    return (ask,)


def score(
    task: Task, path: Path, instances: InstanceSet, parameters: Mapping[str, ParameterValue]
) -> float | None:
    """The score of a candidate file on a set; None where it does not keep what the task wants kept."""
    return whole(task, instances, judgements(task, path, instances, parameters))


def classes(
    task: Task,
    path: Path,
    published: Mapping[str, float],
    tuned: Mapping[str, float],
    parameters: Mapping[str, ParameterValue],
) -> dict[str, float]:
    """Mean scores of the classes of search, with the tuned parameters where they are better there; empty without a
    score on search."""
    sign = 1 if task.direction == "minimize" else -1
    found = [(sign * of["search"], of is tuned) for of in (published, tuned) if "search" in of]
    if not found:
        return {}
    _, better = min(found)
    instances = task.instances("search")
    judged = judgements(task, path, instances, parameters if better else {})
    return class_means(instances, [j.score for j in judged], mean_of(task))


def tune(task: Task, path: Path, candidate: Candidate, trials: int) -> dict[str, ParameterValue]:
    """The best parameters on the search split; trial 0 is the published defaults, repeated points are not run again.
    Empty where no trial has a score."""
    instances = task.instances("search")
    seen: dict[tuple[ParameterValue, ...], float | None] = {}

    def objective(trial: optuna.Trial) -> float:
        values = {name: _suggest(trial, name, declared) for name, declared in candidate.space.items()}
        key = tuple(values.values())
        if key not in seen:
            seen[key] = score(task, path, instances, values)
        found = seen[key]
        if found is None:
            raise optuna.TrialPruned  # the sampler takes it for worse than all others
        return found

    study = optuna.create_study(direction=task.direction, sampler=optuna.samplers.TPESampler(seed=0))
    study.enqueue_trial({name: candidate.defaults[name] for name in candidate.space})
    study.optimize(objective, n_trials=trials)
    return dict(study.best_params) if study.get_trials(states=(optuna.trial.TrialState.COMPLETE,)) else {}


def _suggest(trial: optuna.Trial, name: str, declared: object) -> ParameterValue:
    if isinstance(declared, FloatRange):
        return trial.suggest_float(name, declared.low, declared.high, log=declared.log)
    if isinstance(declared, IntRange):
        return trial.suggest_int(name, declared.low, declared.high, log=declared.log)
    assert isinstance(declared, Choice)
    return trial.suggest_categorical(name, list(declared.choices))


def there(scores: Mapping[str, float | None]) -> dict[str, float]:
    """The splits with a score."""
    return {split: found for split, found in scores.items() if found is not None}


def entry(task: Task, name: str, path: Path | None, trials: int) -> dict[str, Any]:
    """One baseline's scores."""
    sets = {split: task.instances(split) for split in ("search", "gate")}
    if path is None:
        published = there({split: policy_score(task, name, of) for split, of in sets.items()})
        return {"published": published, "tuned": {}, "tuned_parameters": {}}
    candidate = check(path.read_text(encoding="utf-8"), task.interface)
    published = there({split: score(task, path, instances, {}) for split, instances in sets.items()})
    best: dict[str, ParameterValue] = {}
    tuned: dict[str, float] = {}
    if candidate.space:
        best = tune(task, path, candidate, trials)
    if best:
        tuned = there({split: score(task, path, instances, best) for split, instances in sets.items()})
    return {
        "published": published,
        "tuned": tuned,
        "tuned_parameters": best,
        "classes": classes(task, path, published, tuned, best),
    }


def with_classes(task: Task, name: str, path: Path | None) -> dict[str, Any]:
    """What ships of one baseline, its classes made anew."""
    known = task.shipped_scores()[name]
    kept = {
        "published": known.published,
        "tuned": known.tuned,
        "tuned_parameters": known.tuned_parameters,
    }
    if path is None:
        return kept
    return {**kept, "classes": classes(task, path, *kept.values())}


def store(task: Task, name: str, scored: Mapping[str, Any]) -> None:
    """Put one baseline's scores into the file of the task, beside those of the same version."""
    path = task.adapter.parent / "data" / f"scores-{task.name}.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    entries = [e for e in (kept if isinstance(kept, list) else [kept]) if e["version"] == task.version]
    settings = dict(task.settings)
    mine = next((e for e in entries if e["settings"] == settings), None)
    if mine is None:
        mine = {"version": task.version, "settings": settings, "baselines": {}}
        entries.append(mine)
    found = {**mine["baselines"], name: scored}
    mine["baselines"] = {n: found[n] for n in task.baselines() if n in found}
    written = entries[0] if len(entries) == 1 else entries
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--task", action="append", choices=tuple(BUILT_IN))
    parser.add_argument("--option", action="append", default=[], help="name=value")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument(
        "--classes", action="store_true", help="tune nothing, score the classes of search alone"
    )
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for name in options.task or tuple(BUILT_IN):
        task = load(name, dict(word.split("=", 1) for word in options.option))
        for baseline in task.baselines().values():
            if options.only and baseline.name not in options.only:
                continue
            start = time.perf_counter()
            if options.classes:
                scored = with_classes(task, baseline.name, baseline.path)
            else:
                scored = entry(task, baseline.name, baseline.path, options.trials)
            sys.stderr.write(f"{name} {baseline.name} {scored} {time.perf_counter() - start:.0f} s\n")
            store(task, baseline.name, scored)


if __name__ == "__main__":
    main()
