"""Finds tasks: the built-in ones and those that installed packages announce in the group ``discover.tasks``.

An entry point loads to a callable ``(settings: Mapping[str, str]) -> Task``. Listing loads nothing; a package that
fails to load is reported under its own name and harms no other task.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import cast

from evaluators.task import Option, Task, TaskError

GROUP = "discover.tasks"
BUILT_IN: dict[str, str] = {
    "cache-eviction": "evaluators.caching.task:CacheEviction",
    "diffusion": "evaluators.diffusion.unmasking.task:Diffusion",
    "diffusion-exit": "evaluators.diffusion.early_exit.task:DiffusionExit",
    "lr-schedule": "evaluators.schedules.task:LrSchedule",
    "memory-alloc": "evaluators.memory.alloc.task:MemoryAlloc",
    "memory-map": "evaluators.memory.mapping.task:MemoryMap",
    "online-bin-packing": "evaluators.binpacking.task:OnlineBinPacking",
    "polyhedral": "evaluators.polyhedral.task:Polyhedral",
    "serving": "evaluators.serving.batching.task:Serving",
    "serving-admission": "evaluators.serving.admission.task:Admission",
    "serving-prefix": "evaluators.serving.prefix.task:ServingPrefix",
    "serving-priority": "evaluators.serving.priority.task:ServingPriority",
    "serving-pd": "evaluators.serving.pd.task:ServingPd",
    "serving-routing": "evaluators.serving.routing.task:ServingRouting",
    "smtt": "evaluators.smtt.task:Smtt",
    "smtt-index": "evaluators.smtt.index_task:SmttIndex",
    "tsp-construct": "evaluators.tsp.task:TspConstruct",
}
"""Known without installation metadata, so that a plain checkout works."""


def names() -> tuple[str, ...]:
    """All task names, sorted; nothing is imported."""
    return tuple(sorted({*BUILT_IN, *(e.name for e in entry_points(group=GROUP))}))


def load(name: str, settings: Mapping[str, str] | None = None) -> Task:
    """The task bound to its options.

    Raises TaskError for an unknown name, an option that the task does not have, or a task package that fails."""
    factory = _factory(name)
    try:
        return factory(dict(settings or {}))
    except TaskError:
        raise
    except Exception as error:
        raise TaskError(f"task {name!r} failed to start: {type(error).__name__}: {error}") from error


def _factory(name: str) -> Callable[[Mapping[str, str]], Task]:
    target = BUILT_IN.get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return cast(
            "Callable[[Mapping[str, str]], Task]", getattr(importlib.import_module(module), attribute)
        )
    found = [e for e in entry_points(group=GROUP) if e.name == name]
    if not found:
        raise TaskError(f"unknown task {name!r}; known tasks: {', '.join(names())}")
    try:
        return cast("Callable[[Mapping[str, str]], Task]", found[0].load())
    except Exception as error:
        raise TaskError(f"task {name!r} from {found[0].value} cannot be imported: {error}") from error


def bind(options: tuple[Option, ...], settings: Mapping[str, str], task: str) -> dict[str, str]:
    """Check ``settings`` against ``options`` and fill in the defaults, in the options' order.

    Raises TaskError naming the value, what was expected and what to do."""
    known = {o.name: o for o in options}
    for name, value in settings.items():
        if name not in known:
            has = ", ".join(known) or "none"
            raise TaskError(
                f"task {task!r} has no option {name!r} (it has: {has}); see `discover tasks {task}`"
            )
        option = known[name]
        words = value.split(",") if option.many else [value]
        wrong = [w for w in words if option.choices and w not in option.choices]
        if value == option.default:
            continue  # also an empty one, which stands for "none"
        if wrong or not all(words) or len(set(words)) != len(words):
            expected = ("a comma-separated choice of " if option.many else "one of ") + ", ".join(
                option.choices
            )
            raise TaskError(f"option {name}={value!r} of task {task!r} is not {expected}")
    bound = {}
    for option in options:
        value = settings.get(option.name, option.default)
        if option.many and option.choices:
            value = ",".join(c for c in option.choices if c in value.split(","))
        bound[option.name] = value
    return bound
