"""The typed function around a heuristic, written from the task's interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]
_WORDS = {"int64": ("int", "integer"), "float64": ("float", "number"), "bool": ("bool", "flag")}
"""Python's type, and the reader of one value, by the interface's dtype."""


def signature(provenance: Json) -> dict[str, Any]:
    """What the template of the function needs. ``p`` begins every name of the module's own, with more underscores than
    any argument has, so that a parameter called ``_values`` hides nothing."""
    interface, arrays = provenance["task"]["interface"], provenance["arguments"]["arrays"]
    parameters = [_parameter(p) for p in provenance["parameters"]]
    names = [interface["function"], *(x["name"] for x in (*interface["arguments"], *parameters))]
    p = "_" * (1 + max(len(name) - len(name.lstrip("_")) for name in names))
    arguments = [_argument(a, f"{p}{k}", p if arrays else None) for k, a in enumerate(interface["arguments"])]
    lengths = _lengths(interface)
    return {
        "p": p,
        "arrays": arrays and any(a["kind"] not in ("scalar", "object") for a in interface["arguments"]),
        "arguments": arguments,
        "parameters": parameters,
        "summary": interface["summary"],
        "lengths": list(lengths.values()),
        "returns": _returns(interface, p, list(lengths)),
    }


def has_objects(interface: Json) -> bool:
    """Whether a value is an object of the task's own, which is handed over as it is."""
    return any(v["kind"] == "object" for v in (*interface["arguments"], interface["returns"]))


def hint(value: Json, *, result: bool = False) -> str:
    """The type of an argument (any sequence) or of a result (a list)."""
    if value["kind"] == "object":
        return "Any"
    word = _WORDS[value["dtype"]][0]
    if value["kind"] == "scalar":
        return word
    return f"list[{word}]" if result else f"Sequence[{word}]"


def _argument(value: Json, checked: str, p: str | None) -> dict[str, Any]:
    """``checked`` is the name of the checked value; ``p`` begins numpy's name where arrays are handed over."""
    if value["kind"] == "object":
        return {"name": value["name"], "hint": "Any", "text": _text(value), "reader": "", "given": checked}
    dtype = "bool_" if value["dtype"] == "bool" else value["dtype"]
    scalar = value["kind"] == "scalar"
    reader = _WORDS[value["dtype"]][1] + ("" if scalar else "s")
    limits = [f", {side}={value[side]!r}" for side in ("low", "high") if value[side] is not None]
    return {
        "name": value["name"],
        "hint": hint(value),
        "text": _text(value),
        "reader": reader,
        "limits": "" if value["dtype"] == "bool" else "".join(limits),
        "given": checked if scalar or p is None else f"{p}numpy.array({checked}, dtype={p}numpy.{dtype})",
    }


def _parameter(parameter: Json) -> dict[str, Any]:
    choices = (parameter["range"] or {}).get("choices")
    kinds = {type(c).__name__ for c in choices} if choices else {parameter["type"]}
    return {"name": parameter["name"], "type": " | ".join(sorted(kinds)), "default": parameter["default"]}


def _text(value: Json) -> str:
    unit = f" ({value['unit']})" if value["unit"] else ""
    return f"{value['description']}{unit}"


def _lengths(interface: Json) -> dict[str, list[tuple[int, str]]]:
    """Arguments (place, name) by the name of their length."""
    found: dict[str, list[tuple[int, str]]] = {}
    for place, value in enumerate(interface["arguments"]):
        if value["kind"] not in ("scalar", "object") and value["length"]:
            found.setdefault(value["length"], []).append((place, value["name"]))
    return found


def _returns(interface: Json, p: str, lengths: list[str]) -> dict[str, str]:
    value, function = interface["returns"], interface["function"]
    if value["kind"] == "object":
        return {"hint": "Any", "text": _text(value), "writer": f"{p}result"}
    length = f"{p}n_{lengths.index(value['length'])}" if value["length"] in lengths else "None"
    reader = _WORDS[value["dtype"]][1]
    if value["kind"] == "scalar":
        writer = f'{p}values.{reader}("the answer of {function}()", {p}result)'
    elif value["kind"] == "permutation":
        writer = f'{p}values.permutation("{function}", {p}result, {length})'
    else:
        items = f'{p}values.listed("{function}", {p}result, {length})'
        writer = f'{p}values.{reader}s("the answer of {function}()", {items})'
    return {"hint": hint(value, result=True), "text": _text(value), "writer": writer}
