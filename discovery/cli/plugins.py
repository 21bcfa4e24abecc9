"""``export`` and ``verify``: take a winner home, and check one that somebody brought."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.cli.options import AsJson, Db, Quiet, Unsafe, settings
from discovery.cli.output import emit, note, say, shown, table
from discovery.cli.tasks import PLUGIN
from discovery.errors import UsageError
from discovery.wording import number

if TYPE_CHECKING:
    from db.ledger import Ledger
    from discovery.audit import Audit
    from discovery.config import Loaded
    from discovery.plugins import Exported, Verified


def register(app: typer.Typer) -> None:
    app.command("export")(export)
    app.command("verify")(verify)


def export(
    name: Annotated[str, typer.Argument(metavar="RUN|CANDIDATE", show_default=False)],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A new folder for the package.", show_default=False)
    ],
    wheel: Annotated[bool, typer.Option("--wheel", help="Write the wheel too, into DIR/dist.")] = False,
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence", metavar="SPDX", help="MIT, Apache-2.0, BSD-3-Clause, 0BSD.", show_default=False
        ),
    ] = None,
    licence_file: Annotated[
        Path | None,
        typer.Option(
            "--licence-file", metavar="FILE", help="The text of any other licence.", show_default=False
        ),
    ] = None,
    author: Annotated[
        str, typer.Option("--author", help="Who holds the copyright.", show_default=False)
    ] = "",
    package: Annotated[
        str | None,
        typer.Option("--name", help="Of the package (default: task and hash).", show_default=False),
    ] = None,
    db: Db = None,
    unsafe: Unsafe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a winner as an installable package.

    A run's champion, or a candidate; no network and no build tool is needed."""
    from discovery import plugins, review

    choices = plugins.naming(package, licence, licence_file, author)
    with review.opened(settings({"db": db}).settings.db) as ledger:
        made = plugins.export(
            ledger, name, out, wheel=wheel, choices=choices, unsafe=unsafe, progress=None if quiet else note
        )
    if as_json:
        emit(made.to_json())
    else:
        _tell_export(made)
    if not quiet and choices.licence is None:
        note("note: no licence was chosen, so nobody but you may use the package; --licence names one")


def _tell_export(made: Exported) -> None:
    data: dict[str, Any] = made.to_json()
    scores = ", ".join(f"{k} {number(v)}" for k, v in data["scores"].items() if v is not None)
    module, function = data["module"], made.provenance["task"]["interface"]["function"]
    needs = ", ".join(data["requires"]) or "no other package"
    say(
        f"{data['package']} {data['version']} {'written to' if data['written'] else 'is already in'} {made.folder}"
    )
    say(
        f"{data['task']}: {scores} {made.winner.task.unit}; needs {needs}; {data['golden_calls']} golden calls"
    )
    if made.wheel is not None:
        say(f"wheel {made.wheel} ({made.wheel_bytes / 1000:.1f} kB, sha256 {made.wheel_sha256})")
        say(f"Install it: pip install {made.wheel}    Check it: discover verify {made.wheel}")
    else:
        say(f"Install it: pip install {made.folder}    Check it: discover verify {made.folder}")
    command = f"    At the prompt: python -m {module} --help" if made.command else ""
    say(f"Use it: from {module} import {function}{command}")


def verify(
    name: Annotated[
        str, typer.Argument(metavar="PACKAGE|WHEEL|plugin:NAME|RUN|CANDIDATE", show_default=False)
    ],
    no_run: Annotated[
        bool, typer.Option("--no-run", help="Run no candidate: check what follows from a run's kept answers.")
    ] = False,
    db: Db = None,
    unsafe: Unsafe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Check a package, a candidate or a whole run by computing it again.

    Of a package: hashes of every file, and scores on search and gate. Of a run: every score, from the answers kept or
    by running the candidate again, and every decision. The final split stays closed."""
    from discovery import plugins, review
    from discovery.review.names import is_candidate

    loaded, progress = settings({"db": db}), None if quiet else note
    path = Path(name)
    if name.startswith(PLUGIN) or path.exists() or path.is_symlink():
        target = name.removeprefix(PLUGIN) if name.startswith(PLUGIN) else path
        if no_run:
            raise UsageError("--no-run is for runs and candidates of a ledger; a package has to run")
        with _perhaps(loaded) as known:
            found = plugins.verify_package(target, ledger=known, unsafe=unsafe, progress=progress)
    elif not name.startswith("r-") and not is_candidate(name):
        raise UsageError(
            f"{name!r} is neither a file or folder, nor an installed {PLUGIN}NAME, nor a run or candidate"
        )
    else:
        with review.opened(loaded.settings.db, readonly=True) as ledger:
            found = plugins.verify_run(ledger, name, run=not no_run, unsafe=unsafe, progress=progress)
    emit(found.to_json()) if as_json else _tell_verify(found)
    if not found.ok:
        more = f" (and {len(found.problems) - 1} more)" if len(found.problems) > 1 else ""
        note(f"discover: {found.name} does not hold: {found.problems[0]}{more}")
        raise typer.Exit(1)


@contextmanager
def _perhaps(loaded: Loaded) -> Iterator[Ledger | None]:
    """The ledger, where there is one: a package can be verified without. One that the user named must be there."""
    from db.errors import LedgerError
    from db.ledger import Ledger

    try:
        ledger = Ledger.open(loaded.settings.db, readonly=True)
    except LedgerError as error:
        if loaded.origins["db"] == "flag":
            raise
        if Path(loaded.settings.db).exists():
            note(f"note: the ledger is left out: {error}")
        yield None
        return
    try:
        yield ledger
    finally:
        ledger.close()


def _tell_audit(found: Audit) -> None:
    say(
        f"evaluations: {found.recomputed} recomputed from their answers, {found.rerun} run again; "
        f"{found.trials} trials run again"
    )
    say(f"decided again: {found.entries} scores, {found.looks} looks, {found.promotions} promotions")
    if found.left:
        say("left alone: " + ", ".join(f"{count} ({reason})" for reason, count in sorted(found.left.items())))


def _tell_verify(found: Verified) -> None:
    say(f"{found.name}: candidate {found.candidate[:8]} of run {found.run}, task {found.task}")
    if found.kind != "run":
        say(f"files: {found.files}, {'as exported' if found.golden is not None else 'not as exported'}")
        say(f"made anew by this version: {shown(found.made_anew)}; golden calls hold: {shown(found.golden)}")
        say(f"recorded in the ledger: {shown(found.recorded)}; digest {found.digest}")
    for problem in found.problems[1:]:
        say(f"  {problem}")
    if found.scores:
        rows = [
            (s.split, s.instances, s.recorded, s.measured, shown(s.same_answers), shown(s.agrees))
            for s in found.scores
        ]
        columns = ("split", "instances", "recorded", "measured", "same answers", "agrees")
        table(columns, rows, numeric=columns[1:4])
    if found.audit is not None:
        _tell_audit(found.audit)
    if found.isolated is False:
        note("note: this was not isolated (--unsafe-no-sandbox)")
    if found.ok:
        say(f"verified in {found.seconds:.1f} s")
