"""What every policy task must hold: subclass :class:`PolicyConformance` in place of :class:`TaskConformance`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest

from conformance.task_conformance import TaskConformance
from discovery.execution import lockstep
from discovery.execution.base import Executor, StageJob
from evaluators.policy import PolicyTask
from evaluators.task import Instance, Interface, Task, Value

Asked = tuple[Interface, list[Any]]
"""The function that a simulation asks, and the view."""
DTYPES = {"int64": "i", "float64": "f", "bool": "b"}


def replying(value: Value, lengths: dict[str, int], number: int) -> Any:
    """Some reply of the interface's type."""
    low = int(value.low or 0)
    if value.length is None:
        return {"int64": low, "float64": float(low), "bool": number % 2 == 0}[value.dtype]
    order = np.random.default_rng(number).permutation(lengths[value.length])
    return (order + low).astype({"int64": "i8", "float64": "f8", "bool": "?"}[value.dtype])


class PolicyConformance(TaskConformance):
    """``factory`` is "module:Class"; ``options`` are the settings under test."""

    @staticmethod
    def walked(
        task: Task, instance: Instance, hooks: Collection[str] | None = None
    ) -> tuple[list[Asked], bytes]:
        """A simulation that gets some replies: its views, copied, each with the function that is asked, and its event
        log. ``hooks`` are those that the candidate has (None: all)."""
        assert isinstance(task, PolicyTask)
        asked: list[Asked] = []
        functions = lockstep.functions(task.interface).only(
            task.interface.hook_names if hooks is None else hooks
        )
        simulation = functions.start(task.simulate, instance.payload)
        reply = None
        while True:
            try:
                at, view = functions.asked(simulation.send(reply))
            except StopIteration as end:
                return asked, end.value
            except ValueError:
                pytest.skip("this reply is none")
            function = next(f for f in task.interface.functions if f.function == functions.specs[at].function)
            asked.append((function, [v.copy() if isinstance(v, np.ndarray) else v for v in view]))
            lengths = {a.length: len(v) for a, v in zip(function.arguments, view, strict=True) if a.length}
            reply = replying(function.returns, lengths, len(asked))

    def test_it_is_a_policy_task(self, task: Task) -> None:
        assert isinstance(task, PolicyTask)

    def test_views_are_what_the_interface_says(self, task: Task) -> None:
        assert isinstance(task, PolicyTask)
        seen: set[str] = set()
        for instance in task.instances("screen"):
            asked, log = self.walked(task, instance)
            seen |= {function.function for function, _ in asked}
            assert len(asked) * task.decision_limit <= instance.limit * (1 + 1e-9)
            assert len(log) == instance.answer_bytes
            for function, view in asked:
                lengths: dict[str, int] = {}
                for argument, value in zip(function.arguments, view, strict=True):
                    if argument.length is None:
                        assert isinstance(value, bool | int | float), argument.name
                    else:
                        assert value.ndim == 1 and value.dtype.kind == DTYPES[argument.dtype], argument.name
                        assert lengths.setdefault(argument.length, len(value)) == len(value), argument.name
                    low, high = argument.low, argument.high
                    assert low is None or np.all(np.asarray(value) >= low), argument.name
                    assert high is None or np.all(np.asarray(value) <= high), argument.name
        assert seen == {f.function for f in task.interface.functions}

    def test_a_hook_that_a_candidate_does_not_have_is_not_asked(self, task: Task) -> None:
        for absent in task.interface.hook_names:
            for instance in task.instances("screen"):
                asked, log = self.walked(task, instance, task.interface.hook_names - {absent})
                assert absent not in {function.function for function, _ in asked}
                assert len(log) == instance.answer_bytes

    def test_a_simulation_is_a_function_of_payload_and_replies(self, task: Task) -> None:
        instance = task.instances("screen").instances[0]
        first, second = self.walked(task, instance), self.walked(task, instance)
        assert first[1] == second[1] and len(first[0]) == len(second[0])
        assert all(
            np.array_equal(a, b)
            for (_, one), (_, other) in zip(first[0], second[0], strict=True)
            for a, b in zip(one, other, strict=True)
        )

    def test_inside_and_outside_give_the_same_event_logs(self, task: Task, executor: Executor) -> None:
        """Of all seeds: in the child, in the child in reversed order, outside in lock-step and outside one by one."""
        screen = task.instances("screen")
        for seed in task.seeds:
            code = self.code(task, seed)
            ways = [
                StageJob(code, screen, {}),
                StageJob(code, screen, {}, confirm=True),
                StageJob(code, screen, {}, inside=True),
                StageJob(code, screen, {}, inside=True, confirm=True),
            ]
            results = [executor.submit(job).result() for job in ways]
            assert [r.outcome for r in results] == ["scored"] * len(ways), seed
            assert len({r.answers for r in results}) == 1 and len({r.scores for r in results}) == 1, seed

    def test_batches_change_nothing(
        self, task: Task, executor: Executor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = StageJob(self.code(task, task.seeds[0]), task.instances("screen"), {})
        whole = executor.submit(job).result()
        monkeypatch.setattr(lockstep, "BATCH", 1)
        assert executor.submit(job).result().answers == whole.answers
