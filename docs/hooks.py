"""Hooks of the documentation site: reference pages that are written from the code whenever the site is built.

A page asks for a part by a comment, ``<!-- generated: commands -->``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

MARK = re.compile(r"<!-- generated: (\w+) -->")
ROLE = re.compile(r":(?:mod|class|func|meth|attr|data|exc):(?=<code>)")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Every mark replaced by what the code says."""
    return MARK.sub(lambda found: "\n".join(PARTS[found[1]]()), markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Docstrings name modules and classes in roles of another markup; the name alone is shown."""
    return ROLE.sub("", html)


def commands() -> Iterator[str]:
    """One section a command: what ``--help`` says."""
    from typer.main import get_command

    from discovery.cli.main import app

    yield from _group(get_command(app), "discover")


def _group(group: Any, path: str) -> Iterator[str]:
    yield from _parameters(group, path)
    for name, command in group.commands.items():
        inside = f"{path} {name}"
        yield f"\n## {inside}\n\n{command.help}\n"
        if hasattr(command, "commands"):
            yield from _group(command, inside)
        else:
            yield from _parameters(command, inside)


def _parameters(command: Any, path: str) -> Iterator[str]:
    from typer import Context

    context = Context(command, info_name=path)
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    records = [r for p in command.params if (r := p.get_help_record(context)) is not None]
    if records:
        yield "| argument or option | meaning |\n|---|---|"
    for flags, meaning in records:
        yield f"| `{_cell(flags.removesuffix(' <str>'))}` | {_cell(meaning)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def settings() -> Iterator[str]:
    """One row a setting, in the order of ``discover config``."""
    from discovery.config import Settings, rules

    known = rules()
    yield "| setting | flag | variable | meaning | default |\n|---|---|---|---|---|"
    for field in fields(Settings):
        if (rule := known.get(field.name)) is None:
            continue
        flag, variable = "--" + field.name.replace("_", "-"), "DISCOVER_" + field.name.upper()
        default = "" if field.default is None else f"`{field.default}`"
        cells = (f"`{field.name}`", f"`{flag}`", f"`{variable}`", f"{rule.about}: {rule.expected}", default)
        yield "| " + " | ".join(map(_cell, cells)) + " |"


PARTS: dict[str, Callable[[], Iterator[str]]] = {"commands": commands, "settings": settings}
