"""The Gantt chart of an answer: the proved optimum stands beside it, and only of the instance that it is proved for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evaluators.registry import load
from evaluators.smtt.pictures import pictures
from evaluators.smtt.problem import decode, encode

INSTANCE = load("smtt").instances("search").instances[0]


def in_order(jobs: int) -> bytes:
    return np.arange(jobs, dtype="<i8").tobytes()


def test_the_optimum_is_drawn_with_its_total() -> None:
    (chart,) = pictures(INSTANCE, in_order(INSTANCE.size))
    assert [lane.name for lane in chart.lanes] == ["this sequence", "optimal sequence"]
    assert f"total tardiness {INSTANCE.reference:.0f}" in chart.lanes[1].total


def test_an_instance_of_the_same_id_is_not_shown_the_optimum_of_another() -> None:
    processing_times, due_dates = decode(INSTANCE.payload)
    shorter = replace(INSTANCE, payload=encode(processing_times[:-1], due_dates[:-1]), size=INSTANCE.size - 1)
    tighter = replace(INSTANCE, payload=encode(processing_times, due_dates // 2))
    for other in (shorter, tighter, replace(INSTANCE, reference_kind="baseline")):
        (chart,) = pictures(other, in_order(other.size))
        assert [lane.name for lane in chart.lanes] == ["this sequence"]
