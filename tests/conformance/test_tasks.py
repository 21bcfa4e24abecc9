"""The suite of tasks on all that ship and on the toy task with either gate."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from conformance.policy_conformance import PolicyConformance
from conformance.task_conformance import TaskConformance
from evaluators.diffusion.early_exit.recordings import Recorded, write
from evaluators.diffusion.early_exit.trajectory import Trajectory
from evaluators.diffusion.problem import parse
from evaluators.diffusion.texts import part
from evaluators.diffusion.tokens import decode
from evaluators.task import InstanceSet, Task

JOBS = [
    {"id": "b", "processing_times": [3, 5], "due_dates": [4, 6]},
    {"id": "a", "processing_times": [1], "due_dates": [1]},
]


class _Smtt(TaskConformance):
    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.jsonl"
        path.write_text("".join(json.dumps(job) + "\n" for job in JOBS))
        return path, ["b", "a"]


class TestSmtt(_Smtt):
    factory = "evaluators.smtt.task:Smtt"


class TestSmttIndex(_Smtt):
    factory = "evaluators.smtt.index_task:SmttIndex"


class TestOnlineBinPacking(TaskConformance):
    factory = "evaluators.binpacking.task:OnlineBinPacking"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.txt"
        path.write_text("2\nsecond\n100 2 1\n60\n40\nfirst\n100 1 1\n7\n")
        return path, ["second", "first"]


class TestOnlineBinPackingFamilies(TestOnlineBinPacking):
    options: ClassVar[dict[str, str]] = {"families": "weibull,or"}


class TestTspConstruct(TaskConformance):
    factory = "evaluators.tsp.task:TspConstruct"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.jsonl"
        path.write_text(
            '{"id": "b", "x": [0, 1, 1], "y": [0, 0, 1]}\n{"id": "a", "x": [2, 1, 1], "y": [0, 0, 1]}\n'
        )
        return path, ["b", "a"]


class TestLrSchedule(TaskConformance):
    factory = "evaluators.schedules.task:LrSchedule"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.jsonl"
        one = {"features": [[0.5, 1], [2, 0], [1, 1]], "labels": ["a", "b", "a"], "steps": 9}
        path.write_text("".join(json.dumps({"id": name, **one}) + "\n" for name in ("second", "first")))
        return path, ["second", "first"]


class TestLrScheduleWithoutPilots(TestLrSchedule):
    options: ClassVar[dict[str, str]] = {"pilot": "none"}


class TestMemoryAlloc(TaskConformance):
    factory = "evaluators.memory.alloc.task:MemoryAlloc"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.4.csv"
        path.write_text("id,lower,upper,size\na,0,3,2\nb,1,2,1\n")
        return path, ["mine.4"]


class TestKnapsack(TaskConformance):
    factory = "toy.task:Knapsack"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.txt"
        path.write_text("second 10 3:4 5:6\nfirst 7 1:2\n")
        return path, ["second", "first"]


class TestKnapsackPool(TestKnapsack):
    options: ClassVar[dict[str, str]] = {"gate": "pool"}


class TestPlain(TaskConformance):
    factory = "toy.picking:Picking"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.jsonl"
        one = {"values": [0.5, 0.25], "volumes": [2, 1], "capacity": 2}
        path.write_text("".join(json.dumps({"id": name, **one}) + "\n" for name in ("second", "first")))
        return path, ["second", "first"]


class TestCacheEviction(PolicyConformance):
    factory = "evaluators.caching.task:CacheEviction"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.csv"
        path.write_text("id,time,page\nb,0,x\na,0.5,y\nb,1,y\n")
        return path, ["b", "a"]


SERVING = (
    *(f"evaluators.serving.episode.{m}" for m in ("problem", "desk", "steps")),
    "evaluators.serving.core",
)


class TestServing(PolicyConformance):
    factory = "evaluators.serving.batching.task:Serving"
    beside = SERVING

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.csv"
        path.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,9,3\n0.5,20,1\n")
        return path, ["mine"]


class TestServingAdmission(TestServing):
    factory = "evaluators.serving.admission.task:Admission"

    def test_payloads_do_not_tell_the_reference(self, task: Task) -> None:
        """It is the offered load, at most some calls a second: as a whole number it is in any bytes by chance."""
        for i in task.instances("search").instances:
            assert i.reference is not None and 0 < i.reference < 10
            assert np.array([i.reference]).tobytes() not in i.payload
            assert repr(i.reference).encode() not in i.payload


class TestServingPriority(TestServingAdmission):
    factory = "evaluators.serving.priority.task:ServingPriority"


class TestServingPrefix(TestServing):
    factory = "evaluators.serving.prefix.task:ServingPrefix"
    beside = (*SERVING, "evaluators.serving.prefix.prefixes")


class TestServingRouting(TestServing):
    factory = "evaluators.serving.routing.task:ServingRouting"


class TestServingPd(TestServing):
    factory = "evaluators.serving.pd.task:ServingPd"


class TestPolyhedral(TaskConformance):
    factory = "evaluators.polyhedral.task:Polyhedral"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.poly"
        path.write_text("N = size(9, 30)\nA = array(N)\nfor i in range(N):\n    A[i] = 2 * A[i]\n")
        return path, ["mine-0", "mine-1"]

    def test_payloads_do_not_tell_the_reference(self, task: Task) -> None:
        """It is 1, the program as it is, for every instance."""
        assert {i.reference for i in task.instances("search")} == {1.0}


class TestMemoryMap(PolicyConformance):
    factory = "evaluators.memory.mapping.task:MemoryMap"
    beside = ("evaluators.memory.mapping.game", "evaluators.memory.mapping.program")

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.jsonl"
        one = {"compute": [9, 5], "buffers": [{"size": 4096, "producer": 0, "uses": [1]}]}
        path.write_text("".join(json.dumps({"id": name, **one}) + "\n" for name in ("second", "first")))
        return path, ["second", "first"]


DECODING = tuple(
    f"evaluators.diffusion.{m}"
    for m in ("decoding", "denoiser.model", "denoiser.shapes", "problem", "reading", "tokens")
)


class TestDiffusion(PolicyConformance):
    factory = "evaluators.diffusion.unmasking.task:Diffusion"
    beside = DECODING

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.jsonl"
        rows = [{"id": name, "family": "sort", "prompt": "402718"} for name in ("second", "first")]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path, ["second", "first"]

    def kept_on(self, task: Task) -> list[InstanceSet]:
        """A part of the search split, whose passes are shared by all (:func:`evaluators.diffusion.decoding.seen`): full
        decoding takes minutes for all of it and the gate, where the shipped scores say that the seeds keep it."""
        return [InstanceSet("a part", task.instances("search").instances[:96])]

    def test_payloads_do_not_tell_the_reference(self, task: Task) -> None:
        """It is 1 or 0, for which any bytes have room: a payload is the model and the prompt."""
        for text, i in zip(part("search"), task.instances("search"), strict=True):
            model, prompt = parse(i.payload)
            assert (model, decode(prompt)) == (text.model, text.prompt)


class TestDiffusionExit(TestDiffusion):
    factory = "evaluators.diffusion.early_exit.task:DiffusionExit"
    beside = (
        *DECODING,
        "evaluators.diffusion.early_exit.live",
        "evaluators.diffusion.early_exit.trajectory",
    )

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.npz"
        task = self.make()
        shown = [Trajectory.from_bytes(i.payload) for i in task.instances("search").instances[:2]]
        graded = [replace(t, quality=np.linspace(0, 1, t.passes, dtype=np.float32)) for t in shown]
        write(path, [Recorded(n, "mine", t) for n, t in zip(("second", "first"), graded, strict=True)])
        return path, ["second", "first"]

    def kept_on(self, task: Task) -> list[InstanceSet]:
        return [task.instances("search")]

    def test_payloads_do_not_tell_the_reference(self, task: Task) -> None:
        """Recordings of ours hold the prompt and what the model said, not what the text is worth."""
        for text, i in zip(part("search"), task.instances("search"), strict=True):
            recorded = Trajectory.from_bytes(i.payload)
            assert decode(recorded.prompt) == text.prompt and not len(recorded.quality)


class TestClerk(PolicyConformance):
    factory = "toy.clerk:Clerk"


class TestDesk(PolicyConformance):
    factory = "toy.desk:Desk"


class TestGuessing(TaskConformance):
    factory = "toy.guessing:Guessing"


class TestChoosing(TestKnapsack):
    factory = "toy.choosing:Choosing"


class TestRatios(TaskConformance):
    factory = "toy.ratios:Ratios"


class TestGlance(TaskConformance):
    factory = "toy.glance:Glance"

    def file_of(self, folder: Path) -> tuple[Path, list[str]]:
        path = folder / "mine.jsonl"
        path.write_text('{"id": "b", "weights": [3, 4]}\n{"id": "a", "weights": [7]}\n')
        return path, ["b", "a"]


class TestStopwatch(TestRatios):
    factory = "toy.stopwatch:Stopwatch"


class TestShelf(TestKnapsack):
    factory = "toy.shelf:Shelf"
