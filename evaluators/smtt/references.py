"""The shipped references: for each part the proved optima, the witnesses and the solver's state counts.

``data/SPLIT-FAMILY.npz`` holds, for each part NAME, ``NAME.optimum`` int64[k], ``NAME.states`` int64[k] and
``NAME.witness``: the optimal sequences one after another, each as its Lehmer code relative to due-date order (which of
the jobs still left, counted in that order, comes next), little enough to compress. ``data/manifest.json`` gives the
solver's version and for each part the SHA-256 of its instances with their optima and of its witnesses. Instances are
not shipped: they are generated anew from their seeds and must give the recorded hash.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.smtt.instances import Spec, generate
from evaluators.smtt.problem import Ints, decode, encode
from evaluators.smtt.splits import file_of, part
from evaluators.task import TaskError

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Referenced:
    """One generated instance and its proved optimum."""

    spec: Spec
    payload: bytes
    optimum: int


@cache
def load(name: str, data: Path = DATA) -> tuple[Referenced, ...]:
    """The instances of a part with their optima. Raises TaskError when they do not give the recorded SHA-256."""
    recorded = manifest(data).get("parts", {}).get(name)
    if recorded is None:
        raise TaskError(f"there are no references for {name!r} in {data}; reinstall the package")
    optima = _array(name, "optimum", data)
    specs = part(name)
    found = tuple(
        Referenced(spec, encode(*generate(spec)), int(optimum))
        for spec, optimum in zip(specs, optima, strict=False)
    )
    if len(optima) != len(specs) or digest(found) != recorded["sha256"]:
        raise TaskError(
            f"the instances and references of {name!r} do not match their SHA-256 in {data / 'manifest.json'}: "
            f"a damaged or altered installation; reinstall the package"
        )
    return found


def witnesses(name: str, data: Path = DATA) -> tuple[tuple[int, ...], ...]:
    """The optimal sequence of each instance of a part. Raises TaskError when they do not give their SHA-256."""
    codes = _array(name, "witness", data)
    if (
        hashlib.sha256(codes.astype("<u2").tobytes()).hexdigest()
        != manifest(data)["parts"][name]["witness_sha256"]
    ):
        raise TaskError(f"the witnesses of {name!r} do not match their SHA-256; reinstall the package")
    found, at = [], 0
    for item in load(name, data):
        found.append(unpack(codes[at : at + item.spec.n], *decode(item.payload)))
        at += item.spec.n
    return tuple(found)


def states(name: str, data: Path = DATA) -> tuple[int, ...]:
    """How many states the proof of each instance took."""
    return tuple(_array(name, "states", data).tolist())


def manifest(data: Path = DATA) -> dict[str, Any]:
    """The manifest. Raises TaskError when there is none or it is broken."""
    path = data / "manifest.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TaskError(
            f"the references' manifest {path} cannot be read ({error}); reinstall the package"
        ) from None
    return dict(found)


def digest(items: Sequence[Referenced]) -> str:
    """SHA-256 over ids, groups, payloads and optima, in order."""
    h = hashlib.sha256()
    for item in items:
        h.update(f"{item.spec.id}\0{item.spec.group}\0{item.optimum}\0{len(item.payload)}\0".encode())
        h.update(item.payload)
    return h.hexdigest()


def pack(sequence: Sequence[int], processing_times: Ints, due_dates: Ints) -> list[int]:
    """The Lehmer code of a sequence relative to due-date order."""
    left = np.lexsort((processing_times, due_dates)).tolist()
    code = []
    for job in sequence:
        code.append(left.index(job))
        left.pop(code[-1])
    return code


def unpack(code: Sequence[int] | Ints, processing_times: Ints, due_dates: Ints) -> tuple[int, ...]:
    """The sequence of a Lehmer code."""
    left = np.lexsort((processing_times, due_dates)).tolist()
    return tuple(left.pop(int(c)) for c in code)


def _array(name: str, kind: str, data: Path) -> Ints:
    path = data / f"{file_of(name)}.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays[f"{name}.{kind}"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise TaskError(f"the references {path} cannot be read ({error}); reinstall the package") from None
