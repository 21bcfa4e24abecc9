"""The README of a package: what it is, how it is used, what it scores and where it came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from discovery.plugins.naming import description
from discovery.plugins.rendering import markdown, render, render_text
from discovery.plugins.signature import has_objects, signature
from discovery.plugins.wheel import wheel_name
from discovery.review.figures import SPLITS
from evaluators.task import HostAdapter

Json = dict[str, Any]


def readme(told: Json, hosts: Sequence[HostAdapter], calls: int, picture: bool) -> str:
    """Markdown. What others wrote is escaped."""
    task, package, interface = told["task"], told["package"], told["task"]["interface"]
    measured = [(name, told["scores"][name]) for name in SPLITS if told["scores"][name] is not None]
    names = {"package": package["module"], "function": interface["function"]}
    arguments = [a["name"] for a in interface["arguments"]]
    written = signature(told)
    return render(
        "readme.md.j2",
        **names,
        name=package["name"],
        description=description(told).rstrip("."),
        promoted=told["promoted"] and told["champion"],
        verdict=told["verdict"],
        run=told["run"],
        isolated=told["run"]["isolated"] and told["golden"]["isolated"],
        wheel=wheel_name(told),
        arguments=interface["arguments"],
        returns=written["returns"],
        parameters=written["parameters"],
        needs=_needs(told),
        hosts=[render_text(h.usage, **names, arguments=arguments) for h in hosts],
        unit=task["unit"],
        direction=task["direction"],
        measured=task["measured"],
        objects=has_objects(interface),
        splits=[{"name": name, "about": _about(name, scored)} for name, scored in measured],
        table=_table(measured, package["name"]),
        intervals=[_interval(c) for c in told["comparisons"] if c["low"] is not None],
        picture=picture,
        task=markdown(task["name"]),
        evaluator_version=task["evaluator_version"],
        candidate=told["candidate"],
        calls=calls,
        licence=package["licence"],
    )


def _needs(told: Json) -> str:
    why = told["arguments"]["why"]
    return f"It needs numpy: {why}" if told["package"]["requires"] else f"It needs no other package: {why}"


def _about(split: str, scored: Json) -> str:
    kinds = ", ".join(f"{count} × {kind}" for kind, count in scored["references"].items())
    what = {
        "search": "what the search saw, so its score flatters",
        "gate": "instances that no step of the search has seen",
        "final": "the last set, opened by a report",
    }[split]
    opening = scored.get("opening")
    counted = f", opening {opening} in that ledger" if opening else ""
    call = f"{1000 * scored['cpu_seconds'] / max(1, scored['instances']):.3g} ms of processor time each"
    return f"{split}: {what}{counted}; {scored['instances']} instances, {call}; references: {kinds}."


def _table(measured: Sequence[tuple[str, Json]], name: str) -> list[Json]:
    """One row for the heuristic and one for each that stands beside it."""
    rows: dict[str, dict[str, float | None]] = {name: {}}
    for split, scored in measured:
        rows[name][split] = scored["score"]
        for beside in scored["beside"]:
            role = "best seed" if beside["role"] == "seed" else "best published baseline"
            rows.setdefault(f"{beside['name']} ({role})", {})[split] = beside["score"]
    return [
        {"name": row, "cells": [_number(cells.get(split)) for split, _ in measured]}
        for row, cells in rows.items()
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _interval(row: Json) -> str:
    role = {"seed": "the best seed", "baseline": "the best published baseline"}.get(row["b"], row["b"])
    gain, low, high = (f"{100 * row[k]:+.1f}" for k in ("gain", "low", "high"))
    return f"{row['split']}: {gain} % against {role} (95 % interval {low} to {high} %, p = {row['p']:.2g}, paired)."
