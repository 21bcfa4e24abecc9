"""``runs``, ``show``, ``tree``, ``diff`` and ``report``: what happened, read from the ledger."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from discovery.cli.options import AsJson, Db, Quiet, Unsafe, settings
from discovery.cli.output import details, emit, note, say, table
from discovery.escape import plain

Run = Annotated[str, typer.Argument(metavar="RUN", show_default=False)]


def register(app: typer.Typer) -> None:
    for command in (runs, show, tree, diff, report):
        app.command(command.__name__)(command)


def runs(db: Db = None, as_json: AsJson = False) -> None:
    """List the runs, the latest first."""
    from discovery import review

    with review.opened(settings({"db": db}).settings.db) as ledger:
        rows = [r.to_json() for r in review.runs(ledger)]
    if as_json:
        emit({"runs": rows})
    elif rows:
        table(list(rows[0]), [list(r.values()) for r in rows])
    else:
        say("no runs yet; `discover run --task smtt` makes one")


def show(
    name: Annotated[str, typer.Argument(metavar="RUN|CANDIDATE", show_default=False)],
    code: Annotated[bool, typer.Option("--code", help="The source and nothing else.")] = False,
    digest: Annotated[
        bool, typer.Option("--digest", help="The digest of a run's decisions, nothing else.")
    ] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Show a run or a candidate.

    A candidate comes with its scores by class, its prompt, reply and tuning."""
    from discovery import review

    with review.opened(settings({"db": db}).settings.db) as ledger:
        if digest:
            value = review.digest(ledger, name)
            emit({"run": name, "digest": value}) if as_json else say(value)
        elif code:
            _source(review.source(ledger, name))
        else:
            summary = review.summary(ledger, name).to_json()
            emit(summary) if as_json else details(summary)


def tree(run: Run, db: Db = None, as_json: AsJson = False) -> None:
    """Show who came from whom in a run."""
    from discovery import review

    with review.opened(settings({"db": db}).settings.db) as ledger:
        made = review.tree(ledger, run)
    if as_json:
        emit(made.to_json())
    else:
        for line in made.lines():
            say(line)


def diff(
    a: Annotated[str, typer.Argument(metavar="A", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", show_default=False)],
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Compare two candidates, code and scores."""
    from discovery import review

    with review.opened(settings({"db": db}).settings.db) as ledger:
        difference = review.difference(ledger, a, b)
    if as_json:
        emit(difference.to_json())
        return
    say(difference.text)
    data = difference.to_json()
    details({k: v for k, v in data.items() if k != "diff"})


def report(
    run: Run, db: Db = None, unsafe: Unsafe = False, quiet: Quiet = False, as_json: AsJson = False
) -> None:
    """Open the final split for a run's winner.

    Search, gate and final side by side; each opening is recorded and counted."""
    from discovery import review

    with review.opened(settings({"db": db}).settings.db) as ledger:
        made = review.report(ledger, run, unsafe=unsafe, progress=None if quiet else note)
    emit(made.to_json()) if as_json else details(made.to_json())


def _source(text: str) -> None:
    """Candidate text on stdout: to the letter into a file or a pipe, with its escapes shown on a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(plain(text, lines=True))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.flush()
