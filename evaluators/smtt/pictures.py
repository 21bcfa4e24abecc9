"""The Gantt chart of a sequence, beside the proved optimal one where a witness ships, and scores on the grid of
tardiness factor and due-date range."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from evaluators.pictures import Grid, Lane, Span, Timeline
from evaluators.smtt import references, splits
from evaluators.smtt.instances import FAMILIES
from evaluators.smtt.problem import Ints, decode, total_tardiness
from evaluators.task import Instance

_CELL = re.compile(r"TF=([\d.]+) RDD=([\d.]+)")


def pictures(instance: Instance, answer: bytes) -> tuple[Timeline, ...]:
    """One Gantt chart: the answer's sequence, and below it the witness of the optimum."""
    processing_times, due_dates = decode(instance.payload)
    shown = [("this sequence", np.frombuffer(answer, dtype="<i8").tolist())]
    witness = _witnesses().get(instance.id)
    if witness is not None and _proves(witness, instance):
        shown.append(("optimal sequence", list(witness)))
    worst = max(int(_tardiness(processing_times, due_dates, s).max(initial=0)) for _, s in shown)
    return (
        Timeline(
            title=f"{len(processing_times)} jobs on one machine",
            caption="Each bar is a job, as long as its processing time; the redder, the later it is.",
            unit="time",
            lanes=tuple(_lane(name, processing_times, due_dates, s, worst) for name, s in shown),
        ),
    )


def _proves(witness: Sequence[int], instance: Instance) -> bool:
    """Whether it is the optimum of just this instance: one of the user's own may have the same id."""
    processing_times, due_dates = decode(instance.payload)
    fits = instance.reference_kind == "proved optimum" and len(witness) == len(due_dates)
    return fits and total_tardiness(processing_times, due_dates, list(witness)) == instance.reference


def grid(means: Mapping[str, float]) -> Grid:
    """The cells (TF, RDD), each the mean over sizes and families."""
    cells: dict[tuple[str, str], list[float]] = {}
    for group, mean in means.items():
        found = _CELL.search(group)
        if found is not None:
            cells.setdefault((found[1], found[2]), []).append(mean)
    rows, columns = (tuple(sorted({cell[k] for cell in cells})) for k in (0, 1))
    values = tuple(tuple(_mean(cells.get((r, c), [])) for c in columns) for r in rows)
    return Grid("tardiness factor, TF", "range of due dates, RDD", rows, columns, values)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _lane(name: str, processing_times: Ints, due_dates: Ints, sequence: Sequence[int], worst: int) -> Lane:
    ends = np.cumsum(processing_times[sequence]).tolist()
    late = _tardiness(processing_times, due_dates, sequence).tolist()
    spans = tuple(
        Span(
            start=end - int(processing_times[job]),
            end=end,
            label=str(job),
            level=tardiness / worst if worst else 0.0,
            note=f"job {job}: {end - int(processing_times[job])} to {end}, due {int(due_dates[job])}, "
            + (f"{tardiness} late" if tardiness else "in time"),
        )
        for job, end, tardiness in zip(sequence, ends, late, strict=True)
    )
    total = total_tardiness(processing_times, due_dates, sequence)
    return Lane(name, spans, f"total tardiness {total}, {sum(t > 0 for t in late)} jobs late")


def _tardiness(processing_times: Ints, due_dates: Ints, sequence: Sequence[int]) -> Ints:
    """Of each job, in the order of the sequence."""
    late: Ints = np.maximum(0, np.cumsum(processing_times[sequence]) - due_dates[sequence])
    return late


@cache
def _witnesses() -> dict[str, tuple[int, ...]]:
    """The optimal sequences of the search split by the instances' ids."""
    parts = [part for group in splits.search_parts(FAMILIES) for part in group]
    return {
        item.spec.id: witness
        for part in parts
        for item, witness in zip(references.load(part), references.witnesses(part), strict=True)
    }
