"""``score``, ``tune`` and ``reference``: one candidate, or the user's own instances, outside any run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import (
    AsJson,
    Db,
    Quiet,
    TaskName,
    TaskOptions,
    Unsafe,
    parameters,
    settings,
    source_text,
    task_of,
)
from discovery.cli.output import emit, note, say, shown, table
from discovery.cli.tasks import PLUGIN, Split
from discovery.errors import UsageError
from discovery.wording import compared, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from discovery.scoring import ScoreReport
    from evaluators.task import InstanceSet, Proof, Task

BASELINE = "baseline:"
Instances = Annotated[Path | None, typer.Option("--instances", metavar="FILE", help="Your own instances.")]


def register(app: typer.Typer) -> None:
    app.command("score")(score)
    app.command("tune")(tune)
    app.command("reference")(reference)


def score(
    candidate: Annotated[str, typer.Argument(metavar="FILE|baseline:NAME|plugin:NAME", show_default=False)],
    task: TaskName,
    split: Annotated[
        Split | None, typer.Option(help="The instances (default: search).", show_default=False)
    ] = None,
    instances: Instances = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter.")
    ] = None,
    option: TaskOptions = None,
    no_check: Annotated[
        bool, typer.Option("--no-check", help="Skip the check, to try the sandbox itself.")
    ] = False,
    db: Db = None,
    unsafe: Unsafe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Score a candidate file, a baseline or an installed plugin.

    Writes nothing; `known` names equal code in the ledger."""
    loaded = settings({"db": db}, task=task, options=option)
    bound = task_of(task, loaded)
    if split is not None and instances is not None:
        raise UsageError("--split and --instances exclude each other; give one")
    text = candidate_text(candidate, bound)
    chosen = (
        bound.read(instances) if instances is not None else bound.instances((split or Split.search).value)
    )
    from discovery.scoring import score_text

    report = score_text(
        text,
        bound,
        chosen,
        parameters=parameters(param),
        own=instances is not None,
        check_first=not no_check,
        unsafe=unsafe,
        ledger_url=loaded.settings.db,
        ledger_required=loaded.origins["db"] == "flag",
        progress=None if quiet else note,
    )
    data = report.to_json()
    if as_json:
        emit(data)
    else:
        _tell(report, data, bound)
    if data["outcome"] != "scored":
        note(f"discover: no score: {data['outcome']}: {data['reason']}")
        raise typer.Exit(1)


def tune(
    file: Annotated[str, typer.Argument(metavar="FILE|baseline:NAME|plugin:NAME", show_default=False)],
    task: TaskName,
    trials: Annotated[
        int, typer.Option(min=2, help="Trials; the first is the candidate's own defaults.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampler.")] = 0,
    lift_constants: Annotated[
        bool, typer.Option("--lift-constants", help="Tune numbers that stand in the code, too.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Where to write (default: NAME.tuned.py).")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    option: TaskOptions = None,
    unsafe: Unsafe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Tune the numbers of a candidate.

    On the search split; writes the tuned file."""
    bound = task_of(task, settings({}, task=task, options=option))
    text = candidate_text(file, bound)
    target = out or Path(f"{Path(file.removeprefix(BASELINE).removeprefix(PLUGIN)).with_suffix('')}.tuned.py")
    if target.exists() and not force:
        raise UsageError(f"{str(target)!r} exists already; name another with --out or give --force")
    if not target.parent.is_dir():
        raise UsageError(f"the folder {str(target.parent)!r} does not exist")
    from discovery.study import tune_text

    say_so = None if quiet else note
    report = tune_text(
        text, bound, trials=trials, seed=seed, lift=lift_constants, unsafe=unsafe, progress=say_so
    )
    target.write_text(report.code, encoding="utf-8")
    data = {
        "task": bound.name,
        "trials": report.trials,
        "default_score": report.default_score,
        "tuned_score": report.tuned_score,
        "parameters": dict(report.parameters),
        "literals": [{"name": x.name, "line": x.line, "was": x.value} for x in report.literals],
        "file": str(target),
    }
    if as_json:
        emit(data)
        return
    say(
        f"{number(report.default_score)} → {number(report.tuned_score)} {bound.unit} after {report.trials} trials"
    )
    declared = {n: v for n, v in report.parameters.items() if n not in {x.name for x in report.literals}}
    if declared:
        say(shown(declared))
    for x in report.literals:
        say(f"line {x.line}: {shown(x.value)} → {shown(report.parameters[x.name])}")
    say(f"written to {target}")


def reference(
    task: TaskName,
    instances: Annotated[
        Path, typer.Option("--instances", metavar="FILE", help="Your instances.", show_default=False)
    ],
    solver: Annotated[str | None, typer.Option(help="The solver (default: the task's first).")] = None,
    seconds: Annotated[float, typer.Option(min=0.01, help="Limit for each instance.")] = 60.0,
    option: TaskOptions = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Prove the optimum of your instances, or bound it."""
    from evaluators.task import Provable

    bound = task_of(task, settings({}, task=task, options=option))
    if not isinstance(bound, Provable):
        raise UsageError(f"task {task!r} has no reference solver")
    if solver is not None and solver not in bound.solvers:
        raise UsageError(f"--solver {solver!r}: task {task!r} has {', '.join(bound.solvers)}")
    chosen = bound.read(instances)
    proofs = list(_watched(bound.prove(chosen, solver or bound.solvers[0], seconds), chosen, quiet=quiet))
    if as_json:
        emit({"instances": [_proof(p) for p in proofs]})
        return
    table(
        ("id", "status", "optimum", "bound", "best found", "gap", "seconds"),
        [(p.id, p.status, p.optimum, p.bound, p.value, p.gap, p.seconds) for p in proofs],
        numeric=("optimum", "bound", "best found", "gap", "seconds"),
    )


def candidate_text(name: str, task: Task) -> str:
    """The text of ``baseline:NAME``, of an installed ``plugin:NAME``, or of a file."""
    if name.startswith(PLUGIN):
        from discovery.installed import plugin

        return plugin(name.removeprefix(PLUGIN), task).code
    if name.startswith(BASELINE):
        from discovery.seeds import baseline_code

        return baseline_code(task, name.removeprefix(BASELINE))
    return source_text(Path(name))


def _watched(proofs: Iterator[Proof], instances: InstanceSet, *, quiet: bool) -> Iterator[Proof]:
    for done, proof in enumerate(proofs, 1):
        if not quiet:
            note(f"{done}/{len(instances)} {proof.id}: {proof.status} in {proof.seconds:.2f} s")
        yield proof


def _proof(proof: Proof) -> dict[str, object]:
    return {
        "id": proof.id,
        "optimum": proof.optimum,
        "status": proof.status,
        "bound": proof.bound,
        "sequence": None if proof.sequence is None else list(proof.sequence),
        "seconds": proof.seconds,
    }


def _tell(report: ScoreReport, data: dict[str, object], task: Task) -> None:
    from evaluators.task import Keeping

    value, rival = data["score"], data["baseline"]
    if isinstance(value, float):
        against = (
            compared(task.direction, value, rival["score"], rival["name"]) if isinstance(rival, dict) else ""
        )
        against = f" ({against})" if against else ""
        say(f"{task.name}, {data['split']}: {number(value)} {task.unit}{against}")
    elif report.figures:
        say(f"{task.name}, {data['split']}: no score; what it came to:")
    for figure in report.figures:
        say(f"  {figure.name}: {number(figure.value)} {figure.unit}".rstrip())
    if isinstance(task, Keeping) and data["split"] == "screen":
        note("note: a screen is too small to say what is kept, so that nothing is asked of it there")
    kinds = data["reference_kinds"]
    if isinstance(kinds, dict) and kinds.keys() - {"proved optimum"}:
        say("references: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    if data["known"] is not None:
        say(f"the ledger knows equal code as {data['known']}")
    if not report.isolated:
        note("note: this was not isolated (--unsafe-no-sandbox); the score is marked")
    if report.marginal:
        note("note: a call ended close to its time limit; the verdict is marginal")
    rows = data["instances"]
    if isinstance(rows, list) and 0 < len(rows) <= 40:
        columns = ("id", "score", "value", "reference", "reference_kind", "cpu_seconds")
        table(
            columns,
            [[r[c] for c in columns] for r in rows],
            numeric=("score", "value", "reference", "cpu_seconds"),
        )
