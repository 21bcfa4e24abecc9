"""Whether a package is what was exported: by the hashes in its provenance, and by making it anew.

Hashes alone would not hold against somebody who changes them too. Where this version of discover wrote the package,
every file is therefore made again from the provenance, the heuristic and the recorded calls, and compared; what then
could still be untrue is the provenance's own word, and that is what running the heuristic again is for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from discovery.escape import plain
from discovery.installed import HEURISTIC, PROVENANCE
from discovery.plugins.contents import GOLDEN, files
from discovery.plugins.provenance import own_version
from discovery.plugins.reading import Package, record_path
from discovery.plugins.wheel import folder, members, record
from evaluators.task import Task


def changed(package: Package) -> list[str]:
    """One sentence for each file that is changed, missing or more than there should be."""
    own = package.inside + PROVENANCE
    found, expected = dict(package.found), package.expected
    told: list[str] = []
    if package.kind == "wheel":
        path = record_path(package)
        listed = found.pop(path, b"")
        if listed != record(found, folder(dict(package.provenance))):
            told.append(f"{path} does not list the files that are there")
    for path, hash_ in sorted(expected.items()):
        if path not in found:
            told.append(f"{path} is missing")
        elif hashlib.sha256(found[path]).hexdigest() != hash_:
            told.append(f"{path} was changed")
    told += [f"{path} was added" for path in sorted(found) if path not in expected and path != own]
    return [plain(sentence) for sentence in told]


def made_anew(package: Package, task: Task) -> list[str] | None:
    """What differs from the package that this version makes of the same provenance, heuristic and calls; None where
    another version of discover made it."""
    told: Mapping[str, Any] = package.provenance
    if told.get("discover") != own_version():
        return None
    licence = package.found.get(_licence(package))
    try:
        code = package.file(HEURISTIC).decode("utf-8")
        calls = json.loads(package.file(GOLDEN))
        text = licence.decode("utf-8") if licence is not None else None
        tree = files(dict(told), task, code, calls, text)
        wanted = tree if package.kind == "folder" else members(dict(told), tree)
    except Exception as error:  # whatever is wrong in somebody's provenance
        return [f"its files cannot be made from its provenance ({type(error).__name__})"]
    if package.kind == "installed":
        wanted.pop(record_path(package), None)
    return [
        plain(f"{path} is not what discover {own_version()} makes of this provenance")
        for path in sorted(wanted.keys() | package.found.keys())
        if wanted.get(path) != package.found.get(path)
    ]


def _licence(package: Package) -> str:
    return "LICENSE" if package.kind == "folder" else f"{folder(dict(package.provenance))}/licenses/LICENSE"


def digest(package: Package) -> str:
    """The SHA-256 of the provenance, which names the hash of every other file."""
    return hashlib.sha256(package.file(PROVENANCE)).hexdigest()
