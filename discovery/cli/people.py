"""``ask``, ``tell``, ``submit`` and ``mcp``: a person or an agent proposes, and sees at once how it did."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.live import view
from discovery.cli.options import AsJson, Db, Quiet, setting, settings, source_text
from discovery.cli.output import emit, note, say
from discovery.cli.run import make_folder
from discovery.cli.signals import listening
from discovery.config import Where
from discovery.errors import EnvironmentProblem
from discovery.wording import compared, number

if TYPE_CHECKING:
    from discovery.people import Told

Run = Annotated[str, typer.Argument(metavar="RUN", show_default=False)]
Answer = Annotated[
    str, typer.Argument(metavar="FILE", help="The answer; - reads standard input.", show_default=False)
]


def register(app: typer.Typer) -> None:
    app.command("ask")(ask)
    app.command("tell")(tell)
    app.command("submit")(submit)
    app.command("mcp")(mcp)


def ask(run: Run, db: Db = None, as_json: AsJson = False) -> None:
    """Show what a run asks for next.

    Answer it with `discover tell`. A finished run asks for one candidate more."""
    from discovery import people

    asked = people.ask(settings({"db": db}).settings.db, run)
    if as_json:
        emit(asked.to_json())
        return
    say(asked.prompt)
    note(f"answer with `discover tell {run} {asked.id} FILE`")


def tell(
    run: Run,
    id_: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    file: Answer,
    workers: Annotated[int | None, setting("workers")] = None,
    executor: Annotated[str | None, setting("executor")] = None,
    address: Annotated[str | None, setting("address", metavar="HOST:PORT")] = None,
    db: Db = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Answer what a run asked for.

    The answer is recorded, run and scored, and the run goes on."""
    loaded = settings({"db": db, "workers": workers, "executor": executor, "address": address})
    text = text_of(file)
    from discovery import people

    with view(quiet=quiet) as shown, listening(shown.say) as stop:
        told = people.tell(
            loaded.settings.db,
            run,
            id_,
            text,
            where=Where(workers, executor, address),
            on_progress=shown,
            stop=stop,
        )
    finish(told, as_json=as_json)


def submit(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE", help="The candidate; - reads standard input.", show_default=False),
    ],
    run: Annotated[str, typer.Option("--run", metavar="RUN", help="The run.", show_default=False)],
    parent: Annotated[
        str | None, typer.Option(metavar="CANDIDATE", help="What it was made from.", show_default=False)
    ] = None,
    workers: Annotated[int | None, setting("workers")] = None,
    executor: Annotated[str | None, setting("executor")] = None,
    address: Annotated[str | None, setting("address", metavar="HOST:PORT")] = None,
    db: Db = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Hand a run a candidate of your own.

    At any time: a finished run takes it in at once, any other with its next batch."""
    loaded = settings({"db": db, "workers": workers, "executor": executor, "address": address})
    text = text_of(file)
    from discovery import people

    with view(quiet=quiet) as shown, listening(shown.say) as stop:
        told = people.submit(
            loaded.settings.db,
            run,
            text,
            parent=parent,
            where=Where(workers, executor, address),
            on_progress=shown,
            stop=stop,
        )
    if told.status != "done":
        note(f"run {told.run} takes it in with its next batch")
    finish(told, as_json=as_json)


def mcp(db: Db = None) -> None:
    """Serve runs to a coding agent.

    The Model Context Protocol on standard input and output; the client starts this."""
    loaded = settings({"db": db})
    make_folder(loaded)
    try:
        from discovery.mcp_server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "mcp":
            raise
        raise EnvironmentProblem(
            "the MCP server needs the extra `mcp`: pip install 'discover-heuristics[mcp]'"
        ) from None
    serve(loaded.settings.db)


def text_of(file: str) -> str:
    """The text of a file, or of standard input. What is not UTF-8 stays as lone surrogates."""
    if file != "-":
        return source_text(Path(file))
    return sys.stdin.buffer.read(10_000_001).decode("utf-8", errors="surrogateescape")


def finish(told: Told, *, as_json: bool) -> None:
    """Print how an answer did; raises Exit(1) when it has no score."""
    data = told.to_json()
    if as_json:
        emit(data)
    else:
        _say(told)
    if told.status == "waiting":
        note(f"run {told.run} goes on with `discover ask {told.run}`")
    if told.score.outcome != "scored":
        note(f"discover: no score: {told.score.outcome}: {told.score.reason}")
        raise typer.Exit(1)


def _say(told: Told) -> None:
    report = told.score
    if report.score is None:
        return
    rival = report.baseline
    against = compared(report.task.direction, report.score, rival[1], rival[0]) if rival else ""
    name = (told.candidate or "")[:8]
    known = ", known already" if report.known else ""
    say(f"{name}: {number(report.score)} {report.task.unit}{f' ({against})' if against else ''}{known}")
