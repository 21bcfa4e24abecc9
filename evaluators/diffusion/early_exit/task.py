"""The task ``diffusion-exit``: when to stop the full decoding of a text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evaluators.diffusion.early_exit import instances, reader, referee
from evaluators.diffusion.early_exit.pictures import pictures
from evaluators.diffusion.early_exit.recorder.session import record
from evaluators.diffusion.early_exit.simulator import simulate
from evaluators.diffusion.family import DiffusionTask
from evaluators.diffusion.interface import STOP
from evaluators.diffusion.texts import LOOKS
from evaluators.splits import Splits
from evaluators.task import Baseline, Instance, InstanceSet, Judgement

HERE = Path(__file__).parent

INTERFACE = replace(
    STOP,
    facts=(
        *STOP.facts,
        "Stopping is all that you decide. On a recording of another model the numbers have another scale: "
        "standing has not.",
        "Known rules: stop when the mean margin of all positions reaches a bound that falls with step / total.",
    ),
    absent="",
)


class DiffusionExit(DiffusionTask):
    """The task bound to its options: a policy task (:class:`evaluators.policy.PolicyTask`)."""

    name = "diffusion-exit"
    summary = (
        "early exit of a masked-diffusion language model: when to stop full decoding and fill in the rest; "
        "speed-up at the same quality"
    )
    version = "1"
    interface = INTERFACE
    seeds = ("least-probability", "sched-standing")
    home = HERE
    adapter = HERE / "simulator.py"
    splits = Splits("diffusion-exit", HERE / "data" / "manifest.json", instances.part, looks=LOOKS, reports=1)
    reference = Baseline(
        "oracle",
        "reference",
        "stops at the first pass from which on the text is never worse than that of full decoding "
        "(evaluators.diffusion.early_exit.referee)",
    )
    simulate = staticmethod(simulate)
    judge = staticmethod(referee.judge)
    replayed_figures = staticmethod(referee.replayed_figures)
    record = staticmethod(record)
    pictures = staticmethod(pictures)

    def read(self, path: Path) -> InstanceSet:
        """The user's own recordings (``discover record``)."""
        return reader.read(path)

    def policy(self, name: str, instance: Instance) -> Judgement:
        """The referee's word on what the oracle does. Raises TaskError for another name."""
        self.known(name)
        return referee.oracle(instance)
