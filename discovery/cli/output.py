"""Where words go: data on stdout, everything else on stderr; whatever others wrote is escaped on the way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO

from discovery.escape import plain
from discovery.wording import number, percent

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 120
"""Columns where the output is no terminal and COLUMNS is not set."""
WHOLE = 40
"""Characters of a first column up to which it is never broken."""


def emit(data: Mapping[str, object]) -> None:
    """One object on one line of stdout. ASCII only, so nothing in it can act on a terminal."""
    sys.stdout.write(json.dumps(data, allow_nan=False, separators=(", ", ": ")) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """One line for the user on stderr."""
    with heard():
        sys.stderr.write(plain(text) + "\n")
        sys.stderr.flush()


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Around writes to stderr. Where it leads nowhere any more (the reader of the pipe has left, the disk is full),
    later words go nowhere either, and the command is asked to end as by SIGTERM: work that nobody watches may cost
    money."""
    try:
        yield
    except OSError:
        mute(sys.stderr.fileno())
        if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
            os.kill(os.getpid(), signal.SIGTERM)


def mute(descriptor: int) -> None:
    """Let what is written there go nowhere, what is still buffered included."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def urgent(text: str) -> None:
    """One line on stderr from a signal handler, past the buffer: the handler may have interrupted a write to it, and a
    second one inside it is refused."""
    with contextlib.suppress(OSError, ValueError):
        os.write(sys.stderr.fileno(), (plain(text) + "\n").encode())


def console(stream: TextIO | None = None) -> Console:
    """A rich console on ``stream`` (default stdout) that adds nothing of its own to the text."""
    from rich.console import Console

    stream = stream or sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else WIDTH
    return Console(file=stream, highlight=False, emoji=False, markup=False, width=width)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, numeric: Sequence[str] = ()) -> None:
    """A table on stdout; cells are plain values, columns named in ``numeric`` are set right."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    told = [[plain(shown(cell)) for cell in row] for row in rows]
    # The first column is what people copy: on a narrow terminal the others give way.
    whole = max((len(row[0]) for row in told), default=0) <= WHOLE
    for place, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column in numeric else "left"
        made.add_column(Text(column), justify=justify, overflow="fold", no_wrap=whole and not place)
    for row in told:
        made.add_row(*map(Text, row))
    console().print(made)


def say(text: str = "") -> None:
    """Lines of human output on stdout, escaped."""
    sys.stdout.write(plain(text, lines=True) + "\n")


def tell_versus(data: Mapping[str, Any]) -> None:
    """Evolution against its control, and where the gains of both come from."""
    say(f"{data['verdict']}.")
    for arm, found in (("evolution", data["gains"]), ("the control", data["control_gains"])):
        if found is not None:
            lifted = f" (numbers in the code {percent(found['lifted'])})" if found["lifted"] else ""
            parts = f"from structure {percent(found['structure'])}, from tuning {percent(found['tuning'])}{lifted}"
            say(f"On search {arm} gained {percent(found['total'])} over its seed: {parts}.")


def shown(value: object) -> str:
    """A value as people read it: a dash for nothing, four significant digits, words for lists."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{k}={shown(v)}" for k, v in value.items()) or "-"
    if isinstance(value, list | tuple):
        return ", ".join(shown(v) for v in value) or "-"
    return plain(str(value))  # one line: a reason from a candidate must not fake a row


def details(data: Mapping[str, object], title: str = "") -> None:
    """An object for people: plain values as lines, nested objects indented, lists of objects as tables."""
    if title:
        say(title)
    plain_values = {k: v for k, v in data.items() if not _nested(v)}
    wide = max((len(k) for k in plain_values), default=0)
    for key, value in plain_values.items():
        say(f"{key.replace('_', ' '):<{wide}}  {shown(value)}")
    for key, value in data.items():
        if isinstance(value, Mapping) and _nested(value):
            say()
            details(value, key.replace("_", " ") + ":")
        elif isinstance(value, list | tuple) and _nested(value):
            rows = [r for r in value if isinstance(r, Mapping)]
            columns = list(dict.fromkeys(c for r in rows for c in r))
            figures = [c for c in columns if all(isinstance(r.get(c), int | float | None) for r in rows)]
            say(f"\n{key.replace('_', ' ')}:")
            table(columns, ([r.get(c) for c in columns] for r in rows), numeric=figures)


def _nested(value: object) -> bool:
    if isinstance(value, Mapping):
        return bool(value)
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], Mapping)
