"""``runs``, ``show``, ``tree``, ``diff`` and ``report``: what happened, read from the ledger."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.cli.options import AsJson, Db, Quiet, Unsafe, settings
from discovery.cli.output import details, emit, note, say, table, tell_versus
from discovery.errors import UsageError
from discovery.escape import plain
from discovery.wording import percent

if TYPE_CHECKING:
    from discovery.proposers.cassette import Cassette

HASH = re.compile("[0-9a-f]{64}")

Run = Annotated[str, typer.Argument(metavar="RUN", show_default=False)]


def register(app: typer.Typer) -> None:
    for command in (runs, show, tree, diff, report):
        app.command(command.__name__)(command)


def runs(db: Db = None, as_json: AsJson = False) -> None:
    """List the runs, the latest first."""
    from db.errors import LedgerMissing
    from discovery import review

    rows: list[dict[str, Any]] = []
    loaded = settings({"db": db})
    try:
        with review.opened(loaded.settings.db) as ledger:
            rows = [r.to_json() for r in review.runs(ledger)]
    except LedgerMissing:
        if loaded.origins["db"] == "flag":
            raise
    if as_json:
        emit({"runs": rows})
    elif rows:
        table(
            ("run", "task", "proposer", "status", "samples", "best", "gate", "created"),
            [(*list(r.values())[:4], _samples(r), r["best"], r["gate"], r["created"][:10]) for r in rows],
            numeric=("samples", "best", "gate"),
        )
    else:
        say("no runs yet; `discover run --task smtt` makes one")


def show(
    name: Annotated[str, typer.Argument(metavar="RUN|CANDIDATE", show_default=False)],
    code: Annotated[bool, typer.Option("--code", help="The source and nothing else.")] = False,
    digest: Annotated[
        bool, typer.Option("--digest", help="The digest of a run's decisions, nothing else.")
    ] = False,
    cassette: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help="Write a run's replies and course for `run --replay FILE`.",
            show_default=False,
        ),
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Show a run or a candidate.

    A candidate comes with its scores by class, its prompt, reply and tuning."""
    from discovery import review

    _one_of(code=code, digest=digest, cassette=cassette is not None)
    with review.opened(settings({"db": db}).settings.db) as ledger:
        if cassette is not None:
            _record(review.cassette(ledger, name), cassette, as_json=as_json)
        elif digest:
            value = review.digest(ledger, name)
            emit({"run": name, "digest": value}) if as_json else say(value)
        elif code:
            _source(review.source(ledger, name))
        else:
            summary = review.summary(ledger, name).to_json()
            emit(summary) if as_json else _tell_summary(summary)


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
    details(_brief({k: v for k, v in data.items() if k != "diff"}))


def report(
    run: Run, db: Db = None, unsafe: Unsafe = False, quiet: Quiet = False, as_json: AsJson = False
) -> None:
    """Open the final split for a run's winner.

    Search, gate and final side by side; each opening is recorded and counted."""
    from discovery import review

    with review.opened(settings({"db": db}).settings.db) as ledger:
        made = review.report(ledger, run, unsafe=unsafe, progress=None if quiet else note)
    emit(made.to_json()) if as_json else _tell_report(made.to_json())


def _tell_summary(data: dict[str, Any]) -> None:
    """A run or a candidate for people; prompts and replies last, as texts."""
    apart = {"attempts", "against_control", *(() if data.get("leases") else ("leases",))}
    details(_brief({k: v for k, v in data.items() if k not in apart}))
    if data.get("against_control"):
        say()
        tell_versus(data["against_control"])
    for attempt in data.get("attempts", ()):
        figures = {k: v for k, v in attempt.items() if k not in ("prompt", "reply")}
        say()
        details(figures, "request:")
        for message in attempt["prompt"] or ():
            say(f"\nprompt, {message.get('role')}:\n{message.get('content')}")
        if attempt["reply"] is not None:
            say(f"\nreply:\n{attempt['reply']}")


def _tell_report(data: dict[str, Any]) -> None:
    """Search, gate and final side by side."""
    sides = data["scores"]
    roles = [s["role"] for s in sides]
    say(f"{data['task']}, run {data['run']}: {data['verdict']}")
    say(f"the final split of {data['task']} was opened {_times(data['final_openings'])} in this ledger\n")
    splits = ("search", "gate", "final")
    columns = ("", "name", *(f"{split}, {data['unit']}" for split in splits))
    table(
        columns, [(s["role"], s["name"], *(_score(s, x) for x in splits)) for s in sides], numeric=columns[2:]
    )
    if data["optimism"]:
        say("Gains over the best seed; what they shrink by from split to split is optimism of the selection:")
        shrinks = ("search_minus_gate", "gate_minus_final")
        heads = (*splits, "search − gate", "gate − final")
        rows = [
            (o["role"], o["name"], *(percent(o[x]) for x in (*splits, *shrinks))) for o in data["optimism"]
        ]
        table(("", "name", *heads), rows, numeric=heads)
    if data["control"] is not None:
        say("On the report blocks of the gate:")
        tell_versus(data["control"])
        say()
    if data["comparisons"]:
        table(
            ("split", "", "against", "gain", "95 % interval", "p"),
            [
                (c["split"], c["a"], c["b"], percent(c["gain"]), _interval(c), c["p"])
                for c in data["comparisons"]
            ],
            numeric=("gain", "95 % interval", "p"),
        )
    _pivot(data["figures"], ("split", "figure"), roles, ("value",))
    say(f"Processor time of one call (ms) and mean score ({data['unit']}):")
    times = [{**t, "ms": 1000 * t["seconds"]} for t in data["times"]]
    _pivot(times, ("split", "size"), roles, ("ms", "score"))
    for text in data["notes"]:
        say(f"note: {text}")


def _samples(row: dict[str, Any]) -> str:
    return (
        f"{row['samples']}/{row['samples_total']}"
        if row["samples_total"] is not None
        else str(row["samples"])
    )


def _score(side: dict[str, Any], split: str) -> object:
    """The score, or how the evaluation ended without one."""
    return side[split] if side[split] is not None else side["outcomes"][split]


def _interval(row: dict[str, Any]) -> str:
    return "-" if row["low"] is None else f"{percent(row['low'])} … {percent(row['high'])}"


def _pivot(
    rows: list[dict[str, Any]], keys: Sequence[str], roles: Sequence[str], values: Sequence[str]
) -> None:
    """One line for each combination of ``keys``, one column for each role and value."""
    lines: dict[tuple[object, ...], dict[tuple[str, str], object]] = {}
    for row in rows:
        line = lines.setdefault(tuple(row[k] for k in keys), {})
        line |= {(row["role"], v): row[v] for v in values}
    columns = [(role, v) for v in values for role in roles]
    heads = [role if len(values) == 1 else f"{role} {v}" for role, v in columns]
    table(
        (*keys, *heads),
        [(*key, *(line.get(c) for c in columns)) for key, line in lines.items()],
        numeric=heads,
    )


def _brief(value: Any) -> Any:
    """Data for people: hashes cut to the digits that name them."""
    if isinstance(value, dict):
        return {k: _brief(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_brief(v) for v in value]
    return value[:8] if isinstance(value, str) and HASH.fullmatch(value) else value


def _one_of(**given: bool) -> None:
    """Raises UsageError for two flags that each say what to print."""
    flags = [f"--{name}" for name, there in given.items() if there]
    if len(flags) > 1:
        raise UsageError(f"{' and '.join(flags)} exclude each other; give one")


def _record(recorded: Cassette, target: str, *, as_json: bool) -> None:
    """Write a cassette to a file, or to stdout for ``-``."""
    from discovery.proposers.cassette import dumped, write_cassette

    asked = len(recorded.replies) + len(recorded.refused) + len(recorded.lost)
    if target == "-":
        if as_json:
            raise UsageError("--cassette - prints the cassette itself; leave out --json")
        sys.stdout.write(dumped(recorded))
        return
    new = write_cassette(Path(target), recorded)
    if as_json:
        emit({"cassette": target, "task": recorded.task, "requests": asked, "written": new})
    else:
        say(f"{asked} requests {'written to' if new else 'are already in'} {target}")
        say(f"The run again, anywhere: discover run --task {recorded.task} --replay {target}")


def _source(text: str) -> None:
    """Candidate text on stdout: to the letter into a file or a pipe, with its escapes shown on a terminal."""
    if sys.stdout.isatty():
        sys.stdout.write(plain(text, lines=True))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.flush()


def _times(count: object) -> str:
    return "once" if count == 1 else f"{count} times"
