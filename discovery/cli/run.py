"""``run`` and ``resume``: a run from the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.live import View, view
from discovery.cli.options import AsJson, Db, Quiet, TaskName, TaskOptions, Unsafe, setting, settings, task_of
from discovery.cli.output import emit, note, say, table, tell_versus
from discovery.cli.signals import listening
from discovery.config import Loaded, RunSettings, Settings, Where
from discovery.errors import EnvironmentProblem, UsageError
from discovery.wording import clock

if TYPE_CHECKING:
    from discovery.recorded import Repeated
    from discovery.report import RunReport


def register(app: typer.Typer) -> None:
    app.command("run")(run)
    app.command("resume")(resume)


def run(
    task: TaskName,
    proposer: Annotated[str | None, setting("proposer")] = None,
    model: Annotated[list[str] | None, setting("model", metavar="NAME")] = None,
    model_choice: Annotated[str | None, setting("model_choice")] = None,
    base_url: Annotated[str | None, setting("base_url", metavar="URL")] = None,
    api_key_env: Annotated[str | None, setting("api_key_env", metavar="NAME")] = None,
    temperature: Annotated[str | None, setting("temperature")] = None,
    max_tokens: Annotated[int | None, setting("max_tokens")] = None,
    timeout: Annotated[float | None, setting("timeout")] = None,
    wait: Annotated[float | None, setting("wait", metavar="MINUTES")] = None,
    in_flight: Annotated[int | None, setting("in_flight")] = None,
    templates: Annotated[str | None, setting("templates", metavar="FOLDER")] = None,
    replay: Annotated[
        str | None, typer.Option(metavar="RUN|FILE", help="Answer from recorded replies.")
    ] = None,
    samples: Annotated[int | None, setting("samples")] = None,
    tokens: Annotated[int | None, setting("tokens")] = None,
    cost: Annotated[float | None, setting("cost")] = None,
    evaluations: Annotated[int | None, setting("evaluations")] = None,
    minutes: Annotated[float | None, setting("minutes")] = None,
    cpu_minutes: Annotated[float | None, setting("cpu_minutes")] = None,
    seed: Annotated[int | None, setting("seed")] = None,
    batch: Annotated[int | None, setting("batch")] = None,
    workers: Annotated[int | None, setting("workers")] = None,
    executor: Annotated[str | None, setting("executor")] = None,
    address: Annotated[str | None, setting("address", metavar="HOST:PORT")] = None,
    strategy: Annotated[str | None, setting("strategy")] = None,
    islands: Annotated[int | None, setting("islands")] = None,
    archive: Annotated[int | None, setting("archive")] = None,
    migration: Annotated[int | None, setting("migration", metavar="BATCHES")] = None,
    cells: Annotated[int | None, setting("cells")] = None,
    fronts: Annotated[float | None, setting("fronts", metavar="SHARE")] = None,
    novelty: Annotated[float | None, setting("novelty", metavar="LIKENESS")] = None,
    tune: Annotated[bool | None, setting("tune")] = None,
    trials: Annotated[int | None, setting("trials")] = None,
    lift_constants: Annotated[bool | None, setting("lift_constants")] = None,
    control: Annotated[float | None, setting("control", metavar="SHARE")] = None,
    start: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar="NAME|FILE",
            help="Start from this baseline, candidate, plugin:NAME or file; again for more.",
        ),
    ] = None,
    option: TaskOptions = None,
    db: Db = None,
    unsafe: Unsafe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Discover a heuristic for a task.

    Without a model, the built-in genetic proposer works."""
    flags: dict[str, object] = {
        "proposer": proposer if replay is None or proposer is not None else "replay",
        "model": ",".join(model) if model else None, "model_choice": model_choice,
        "base_url": base_url, "api_key_env": api_key_env, "temperature": temperature,
        "max_tokens": max_tokens, "timeout": timeout, "wait": wait, "in_flight": in_flight,
        "templates": templates, "samples": samples, "tokens": tokens,
        "cost": cost, "evaluations": evaluations, "minutes": minutes, "cpu_minutes": cpu_minutes,
        "seed": seed, "batch": batch, "workers": workers, "executor": executor,
        "address": address,
        "strategy": strategy, "islands": islands, "archive": archive, "migration": migration, "cells": cells,
        "fronts": fronts, "novelty": novelty, "tune": tune, "trials": trials, "lift_constants": lift_constants,
        "control": control, "db": db,
    }  # fmt: skip
    loaded = settings(flags, task=task, options=option)
    task_of(task, loaded)
    _fit_together(loaded, replay, start)
    chosen = RunSettings(task, loaded.settings, tuple(start or ()), replay, unsafe)
    make_folder(loaded)
    with view(quiet=quiet) as shown:
        report = _watched_start(loaded, chosen, shown, quiet=quiet)
    finish(report, as_json=as_json)


def resume(
    run: Annotated[str, typer.Argument(metavar="RUN", show_default=False)],
    workers: Annotated[int | None, setting("workers")] = None,
    executor: Annotated[str | None, setting("executor")] = None,
    address: Annotated[str | None, setting("address", metavar="HOST:PORT")] = None,
    db: Db = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Go on with an interrupted run.

    Its settings stay as they were, but for where candidates run, which decides nothing."""
    loaded = settings({"db": db, "workers": workers, "executor": executor, "address": address})
    from discovery import run as engine

    with view(quiet=quiet) as shown, listening(shown.say) as stop:
        where = Where(workers, executor, address)
        report = engine.resume(loaded.settings.db, run, where=where, on_progress=shown, stop=stop)
    finish(report, as_json=as_json)


def opening(loaded: Loaded) -> list[str]:
    """What a run says first: with a model, who is asked and what it will use; without one, how to name one and which
    local servers answer. Raises EnvironmentProblem when the model's server does not answer."""
    chosen = loaded.settings
    if chosen.proposer == "chat":
        return [*_models(chosen), _caps(chosen)]
    if chosen.proposer != "genetic":
        return []
    from discovery.cli import servers

    found = [f"{s.sentence}; it is not used unless you name it." for s in servers.find()]
    how = "No language model is used; to use one, add --model NAME (and --base-url URL for a server of your own)."
    return [how, *found]


def _models(chosen: Settings) -> list[str]:
    """Who is asked, and whether each server answers."""
    from discovery.proposers.panel import chat_proposers

    said = []
    for model in chat_proposers(chosen).values():
        answer = model.probe()
        if not answer.reachable:
            raise EnvironmentProblem(answer.sentence)
        said += [model.describe(), answer.sentence]
    return said


def _caps(chosen: Settings) -> str:
    caps = [f"{chosen.samples} samples"] if chosen.samples else []
    caps += [f"{chosen.tokens:,} tokens"] if chosen.tokens else []
    caps += [f"{chosen.cost:g} US dollars"] if chosen.cost else []
    caps += [f"{chosen.evaluations:,} evaluations"] if chosen.evaluations else []
    caps += [f"{chosen.minutes:g} minutes"] if chosen.minutes else []
    caps += [f"{chosen.cpu_minutes:g} minutes of processor time"] if chosen.cpu_minutes else []
    return "it stops at " + ", ".join(caps)


def finish(report: RunReport, *, as_json: bool) -> None:
    """Print the result of a run; raises Exit with its code."""
    data = report.to_json()
    if as_json:
        emit(data)
    else:
        tell(report)
    if report.waiting:
        note(
            f"it waits for an answer: `discover ask {report.run}`, then `discover tell {report.run} ID FILE`"
        )
        return
    if report.interrupted:
        note(f"interrupted; go on with `discover resume {report.run}`")
        raise typer.Exit(130)
    if not report.valid:
        note(f"discover: nothing valid came out: {report.reason}")
        raise typer.Exit(1)


def tell(report: RunReport) -> None:
    """The result for people: the champion beside the best seed and the best baseline, and where to go from here."""
    seen = f"{report.samples} samples, {report.evaluated} evaluated, {report.valid} valid, {clock(report.seconds)}"
    say(f"run {report.run}, {report.proposer} on {report.task}: {seen}")
    if report.failures:
        say("lost: " + ", ".join(f"{n} {kind}" for kind, n in report.failures.items()))
    if report.behaviours.get("share") is not None:
        share = report.behaviours["share"]
        ran = report.behaviours["valid"]
        say(
            f"behaviours: {report.behaviours['new']} new among {ran} samples that ran, copies included ({share:.0%})"
        )
    best = report.best
    champion = "champion" if best.promoted else "champion (still the best seed)"
    rows: list[tuple[object, ...]] = [(champion, best.candidate[:8], best.score, best.gate)]
    rows.append(("best seed", *report.seed))
    if report.control is not None:
        found = report.control.best
        rows.append(("control", found.candidate[:8], found.score, found.gate))
    if report.baseline is not None:
        rows.append(("best baseline", *report.baseline))
    table(("", "name", "search", "gate"), rows, numeric=("search", "gate"))
    if report.versus is not None:
        tell_versus(report.versus.to_json())
    if report.tokens:
        say(
            f"{report.tokens} tokens, "
            + ("cost unknown" if report.cost is None else f"{report.cost:.4f} US dollars")
        )
    if report.replay is not None:
        say(_repeated(report.replay))
    if not report.isolated:
        note("note: this run was not isolated (--unsafe-no-sandbox); its results are marked")
    say(
        f"The rule: discover show {best.candidate[:8]} --code    Held-out scores: discover report {report.run}"
    )


def _repeated(replay: Repeated) -> str:
    if replay.same:
        return f"the same decisions as {replay.source}: the digests are equal"
    why = f"; {', '.join(replay.differs)}" if replay.differs else ""
    return f"not the decisions of {replay.source}: the digests differ{why}"


def _watched_start(loaded: Loaded, chosen: RunSettings, shown: View, *, quiet: bool) -> RunReport:
    from discovery import run as engine

    def say(text: str) -> None:
        if not quiet:
            shown.say(text)

    def open_up() -> None:
        for sentence in opening(loaded):
            say(sentence)

    with listening(shown.say) as stop:
        return engine.start(chosen, on_progress=shown, stop=stop, ready=open_up, tell=None if quiet else say)


RECORDED = ("seed", "samples", "batch", "strategy", "islands", "archive", "migration", "cells", "fronts", "novelty",
            "tune", "trials", "lift_constants", "control", "tokens", "cost", "evaluations", "minutes",
            "cpu_minutes")  # fmt: skip
"""Settings that a replay takes from the recorded run."""
ASKING = (
    "base_url",
    "model_choice",
    "temperature",
    "max_tokens",
    "timeout",
    "wait",
    "in_flight",
    "templates",
    "api_key_env",
)
"""Settings of a model's endpoint and prompts."""


def _fit_together(loaded: Loaded, replay: str | None, start: list[str] | None) -> None:
    """Refuse combinations in which a flag would have no effect. Raises UsageError."""
    chosen, origins = loaded.settings, loaded.origins
    if chosen.proposer == "chat" and not chosen.named_models:
        raise UsageError(
            "the chat proposer needs a model: add --model NAME (and --base-url URL for your own server)"
        )
    if chosen.proposer == "replay" and replay is None:
        raise UsageError("the replay proposer needs --replay RUN or --replay FILE")
    if replay is not None and chosen.proposer != "replay":
        raise UsageError(f"--replay does not go with --proposer {chosen.proposer}; leave one out")
    if chosen.proposer == "genetic" and origins["model"] == "flag":
        raise UsageError("--model does not go with --proposer genetic; leave one out")
    flags = {name for name, origin in origins.items() if origin == "flag"} | ({"from"} if start else set())
    if replay is not None:
        _refuse(flags, ("model", *ASKING), "--replay: no model is asked")
    if replay is not None and _tells_its_course(replay):
        _refuse(flags, (*RECORDED, "from", "options"), "--replay: the recorded run decides that")
    if chosen.proposer == "genetic":
        _refuse(flags, (*ASKING, "tokens", "cost"), "the genetic proposer: no model is asked")
    if "model_choice" in flags and len(chosen.named_models) < 2:
        raise UsageError(
            "--model-choice has no effect with one model; name more with --model, or leave it out"
        )
    if chosen.proposer == "manual":
        asking = tuple(name for name in ASKING if name != "templates")
        _refuse(flags, ("model", *asking, "tokens", "cost"), "--proposer manual: no model is asked")
    if "trials" in flags and not chosen.tune:
        raise UsageError("--trials has no effect without tuning; leave out --trials or --no-tune")
    if "lift_constants" in flags and chosen.lift_constants and not chosen.tune:
        raise UsageError("--lift-constants has no effect without tuning; leave out one of it and --no-tune")
    if chosen.executor == "ray" and chosen.address is None:
        raise UsageError("--executor ray needs --address HOST:PORT, where the head of the cluster listens")
    if "address" in flags and chosen.executor != "ray":
        raise UsageError(
            f"--address has no effect with --executor {chosen.executor}; leave it out, or add --executor ray"
        )
    _fit_strategy(chosen, flags)


def _fit_strategy(chosen: Settings, flags: set[str]) -> None:
    """Refuse an unknown strategy, and flags of the population that the chosen one does not heed. Raises UsageError."""
    from discovery.population import strategies

    strategies.make(chosen)
    if chosen.strategy != "islands":
        _refuse(flags, ("fronts",), f"--strategy {chosen.strategy}: it draws parents in its own way")
    if chosen.strategy == "best-of-n":
        _refuse(flags, ("cells",), "--strategy best-of-n: its parents are the seeds")
    if chosen.islands == 1:
        _refuse(flags, ("migration",), "one island: there is no next one")


def _tells_its_course(replay: str) -> bool:
    """Whether a recording decides more than the replies: a run does, and so does a file but one of version 1."""
    if not Path(replay).is_file():
        return True
    from discovery.proposers.cassette import read_course

    return read_course(Path(replay)) is not None


def _refuse(flags: set[str], names: tuple[str, ...], why: str) -> None:
    """Raises UsageError when one of ``names`` was given as a flag."""
    given = next((name for name in names if name in flags), None)
    if given is not None:
        flag = "option" if given == "options" else given.replace("_", "-")
        raise UsageError(f"--{flag} has no effect with {why}; leave it out")


def make_folder(loaded: Loaded) -> None:
    """The default ledger's folder is made; one that the user named must be there."""
    if loaded.origins["db"] == "default":
        Path(loaded.settings.db).parent.mkdir(exist_ok=True)
