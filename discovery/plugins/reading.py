"""A package as bytes: a folder, a wheel or an installed distribution. Nothing of it is extracted, imported or run, and
its size is bounded before it is read."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from discovery.errors import UsageError
from discovery.escape import plain
from discovery.installed import PROVENANCE, Broken, distribution_of, load, regular
from discovery.plugins.wheel import folder

MAX_FILES = 500
MAX_TOTAL = 20_000_000
DIST = "dist/"
"""Wheels stand there in a source tree; each is verified by its own name."""
INSTALLERS = frozenset(
    {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json", "uv_build.json"}
)
"""What an installer writes into a distribution's metadata, or writes anew."""


@dataclass(frozen=True)
class Package:
    """``found`` is what is there, by path in the source tree (folder) or in the wheel; ``expected`` the SHA-256 of
    what the provenance says should be there, under the same paths, without the provenance itself."""

    shown: str
    kind: str
    found: Mapping[str, bytes]
    provenance: Mapping[str, Any]
    inside: str
    """Where the import package is: ``src/NAME/`` or ``NAME/``."""

    @property
    def expected(self) -> dict[str, str]:
        told: Mapping[str, Any] = self.provenance
        if self.kind == "folder":
            return dict(told["files"])
        modules = {p.removeprefix("src/"): h for p, h in told["files"].items() if p.startswith("src/")}
        return {**modules, **told["wheel"]}

    def file(self, name: str) -> bytes:
        """A file of the import package; empty where it is missing."""
        return self.found.get(self.inside + name, b"")


def read_package(path: Path) -> Package:
    """The package in a folder or a wheel. Raises UsageError for what is none."""
    shown = plain(str(path))
    try:
        if path.is_dir():
            return _package(shown, "folder", _folder(path, shown))
        # Opening a pipe would wait for its other end, so what it is comes first.
        if not stat.S_ISREG(path.stat().st_mode) or not zipfile.is_zipfile(path):
            raise UsageError(
                f"{shown!r} is no package: expected a folder or a wheel that `discover export` wrote"
            )
        return _package(shown, "wheel", _wheel(path, shown))
    except OSError as error:
        raise UsageError(f"{shown!r} cannot be read: {error.strerror or error}") from None


def read_installed(name: str) -> Package:
    """The installed plugin ``name`` as the wheel that it came from. Raises UsageError."""
    distribution, module = distribution_of(name)
    shown = f"plugin:{plain(name)}"
    found: dict[str, bytes] = {}
    for file in distribution.files or ():
        path = file.as_posix()
        if "__pycache__" in file.parts or ".." in file.parts or file.name in INSTALLERS:
            continue
        try:
            _count(found, path, regular(Path(str(file.locate())), MAX_TOTAL), shown)
        except FileNotFoundError:
            continue  # told as missing
        except (Broken, OSError) as error:
            raise UsageError(f"{shown}: {plain(str(error))}") from None
    if f"{module}/{PROVENANCE}" not in found:
        raise UsageError(
            f"{shown} is no package that `discover export` wrote and an installer installed as a wheel"
        )
    return _package(shown, "installed", found)


def _package(shown: str, kind: str, found: dict[str, bytes]) -> Package:
    depth = 3 if kind == "folder" else 2
    places = [p for p in found if p.endswith(f"/{PROVENANCE}") and len(p.split("/")) == depth]
    places = [p for p in places if kind != "folder" or p.startswith("src/")]
    if len(places) != 1:
        raise UsageError(
            f"{shown!r} is no package that `discover export` wrote: it has {len(places) or 'no'} {PROVENANCE}"
        )
    try:
        told = load(found[places[0]])
        texts = [*told["files"].values(), *told["wheel"].values()]
        if not all(isinstance(t, str) for t in texts):
            raise Broken("its hashes are no texts")
    except (Broken, KeyError, AttributeError) as error:
        raise UsageError(f"{shown!r} is no package that can be verified: {error}") from None
    return Package(shown, kind, found, told, places[0].removesuffix(PROVENANCE))


def _folder(path: Path, shown: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if name.startswith(DIST) or (file.is_dir() and not file.is_symlink()):
            continue
        try:
            _count(found, name, regular(file, MAX_TOTAL), shown)
        except Broken as error:
            raise UsageError(f"{shown!r} cannot be verified: {plain(str(error))}") from None
    return found


def _wheel(path: Path, shown: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.is_dir():
                    continue
                if entry.filename in found:
                    raise UsageError(f"{shown!r} holds {plain(entry.filename)!r} twice")
                with archive.open(entry) as file:
                    _count(found, entry.filename, file.read(MAX_TOTAL + 1), shown)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise UsageError(f"{shown!r} is a damaged wheel: {plain(str(error), limit=200)}") from None
    return found


def _count(found: dict[str, bytes], name: str, data: bytes, shown: str) -> None:
    """Add a file within the bounds. Raises UsageError."""
    found[name] = data
    if len(found) > MAX_FILES or sum(map(len, found.values())) > MAX_TOTAL:
        raise UsageError(
            f"{shown!r} is no package of `discover export`: it is larger than {MAX_TOTAL} bytes or has more than "
            f"{MAX_FILES} files"
        )


def record_path(package: Package) -> str:
    """Where a wheel's own list of files is."""
    return f"{folder(dict(package.provenance))}/RECORD"
