"""All attacks, by category."""

from __future__ import annotations

from dataclasses import replace

from attacks import channel, escape, interface, leak, resource, result, tamper, timing
from attacks.attack import Attack, Category

BY_CATEGORY: dict[Category, tuple[Attack, ...]] = {
    "tamper": tamper.ATTACKS,
    "leak": leak.ATTACKS,
    "result": result.ATTACKS,
    "channel": channel.ATTACKS,
    "resource": resource.ATTACKS,
    "time": timing.ATTACKS,
    "escape": escape.ATTACKS,
    "interface": interface.ATTACKS,
    "control": interface.CONTROLS,
}
ATTACKS = {a.name: replace(a, category=category) for category, row in BY_CATEGORY.items() for a in row}

UNBITTEN = {
    "odd_bytes": "what it writes is no answer, whoever looks",
    "flood": "what it writes is no answer, whoever looks",
    "close_channel": "there is nobody left to answer",
    "stdout_spoof": "its streams are the null device",
    "raw_flood": "its streams are the null device",
    "evil_exception": "its text is not used",
    "surrogates": "Python refuses to write it",
    "pickle_in_exception": "no code here pickles",
    "recursion": "Python refuses it",
    "compile_bomb": "Python refuses it",
    "source_bomb": "Python refuses it",
    **{a.name: "it has no answer to give" for a in interface.ATTACKS if a.marker == "scored"},
    "replaces_itself": "the runner holds the module that it made",
}
"""Attacks that no weakening was seen to let through, and why; the controls apart."""


NAMESPACED = (
    "read_passwd", "read_keys", "read_answers", "file_metadata", "write_file", "net_tcp", "net_udp", "net_unix",
    "net_abstract", "shared_segment",
)  # fmt: skip
"""Attacks that namespaces hold alone, where the host permits them."""


def table() -> str:
    """The suite by category in Markdown, as docs/threat-model.md shows it."""
    lines = ["| category | attacks | safe outcomes | seen to get through when off |", "|---|---|---|---|"]
    for category, row in BY_CATEGORY.items():
        safe = sorted({outcome for a in row for outcome in a.safe.split()})
        off = sorted(
            {name for a in row for name in a.off} | {"namespaces" for a in row if a.name in NAMESPACED}
        )
        bitten = sum(bool(a.off) for a in row)
        seen = f"{bitten}: {', '.join(off)}" if off else "(honest code)" if category == "control" else "0"
        lines.append(f"| {category} | {len(row)} | {', '.join(safe)} | {seen} |")
    return "\n".join(lines)
