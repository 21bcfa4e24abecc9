"""``train``: fit a task's model to measurements, in as many sittings as one likes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from discovery.cli.options import AsJson, Quiet, TaskName, TaskOptions, settings, task_of
from discovery.cli.output import emit, note, say
from discovery.cli.signals import listening
from discovery.errors import UsageError
from discovery.wording import number

FIRST = "finishing what is being measured, then fitting; Ctrl-C again to stop now"
SECOND = "stopping; what was measured is kept"


def register(app: typer.Typer) -> None:
    app.command("train")(train)


def train(
    task: TaskName,
    programs: Annotated[int, typer.Option(min=1, help="Problems to measure on.")] = 80,
    schedules: Annotated[int, typer.Option(min=1, help="Answers to each of them.")] = 20,
    minutes: Annotated[float, typer.Option(min=0.0, help="Measure no longer; fitting comes on top.")] = 15.0,
    out: Annotated[
        Path | None, typer.Option(help="Where to write the model (default: TASK-model.npz).")
    ] = None,
    option: TaskOptions = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Fit the model of a task to measurements.

    Goes on from what is measured already (a .jsonl file beside the model)."""
    from evaluators.task import Trainable

    bound = task_of(task, settings({}, task=task, options=option))
    if not isinstance(bound, Trainable):
        raise UsageError(f"task {task!r} has no model to train")
    target = out or Path(f"{task}-model.npz")
    if not target.parent.is_dir():
        raise UsageError(f"the folder {str(target.parent)!r} does not exist")
    if target.is_dir() or target.suffix != ".npz":
        raise UsageError(f"--out {str(target)!r}: expected the name of a file that ends with .npz")
    end = time.monotonic() + 60.0 * minutes
    with listening(note, first=FIRST, second=SECOND) as stop:
        made = bound.train(
            target,
            programs=programs,
            schedules=schedules,
            over=lambda: stop.finishing or time.monotonic() > end,
            say=(lambda _: None) if quiet else note,
        )
    if as_json:
        figures = {f.name: f.value for f in made.figures}
        emit({"task": bound.name, "file": str(made.file), "samples": made.samples, "figures": figures})
        return
    for figure in made.figures:
        say(f"{figure.name}: {number(figure.value)} {figure.unit}".rstrip())
    say(f"fitted to {made.samples} measurements; written to {made.file}")
