"""Jobs and results as plain bytes, for executors whose workers are other machines: JSON, nothing that could run.

Instance sets are large and used again and again: a message names them by digest, and they travel once.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Final

from discovery.execution.base import StageJob, StageResult
from discovery.statistics import EarlyStop
from evaluators.task import Instance, InstanceSet
from searchspaces.tuner import Pruning

KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__: kind for kind in (StageJob, StageResult, EarlyStop, Pruning, Instance)
}
"""All that may cross besides plain values. A job's watch is one of them: data that decides alike on both sides."""


def encode(value: object, sets: dict[str, InstanceSet] | None = None) -> bytes:
    """``value`` as bytes; the instance sets in it are put into ``sets``, by digest.

    Raises TypeError for what cannot cross."""
    return json.dumps(_plain(value, {} if sets is None else sets), separators=(",", ":")).encode()


def decode(data: bytes, find: Callable[[str], InstanceSet] | None = None) -> Any:
    """What :func:`encode` was given, sequences as tuples; ``find`` gives the instance set of a digest."""
    return _rich(json.loads(data), find)


def encode_set(instances: InstanceSet) -> bytes:
    return encode((instances.name, instances.instances))


def decode_set(data: bytes) -> InstanceSet:
    return InstanceSet(*decode(data))


def _plain(value: object, sets: dict[str, InstanceSet]) -> object:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, InstanceSet):
        sets[value.digest] = value
        return {"set": value.digest}
    if isinstance(value, Mapping):
        return {"map": [[_plain(k, sets), _plain(v, sets)] for k, v in value.items()]}
    if isinstance(value, Sequence):
        return [_plain(v, sets) for v in value]
    kind = type(value).__name__
    if KINDS.get(kind) is type(value) and is_dataclass(value):
        return {"is": kind, "of": [[f.name, _plain(getattr(value, f.name), sets)] for f in fields(value)]}
    raise TypeError(f"{type(value).__name__} cannot cross to another machine")


def _rich(value: Any, find: Callable[[str], InstanceSet] | None) -> Any:
    if isinstance(value, list):
        return tuple(_rich(v, find) for v in value)
    if not isinstance(value, dict):
        return value
    if "bytes" in value:
        return base64.b64decode(value["bytes"])
    if "set" in value:
        if find is None:
            raise ValueError("a set is named where none was sent")
        return find(value["set"])
    if "map" in value:
        return {_rich(k, find): _rich(v, find) for k, v in value["map"]}
    return KINDS[value["is"]](**{name: _rich(v, find) for name, v in value["of"]})
