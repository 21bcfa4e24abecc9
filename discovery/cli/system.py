"""``doctor``, ``config``, ``db upgrade`` and ``mock-llm``: the machine and what surrounds a run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from discovery.cli.options import AsJson, Db, settings
from discovery.cli.output import details, emit, say, shown, table


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)
    app.command("config")(config)
    app.command("mock-llm")(mock_llm)
    database = typer.Typer(help="The ledger's schema.", no_args_is_help=True, rich_markup_mode=None)
    database.command("upgrade")(upgrade)
    database.callback()(_database)
    app.add_typer(database, name="db")


def doctor(db: Db = None, as_json: AsJson = False) -> None:
    """Check what this machine can isolate.

    And whether the set-up works. Ends with 3 when a run would not start."""
    from discovery.cli.checks import examine

    checks = examine(settings({"db": db}))
    broken = [c for c in checks if c.ok is False]
    if as_json:
        emit({"ok": not broken, "checks": [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in checks]})
    else:
        marks = {True: "ok", False: "FAILS", None: "info"}
        table(("check", "", "detail"), [(c.name, marks[c.ok], c.detail) for c in checks])
        say("Everything that a run needs is there." if not broken else f"{len(broken)} of the checks failed.")
    if broken:
        raise typer.Exit(3)


def config(as_json: AsJson = False) -> None:
    """Show every setting and its origin."""
    loaded = settings({})
    data = loaded.to_json()
    if as_json:
        emit(data)
        return
    values = loaded.settings.to_json()
    rows = [(name, shown(value), loaded.origins[name]) for name, value in values.items()]
    table(("setting", "value", "from"), rows)
    say("flag > DISCOVER_NAME > discover.toml (or [tool.discover] in pyproject.toml) > default")


def _database() -> None:
    """The ledger's schema."""


def upgrade(db: Db = None, as_json: AsJson = False) -> None:
    """Bring the ledger to the newest schema."""
    from db.engine import address, name_of
    from db.upgrade import upgrade as bring

    target = settings({"db": db}).settings.db
    before, after = bring(target)
    if "://" in target:
        from discovery.checkpoints import prepare

        prepare(target)
    data = {"db": name_of(address(target)), "before": before, "after": after}
    emit(data) if as_json else details(data)


def mock_llm(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free port.")] = 8090,
    fail: Annotated[
        str, typer.Option(metavar="KIND=SHARE,…", help="Failures to play, such as 429=0.1,prose=0.2.")
    ] = "",
    delay: Annotated[float, typer.Option(min=0.0, help="Seconds before each reply.")] = 0.0,
    model: Annotated[str, typer.Option(metavar="NAME", help="The model's name.")] = "mock",
) -> None:
    """Serve scripted replies like a model.

    A fake endpoint on 127.0.0.1 for tests and demonstrations: small seeded edits, no intelligence, and failures on
    demand. Ctrl-C ends it."""
    from discovery.mock_llm import parse_failures, serve

    def announce(url: str) -> None:
        say(f"serving {model} at {url}")
        sys.stdout.flush()

    serve(port=port, fail=parse_failures(fail), delay=delay, model=model, announce=announce)
