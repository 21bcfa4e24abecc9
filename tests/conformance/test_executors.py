"""The suite of executors on all that ship."""

from __future__ import annotations

from conformance.executor_conformance import ExecutorConformance
from discovery.execution.base import Executor
from discovery.execution.make import make_executor
from evaluators.task import Task


class TestInline(ExecutorConformance):
    @classmethod
    def make(cls, task: Task) -> Executor:
        return make_executor(task, "inline", 1)


class TestLocalOne(ExecutorConformance):
    @classmethod
    def make(cls, task: Task) -> Executor:
        return make_executor(task, "local", 1)


class TestLocalTwo(ExecutorConformance):
    @classmethod
    def make(cls, task: Task) -> Executor:
        return make_executor(task, "local", 2)
