"""How the score answers to a candidate's declared parameters, on the search split.

Two views: how the variation between good points is shared out among the parameters (PED-ANOVA, from the stored study
where there is one with enough complete trials, else from a small seeded study), and one curve a parameter over its
range while the others stay at their defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from db.ledger import Ledger
from db.records import EntryRecord
from discovery.candidate import Candidate
from discovery.draws import key
from discovery.evaluation import Evaluated, chain
from discovery.explain.bench import Bench
from discovery.statistics import paired_interval
from evaluators.task import aggregate, mean_of
from searchspaces.importance import LEAST, grid, importances, scattered
from searchspaces.space import Choice, ParameterValue, Range

POINTS = 24
"""Random points of a study of our own."""
STEPS = 7
"""Values on a curve; of a choice all."""

Scored = tuple[Mapping[str, ParameterValue], float]


@dataclass(frozen=True)
class Step:
    """One value of a parameter, all others at their defaults. ``gain`` over the defaults with its 95 % interval; None
    where the candidate failed."""

    value: ParameterValue
    outcome: str
    score: float | None
    gain: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Sensitivity:
    """``importance`` holds shares by name, None where the points say nothing. ``source``: whose trials they are."""

    source: Literal["study", "own"]
    points: int
    importance: Mapping[str, float] | None
    curves: Mapping[str, tuple[Step, ...]]

    def to_json(self, candidate: Candidate) -> dict[str, object]:
        return {
            "split": "search",
            "source": self.source,
            "points": self.points,
            "parameters": [
                {
                    "name": name,
                    "default": candidate.defaults[name],
                    **_range(candidate.space[name]),
                    "importance": None if self.importance is None else self.importance[name],
                    "curve": [asdict(step) for step in steps],
                }
                for name, steps in self.curves.items()
            ],
        }


def measured(
    bench: Bench, candidate: Candidate, own: Evaluated, ledger: Ledger | None, entry: EntryRecord | None
) -> Sensitivity | None:
    """The sensitivity of a candidate whose evaluation on search is ``own``. None without parameters, or when the user
    stopped."""
    if not candidate.space:
        return None
    stored = _stored(candidate, ledger, entry)
    points = stored if len(stored) >= LEAST else _own_study(bench, candidate)
    curves = {name: _curve(bench, candidate, own, name) for name in candidate.space}
    if bench.stop.finishing:
        return None
    shares = importances(candidate.space, points, bench.task.direction)
    ranked = sorted(curves, key=lambda n: -shares[n] if shares else 0.0)
    source: Literal["study", "own"] = "study" if points is stored else "own"
    return Sensitivity(source, len(points), shares, {n: curves[n] for n in ranked})


def evaluations(candidate: Candidate) -> int:
    """Most evaluations on search that :func:`measured` takes."""
    return POINTS + STEPS * len(candidate.space) if candidate.space else 0


def _stored(candidate: Candidate, ledger: Ledger | None, entry: EntryRecord | None) -> list[Scored]:
    """The complete trials of the study of the candidate's slot that lie in its ranges."""
    if ledger is None or entry is None or entry.kind not in ("own", "tuned"):
        return []
    study = ledger.study(entry.run, entry.k)
    found: list[Scored] = []
    for trial in ledger.trials(study.id) if study is not None else ():
        values = {n: v for n, v in trial.parameters.items() if n in candidate.space}
        inside = all(n in values and r.holds(values[n]) for n, r in candidate.space.items())
        if trial.value is not None and inside:
            found.append(({n: v for n, v in values.items() if isinstance(v, float | int | str)}, trial.value))
    return found


def _own_study(bench: Bench, candidate: Candidate) -> list[Scored]:
    """Random points rather than a search for the best: a sampler that closes in on good values would see less of the
    rest."""
    split = bench.task.instances("search")
    bench.paced.begin("parameters at random", POINTS * len(split))
    found: list[Scored] = []
    for values in scattered(candidate.space, POINTS, key(candidate.hash, "explain study")):
        if bench.stop.finishing:
            break
        result = bench.evaluation.trial(candidate, candidate.code, values, None)
        if result.outcome == "scored":
            found.append((values, aggregate(split.instances, result.scores, mean_of(bench.task))))
    return found


def _curve(bench: Bench, candidate: Candidate, own: Evaluated, name: str) -> tuple[Step, ...]:
    split = bench.task.instances("search")
    groups = [i.group for i in split]
    values = grid(candidate.space[name], STEPS)
    bench.paced.begin(f"the curve of {name}", len(values) * len(split))
    steps: list[Step] = []
    for value in values:
        if bench.stop.finishing:
            break
        result = bench.evaluation.trial(candidate, candidate.code, {name: value}, None)
        if result.outcome != "scored":
            steps.append(Step(value, result.outcome, None, None, None, None))
            continue
        if bench.task.measured and chain("", result.answers) == own.behaviour:
            steps.append(Step(value, "scored", own.score, 0.0, 0.0, 0.0))
            continue
        score = aggregate(split.instances, result.scores, mean_of(bench.task))
        interval = paired_interval(
            result.scores, own.scores, groups, bench.task.direction, mean_of(bench.task)
        )
        steps.append(Step(value, "scored", score, *interval))
    return tuple(steps)


def _range(declared: Range) -> dict[str, object]:
    if isinstance(declared, Choice):
        return {"choices": list(declared.choices)}
    return {"low": declared.low, "high": declared.high, "log": declared.log}
