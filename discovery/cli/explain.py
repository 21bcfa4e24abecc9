"""``explain``: what each part of a candidate is worth, and what can go."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from discovery.cli.options import (
    AsJson,
    Db,
    Quiet,
    TaskOptions,
    Unsafe,
    setting,
    settings,
    task_of,
)
from discovery.cli.output import emit, note, say, shown, table
from discovery.cli.score import candidate_text
from discovery.cli.signals import listening
from discovery.errors import DiscoverError, NothingValid, UsageError
from discovery.escape import plain
from discovery.wording import number, percent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from db.ledger import Ledger
    from discovery.config import Loaded
    from discovery.explain import Explanation, Subject

HASH = re.compile("[0-9a-fA-F]{4,64}")
PART = 30
"""Characters of code in a cell."""
STEM = 8
"""Digits of a hash in a file's name."""


def register(app: typer.Typer) -> None:
    app.command("explain")(explain)


def explain(
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE|FILE|baseline:NAME", show_default=False)],
    task: Annotated[
        str | None,
        typer.Option("--task", help="The task of a file or a baseline.", show_default=False),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="Most ablations; those that take out most come first.")
    ] = 40,
    out: Annotated[
        Path | None, typer.Option(help="Write the simplified candidate here.", show_default=False)
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    model: Annotated[
        str | None,
        typer.Option(
            help="Ask this model for a summary in prose; shown as its words, used for nothing.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    base_url: Annotated[str | None, setting("base_url")] = None,
    baseline: Annotated[
        bool,
        typer.Option("--baseline/--no-baseline", help="Compare with the best baseline by class."),
    ] = True,
    option: TaskOptions = None,
    db: Db = None,
    unsafe: Unsafe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Explain a candidate: what matters, what can go.

    Each branch, term, factor and statement is taken out in turn and the rest scored on blocks of the gate."""
    loaded = settings({"db": db, "model": model, "base_url": base_url}, task=task, options=option)
    if task is None and not HASH.fullmatch(candidate):
        raise UsageError(
            f"{candidate!r} is no hash of a candidate in the ledger; for a file or a baseline name the task with --task"
        )
    _check_target(out, force=force)
    from discovery.explain import explain as explained

    say_so = (lambda _: None) if quiet else note
    with _ledger(loaded, required=task is None) as ledger:
        subject = _subject(candidate, task, loaded, ledger)
        asked = _model(model, loaded)
        with listening(
            note, first=FIRST, second="stopping; nothing was written but the opening of the blocks"
        ) as stop:
            found = explained(
                subject, ledger, most=limit, rivals=baseline, unsafe=unsafe, say=say_so, stop=stop
            )
    data = found.to_json()
    data["file"] = str(out) if out is not None and _written(found, out) else None
    data["words"], silent = None, None
    if asked is not None and not found.interrupted:
        try:
            data["words"] = _words(asked, subject, data)
        except DiscoverError as error:  # what was measured is told all the same
            silent = error
    emit(data) if as_json else _tell(data)
    if silent is not None:
        raise silent
    if found.interrupted:
        note("discover: interrupted; this is what was measured before")
        raise typer.Exit(130)
    if out is not None and data["file"] is None:
        raise NothingValid(f"{str(out)!r} was not written: {_why_not(data)}")


FIRST = "finishing what is running, then telling what is there; Ctrl-C again to stop now"


@contextmanager
def _ledger(loaded: Loaded, *, required: bool) -> Iterator[Ledger | None]:
    """The ledger, None where there is none and none is needed."""
    from db.errors import LedgerMissing
    from discovery import review

    try:
        context = review.opened(loaded.settings.db)
        ledger = context.__enter__()
    except LedgerMissing:
        if required or loaded.origins["db"] == "flag":
            raise
        yield None
        return
    try:
        yield ledger
    finally:
        context.__exit__(None, None, None)


def _subject(name: str, task: str | None, loaded: Loaded, ledger: Ledger | None) -> Subject:
    from discovery.explain import of_ledger, of_text

    if task is not None:
        bound = task_of(task, loaded)
        return of_text(candidate_text(name, bound), bound)
    assert ledger is not None
    return of_ledger(ledger, name)


def _model(name: str | None, loaded: Loaded) -> Any:
    """The model to ask, which only the flag names: a model set for runs must not cost anything here."""
    if name is None:
        return None
    from discovery.explain.words import asked

    model = asked(loaded.settings)
    note(f"one request to {model.describe()}, at most {model.most_tokens} tokens")
    return model


def _words(model: Any, subject: Subject, data: dict[str, Any]) -> dict[str, object]:
    from discovery.explain.words import messages, words

    sent = messages(subject.task, subject.candidate.code, data)
    return words(model, subject.task, sent, subject.candidate.hash).to_json()


def _check_target(out: Path | None, *, force: bool) -> None:
    if out is None:
        return
    if out.exists() and not force:
        raise UsageError(f"{str(out)!r} exists already; name another with --out or give --force")
    if not out.parent.is_dir():
        raise UsageError(f"the folder {str(out.parent)!r} does not exist")


def _written(found: Explanation, out: Path) -> bool:
    simplified = found.simplified
    if simplified is None:
        return False
    out.write_text(simplified.code, encoding="utf-8")
    return True


def _why_not(data: dict[str, Any]) -> str:
    if data["simplification"] is None:
        return "no removal is harmless beyond doubt"
    return "the removals together are not harmless beyond doubt on the second block"


# -- for people -------------------------------------------------------------------------------------------------------


def _tell(data: dict[str, Any]) -> None:
    unit = data["unit"]
    say(
        f"{data['candidate'][:STEM]} on {data['task']}: {number(data['score'])} {unit} on search, {data['nodes']} nodes"
    )
    _tell_ablation(data["ablation"], data["looks"])
    _tell_simplification(data["simplification"], data["file"])
    _tell_sensitivity(data["sensitivity"])
    _tell_classes(data["classes"], unit)
    for text in data["notes"]:
        say(f"note: {text}")
    if data["words"] is not None:
        say(f"\nIn the words of the model {data['words']['model']}, which nobody checked and nothing uses:\n")
        say(data["words"]["text"])


def _tell_ablation(found: dict[str, Any] | None, looks: dict[str, Any]) -> None:
    if found is None:
        return
    rows = found["variants"]
    say(
        f"\nWithout each part, on {found['block']} ({found['instances']} instances, {len(rows)} of "
        f"{found['possible']} ablations; explanation {looks['number']} of this candidate, level {looks['level']:.3g} "
        "after Holm's correction):"
    )
    order = {"removable": 0, "open": 1, "matters": 2, "fails": 3}
    table(
        ("verdict", "at", "part", "becomes", "gain", "95 % interval", "p (no worse)", "nodes"),
        [
            (
                r["verdict"] if r["verdict"] != "fails" else r["outcome"],
                f"{r['line']}:{r['column']}",
                plain(r["before"], limit=PART),
                plain(r["after"], limit=PART) or "nothing",
                percent(r["gain"]),
                _percents(r),
                r["p_adjusted"],
                -r["nodes"],
            )
            for r in sorted(rows, key=lambda r: (order[r["verdict"]], -(r["gain"] or 0.0)))
        ],
        numeric=("at", "gain", "95 % interval", "p (no worse)", "nodes"),
    )
    say(
        f"removable: no worse than {100 * found['margin']:g} % beyond doubt (p). matters: worse beyond doubt. open: "
        "neither can be told. Any other word is how the code ended without the part."
    )


def _tell_simplification(found: dict[str, Any] | None, file: str | None) -> None:
    if found is None:
        return
    verdict = "confirmed" if found["confirmed"] else "not confirmed"
    say(
        f"\nSimplified from {found['nodes_before']} to {found['nodes_after']} nodes, {verdict} on {found['block']}: "
        f"{percent(found['gain'])}, 95 % interval {_percents(found)}, p = {shown(found['p'])}"
    )
    if not found["confirmed"]:
        return
    say(found["diff"])
    say(
        f"written to {file}"
        if file
        else "--out FILE writes it; `discover submit FILE --run RUN` hands it to a run"
    )


def _tell_sensitivity(found: dict[str, Any] | None) -> None:
    if found is None:
        return
    whose = "the stored study" if found["source"] == "study" else "random points"
    say(f"\nParameters, on search (importance by PED-ANOVA from {found['points']} trials of {whose}):")
    table(
        ("parameter", "importance", "default", "curve: value (gain over the default)"),
        [
            (
                p["name"],
                None if p["importance"] is None else f"{100 * p['importance']:.0f} %",
                p["default"],
                ", ".join(f"{shown(s['value'])} ({_step(s)})" for s in p["curve"]),
            )
            for p in found["parameters"]
        ],
        numeric=("importance", "default"),
    )


def _tell_classes(found: dict[str, Any] | None, unit: str) -> None:
    if found is None:
        return
    rows = [c for c in found["classes"] if c["verdict"] == "loses"]
    say(
        f"\nAgainst {found['baseline']} on {found['set']}: loses in {found['loses']} of {len(found['classes'])} "
        f"classes, wins in {found['wins']} (intervals that hold together at 95 %)."
    )
    if rows:
        table(
            ("loses in", "own", found["baseline"], f"difference, {unit}", "interval"),
            [(r["class"], r["a"], r["b"], r["difference"], _interval(r)) for r in rows],
            numeric=("own", found["baseline"], f"difference, {unit}", "interval"),
        )


def _step(step: dict[str, Any]) -> str:
    return percent(step["gain"]) if step["gain"] is not None else step["outcome"]


def _interval(row: dict[str, Any]) -> str:
    return "-" if row["low"] is None else f"{number(row['low'])} … {number(row['high'])}"


def _percents(row: dict[str, Any]) -> str:
    return "-" if row["low"] is None else f"{100 * row['low']:+.1f} … {100 * row['high']:+.1f} %"
