"""A policy task with hooks, for tests only: the clerk's jobs come to a desk, where they may be turned away and after
which the clerk may rest. The event log is when each job began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluators import shipped
from evaluators.task import Baseline, ImpossibleAnswer, Instance, Interface, InvalidAnswer, Judgement, Value
from toy.clerk import Clerk
from toy.desk.simulator import AWAY, simulate

HERE = Path(__file__).parent
URGENT = Value("urgent", "scalar", "bool", "whether it is urgent")
WAITING = Value("waiting", "scalar", "int64", "how many wait", low=0)


class Desk(Clerk):
    """The task bound to its options, of which there are none."""

    name = "desk"
    summary = "serve jobs that wait little, or send them away"
    interface = Interface(
        function="rank",
        summary="Return a number for each waiting job; the highest is served next.",
        arguments=(
            Value("lengths", "array", "int64", "length of each waiting job", unit="time", low=1, length="n"),
            Value("waits", "array", "float64", "how long each waits", unit="time", low=0, length="n"),
            Value("rush", "mask", "bool", "whether it is urgent", length="n"),
        ),
        returns=Value("ranks", "array", "float64", "the highest is next", length="n"),
        hooks=(
            Interface(
                function="admit",
                summary="Say whether a job that comes may wait.",
                arguments=(Value("length", "scalar", "int64", "its length", "time", low=1), WAITING, URGENT),
                returns=Value("admitted", "scalar", "bool", "whether it may wait"),
                absent="a job may wait when fewer than four do.",
            ),
            Interface(
                function="rest",
                summary="Return for how long to rest after a job, at most its length.",
                arguments=(Value("time", "scalar", "float64", "the time now", "time", low=0), WAITING),
                returns=Value("pause", "scalar", "int64", "how long", "time", low=0),
                facts=("Rest is good for nothing.",),
                absent="there is no rest.",
            ),
        ),
    )
    seeds = ("shortest", "trivial")
    adapter = HERE / "simulator.py"

    simulate = staticmethod(simulate)

    def baselines(self) -> Mapping[str, Baseline]:
        return shipped.candidates(HERE / "baselines")

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        rows = np.frombuffer(instance.payload, "<i8").reshape(3, -1)
        if len(answer) != instance.answer_bytes:
            raise InvalidAnswer("the event log has another length")
        value, free = 0, 0
        jobs = zip(np.frombuffer(answer, "<i8").tolist(), *rows.tolist(), strict=True)
        for start, arrival, length, urgent in sorted(jobs):
            weight = 1 + 4 * urgent
            if start == AWAY:
                value += 10 * weight * length
                continue
            if start < max(free, arrival):
                raise InvalidAnswer(f"a job begins at {start}, before the clerk is free or it is there")
            free = start + length
            value += weight * (free - arrival)
        assert instance.reference is not None
        if instance.reference_kind != "baseline" and value < instance.reference:
            raise ImpossibleAnswer(f"{value} is below {instance.reference:g}")
        return Judgement(value, 100 * (value - instance.reference) / (instance.reference or 1.0))

    def _drawn(self, id_: str, jobs: int) -> Instance:
        drawn = super()._drawn(id_, jobs)
        return replace(drawn, limit=3 * drawn.limit)
