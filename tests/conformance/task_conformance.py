"""What every task must hold. Subclass :class:`TaskConformance` as ``TestMyTask`` and set ``factory``."""

from __future__ import annotations

import ast
import importlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import ClassVar, get_args

import numpy as np
import pytest

from discovery.candidate import check
from discovery.execution.base import Executor, StageJob
from discovery.execution.make import make_executor
from discovery.statistics import quarters
from evaluators.policy import PolicyTask
from evaluators.task import (
    SPLITS,
    Describing,
    DType,
    ImpossibleAnswer,
    Instance,
    InstanceSet,
    InvalidAnswer,
    Keeping,
    Task,
    TaskError,
    ValueKind,
    aggregate,
    average,
    mean_of,
)

KINDS, TYPES = get_args(ValueKind), get_args(DType)
DIGESTS = """
import importlib, json, sys
module, _, name = sys.argv[1].partition(":")
task = getattr(importlib.import_module(module), name)(json.loads(sys.argv[2]))
sets = [task.instances(s) for s in ("screen", "search", "gate", "final")] + [task.gate(task.gate_blocks - 1)]
print(json.dumps([s.digest for s in sets]))
"""
ALONE = """
import importlib.util, json, sys
ours, beside = ("discovery", "evaluators", "searchspaces", "db"), json.loads(sys.argv[3])
def allowed(name):
    return any(name == b or name.startswith(b + ".") or b.startswith(name + ".") for b in beside)
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ours and not allowed(name):
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import numpy
before = set(sys.modules)
spec = importlib.util.spec_from_file_location("adapter", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
new = {m.partition(".")[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names) - {"numpy"}
files = [m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] in ours]
print(json.dumps([callable(getattr(module, sys.argv[2])), sorted(new - (set(ours) if beside else set())), files]))
"""


def problems(instances: InstanceSet) -> set[tuple[bytes, bytes]]:
    return {(i.payload, i.withheld) for i in instances}


class TaskConformance:
    """``factory`` is "module:Class"; ``options`` are the settings under test."""

    factory: ClassVar[str]
    options: ClassVar[Mapping[str, str]] = {}
    beside: ClassVar[Sequence[str]] = ()
    """Modules and packages of the task that its adapter imports: as free of references as the adapter."""

    # -- what is tested ---------------------------------------------------------------------------------------------

    @classmethod
    def make(cls) -> Task:
        module, _, name = cls.factory.partition(":")
        made: Task = getattr(importlib.import_module(module), name)(dict(cls.options))
        return made

    def file_of(self, folder: Path) -> tuple[Path, list[str]] | None:  # noqa: ARG002
        """A file of the user's that ``read`` takes, and its ids in order; None where the format is not known here."""
        return None

    def kept_on(self, task: Task) -> Sequence[InstanceSet]:
        """Sets on which the trivial baseline and every seed must keep what the task wants kept."""
        return task.instances("search"), task.gate(0)

    def own_have_references(self, task: Task, folder: Path) -> bool:
        """Whether the user's own instances come with references."""
        made = self.file_of(folder)
        return made is not None and all(i.reference is not None for i in task.read(made[0]))

    @pytest.fixture(scope="class")
    @classmethod
    def task(cls) -> Task:
        return cls.make()

    @pytest.fixture(scope="class")
    @classmethod
    def executor(cls, task: Task) -> Iterator[Executor]:
        made = make_executor(task, "inline", 1)
        yield made
        made.close()

    @pytest.fixture(scope="class")
    @classmethod
    def answers(cls, task: Task, executor: Executor) -> list[tuple[Instance, bytes]]:
        """What the first seed answers on screen."""
        code = cls.code(task, task.seeds[0])
        result = executor.submit(StageJob(code, task.instances("screen"), {})).result()
        assert result.outcome == "scored", result.reason
        return list(zip(task.instances("screen"), result.answers, strict=True))

    @staticmethod
    def code(task: Task, name: str) -> str:
        path = task.baselines()[name].path
        assert path is not None
        return path.read_text(encoding="utf-8")

    @staticmethod
    def sets(task: Task) -> list[InstanceSet]:
        """All splits and all look blocks."""
        return [*map(task.instances, SPLITS), *map(task.gate, range(task.gate_blocks))]

    # -- the interface ----------------------------------------------------------------------------------------------

    def test_the_interface_is_consistent(self, task: Task) -> None:
        functions = task.interface.functions
        assert len({f.function for f in functions}) == len(functions) and not task.interface.absent
        assert all(hook.absent and not hook.hooks for hook in task.interface.hooks)
        for interface in functions:
            names = [a.name for a in interface.arguments]
            assert interface.function.isidentifier() and names and len(set(names)) == len(names)
            assert all(n.isidentifier() and n != interface.function for n in names)
            for value in (*interface.arguments, interface.returns):
                assert value.description and value.kind in KINDS
                assert value.dtype in TYPES and (value.kind == "object") == (value.dtype == "object")
                assert (value.length is None) == (value.kind in ("scalar", "object")), value.name
                assert value.low is None or value.high is None or value.low <= value.high
            assert interface.returns.length in {None, *(a.length for a in interface.arguments)}
            for text in (task.summary, task.unit, interface.summary, *interface.facts):
                assert text.strip() and "\n" not in text

    def test_options_are_bound_and_checked(self, task: Task) -> None:
        assert set(task.settings) == {o.name for o in task.options}
        for option in task.options:
            words = option.default.split(",") if option.many else [option.default]
            assert option.description and (not option.choices or set(words) <= set(option.choices))
        module, _, name = self.factory.partition(":")
        with pytest.raises(TaskError, match="no-such-option"):
            getattr(importlib.import_module(module), name)({"no-such-option": "1"})

    def test_plain_facts(self, task: Task) -> None:
        assert task.direction in ("minimize", "maximize") and task.version and task.memory > 0
        assert task.gate_blocks >= 1 and task.adapter.is_file()
        assert set(task.seeds) <= {n for n, b in task.baselines().items() if b.kind == "baseline" and b.path}

    # -- instances --------------------------------------------------------------------------------------------------

    def test_instances_are_the_same_in_every_process(self, task: Task) -> None:
        sets = [*map(task.instances, SPLITS), task.gate(task.gate_blocks - 1)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONHASHSEED": "7",
        }
        words = [sys.executable, "-c", DIGESTS, self.factory, json.dumps(dict(self.options))]
        said = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
        assert json.loads(said.stdout) == [s.digest for s in sets]
        again = self.make()
        assert [again.instances(s).digest for s in SPLITS] == [task.instances(s).digest for s in SPLITS]

    def test_the_digest_covers_all_that_decides_a_score(self, task: Task) -> None:
        whole = task.instances("screen")
        first, *rest = whole.instances
        assert first.reference is not None
        changed = [
            replace(first, payload=first.payload[:-1] + bytes([first.payload[-1] ^ 1])),
            replace(first, reference=first.reference + 1),
            replace(first, limit=2 * first.limit),
            replace(first, group=first.group + "x"),
        ]
        digests = {InstanceSet(whole.name, (c, *rest)).digest for c in changed} | {whole.digest}
        digests.add(InstanceSet(whole.name, (*rest, first)).digest)
        assert len(digests) == len(changed) + 2

    def test_instances_are_well_formed(self, task: Task) -> None:
        for made in self.sets(task):
            assert len(made) and len({i.id for i in made}) == len(made), made.name
            for i in made:
                assert i.group and i.size > 0 and i.payload and i.answer_bytes > 0 and i.limit > 0
                assert i.reference is not None and math.isfinite(i.reference)

    def test_groups_alternate(self, task: Task) -> None:
        """Neighbours are of different classes, and all classes are equally far where early stopping looks."""
        for made in [task.instances("search"), task.instances("gate"), task.gate(0)]:
            groups = [i.group for i in made]
            kinds = set(groups)
            assert len(kinds) == 1 or not any(a == b for a, b in pairwise(groups)), made.name
            for m in (*quarters(len(groups)), len(groups)):
                seen = [groups[:m].count(kind) for kind in kinds]
                assert max(seen) - min(seen) <= 1, (made.name, m)

    def test_splits_share_no_instance(self, task: Task) -> None:
        """Screen may be a part of search; everything else is seen once only."""
        apart = [s for s in self.sets(task) if s.name != "screen"]
        for a, b in combinations(apart, 2):
            assert not problems(a) & problems(b), (a.name, b.name)
        for other in apart:
            shared = problems(task.instances("screen")) & problems(other)
            assert other.name == "search" or not shared, other.name

    def test_blocks_end_somewhere(self, task: Task) -> None:
        for block in (-1, task.gate_blocks):
            with pytest.raises(TaskError):
                task.gate(block)

    def test_payloads_do_not_tell_the_reference(self, task: Task) -> None:
        """A number may be met by chance, but not on most instances, in no usual layout."""
        instances = task.instances("search").instances
        told = {"<i8": 0, "<f8": 0, "<i4": 0, "text": 0}
        for i in instances:
            assert i.reference is not None
            whole = abs(i.reference) > 99  # one or two digits are met by chance in any bytes
            for layout in ("<i8", "<f8", "<i4"):
                needle = np.array([i.reference]).astype(layout).tobytes()
                told[layout] += (whole or layout == "<f8") and needle in i.payload
            rounded = f"{i.reference:.0f}".encode()
            told["text"] += (whole and rounded in i.payload) or repr(i.reference).encode() in i.payload
        meaningful = sum(bool(i.reference) for i in instances)
        zero = len(instances) - meaningful
        assert all(count - zero <= max(1, meaningful // 4) for count in told.values()), told

    # -- the referee ------------------------------------------------------------------------------------------------

    def test_the_referee_accepts_what_a_seed_answers(
        self, task: Task, answers: list[tuple[Instance, bytes]]
    ) -> None:
        for instance, answer in answers:
            first, second = task.judge(instance, answer), task.judge(instance, answer)
            assert math.isfinite(first.score) and math.isfinite(first.value)
            assert first == second or task.measured

    def test_the_referee_refuses_bytes_that_are_no_answer(
        self, task: Task, answers: list[tuple[Instance, bytes]]
    ) -> None:
        for instance, answer in answers:
            broken = [
                b"",
                answer[:-1],
                answer + b"\0",
                answer * 2,
                b"\xff" * len(answer),
                b"\x7f" * len(answer),
            ]
            for data in broken:
                with pytest.raises(InvalidAnswer) as refused:
                    task.judge(instance, data)
                reason = str(refused.value)
                assert not isinstance(refused.value, ImpossibleAnswer)
                assert reason.strip() and "\n" not in reason and reason.isprintable() and len(reason) <= 300

    def test_an_answer_better_than_a_proved_optimum_is_impossible(
        self, task: Task, answers: list[tuple[Instance, bytes]]
    ) -> None:
        if task.measured:
            pytest.skip("what is measured has no proved optimum")
        step = 1.0 if task.direction == "minimize" else -1.0
        for instance, answer in answers:
            value = task.judge(instance, answer).value
            worse = replace(instance, reference=value + step, reference_kind="proved optimum")
            with pytest.raises(ImpossibleAnswer):
                task.judge(worse, answer)
            equal = task.judge(replace(instance, reference=value, reference_kind="proved optimum"), answer)
            assert equal.value == value

    def test_an_answer_can_be_measured_before_there_is_a_reference(
        self, task: Task, answers: list[tuple[Instance, bytes]]
    ) -> None:
        """Baselines are run on the user's instances against 0, to find the reference."""
        for instance, answer in answers:
            judged = task.judge(replace(instance, reference=0.0, reference_kind="baseline"), answer)
            assert math.isfinite(judged.score)
            assert task.measured or judged.value == task.judge(instance, answer).value

    def test_descriptors_are_parts_of_one(self, task: Task, answers: list[tuple[Instance, bytes]]) -> None:
        if not isinstance(task, Describing):
            pytest.skip("the task says no more of its answers")
        instances, values = [i for i, _ in answers], [task.judge(i, a).value for i, a in answers]
        found = task.descriptors(instances, values)
        assert found and found == task.descriptors(instances, values)
        assert all(0.0 <= value <= 1.0 for value in found.values())
        assert set(found) == set(task.descriptors(instances[:1], values[:1]))

    def test_who_a_run_begins_with_keeps_what_is_to_be_kept(
        self, task: Task, executor: Executor, tmp_path: Path
    ) -> None:
        """Also where the champion of the start is compared: a seed that does not lets nobody pass the gate."""
        if not isinstance(task, Keeping):
            pytest.skip("the task wants nothing kept")
        for made in self.kept_on(task):
            blank = replace(made, instances=tuple(replace(i, reference=None) for i in made))
            for name in dict.fromkeys(("trivial", *task.seeds, "random")):
                result = executor.submit(StageJob(self.code(task, name), made, {})).result()
                assert len(result.values) == len(made), f"{name}: {result.outcome}: {result.reason}"
                said = [task.breach(made, result.values) for _ in range(2)]
                assert said[0] == said[1], "it is a pure function"
                if not self.own_have_references(task, tmp_path):
                    assert said[0] == task.breach(blank, result.values), (
                        "a user's instances have no reference yet"
                    )
                if name != "random":
                    assert said[0] is None and result.outcome == "scored", f"{name} on {made.name}: {said[0]}"
                elif said[0] is not None:
                    assert (result.outcome, result.reason) == ("rejected", said[0])
                    assert said[0].strip() and said[0].isprintable() and len(said[0]) <= 300

    def test_figures_are_finite(self, task: Task, answers: list[tuple[Instance, bytes]]) -> None:
        values = [task.judge(i, a).value for i, a in answers]
        found = task.figures([i for i, _ in answers], values)
        assert all(f.name and math.isfinite(f.value) for f in found)

    # -- baselines --------------------------------------------------------------------------------------------------

    def test_a_random_and_a_trivial_baseline_exist(self, task: Task) -> None:
        baselines = task.baselines()
        for name in ("random", "trivial"):
            assert baselines[name].kind == "baseline" and baselines[name].path is not None

    def test_every_baseline_has_a_source_and_code_or_is_a_reference(self, task: Task) -> None:
        for name, baseline in task.baselines().items():
            assert baseline.name == name and baseline.source.strip()
            assert (baseline.path is None) == (baseline.kind == "reference"), name

    def test_every_baseline_scores_on_screen(self, task: Task, executor: Executor) -> None:
        for name, baseline in task.baselines().items():
            if baseline.path is None:
                continue
            candidate = check(baseline.path.read_text(encoding="utf-8"), task.interface)
            result = executor.submit(StageJob(candidate.code, task.instances("screen"), {})).result()
            assert result.outcome == "scored", f"{name}: {result.outcome}: {result.reason}"
            assert math.isfinite(aggregate(task.instances("screen").instances, result.scores, mean_of(task)))

    def test_shipped_scores_belong_to_baselines(self, task: Task) -> None:
        for name, shipped in task.shipped_scores().items():
            baseline = task.baselines()[name]
            assert {*shipped.published, *shipped.tuned} <= {"search", "gate"}
            assert all(math.isfinite(s) for s in (*shipped.published.values(), *shipped.tuned.values()))
            if shipped.tuned_parameters:
                assert baseline.path is not None
                candidate = check(baseline.path.read_text(encoding="utf-8"), task.interface)
                assert all(candidate.space[p].holds(v) for p, v in shipped.tuned_parameters.items()), name

    def test_shipped_classes_make_up_the_score_on_search(self, task: Task) -> None:
        better = min if task.direction == "minimize" else max
        groups = {i.group for i in task.instances("search")}
        for name, shipped in task.shipped_scores().items():
            if shipped.classes:
                found = [s["search"] for s in (shipped.published, shipped.tuned) if "search" in s]
                assert shipped.classes.keys() == groups, name
                mean = average([*shipped.classes.values()], mean_of(task))
                assert math.isclose(mean, better(found), rel_tol=1e-9, abs_tol=1e-12), name

    # -- the adapter and the reader ---------------------------------------------------------------------------------

    def test_the_adapter_needs_numpy_and_nothing_else(self, task: Task) -> None:
        function = "simulate" if isinstance(task, PolicyTask) else "answer"
        words = [sys.executable, "-c", ALONE, str(task.adapter), function, json.dumps(self.beside)]
        said = subprocess.run(words, capture_output=True, text=True, check=True)
        has, others, files = json.loads(said.stdout)
        assert has and not others
        for path in (task.adapter, *map(Path, files)):
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            assert "reference" not in {n.attr for n in nodes if isinstance(n, ast.Attribute)}, path

    @pytest.mark.parametrize(
        "content", [None, b"", b"\n\n", b"\xff\xfe\0\x01", b"\0" * 64, b"{", b"a,b\n1,2\n"]
    )
    def test_broken_files_are_a_task_error(self, task: Task, tmp_path: Path, content: bytes | None) -> None:
        path = tmp_path / "mine.txt"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(TaskError) as refused:
            task.read(path)
        assert str(refused.value).strip() and "\n" not in str(refused.value)

    def test_a_folder_is_no_file(self, task: Task, tmp_path: Path) -> None:
        with pytest.raises(TaskError):
            task.read(tmp_path)

    def test_ids_of_the_user_are_kept(self, task: Task, tmp_path: Path) -> None:
        made = self.file_of(tmp_path)
        if made is None:
            pytest.skip("this task says no file format here")
        path, ids = made
        assert [i.id for i in task.read(path)] == ids
