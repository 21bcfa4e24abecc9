"""A run as one watches it: a live panel on a terminal, now and then a plain line elsewhere. Always on stderr."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, Self

from discovery.cli.output import console, heard, note
from discovery.escape import plain
from discovery.progress import Progress, Spent, Standing
from discovery.wording import clock, compared, number, percent

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live


SPARKS = "▁▂▃▄▅▆▇█"
EVERY = 5.0
"""Seconds between two plain lines at least."""


class View(Protocol):
    """Shows progress. A context manager; called from any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def __call__(self, progress: Progress) -> None: ...

    def say(self, text: str) -> None:
        """One sentence beside the progress."""
        ...


def view(*, quiet: bool) -> View:
    """The view that fits stderr: none, a live panel, or plain lines (no terminal, a dumb one, or NO_COLOR)."""
    if quiet:
        return Silent()
    screen = console(sys.stderr)
    return (
        LivePanel(screen)
        if screen.is_terminal and not screen.is_dumb_terminal and not screen.no_color
        else Lines()
    )


class Silent:
    """Shows nothing but what must be said."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def __call__(self, progress: Progress) -> None: ...

    def say(self, text: str) -> None:
        note(text)


class Lines:
    """A plain line at the start, at the end, when the champion changes or the run is held up, and else every few
    seconds."""

    def __init__(
        self, write: Callable[[str], None] = note, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._write = write
        self._clock = clock
        self._lock = threading.Lock()
        self._due = float("-inf")
        self._champion: str | None = None
        self._notice: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def __call__(self, progress: Progress) -> None:
        champion = progress.champion.name if progress.champion else None
        with self._lock:
            if progress.notice != self._notice:
                self._notice = progress.notice
                self._write(plain(progress.notice or "the endpoint is back"))
            if self._clock() < self._due and champion == self._champion and progress.phase != "done":
                return
            self._due, self._champion = self._clock() + EVERY, champion
            self._write(line(progress))

    def say(self, text: str) -> None:
        self._write(text)


class LivePanel:
    """A panel that redraws four times a second."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._live: Live | None = None
        self._lock = threading.Lock()
        self._history: dict[float, float] = {}

    def __enter__(self) -> Self:
        from rich.live import Live

        self._live = Live(console=self._screen, refresh_per_second=4, transient=False)
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._live is not None:
            with heard():
                self._live.stop()

    def __call__(self, progress: Progress) -> None:
        with self._lock:
            if progress.best is not None and progress.best.search is not None:
                self._history[progress.samples.used] = progress.best.search
            if self._live is not None:
                self._live.update(panel(progress, list(self._history.values())))

    def say(self, text: str) -> None:
        from rich.text import Text

        with heard():
            self._screen.print(Text(plain(text)))


def line(progress: Progress) -> str:
    """A progress as one plain line."""
    parts = [
        f"{clock(progress.seconds.used)} {progress.task} {progress.phase}",
        f"{_amount(progress.samples)} samples",
        *([f"best {standing(progress.best)} on search{_against(progress)}"] if progress.best else []),
        *([f"champion {progress.champion.name}"] if progress.champion else []),
        f"valid {progress.valid}",
        *([f"lost {failures(progress)}"] if any(progress.failures.values()) else []),
    ]
    return plain(" · ".join(parts))


def panel(progress: Progress, history: list[float]) -> RenderableType:
    """A progress as a panel; ``history`` are the best search scores over the samples so far."""
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for label, value in rows(progress, history):
        grid.add_row(label, Text(plain(value)))
    title = f"{progress.task} · run {progress.run} · {progress.proposer} · {progress.phase}"
    return Panel(grid, title=Text(plain(title)), title_align="left", expand=False)


def rows(progress: Progress, history: list[float]) -> list[tuple[str, str]]:
    """The lines of the panel: label and text."""
    found = [("best", f"{standing(progress.best)} {progress.unit} on search{_against(progress)}")]
    if history:
        found.append(("", spark(history, higher_is_better=progress.direction == "maximize")))
    if progress.champion:
        found.append(
            ("champion", f"{progress.champion.name}  gate {_score(progress.champion.gate)}{_gate(progress)}")
        )
    found.append(("against", _rivals(progress)))
    found.append(("samples", bar(progress.samples)))
    for label, spent in (("tokens", progress.tokens), ("US $", progress.cost)):
        if spent.used or spent.limit is not None:
            found.append((label, bar(spent)))
    if progress.evaluations.limit is not None:
        found.append(("evaluations", bar(progress.evaluations)))
    left = f", about {clock(progress.eta)} left" if progress.eta is not None else ""
    limit = f" of {clock(progress.seconds.limit)}" if progress.seconds.limit is not None else ""
    found.append(("time", f"{clock(progress.seconds.used)}{limit}{left}"))
    cpu = progress.cpu_seconds
    if cpu.limit is not None:
        found.append(("processor", f"{clock(cpu.used)} of {clock(cpu.limit)}"))
    if progress.notice is not None:
        found.append(("held up", progress.notice))
    found.append(
        ("now", f"{progress.proposing} proposing, {progress.evaluating} evaluating, {progress.tuning} tuning")
    )
    seen = f"{progress.evaluated} evaluated, {progress.valid} valid, {progress.duplicates} duplicates"
    found.append(("so far", f"{seen}; lost: {failures(progress)}"))
    for look in progress.looks:
        verdict = "promoted" if look.promoted else "not promoted"
        figures = f"{percent(look.gain)}, p = {look.p:.2g} (level {look.alpha:.2g})"
        found.append((f"look {look.number}", f"{look.candidate} {figures}: {verdict}"))
    return found


def standing(entry: Standing | None) -> str:
    return "none yet" if entry is None else f"{entry.name} {_score(entry.search)}"


def failures(progress: Progress) -> str:
    """Losses by kind, the commonest first."""
    counted = sorted(((n, k) for k, n in progress.failures.items() if n), reverse=True)
    return ", ".join(f"{n} {kind}" for n, kind in counted) or "none"


def spark(values: list[float], width: int = 40, *, higher_is_better: bool = False) -> str:
    """The values as blocks, the last ``width`` columns' worth, better = higher block."""
    step = max(1, -(-len(values) // width))
    picked = values[::-1][::step][::-1]
    signed = picked if higher_is_better else [-v for v in picked]
    low, high = min(signed), max(signed)
    if high == low:
        return SPARKS[0] * len(picked)
    return "".join(SPARKS[round((v - low) / (high - low) * (len(SPARKS) - 1))] for v in signed)


def bar(spent: Spent, width: int = 24) -> str:
    """How much of a budget is used, drawn."""
    if spent.limit is None:
        return _amount(spent)
    filled = round(width * min(1.0, spent.used / spent.limit)) if spent.limit > 0 else width
    return f"{'━' * filled}{'╌' * (width - filled)} {_amount(spent)}"


def _amount(spent: Spent) -> str:
    of = f"/{_plain_number(spent.limit)}" if spent.limit is not None else ""
    return f"{_plain_number(spent.used)}{of}"


def _plain_number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:.4f}"


def _score(value: float | None) -> str:
    return "-" if value is None else number(value)


def _against(progress: Progress) -> str:
    """How the best compares on search with the best seed and the best baseline."""
    best = progress.best
    shown = [
        compared(progress.direction, best.search, rival.search, rival.name)
        for rival in _rivals_of(progress)
        if best is not None and rival.name != best.name
    ]
    return f" ({', '.join(s for s in shown if s)})" if any(shown) else ""


def _gate(progress: Progress) -> str:
    """How the champion compares on the gate with the best seed and the best baseline."""
    champion = progress.champion
    shown = [
        compared(progress.direction, champion.gate, rival.gate, rival.name)
        for rival in _rivals_of(progress)
        if champion is not None and rival.name != champion.name
    ]
    return f" ({', '.join(s for s in shown if s)})" if any(shown) else ""


def _rivals_of(progress: Progress) -> list[Standing]:
    rivals = [r for r in (_best_seed(progress), progress.baseline) if r is not None]
    return list({r.name: r for r in rivals}.values())


def _best_seed(progress: Progress) -> Standing | None:
    scored = [s for s in progress.seeds if s.search is not None]
    sign = 1 if progress.direction == "minimize" else -1
    return min(scored, key=lambda s: sign * (s.search or 0.0), default=None)


def _rivals(progress: Progress) -> str:
    seeds = ", ".join(f"{s.name} {_score(s.search)}" for s in progress.seeds) or "none"
    best = progress.baseline
    shown = f"; best baseline {best.name} {_score(best.search)} (gate {_score(best.gate)})" if best else ""
    return f"seeds {seeds}{shown}"
