"""Which instances an explanation may open: blocks of the gate's pool that the candidate was not selected on.

One block is for the ablations, another one for the simplified candidate as a whole. Each explanation opens blocks that
neither its run's looks nor earlier explanations of the task in this ledger have opened, from the far end of the run's
order, so that a later look meets them last. Report blocks and the final split are never touched. What was opened is an
event of the ledger, and the level of the tests shrinks with the number of explanations of the candidate.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from db.ledger import Ledger
from db.records import Json, RunRecord
from discovery.draws import key
from discovery.gate import block_order
from discovery.statistics import alpha
from evaluators.task import Instance, InstanceSet, Task

OPENED = "explained"
"""The ledger's event: these blocks were opened to explain this candidate."""


@dataclass(frozen=True)
class Blocks:
    """``ablation`` and ``confirmation`` are the instances, ``numbers`` their blocks. ``reused`` says that a block had
    been opened before. ``number`` counts the explanations of this candidate in the ledger, this one included."""

    ablation: InstanceSet
    confirmation: InstanceSet
    numbers: tuple[int, int]
    reused: bool
    number: int

    @property
    def level(self) -> float:
        """Level of each family of tests: all explanations of a candidate together err with at most 5 %."""
        return alpha(self.number)

    def to_json(self) -> dict[str, object]:
        return {
            "number": self.number,
            "blocks": list(dict.fromkeys(self.numbers)),
            "halved": self.numbers[0] == self.numbers[1],
            "reused": self.reused,
            "level": self.level,
        }


def choose(task: Task, ledger: Ledger | None, run: RunRecord | None, candidate: str) -> Blocks:
    """The blocks of the next explanation of ``candidate``. Nothing is written yet."""
    earlier = _earlier(ledger, task)
    seen = {b for data in earlier for b in _numbers(data.get("blocks"))}
    if ledger is not None and run is not None:
        seen |= {look.block for look in ledger.looks(run.id)}
    number = 1 + sum(data.get("candidate") == candidate for data in earlier)
    seed = run.seed if run is not None else key(candidate, "explain blocks")
    first, second = _two(block_order(seed, task.gate_blocks)[::-1], seen)
    reused = bool({first, second} & seen)
    if first == second:
        halves = _halves(task.gate(first))
        return Blocks(*halves, (first, first), reused, number)
    return Blocks(task.gate(first), task.gate(second), (first, second), reused, number)


def record(ledger: Ledger, task: Task, run: RunRecord | None, candidate: str, blocks: Blocks) -> None:
    """Write down what is about to be opened."""
    data: Json = {
        "task": task.name,
        "options": dict(task.settings),
        "evaluator_version": task.version,
        "candidate": candidate,
        "blocks": list(blocks.numbers),
        "number": blocks.number,
    }
    ledger.add_event(run.id if run is not None else None, OPENED, data)


def _earlier(ledger: Ledger | None, task: Task) -> list[Json]:
    """What earlier explanations opened of this task with these options."""
    if ledger is None:
        return []
    runs = [None, *(r.id for r in ledger.runs() if r.task == task.name)]
    events = [e.data for run in runs for e in ledger.events(run, OPENED)]
    return [d for d in events if (d.get("task"), d.get("options")) == (task.name, dict(task.settings))]


def _numbers(value: object) -> list[int]:
    return [b for b in value if isinstance(b, int)] if isinstance(value, list) else []


def _two(order: Sequence[int], seen: Collection[int]) -> tuple[int, int]:
    """A block for the ablations and one for the whole; where only one is fresh it is for the whole."""
    ranked = sorted(order, key=lambda b: b in seen)
    if len(ranked) == 1:
        return ranked[0], ranked[0]
    first, second = ranked[:2]
    return (second, first) if second in seen else (first, second)


def _halves(block: InstanceSet) -> tuple[InstanceSet, InstanceSet]:
    """A block as two sets without a common instance; the instances of each class alternate between them."""
    count: dict[str, int] = {}
    halves: tuple[list[Instance], list[Instance]] = ([], [])
    for instance in block:
        count[instance.group] = count.get(instance.group, 0) + 1
        halves[count[instance.group] % 2].append(instance)
    first, second = (InstanceSet(f"{block.name}, half", tuple(half)) for half in halves)
    return first, second
