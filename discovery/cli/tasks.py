"""``tasks`` and ``baselines``: what there is to work on, and how good the known heuristics are."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from discovery.cli.options import AsJson, Quiet, TaskName, TaskOptions, Unsafe, settings, task_of
from discovery.cli.output import emit, note, say, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from discovery.installed import Installed, Plugin
    from evaluators.task import Direction, Interface, Option, Task, Value

PLUGIN = "plugin:"


class Split(enum.StrEnum):
    """Splits that a user may look at freely; ``final`` is opened by `discover report` only."""

    screen = "screen"
    search = "search"
    gate = "gate"


def register(app: typer.Typer) -> None:
    app.command("tasks")(tasks)
    app.command("baselines")(baselines)


def tasks(
    name: Annotated[str | None, typer.Argument(help="One task in detail.", show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """List the tasks, or explain one.

    With a name: its interface, its options and its seeds."""
    from evaluators.registry import names
    from evaluators.task import TaskError

    loaded = settings({})
    found: list[Task] = []
    for known in (name,) if name is not None else names():
        try:
            found.append(task_of(known, loaded))
        except TaskError as error:
            if name is not None:
                raise
            note(f"{known}: {error}")
    plugins = _installed()
    if as_json:
        emit({"tasks": [{**summary(t), "plugins": [p.name for p in plugins.of(t.name)]} for t in found]})
    elif name is not None:
        _explain(found[0])
        _tell_plugins(plugins, found)
    else:
        table(
            ("task", "score", "summary"),
            [
                (t.name, f"{t.unit}, {t.direction}" + (", measured" if t.measured else ""), t.summary)
                for t in found
            ],
        )
        _tell_plugins(plugins, found)
        say("One task in detail: discover tasks NAME")


def _installed() -> Installed:
    """The installed plugins; says in one line each which of them cannot be used."""
    from discovery.installed import plugins

    found = plugins()
    for warning in found.warnings:
        note(warning)
    return found


def _tell_plugins(plugins: Installed, found: list[Task]) -> None:
    """The installed plugins for these tasks, if there are any."""
    rows = [
        (f"{PLUGIN}{p.name}", p.task, p.version, p.score(t, "gate"), str(p.provenance.get("verdict", "")))
        for t in found
        for p in plugins.of(t.name)
    ]
    if rows:
        say(
            "Installed plugins (their scores are their packages' word; `discover verify plugin:NAME` checks it):"
        )
        table(("plugin", "task", "version", "gate", "what it is"), rows, numeric=("gate",))


def summary(task: Task) -> dict[str, object]:
    """A task as the documented object."""
    return {
        "name": task.name,
        "summary": task.summary,
        "direction": task.direction,
        "unit": task.unit,
        "measured": task.measured,
        "seeds": list(task.seeds),
        "function": task.interface.function,
        "hooks": [
            {
                "function": hook.function,
                "arguments": [a.name for a in hook.arguments],
                "returns": hook.returns.name,
                "summary": hook.summary,
                "absent": hook.absent,
            }
            for hook in task.interface.hooks
        ],
        "options": [
            {
                "name": o.name,
                "default": o.default,
                "choices": list(o.choices),
                "many": o.many,
                "description": o.description,
            }
            for o in task.options
        ],
    }


def baselines(
    task: TaskName,
    split: Annotated[Split, typer.Option(help="The instances that the scores are read on.")] = Split.search,
    recompute: Annotated[bool, typer.Option("--recompute", help="Run them anew; nothing is stored.")] = False,
    option: TaskOptions = None,
    unsafe: Unsafe = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Rank the known heuristics of a task.

    Baselines, reference policies and installed plugins, with their scores as published and tuned."""
    bound = task_of(task, settings({}, task=task, options=option))
    plugins = _installed().of(bound.name)
    if recompute:
        from discovery.scoring import baselines_report

        codes = {f"{PLUGIN}{p.name}": p.code for p in plugins}
        scores = baselines_report(
            bound, split.value, others=codes, unsafe=unsafe, progress=None if quiet else note
        )
    else:
        shipped = bound.shipped_scores()
        scores = {n: (s.published.get(split.value), s.tuned.get(split.value)) for n, s in shipped.items()}
        if not shipped:
            note(f"no scores ship with these options of {task}; --recompute runs the baselines")
        scores |= {f"{PLUGIN}{p.name}": (p.score(bound, split.value), None) for p in plugins}
    rows = leaderboard(bound, scores, plugins)
    if as_json:
        emit({"task": bound.name, "direction": bound.direction, "baselines": rows})
        return
    table(
        ("name", "kind", "score", "tuned", "source"),
        [(r["name"], r["kind"], r["score"], r["tuned_score"], r["source"]) for r in rows],
        numeric=("score", "tuned"),
    )
    say(
        f"{bound.name}, {split} split, {bound.unit}: {'less' if bound.direction == 'minimize' else 'more'} is better."
    )
    if any(r["score"] is None for r in rows):
        say("Without a score: rejected on this split, or not run on it.")


def leaderboard(
    task: Task, scores: Mapping[str, tuple[float | None, float | None]], plugins: Sequence[Plugin] = ()
) -> list[dict[str, object]]:
    """Rows as documented, the best first (by the better of its two scores), those without a score last."""
    rows = []
    known: list[tuple[str, str, str]] = [
        (name, baseline.kind, baseline.source) for name, baseline in task.baselines().items()
    ]
    known += [
        (f"{PLUGIN}{p.name}", "plugin", f"{p.distribution} {p.version}, run {p.provenance['run']['id']}")
        for p in plugins
    ]
    for name, kind, source in known:
        score, tuned = scores.get(name, (None, None))
        row: dict[str, object] = {
            "name": name,
            "kind": kind,
            "score": score,
            "tuned_score": tuned,
            "source": source,
        }
        rows.append((_rank((score, tuned), task.direction), name, row))
    return [row for _, _, row in sorted(rows, key=lambda r: r[:2])]


def _rank(scores: tuple[float | None, ...], direction: Direction) -> float:
    known = [s if direction == "minimize" else -s for s in scores if s is not None]
    return min(known, default=float("inf"))


def _explain(task: Task) -> None:
    say(f"{task.name}: {task.summary}")
    say(f"{task.direction} the score ({task.unit}); starts from {', '.join(task.seeds)}\n")
    _explain_function(task.interface)
    for hook in task.interface.hooks:
        say("\nOptional:")
        _explain_function(hook, told=task.interface.arguments)
        say(f"- Without it: {hook.absent}")
    if task.options:
        say("\nOptions (--option NAME=VALUE):")
        table(
            ("option", "default", "choices", "meaning"),
            [(o.name, o.default, _choices(o), o.description) for o in task.options],
        )


def _explain_function(interface: Interface, told: Sequence[Value] = ()) -> None:
    """A function and its values, without those that were ``told`` before."""
    say(signature(interface))
    say(f"    {interface.summary}\n")
    arguments = [a for a in interface.arguments if a not in told]
    if len(arguments) < len(interface.arguments):
        say("The values that are not here are those above.\n")
    table(
        ("value", "type", "range", "unit", "meaning"),
        [(v.name, _type(v), _range(v), v.unit, v.description) for v in (*arguments, interface.returns)],
    )
    for fact in interface.facts:
        say(f"- {fact}")


def signature(interface: Interface) -> str:
    """The function a candidate implements, as its first line."""
    arguments = ", ".join(a.name for a in interface.arguments)
    return f"def {interface.function}({arguments}, *, …parameters): → {interface.returns.name}"


def _choices(option: Option) -> str:
    words = ", ".join(option.choices) or "any text"
    return f"any of {words}" if option.many and option.choices else words


def _type(value: Value) -> str:
    if value.kind in ("scalar", "object"):
        return value.dtype
    return f"{value.kind}[{value.length or '…'}] of {value.dtype}"


def _range(value: Value) -> str:
    low = "" if value.low is None else f"{value.low:g}"
    high = "" if value.high is None else f"{value.high:g}"
    return f"{low} … {high}".strip() if low or high else "any"
