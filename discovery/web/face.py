"""A live run in words and bars: what the page shows at first and what the stream of events then replaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from discovery.escape import plain
from discovery.progress import Progress, Spent, Standing
from discovery.review import Live, is_candidate
from discovery.wording import clock, compared, number

PHASES = {
    "preparing": "preparing",
    "seeds": "scoring its seeds",
    "searching": "searching",
    "finishing": "finishing",
    "done": "done",
}


@dataclass(frozen=True)
class Bar:
    """A budget. ``limit`` is None where there is none: then only the text is shown."""

    name: str
    text: str
    used: float
    limit: float | None


def texts(live: Live) -> dict[str, str]:
    """The words that change, by name. Safe to show as they are."""
    p = live.progress
    found = {
        "status": live.status,
        "phase": PHASES[p.phase] if live.status == "running" else live.status,
        "reason": live.reason,
        "best": _score(p.best),
        "best-name": p.best.name if p.best else "none yet",
        "best-against": _against(p, p.best, gate=False),
        "champion": _score(p.champion, gate=p.champion is not None and p.champion.gate is not None),
        "champion-name": p.champion.name if p.champion else "none yet",
        "best-link": _link(p.best),
        "champion-link": _link(p.champion),
        "champion-note": _champion_note(p),
        "champion-against": _against(p, p.champion, gate=True),
        "now": _now(live),
        "counts": f"{p.evaluated} evaluated, {p.valid} valid, {p.duplicates} duplicates",
        "left": f"about {clock(p.eta)} left" if p.eta is not None else "",
        "time": clock(p.seconds.used),
    }
    return {name: plain(text) for name, text in found.items()}


def bars(live: Live) -> tuple[Bar, ...]:
    """The budgets that are used or limited, samples first."""
    p = live.progress
    named = (
        ("samples", p.samples, _count),
        ("tokens", p.tokens, _count),
        ("US $", p.cost, lambda v: f"{v:.4f}"),
        ("evaluations", p.evaluations, _count),
        ("wall time", p.seconds, clock),
        ("processor time", p.cpu_seconds, clock),
    )
    return tuple(
        Bar(name, _amount(spent, say), spent.used, spent.limit)
        for name, spent, say in named
        if spent.used or spent.limit is not None
    )


def losses(live: Live) -> tuple[tuple[str, int], ...]:
    """Failures by kind, the commonest first."""
    return tuple(sorted(live.progress.failures.items(), key=lambda f: (-f[1], f[0])))


def face(live: Live) -> dict[str, object]:
    """Everything that changes on the page of a run, as one object."""
    return {
        "stamp": live.stamp,
        "status": live.status,
        "seen": seen(live),
        "texts": texts(live),
        "bars": [{"name": b.name, "text": b.text, "used": b.used, "limit": b.limit} for b in bars(live)],
        "losses": [{"kind": plain(kind), "count": count} for kind, count in losses(live)],
    }


def seen(live: Live) -> str:
    """Changes when the pictures of a run do: with each batch, and with its status."""
    return f"{live.progress.batch}/{live.status}"


def of_head(head: Mapping[str, object]) -> dict[str, object]:
    """What the head of every view of a run shows, before the stream tells more."""
    status = str(head["status"])
    texts = {"phase": status, "reason": plain(str(head["reason"]))}
    return {"status": status, "texts": texts, "seen": f"{head['batches']}/{status}"}


def _score(standing: Standing | None, *, gate: bool = False) -> str:
    value = None if standing is None else standing.gate if gate else standing.search
    return "–" if value is None else number(value)


def _link(standing: Standing | None) -> str:
    """The page of a candidate that is named by its hash; none for a seed, which is named by its name."""
    return f"/candidates/{standing.name}" if standing is not None and is_candidate(standing.name) else ""


def _now(live: Live) -> str:
    p = live.progress
    if live.status != "running":
        return {"done": "The run has ended.", "waiting": "It waits for an answer: discover ask."}.get(
            live.status, "Nobody works on it; discover resume goes on."
        )
    return f"{p.proposing} proposing · {p.evaluating} evaluating · {p.tuning} tuning"


def _champion_note(p: Progress) -> str:
    if p.champion is None:
        return "no candidate has a score yet"
    if p.champion.name in {s.name for s in p.seeds}:
        return "a seed: nothing has passed the gate yet"
    return "passed the gate" + (
        ", on unseen instances" if p.champion.gate is not None else "; score on search"
    )


def _against(p: Progress, own: Standing | None, *, gate: bool) -> str:
    """How a candidate compares with the best seed and the best baseline."""
    rivals = [r for r in (_best_seed(p), p.baseline) if r is not None]
    if own is None or (gate and own.gate is None):
        return ""
    said = [
        compared(p.direction, own.gate if gate else own.search, r.gate if gate else r.search, r.name)
        for r in {r.name: r for r in rivals}.values()
        if r.name != own.name
    ]
    return ", ".join(s for s in said if s)


def _best_seed(p: Progress) -> Standing | None:
    scored = [s for s in p.seeds if s.search is not None]
    sign = 1 if p.direction == "minimize" else -1
    return min(scored, key=lambda s: sign * (s.search or 0.0), default=None)


def _amount(spent: Spent, say: object) -> str:
    assert callable(say)
    return f"{say(spent.used)} of {say(spent.limit)}" if spent.limit is not None else f"{say(spent.used)}"


def _count(value: float) -> str:
    return f"{value:,.0f}"
