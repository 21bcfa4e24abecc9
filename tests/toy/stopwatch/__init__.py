"""A measured task for tests only: the ratios of :mod:`toy.ratios` as a clock would give them, so that two judgements of
the same answer differ by up to 2 %."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from evaluators import shipped
from evaluators.task import Baseline, Instance, Judgement
from toy.ratios import Ratios

NOISE = 0.02


class Stopwatch(Ratios):
    name = "stopwatch"
    unit = "% of the speed by weight for time"
    seeds = ("costly", "trivial")
    measured = True
    reference_kind = "baseline"

    def baselines(self) -> dict[str, Baseline]:
        return dict(shipped.candidates(Path(__file__).parent / "baselines"))

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        exact = super().judge(instance, answer)
        factor = 1 + NOISE * int.from_bytes(os.urandom(4), "little") / 2**32
        return replace(exact, value=exact.value * factor, score=exact.score * factor)
