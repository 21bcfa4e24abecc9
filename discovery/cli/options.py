"""Options that several commands share, and how their values are read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.config import Loaded, rules
from discovery.errors import UsageError

if TYPE_CHECKING:
    from evaluators.task import Task

TaskName = Annotated[
    str, typer.Option("--task", help="The task; `discover tasks` lists them.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on one line.")]
TaskOptions = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="An option of the task; may be given again."),
]
Unsafe = Annotated[
    bool,
    typer.Option("--unsafe-no-sandbox", help="Run candidates without isolation; every result is marked."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


def setting(name: str, *, metavar: str | None = None) -> Any:
    """The command-line option of one setting, explained by the settings' own list."""
    rule = rules()[name]
    flag = "--" + name.replace("_", "-")
    if rule.kind == "switch":
        return typer.Option(f"{flag}/--no-{flag[2:]}", help=rule.about.capitalize() + ".", show_default=False)
    metavar = metavar or ("|".join(rule.words) if rule.words else rule.kind.upper())
    return typer.Option(
        flag, help=rule.about[0].upper() + rule.about[1:] + ".", metavar=metavar, show_default=False
    )


Db = Annotated[str | None, setting("db", metavar="FILE|URL")]


def settings(
    flags: dict[str, object], *, task: str | None = None, options: list[str] | None = None
) -> Loaded:
    """The settings with these flags on top; says on stderr which DISCOVER_* variables set nothing."""
    from discovery import config
    from discovery.cli.output import note

    if task is not None and options:
        flags = {**flags, "options": {task: pairs(options, "--option")}}
    loaded = config.load(flags)
    for variable in loaded.unknown:
        note(f"note: {variable} is not a setting; ignored")
    return loaded


def pairs(words: list[str] | None, flag: str) -> dict[str, str]:
    """``["a=1", "b=x"]`` as a mapping. Raises UsageError."""
    found: dict[str, str] = {}
    for word in words or ():
        key, equals, value = word.partition("=")
        if not equals or not key or not value:
            raise UsageError(f"{flag} {word!r}: expected KEY=VALUE")
        if key in found:
            raise UsageError(f"{flag} gives {key!r} twice")
        found[key] = value
    return found


def parameters(words: list[str] | None) -> dict[str, float | int | str]:
    """``--param k=2``: whole numbers, numbers, else text."""
    return {name: _literal(text) for name, text in pairs(words, "--param").items()}


def task_of(name: str, loaded: Loaded) -> Task:
    """The task bound to its options."""
    from evaluators.registry import load

    return load(name, loaded.settings.options.get(name, {}))


def source_text(path: Path) -> str:
    """A candidate's text. Bytes that are not UTF-8 stay as lone surrogates, which the check refuses with a reason.

    Raises UsageError for a file that cannot be read or is no source text by its size."""
    try:
        with path.open("rb") as file:
            data = file.read(10_000_001)
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    if len(data) > 10_000_000:
        raise UsageError(f"{str(path)!r} is larger than 10 MB; a candidate is at most 32 KB of source text")
    return data.decode("utf-8", errors="surrogateescape")


def interactive() -> bool:
    return sys.stderr.isatty()


def _literal(text: str) -> float | int | str:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text
