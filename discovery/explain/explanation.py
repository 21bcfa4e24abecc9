"""The whole explanation of a candidate, step by step; whatever ended it early, what was measured is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from db.ledger import Ledger
from discovery.candidate import Candidate
from discovery.errors import NothingValid
from discovery.evaluation import Evaluated
from discovery.explain import blocks as opening
from discovery.explain.ablation import Variant, largest_first, variants
from discovery.explain.bench import Bench, bench
from discovery.explain.blocks import Blocks
from discovery.explain.judging import Judged, judge
from discovery.explain.rivals import SECONDS, Rivalry, rivalry
from discovery.explain.sensitivity import Sensitivity, evaluations, measured
from discovery.explain.simplify import Simplification, simplify
from discovery.explain.subject import Subject
from discovery.pace import processor_time, told
from discovery.progress import StopSignal
from discovery.review.compare import unified
from discovery.statistics import MARGIN

MOST = 40
"""Ablations unless ``--limit`` says otherwise."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Explanation:
    """What was measured of a candidate. Parts that an interruption left out are None, and ``interrupted`` says so.

    ``code`` is the original as the simplification's text is printed (layout and comments are not kept), so that the two
    can be compared."""

    subject: Subject
    own: Evaluated
    blocks: Blocks
    recorded: bool
    isolated: bool
    original: Evaluated | None = None
    possible: int = 0
    """Edits that the code has; those measured may be fewer."""
    judged: tuple[Judged, ...] = ()
    simplification: Simplification | None = None
    sensitivity: Sensitivity | None = None
    rivals: Rivalry | None = None
    interrupted: bool = False
    notes: tuple[str, ...] = ()

    @property
    def simplified(self) -> Candidate | None:
        """The smaller candidate, where it was confirmed on the second block."""
        found = self.simplification
        return found.variant.candidate if found is not None and found.confirmed else None

    def to_json(self) -> dict[str, object]:
        """The object of ``explain --json``, without the model's words."""
        subject, candidate = self.subject, self.subject.candidate
        return {
            "candidate": candidate.hash,
            "run": subject.run.id if subject.run is not None else None,
            "task": subject.task.name,
            "direction": subject.task.direction,
            "unit": subject.task.unit,
            "nodes": candidate.nodes,
            "score": self.own.score,
            "isolated": self.isolated,
            "looks": {**self.blocks.to_json(), "recorded": self.recorded},
            "ablation": self._ablation(),
            "simplification": self._simplification(),
            "sensitivity": self.sensitivity.to_json(candidate) if self.sensitivity is not None else None,
            "classes": self.rivals.to_json() if self.rivals is not None else None,
            "interrupted": self.interrupted,
            "notes": list(self.notes),
        }

    def _ablation(self) -> dict[str, object] | None:
        if self.original is None:
            return None
        return {
            "block": self.blocks.ablation.name,
            "instances": len(self.blocks.ablation),
            "score": self.original.score,
            "margin": MARGIN,
            "correction": "Holm",
            "level": self.blocks.level,
            "possible": self.possible,
            "variants": [j.to_json(self.subject.candidate) for j in self.judged],
        }

    def _simplification(self) -> dict[str, object] | None:
        found, candidate = self.simplification, self.subject.candidate
        if found is None:
            return None
        names = (f"a/{candidate.hash[:8]}", f"b/{found.variant.candidate.hash[:8]}")
        text = unified(plain_text(candidate), found.variant.candidate.code, *names)
        return {"block": self.blocks.confirmation.name, **found.to_json(candidate), "diff": text}


def explain(
    subject: Subject,
    ledger: Ledger | None,
    *,
    most: int = MOST,
    rivals: bool = True,
    unsafe: bool = False,
    say: Say = lambda _: None,
    stop: StopSignal | None = None,
) -> Explanation:
    """Measure a candidate. ``ledger`` is read for its run and its study, and gets one event; nothing else is written.
    ``rivals``: the best baseline is run, too, which may take as long as all the rest.

    Raises NothingValid when the candidate has no score on search, LedgerError, and SandboxUnavailable when this machine
    cannot isolate and ``unsafe`` is not set."""
    with bench(subject.task, unsafe=unsafe, say=say, stop=stop or StopSignal()) as made:
        return _Explaining(made, subject, ledger, most, rivals).run()


def plain_text(candidate: Candidate) -> str:
    """The candidate's code in the layout of a variant's."""
    import ast

    return ast.unparse(candidate.tree) + "\n"


class _Explaining:
    """The steps in their order. Each looks at the stop signal before it begins."""

    def __init__(self, made: Bench, subject: Subject, ledger: Ledger | None, most: int, rivals: bool) -> None:
        self._bench, self._subject, self._ledger = made, subject, ledger
        self._most, self._compares = most, rivals
        self._notes: list[str] = []

    def run(self) -> Explanation:
        subject, candidate = self._subject, self._subject.candidate
        search = self._bench.task.instances("search")
        own = self._bench.whole(candidate, search, "the candidate on search")
        if own.score is None:
            raise NothingValid(
                f"{candidate.hash[:8]} has no score, so there is nothing to explain: {own.outcome}: {own.reason}"
            )
        chosen = opening.choose(self._bench.task, self._ledger, subject.run, candidate.hash)
        tried = variants(candidate, self._bench.task.interface, self._most)
        possible = len(largest_first(candidate))
        self._forecast(own, chosen, len(tried), possible)
        if self._ledger is not None:
            opening.record(self._ledger, self._bench.task, subject.run, candidate.hash, chosen)
        original, judged, simpler = self._ablate(tried, chosen)
        sensitivity = rivals = None
        if not self._stopped:
            sensitivity = measured(self._bench, candidate, own, self._ledger, subject.entry)
        if self._compares and not self._stopped:
            rivals = self._rivals(own, original, chosen)
        return Explanation(
            subject=subject,
            own=own,
            blocks=chosen,
            recorded=self._ledger is not None,
            isolated=self._bench.isolated,
            original=original,
            possible=possible,
            judged=judged,
            simplification=simpler,
            sensitivity=sensitivity,
            rivals=rivals,
            interrupted=self._stopped,
            notes=tuple(self._notes),
        )

    @property
    def _stopped(self) -> bool:
        return self._bench.stop.finishing

    def _forecast(self, own: Evaluated, chosen: Blocks, tried: int, possible: int) -> None:
        """Say what this opens and how long it may take, before it does."""
        search, candidate = self._bench.task.instances("search"), self._subject.candidate
        block = processor_time([(search, own.cpu)], chosen.ablation)
        seconds = (tried + 3) * block + evaluations(candidate) * sum(own.cpu)
        seconds += SECONDS if self._compares else 0.0
        first, second = chosen.numbers
        where = f"block {first}, in halves" if first == second else f"blocks {first} and {second}"
        again = ", opened before" if chosen.reused else ""
        self._bench.say(
            f"explanation {chosen.number} of this candidate opens {where} of the gate{again}: {tried} of {possible} "
            f"ablations, up to {told(self._bench.task, seconds)}, {self._bench.paced.workers} at once; "
            "Ctrl-C ends it with what is there"
        )
        if chosen.reused:
            self._notes.append("the gate's blocks are used up, so one was used that had been opened before")
        if self._ledger is None:
            self._notes.append("there is no ledger, so the blocks that this opened are recorded nowhere")
        if not self._bench.isolated:
            self._notes.append("this was not isolated (--unsafe-no-sandbox)")

    def _ablate(
        self, tried: tuple[Variant, ...], chosen: Blocks
    ) -> tuple[Evaluated | None, tuple[Judged, ...], Simplification | None]:
        candidate = self._subject.candidate
        if self._stopped:
            return None, (), None
        original = self._bench.whole(candidate, chosen.ablation, "the candidate on the first block")
        if original.score is None:
            self._notes.append(
                f"on the first block the candidate ended as {original.outcome}: {original.reason}; nothing was ablated"
            )
            return None, (), None
        judged = judge(self._bench, candidate, original, tried, chosen.ablation, chosen.level)
        simpler = None
        if not self._stopped:
            simpler = simplify(self._bench, candidate, original, judged, chosen)
        return original, judged, simpler

    def _rivals(self, own: Evaluated, original: Evaluated | None, chosen: Blocks) -> Rivalry | None:
        sets = [(chosen.ablation, original)] if original is not None else []
        sets.append((self._bench.task.instances("search"), own))
        found, why = rivalry(self._bench, self._subject.candidate, sets)
        if found is None:
            self._notes.append(f"classes: {why}")
        return found
