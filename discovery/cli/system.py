"""``doctor``, ``config``, ``db upgrade`` and ``mock-llm``: the machine and the set-up."""

from __future__ import annotations

import typer

from discovery.cli.options import AsJson, Db, settings
from discovery.cli.output import details, emit, say, shown, table


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)
    app.command("config")(config)
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
    from db.engine import address
    from db.upgrade import upgrade as bring

    target = address(settings({"db": db}).settings.db)
    before, after = bring(target.render_as_string(hide_password=False))
    data = {"db": target.render_as_string(hide_password=True), "before": before, "after": after}
    emit(data) if as_json else details(data)
