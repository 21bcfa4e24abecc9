"""Values as columns hold them: packed floats, compressed text, JSON."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from typing import cast

from db.records import Json


def pack(numbers: Sequence[float]) -> bytes:
    """Little-endian float64, exact bit by bit."""
    return struct.pack(f"<{len(numbers)}d", *numbers)


def unpack(blob: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(blob) // 8}d", blob)


def squeeze(text: str) -> bytes:
    """Text as compressed UTF-8; lone surrogates, which hostile replies may hold, survive."""
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 6)


def stretch(blob: bytes) -> str:
    return zlib.decompress(blob).decode("utf-8", "surrogatepass")


def dump(data: Json) -> str:
    """JSON with sorted keys. Raises ValueError for NaN and infinity."""
    return json.dumps(dict(data), sort_keys=True, separators=(",", ":"), allow_nan=False)


def load(text: str) -> Json:
    return cast(Json, json.loads(text))


def clean(text: str) -> str:
    """Text that every database takes: NUL and lone surrogates are written as escapes."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")
