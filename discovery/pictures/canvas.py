"""A figure without a screen, in one style, and what comes out of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from discovery.errors import EnvironmentProblem
from discovery.escape import plain

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 80
COLOURS = 128
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#8a8a8a"
"""Of a colour-blind-safe set (Okabe & Ito)."""
STYLE = {
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "svg.hashsalt": "discover",
    # Labels may hold what a candidate wrote; a dollar sign in it must not begin a formula.
    "text.parse_math": False,
}


@dataclass(frozen=True, repr=False)
class Picture:
    """A drawn figure. ``text`` says in a sentence what there is to see."""

    figure: Figure = field(compare=False)
    text: str

    def png(self) -> bytes:
        """The same bytes for the same data and version of matplotlib; few colours, so that it stays small."""
        from PIL import Image

        full = Image.open(io.BytesIO(self._saved("png", {"Software": None}))).convert("RGB")
        out = io.BytesIO()
        full.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "png", optimize=True)
        return out.getvalue()

    def svg(self) -> str:
        return self._saved("svg", {"Date": None, "Creator": None}).decode("utf-8")

    def save(self, path: Path) -> None:
        """Write it as its name ends: ``.png`` or ``.svg``."""
        path.write_bytes(self.svg().encode("utf-8") if path.suffix == ".svg" else self.png())

    def _saved(self, kind: str, metadata: dict[str, str | None]) -> bytes:
        out = io.BytesIO()
        with _styled():
            self.figure.savefig(out, format=kind, dpi=DPI, metadata=metadata)
        return out.getvalue()

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        return self.text


def drawn(text: str, draw: Callable[[Axes], None], *, size: tuple[float, float] = (7.0, 3.4)) -> Picture:
    """A picture of one pair of axes; ``size`` in inches. Raises EnvironmentProblem without matplotlib."""
    return panels(text, [draw], size=size)


def panels(
    text: str,
    draws: list[Callable[[Axes], None]],
    *,
    size: tuple[float, float],
    columns: int = 1,
    share_x: bool = False,
) -> Picture:
    """A picture of several axes, row by row."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise EnvironmentProblem(
            "pictures need the extra `notebooks`: pip install 'discover-heuristics[notebooks]'"
        ) from None
    rows = -(-len(draws) // columns)
    with _styled():
        figure = Figure(figsize=size, layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False, sharex=share_x)
        for axes, draw in zip(grid.flat, draws, strict=False):
            draw(axes)
        for axes in grid.flat[len(draws) :]:
            axes.set_axis_off()
    return Picture(figure, plain(text))


def logarithmic(
    axes: Axes, steps: tuple[float, ...] = (1.0, 2.0, 5.0), along: Literal["x", "y"] = "x"
) -> None:
    """Make an axis logarithmic, with plain numbers: matplotlib's own are formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    axis = axes.xaxis if along == "x" else axes.yaxis
    axes.set(**{f"{along}scale": "log"})
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def _styled() -> AbstractContextManager[None]:
    import matplotlib

    return matplotlib.rc_context(STYLE)  # type: ignore[arg-type]
