"""A wheel is a zip with a few texts in it, so it is written here: no build tool, no network, and the same bytes each
time. Members are sorted, stored and dated 1980; nothing in it depends on the machine, its clock or its zlib."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

from discovery.escape import plain
from discovery.plugins.naming import description

EPOCH = (1980, 1, 1, 0, 0, 0)
MODE = 0o100644 << 16
Json = dict[str, Any]
Files = dict[str, bytes]


def wheel_name(told: Json) -> str:
    """The file name that installers expect."""
    package = told["package"]
    return f"{package['module']}-{package['version']}-py3-none-any.whl"


def folder(told: Json) -> str:
    """Where the package's metadata is within the wheel."""
    package = told["package"]
    return f"{package['module']}-{package['version']}.dist-info"


def information(told: Json, tree: Mapping[str, bytes]) -> Files:
    """The files of the metadata folder that are made from the tree, without the record of all files."""
    package, info = told["package"], folder(told)
    entry = f"{package['name']} = {package['module']}:{told['task']['interface']['function']}"
    found = {
        f"{info}/METADATA": _metadata(told, tree["README.md"]),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: discover\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[discover.heuristics]\n{entry}\n".encode(),
    }
    if "LICENSE" in tree:
        found[f"{info}/licenses/LICENSE"] = tree["LICENSE"]
    return found


def members(told: Json, tree: Mapping[str, bytes]) -> Files:
    """All members of the wheel of a source tree, by path."""
    found = {path.removeprefix("src/"): data for path, data in tree.items() if path.startswith("src/")}
    found |= information(told, tree)
    found[f"{folder(told)}/RECORD"] = record(found, folder(told))
    return dict(sorted(found.items()))


def record(found: Mapping[str, bytes], info: str) -> bytes:
    """The list of files with their hashes that installers check."""
    lines = [f"{path},{_digest(data)},{len(data)}" for path, data in sorted(found.items())]
    return ("\n".join([*lines, f"{info}/RECORD,,"]) + "\n").encode()


def wheel(told: Json, tree: Mapping[str, bytes]) -> bytes:
    """The bytes of the wheel."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, data in members(told, tree).items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.create_system, entry.external_attr = 3, MODE
            archive.writestr(entry, data)
    return buffer.getvalue()


def _metadata(told: Json, readme: bytes) -> bytes:
    package = told["package"]
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {package['name']}",
        f"Version: {package['version']}",
        f"Summary: {plain(description(told))}",
        *([f"Author: {plain(package['author'])}"] if package["author"] else []),
        *(
            [f"License-Expression: {package['licence']}", "License-File: LICENSE"]
            if package["licence"]
            else []
        ),
        f"Requires-Python: {package['requires_python']}",
        *(f"Requires-Dist: {requirement}" for requirement in package["requires"]),
    ]
    for extra, needs in package["extras"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {requirement}; extra == "{extra}"' for requirement in needs]
    lines.append("Description-Content-Type: text/markdown")
    return ("\n".join(lines) + "\n\n").encode("utf-8") + readme


def _digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
