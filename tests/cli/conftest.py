"""A command line in this process, in an empty folder, with a small task of its own."""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from discovery.cli import servers
from discovery.cli.main import main
from evaluators import registry
from evaluators.task import (
    Baseline,
    Figure,
    Instance,
    InstanceSet,
    Interface,
    Judgement,
    Option,
    Proof,
    ShippedScore,
    TaskError,
    Value,
)


class Toy:
    """Name the largest number: enough of a task for the commands that run no candidate."""

    name = "toy"
    summary = "name the largest [bold]number[/bold]\x1b[31m"
    direction = "maximize"
    unit = "points"
    measured = False
    version = "1"
    interface = Interface(
        "pick", "Return one number.", (Value("numbers", "array", "int64", "the numbers", length="n"),),
        Value("number", "scalar", "int64", "the pick", low=0),
    )  # fmt: skip
    seeds = ("first",)
    options = (Option("size", "small", "how many numbers", ("small", "large")),)
    adapter = Path("adapter.py")
    memory = 1 << 20
    gate_blocks = 1
    solvers = ("exact",)

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = registry.bind(self.options, settings, self.name)

    def baselines(self) -> Mapping[str, Baseline]:
        return {
            "first": Baseline("first", "baseline", "folklore", Path("first.py")),
            "last": Baseline("last", "baseline", "folklore", Path("last.py")),
            "oracle": Baseline("oracle", "reference", "knows everything"),
            "untried": Baseline("untried", "baseline", "nobody", Path("untried.py")),
        }

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return {
            "first": ShippedScore({"search": 1.0, "gate": 4.0}, {"search": 6.0}, {}),
            "last": ShippedScore({"search": 5.0, "gate": 3.0}, {}, {}),
            "oracle": ShippedScore({"search": 9.0, "gate": 9.0}, {}, {}),
        }

    def instances(self, split: str) -> InstanceSet:
        return InstanceSet(split, (Instance("a", "g", 1, b"", 8, 1.0, 9.0, "proved optimum"),))

    def gate(self, block: int) -> InstanceSet:
        return self.instances(f"gate {block}")

    def read(self, path: Path) -> InstanceSet:
        try:
            ids = path.read_text().split()
        except OSError as error:
            raise TaskError(f"{path} cannot be read: {error.strerror}") from None
        return InstanceSet(str(path), tuple(Instance(i, "g", 1, b"", 8, 1.0, None, "baseline") for i in ids))

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        return Judgement(float(len(answer)), float(instance.size))

    def figures(self, instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
        return (Figure("mean", sum(values) / len(instances)),)

    def prove(self, instances: InstanceSet, solver: str, seconds: float) -> Iterator[Proof]:
        for i in instances:
            yield Proof(i.id, "proved", 9.0, 9.0, 9.0, (1, 0), 0.5 if solver == "exact" else seconds)


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The one object on the one line of stdout."""
        assert self.out.count("\n") == 1 and self.out.endswith("\n"), self.out
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line of stderr that says what is wrong."""
        assert self.err.count("\n") == 1 and self.err.startswith("discover: "), self.err
        assert "Traceback" not in self.err
        return self.err


@pytest.fixture
def discover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_BASE_URL", "LANGSMITH_TRACING"):
        monkeypatch.delenv(name, raising=False)
    module = types.ModuleType("toy_task")
    module.Toy = Toy  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_task", module)
    monkeypatch.setitem(registry.BUILT_IN, "toy", "toy_task:Toy")
    monkeypatch.setattr(servers, "PORTS", {})

    def call(*words: str) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)

    return call
