"""``record``: let a real model work, and keep what it did for a task to score on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from discovery.cli.options import AsJson, Quiet, TaskName, TaskOptions, settings, task_of
from discovery.cli.output import emit, note, say
from discovery.cli.signals import listening
from discovery.errors import UsageError
from discovery.wording import number

if TYPE_CHECKING:
    from evaluators.recordable import Recording

FIRST = "stopping after this forward pass; texts that are recorded in full are kept; Ctrl-C again to stop now"
SECOND = "stopping; what was written is kept"


def register(app: typer.Typer) -> None:
    app.command("record")(record)


def record(
    task: TaskName,
    checkpoint: Annotated[
        Path, typer.Option(help="The folder of the model's checkpoint.", show_default=False)
    ],
    data: Annotated[Path, typer.Option(help="Questions with answers, JSON Lines.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="Where to write (default: TASK-recordings.npz).")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Record so many of the questions, from the first one.")
    ] = None,
    gen_length: Annotated[int, typer.Option(min=1, help="Positions that the model fills in.")] = 256,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Forward passes (default: one a position).")
    ] = None,
    block_length: Annotated[
        int | None,
        typer.Option(min=1, help="Positions of a block; blocks go left to right (default: one block)."),
    ] = None,
    mask_id: Annotated[
        int | None, typer.Option(min=0, help="The mask's token (default: what the checkpoint says).")
    ] = None,
    shift: Annotated[
        bool | None,
        typer.Option(
            "--shift/--no-shift",
            help="Logits stand one place before their position (default: for Dream).",
            show_default=False,
        ),
    ] = None,
    chat: Annotated[
        bool | None,
        typer.Option(
            "--chat/--no-chat",
            help="Prompts go through the chat template (default: where there is one).",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:1.")] = "auto",
    dtype: Annotated[
        Literal["bfloat16", "float32"], typer.Option(help="What the model computes in.")
    ] = "bfloat16",
    trust_remote_code: Annotated[
        bool,
        typer.Option("--trust-remote-code", help="Run code that the checkpoint brings, with your rights."),
    ] = False,
    option: TaskOptions = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Record what a real model does, for `score --instances`.

    Goes on with a file of the same checkpoint, data and settings. Needs the extra `hf`; nothing is downloaded."""
    from evaluators.recordable import Recipe, Recordable

    bound = task_of(task, settings({}, task=task, options=option))
    if not isinstance(bound, Recordable):
        raise UsageError(f"task {task!r} records no models")
    target = out or Path(f"{task}-recordings.npz")
    if not target.parent.is_dir():
        raise UsageError(f"the folder {str(target.parent)!r} does not exist")
    if target.is_dir() or target.suffix != ".npz":
        raise UsageError(f"--out {str(target)!r}: expected the name of a file that ends with .npz")
    recipe = Recipe(
        length=gen_length,
        steps=steps,
        block=block_length,
        limit=limit,
        mask=mask_id,
        shift=shift,
        chat=chat,
        device=device,
        precision=dtype,
        trust=trust_remote_code,
    )
    with listening(note, first=FIRST, second=SECOND) as stop:
        made = bound.record(
            checkpoint,
            data,
            target,
            recipe=recipe,
            over=lambda: stop.finishing,
            say=(lambda _: None) if quiet else note,
        )
    _tell(bound.name, made, as_json)
    if made.texts < made.asked:
        note(f"{made.texts} of {made.asked} texts are recorded; the same command goes on with the others")
        raise typer.Exit(130)


def _tell(task: str, made: Recording, as_json: bool) -> None:
    if as_json:
        figures = {f.name: f.value for f in made.figures}
        file = None if made.file is None else str(made.file)
        emit({"task": task, "file": file, "texts": made.texts, "asked": made.asked, "figures": figures})
        return
    for figure in made.figures:
        say(f"{figure.name}: {number(figure.value)} {figure.unit}".rstrip())
    if made.file is not None:
        say(f"{made.texts} texts recorded in {made.file}; score on them with --instances {made.file}")
