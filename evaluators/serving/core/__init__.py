"""The simulator of engines. ``compiled`` holds extension modules of the same sources where
:mod:`evaluators.serving.compile` has made them, and they are used as long as the sources are those they were made
from, unless the environment has SERVING_CORE=sources."""

import os
from hashlib import sha256
from pathlib import Path

SOURCES = Path(__file__).parent
COMPILED = SOURCES / "compiled"


def digest() -> str:
    """The SHA-256 of all sources of this package."""
    found = sha256()
    for path in sorted(SOURCES.glob("*.py")):
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def made_from() -> str:
    """The digest of the sources that ``compiled`` was made from; empty where there is none."""
    try:
        return (COMPILED / "sources").read_text(encoding="ascii")
    except OSError:
        return ""


if os.environ.get("SERVING_CORE") != "sources" and (made := made_from()) and made == digest():
    __path__.insert(0, str(COMPILED))
