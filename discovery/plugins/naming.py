"""What the user decides about a package: its name, its licence, its author."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from discovery.errors import UsageError
from discovery.escape import plain

VERSION = "1.0.0"
LICENCES = Path(__file__).parent / "templates" / "licences"
MAX_LICENCE = 100_000
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_SPDX = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*( (AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+-]*)*")
_TAKEN = frozenset({"discovery", "evaluators", "searchspaces", "db", "numpy", "tests", "test", "src", "dist"})


@dataclass(frozen=True)
class Naming:
    """``name`` of the distribution (None: task and hash); ``licence`` an SPDX identifier and ``text`` its text (None:
    no licence is granted); ``author`` whoever holds the copyright (empty: "the authors of …")."""

    name: str | None = None
    licence: str | None = None
    text: str | None = None
    author: str = ""


def naming(
    name: str | None = None, licence: str | None = None, licence_file: Path | None = None, author: str = ""
) -> Naming:
    """Checked choices. Raises UsageError for a name that Python or others have taken, and for a licence whose text is
    not known and not given."""
    if name is not None:
        _check_name(name)
    author = plain(author.strip(), limit=200)
    if licence is None:
        if licence_file is not None:
            raise UsageError("--licence-file needs --licence with the licence's SPDX identifier")
        return Naming(name, None, None, author)
    known = {path.stem.lower(): path for path in LICENCES.glob("*.txt")}
    found = known.get(licence.lower())
    if licence_file is not None:
        if not _SPDX.fullmatch(licence) or len(licence) > 100:
            raise UsageError(
                f"--licence {plain(licence)!r} is no SPDX identifier, such as MIT or LicenseRef-Mine"
            )
        return Naming(name, found.stem if found else licence, _own_text(licence_file), author)
    if found is None:
        names = ", ".join(sorted(path.stem for path in known.values()))
        raise UsageError(
            f"--licence {plain(licence)!r}: the texts of {names} are known; give another one's text with --licence-file"
        )
    return Naming(name, found.stem, found.read_text(encoding="utf-8"), author)


def default_name(task: str, candidate: str) -> str:
    """Task and hash as the name of a distribution."""
    words = re.sub("[^a-z0-9]+", "-", task.lower()).strip("-") or "heuristic"
    return f"{words if words[0].isalpha() else f'x-{words}'}-{candidate[:8]}"


def module_of(name: str) -> str:
    """The import package of a distribution."""
    return name.replace("-", "_")


def description(provenance: Mapping[str, Any]) -> str:
    """A package in one line."""
    return f"A heuristic for {provenance['task']['name']}: {provenance['task']['summary']}"


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > 64:
        raise UsageError(
            f"--name {plain(name, limit=80)!r}: expected at most 64 lower-case letters, digits and "
            "single hyphens, a letter first"
        )
    module = module_of(name)
    if module in sys.stdlib_module_names or module in _TAKEN or keyword.iskeyword(module):
        raise UsageError(f"--name {name!r}: another Python module has that name; choose another")


def _own_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LICENCE + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"--licence-file {str(path)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--licence-file {str(path)!r} is not UTF-8") from None
    if len(data) > MAX_LICENCE or not text.strip():
        raise UsageError(f"--licence-file {str(path)!r} is empty or larger than {MAX_LICENCE} bytes")
    return text.replace("\r\n", "\n")
