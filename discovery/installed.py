"""Heuristics that installed packages announce in the group ``discover.heuristics``, read from their files.

Nothing of them is imported: their text is a candidate like any other and runs in the sandbox only. A plugin that
cannot be read harms no other one; :func:`plugins` says in one sentence what is wrong with it.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

from discovery.errors import UsageError
from discovery.escape import plain
from evaluators.task import Task

GROUP = "discover.heuristics"
PREFIX = "plugin:"
HEURISTIC, PROVENANCE = "heuristic.py", "provenance.json"
"""The candidate's text and where it came from, in the folder of the package."""
FORMAT = 1
"""Of the provenance; raised when a field changes its meaning."""
MAX_FILE = 2_000_000


class Broken(Exception):
    """An installed package announces a heuristic that cannot be used; the message is one sentence."""


@dataclass(frozen=True)
class Plugin:
    """An installed heuristic. ``code`` is a candidate's text, ``provenance`` what its package says of it: both are
    somebody's word until the code is scored here."""

    name: str
    distribution: str
    version: str
    code: str
    provenance: Mapping[str, Any]

    @property
    def task(self) -> str:
        return str(self.provenance["task"]["name"])

    @property
    def candidate(self) -> str:
        return str(self.provenance["candidate"])

    def score(self, task: Task, split: str) -> float | None:
        """What the package says that it scores on ``split``; None where it was not measured or under other terms."""
        told = self.provenance["task"]
        if told.get("evaluator_version") != task.version or told.get("options") != dict(task.settings):
            return None
        found = self.provenance["scores"].get(split)
        score = found.get("score") if isinstance(found, dict) else None
        return float(score) if isinstance(score, int | float) else None


@dataclass(frozen=True)
class Installed:
    """The usable plugins by name, and one sentence for each that is not."""

    plugins: Mapping[str, Plugin]
    warnings: tuple[str, ...]

    def of(self, task: str) -> tuple[Plugin, ...]:
        """Those for one task, by name."""
        return tuple(p for _, p in sorted(self.plugins.items()) if p.task == task)


def plugins() -> Installed:
    """All installed heuristics. Never raises for what a package got wrong."""
    found: dict[str, Plugin] = {}
    warnings: list[str] = []
    for point in sorted(entry_points(group=GROUP), key=lambda e: (e.name, e.value)):
        try:
            plugin = _read(point)
        except Exception as error:  # whatever is wrong in somebody's package stays there
            why = str(error) if isinstance(error, Broken) else f"{type(error).__name__}: {error}"
            warnings.append(plain(f"note: the plugin {point.name!r} cannot be used: {why}", limit=400))
            continue
        if point.name in found and found[point.name] != plugin:
            warnings.append(
                plain(f"note: two installed packages bring a plugin {point.name!r}; the first is used")
            )
        found.setdefault(point.name, plugin)
    return Installed(found, tuple(warnings))


def plugin(name: str, task: Task) -> Plugin:
    """The installed plugin ``name`` (without its prefix) for ``task``.

    Raises UsageError when there is none, when it cannot be used, or when it is for another task."""
    installed = plugins()
    found = installed.plugins.get(name)
    if found is None:
        broken = next((w for w in installed.warnings if f"plugin {name!r} " in w), None)
        known = ", ".join(p.name for p in installed.of(task.name)) or "none"
        raise UsageError(
            broken.removeprefix("note: ")
            if broken
            else f"no plugin {name!r} is installed; for task {task.name!r} there are: {known}"
        )
    if found.task != task.name:
        raise UsageError(f"the plugin {name!r} is for task {found.task!r}, not for {task.name!r}")
    return found


def distribution_of(name: str) -> tuple[Distribution, str]:
    """The distribution that announces the plugin ``name``, and its import package. Raises UsageError."""
    for point in sorted(entry_points(group=GROUP, name=name), key=lambda e: e.value):
        if point.dist is not None:
            return point.dist, point.module
    raise UsageError(f"no plugin {name!r} is installed")


def _read(point: EntryPoint) -> Plugin:
    if point.dist is None:
        raise Broken("it belongs to no distribution")
    told = load(_file(point.dist, point.module, PROVENANCE))
    data = _file(point.dist, point.module, HEURISTIC)
    if told["files"].get(f"src/{point.module}/{HEURISTIC}") != hashlib.sha256(data).hexdigest():
        raise Broken(f"its {HEURISTIC} is not the one that its provenance describes")
    return Plugin(point.name, point.dist.metadata["Name"], point.dist.version, data.decode("utf-8"), told)


def _file(distribution: Distribution, package: str, name: str) -> bytes:
    """A file of an installed package, found by its record and not by import."""
    wanted = f"{package}/{name}"
    for file in distribution.files or ():
        if file.as_posix() == wanted:
            return regular(Path(str(file.locate())), MAX_FILE)
    raise Broken(
        f"it has no {wanted}; only packages made by `discover export` and installed as a wheel are read"
    )


def regular(path: Path, most: int) -> bytes:
    """The bytes of a regular file of at most ``most`` bytes. Raises Broken; OSError when it cannot be read."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise Broken(f"{path.name} is not a regular file")
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise Broken(f"{path.name} is larger than {most} bytes")
    return data


def load(data: bytes) -> dict[str, Any]:
    """A provenance with the fields that are relied on. Raises Broken."""
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise Broken(f"its {PROVENANCE} is not JSON") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        newer = isinstance(told, dict) and isinstance(told.get("format"), int) and told["format"] > FORMAT
        raise Broken(
            f"its {PROVENANCE} has format {told['format']}, made by a newer version; upgrade discover"
            if newer
            else f"its {PROVENANCE} is not one that `discover export` writes"
        )
    texts = {"discover": str, "candidate": str, "verdict": str}
    _expect(
        told,
        {**texts, **dict.fromkeys(("package", "task", "arguments", "scores", "files", "wheel", "run"), dict)},
    )
    _expect(told["package"], {"name": str, "module": str, "version": str})
    _expect(told["task"], {"name": str, "evaluator_version": str, "options": dict})
    _expect(told["run"], {"id": str})
    _expect(told["arguments"], {"arrays": bool})
    if not all(scored is None or isinstance(scored, dict) for scored in told["scores"].values()):
        raise Broken(f"the scores of its {PROVENANCE} are of another kind")
    return told


def _expect(values: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    for name, kind in kinds.items():
        if not isinstance(values.get(name), kind):
            raise Broken(f"the field {name!r} of its {PROVENANCE} is missing or of another kind")
