"""The task ``diffusion``: which masked positions of a text to fill in after each forward pass, and when to stop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evaluators.diffusion.family import DiffusionTask
from evaluators.diffusion.interface import FACTS, STOP, VIEW
from evaluators.diffusion.texts import LOOKS
from evaluators.diffusion.unmasking import instances, reader, referee, reference
from evaluators.diffusion.unmasking.pictures import pictures
from evaluators.diffusion.unmasking.simulator import simulate
from evaluators.splits import Splits
from evaluators.task import Baseline, Instance, InstanceSet, Interface, Judgement, Value

HERE = Path(__file__).parent

INTERFACE = Interface(
    function="commit",
    summary=(
        "Return which masked positions to unmask now: they get the most probable token of this pass, for good. "
        "Few forward passes win, as long as the texts stay as good as those of full decoding."
    ),
    arguments=VIEW,
    returns=Value("chosen", "mask", "bool", "whether to unmask each position", length="n"),
    facts=(
        *FACTS,
        "Positions that are not masked may be chosen and stay as they are. Where no masked one is chosen, the "
        "most probable masked one is unmasked. Decoding ends when nothing is masked, after n passes at the "
        "latest.",
        "Known rules: unmask where probability is 0.9 or more; where the entropies, added from the least, stay "
        "under a bound.",
    ),
    hooks=(replace(STOP, facts=()),),
)  # fmt: skip


class Diffusion(DiffusionTask):
    """The task bound to its options: a policy task (:class:`evaluators.policy.PolicyTask`)."""

    name = "diffusion"
    summary = (
        "decoding of a masked-diffusion language model: which positions to unmask after each forward pass; "
        "speed-up over full decoding at the same quality"
    )
    version = "1"
    interface = INTERFACE
    seeds = ("margin", "endings")
    home = HERE
    adapter = HERE / "simulator.py"
    splits = Splits("diffusion", HERE / "data" / "manifest.json", instances.part, looks=LOOKS, reports=1)
    reference = Baseline(
        "clairvoyant",
        "reference",
        "unmasks what agrees with the text of full decoding, which it has seen "
        "(evaluators.diffusion.unmasking.reference)",
    )
    simulate = staticmethod(simulate)
    judge = staticmethod(referee.judge)
    replayed_figures = staticmethod(referee.replayed_figures)
    pictures = staticmethod(pictures)

    def read(self, path: Path) -> InstanceSet:
        """The user's own prompts."""
        return reader.read(path)

    def policy(self, name: str, instance: Instance) -> Judgement:
        """The referee's word on what the clairvoyant does. Raises TaskError for another name."""
        self.known(name)
        return referee.judge(instance, reference.clairvoyant(instance))
