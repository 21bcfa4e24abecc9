"""Which problems form which split: generated ones with disjoint seeds, and public data sets in ``final`` alone.

``data/references.json`` holds for each problem its optimum, the gap of linear decay and the base rate that suits it;
who made them is ``benchmarks/schedule_make_references.py``. The rest is made anew and held to its SHA-256.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from evaluators.schedules import public
from evaluators.schedules.instances import FAMILIES, Spec, generate
from evaluators.schedules.problem import Posed, Problem, encode
from evaluators.schedules.referee import pilot
from evaluators.splits import Splits
from evaluators.task import Instance, ReferenceKind, TaskError

DATA = Path(__file__).parent / "data"
RUNS = {
    "screen": ((40, 8),),
    "search": ((100, 8), (150, 4), (200, 16), (300, 8)),
    "gate": ((300, 8), (200, 16), (400, 4), (600, 8)),
}
"""Steps and batch of the problems of each family."""
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000}
BLOCK_SEEDS = 100


def part(name: str) -> tuple[Spec, ...]:
    """The generated problems of ``screen``, ``search``, ``look-BLOCK`` or ``report-BLOCK``, in order."""
    kind, _, block = name.partition("-")
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    runs = RUNS["gate" if block else kind]
    return tuple(Spec(family, *run, first + k) for k, run in enumerate(runs) for family in FAMILIES)


def problems(name: str) -> Iterator[tuple[str, str, Problem]]:
    """Id, class and problem of each instance of a part. Raises Missing where ``final`` has no scikit-learn."""
    if name == "final":
        yield from public.problems()
    else:
        yield from ((spec.id, spec.family, generate(spec)) for spec in part(name))


def instance(id_: str, group: str, posed: Posed, reference: float) -> Instance:
    """An instance with linear decay's gap. A candidate is told steps and norms; who had the examples could train on
    them itself and pick the schedule that does best."""
    steps = posed.problem.steps
    kind: ReferenceKind = "baseline"
    return Instance(
        id=id_,
        group=group,
        size=steps,
        payload=steps.to_bytes(4, "little") + pilot(posed).astype("<f4").tobytes(),
        answer_bytes=8 * steps,
        limit=limit(steps),
        reference=reference,
        reference_kind=kind,
        withheld=encode(posed),
    )


def silent(instance: Instance) -> Instance:
    """The same without a pilot run."""
    return replace(instance, payload=instance.payload[:4])


def limit(steps: int) -> float:
    """Seconds of processor time for all calls: two milliseconds each, a rule in plain arithmetic takes one
    thousandth of that."""
    return 0.5 + 0.002 * steps


def _made(name: str) -> tuple[Instance, ...]:
    known = _references()
    found = []
    for id_, group, problem in problems(name):
        if id_ not in known:
            raise TaskError(f"{DATA / 'references.json'} does not know {id_!r}; reinstall the package")
        optimum, gap, rate = known[id_]
        found.append(instance(id_, group, Posed(problem, optimum, rate), gap))
    return tuple(found)


@cache
def _references() -> dict[str, tuple[float, float, float]]:
    path = DATA / "references.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TaskError(f"the references {path} cannot be read ({error}); reinstall the package") from None


SPLITS = Splits("lr-schedule", DATA / "manifest.json", _made)
