"""Pictures of a small run: what is drawn is what the data say, hostile text stays text, and the same data give the same
bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import review_samples as samples
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from PIL import Image
from review_samples import CHAMPION, MDD, RUN, TASK
from toy.task import Knapsack

from db.ledger import Ledger
from discovery import pictures, review
from discovery.errors import UsageError
from discovery.explain.ablation import Edit, Variant
from discovery.explain.bench import Comparison
from discovery.explain.judging import Judged
from discovery.explain.sensitivity import Sensitivity, Step
from discovery.pictures import canvas
from discovery.pictures.lineage import COLOURS
from discovery.pictures.scale import scale
from discovery.review.lineage import State
from discovery.review.paired import ClassGain
from evaluators import pictures as pictures_of
from evaluators import registry
from evaluators.pictures import Gridded, Mark, Pictured, Tile, Tiles
from evaluators.registry import load
from evaluators.smtt.problem import decode, total_tardiness
from evaluators.task import Instance, InvalidAnswer

HOSTILE = "$\\frac{a$ \u202e\x1b[2J <b>"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    with Ledger.open(tmp_path / "l.sqlite") as opened:
        samples.filled(opened)
        yield opened


def axes(picture: pictures.Picture, number: int = 0) -> Any:
    return picture.figure.axes[number]


def words(picture: pictures.Picture) -> str:
    """All text of a picture."""
    found: list[str] = [picture.text]
    for one in picture.figure.axes:
        found += [one.get_title(), one.get_title(loc="left"), one.get_xlabel(), one.get_ylabel()]
        found += [t.get_text() for t in (*one.get_xticklabels(), *one.get_yticklabels(), *one.texts)]
        legend = one.get_legend()
        found += [t.get_text() for t in legend.get_texts()] if legend else []
    return "\n".join(found)


def opens(picture: pictures.Picture) -> None:
    """It can be written, as both kinds."""
    with Image.open(io.BytesIO(picture.png())) as image:
        assert image.format == "PNG" and image.width > 200
    assert picture.svg().startswith("<?xml") and "</svg>" in picture.svg()


# -- a run ------------------------------------------------------------------------------------------------------------


def test_progress_draws_the_best_so_far_and_the_known_heuristics(ledger: Ledger) -> None:
    data = review.curve(ledger, RUN)
    picture = pictures.progress(data)
    step = next(line for line in axes(picture).lines if line.get_label() == "best so far")
    heights = [float(y) for y in step.get_ydata()]
    assert heights == sorted(heights, reverse=True) and heights[-1] == pytest.approx(data.best[-1].score)
    assert [float(x) for x in step.get_xdata()][-1] == data.samples
    flat = {line.get_label() for line in axes(picture).lines}
    assert any(label.startswith("seed mdd") for label in flat)
    stars = next(c for c in axes(picture).collections if c.get_label() == "champions")
    assert [y for _, y in stars.get_offsets()] == pytest.approx([p.score for p in data.champions])
    assert RUN not in words(picture), "no ids, so that equal runs give equal pictures"
    opens(picture)


def test_a_run_without_scores_has_a_picture_too(ledger: Ledger) -> None:
    data = review.curve(ledger, RUN)
    opens(pictures.progress(replace(data, points=(), best=(), champions=())))
    opens(pictures.pareto(replace(review.pareto(ledger, RUN), points=())))


def test_the_lineage_draws_every_entry_and_marks_the_champions_line(ledger: Ledger) -> None:
    data = review.lineage(ledger, RUN)
    picture = pictures.lineage(data)
    dots = [c for c in axes(picture).collections if not isinstance(c, LineCollection)]
    assert sum(len(c.get_offsets()) for c in dots) == len(data.nodes)
    assert set(COLOURS) == set(get_args(State)), "no state is left out"
    (edges,) = (c for c in axes(picture).collections if isinstance(c, LineCollection))
    assert len(edges.get_segments()) == len(data.edges)
    # own10 from tuned0 from own0 from the seed mdd
    assert sum(width > 1 for width in edges.get_linewidths()) == 3
    assert axes(picture).yaxis_inverted(), "the best is at the top"
    opens(picture)


def test_pareto_draws_the_front(ledger: Ledger) -> None:
    data = review.pareto(ledger, RUN)
    picture = pictures.pareto(data)
    front = [p for p in data.points if p.front]
    (line,) = axes(picture).lines
    assert list(line.get_xdata()) == pytest.approx([1000 * p.seconds for p in front])
    assert axes(picture).get_xscale() == "log" and "$" not in words(picture)
    opens(picture)


def test_the_champion_against_its_oldest_ancestor(ledger: Ledger) -> None:
    found = review.descent(ledger, RUN)
    assert found.to_json()["b"]["candidate"] == CHAMPION.hash  # type: ignore[index]
    assert found.to_json()["a"]["candidate"] == MDD.hash  # type: ignore[index]
    assert found.text.startswith(f"--- a/{MDD.hash[:8]}")


def test_held_out_reads_what_the_run_stored(ledger: Ledger) -> None:
    assert review.held_out(ledger, RUN) is None, "no scores by instance on the report blocks"
    blocks = TASK.instances("gate")
    for candidate, level in ((CHAMPION, 1.0), (MDD, 2.0)):
        scores = [level + 0.01 * (n % 3) for n in range(len(blocks))]
        samples.store(ledger, candidate, scores, instances=blocks)
    found = review.held_out(ledger, RUN)
    assert found is not None and (found.champion, found.seed) == (CHAMPION.hash[:8], "mdd")
    assert found.test.effect == pytest.approx(0.5, abs=0.01) and found.instances == len(blocks)
    assert sum(c.instances for c in found.classes) == len(blocks)
    assert all(c.difference == pytest.approx(1.0) for c in found.classes)
    samples.seeded(ledger, "r-22222222")
    assert review.held_out(ledger, "r-22222222") is None, "its champion is a seed"


def test_wins_stand_right_of_the_line_and_losses_left() -> None:
    rows = (
        ClassGain("lost " + HOSTILE, 8, 2.0, 1.0, -1.0, -1.5, -0.5),
        ClassGain("open", 1, 1.0, 1.0, 0.0, None, None),
        ClassGain("won", 8, 1.0, 3.0, 2.0, 1.0, 3.0),
    )
    picture = pictures.wins(rows, "a" + HOSTILE, "b", "%")
    assert picture.text.startswith("a$") and "wins 1, loses 1, 1 open" in picture.text
    found = {c.get_label(): c for c in axes(picture).containers}
    assert set(found) == {"wins (1)", "open (1)", "loses (1)"}
    assert list(found["wins (1)"].lines[0].get_xdata()) == [2.0]
    assert list(found["loses (1)"].lines[0].get_xdata()) == [-1.0]
    opens(picture)
    for one in (words(picture), picture.svg()):
        assert "\u202e" not in one and "\x1b" not in one and "<b>" not in picture.svg()


@pytest.mark.parametrize("direction, sign", [("minimize", 1), ("maximize", -1)])
def test_a_hopeless_score_does_not_stretch_the_axis(direction: Any, sign: int) -> None:
    at = scale([sign * s for s in (1.0, 1.2, 2.0, 40.0)], [sign * 1.4], direction)
    assert at.shows(sign * 1.4) and at.shows(sign * 1.0) and not at.shows(sign * 2.0)
    assert sign * at(sign * 40.0) == pytest.approx(1.6) and at(sign * 1.1) == sign * 1.1
    narrow = scale([sign * 1.0], [sign * 1.0], direction)
    assert narrow(sign * 1.0) == sign * 1.0


# -- an explanation ---------------------------------------------------------------------------------------------------


def judged(code: str, verdict: Any, gain: float | None, outcome: str = "scored") -> Judged:
    import ast

    node = ast.parse(code).body[0]
    low, high = (None, None) if gain is None else (gain - 0.02, gain + 0.02)
    found = Comparison(outcome, "", 1.0, gain, low, high, 0.5, 0.5)
    return Judged(Variant((Edit("term", node, ()),), samples.PARENT), found, 0.5, 0.5, verdict)


class Found:
    """As much of an explanation as the pictures read."""

    judged = (
        judged("x + 1", "removable", 0.0),
        judged(f"f({HOSTILE!r})", "matters", -0.3),
        judged("y * 2", "matters", -33.0),
        judged("z()", "fails", None, "error"),
    )

    class subject:  # noqa: N801
        candidate = samples.PARENT

    sensitivity: Sensitivity | None = Sensitivity(
        "own",
        9,
        {"w": 1.0, "mode": 0.0},
        {
            "w": tuple(Step(v, "scored", 1.0, -v, -v - 0.1, -v + 0.1) for v in (0.0, 2.0, 4.0)),
            "mode": (Step("a", "scored", 1.0, 0.0, 0.0, 0.0), Step(HOSTILE, "error", None, None, None, None)),
        },
    )


def test_parts_are_sorted_and_what_falls_outside_is_told() -> None:
    picture = pictures.parts(Found())  # type: ignore[arg-type]
    assert picture.text == "4 ablations: 1 removable, 2 matter"
    labels = [t.get_text() for t in axes(picture).get_yticklabels()]
    assert "z()" in labels[0] and "x + 1" in labels[-1], "the harmless ones at the top"
    assert "◂ -3300 %" in words(picture) and " error" in words(picture)
    opens(picture)


def test_curves_cut_hopeless_values_and_take_words(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Found()
    monkeypatch.setattr(Found.subject, "candidate", replace(samples.PARENT, defaults={"w": 1.0, "mode": "a"}))
    picture = pictures.curves(found)  # type: ignore[arg-type]
    assert picture is not None
    (line,) = axes(picture).containers
    assert list(line.lines[0].get_ydata()) == [0.0, -100.0, -100.0]
    assert "importance 100 %" in axes(picture).get_title()
    opens(picture)
    monkeypatch.setattr(Found, "sensitivity", None)
    assert pictures.curves(found) is None  # type: ignore[arg-type]


# -- a family's own ---------------------------------------------------------------------------------------------------

SMTT = load("smtt")


def test_a_sequence_is_a_gantt_chart() -> None:
    instance = SMTT.instances("search").instances[5]
    processing_times, due_dates = decode(instance.payload)
    order = np.argsort(due_dates, kind="stable")
    picture = pictures.answers(SMTT, instance, {"edd" + HOSTILE: order.astype("<i8").tobytes()})
    assert len(picture.figure.axes) == 2 and "optimal sequence: total tardiness" in words(picture)
    bars = axes(picture, 1).patches
    assert [b.get_width() for b in bars] == list(processing_times[order])
    assert [b.get_x() for b in bars] == list(np.cumsum(processing_times[order]) - processing_times[order])
    late = np.maximum(np.cumsum(processing_times[order]) - due_dates[order], 0)
    colours = {tuple(b.get_facecolor()) for b, x in zip(bars, late, strict=True) if x == 0}
    assert len(colours) == 1, "in time is one colour"
    assert late.max() == 0 or len({tuple(b.get_facecolor()) for b in bars}) > 1
    assert f"total tardiness {total_tardiness(processing_times, due_dates, order)}" in words(picture)
    assert "\x1b" not in words(picture) and "\u202e" not in words(picture)
    opens(picture)
    with pytest.raises(InvalidAnswer):
        pictures.answers(SMTT, instance, {"bad": bytes(8 * instance.size)})


def test_scores_on_the_grid_of_the_family() -> None:
    search = SMTT.instances("search")
    scores = {
        name: tuple(float(n % 7) * k for n in range(len(search))) for k, name in ((1, "one"), (2, "two"))
    }
    picture = pictures.by_class(SMTT, search, scores)
    images = [a.images[0] for a in picture.figure.axes[:2]]
    assert all(i.get_array().shape == (4, 5) for i in images)
    assert images[0].get_clim() == images[1].get_clim(), "one scale"
    cell = [s for i, s in zip(search, scores["two"], strict=True) if "TF=0.2 RDD=0.4" in i.group]
    assert images[1].get_array()[0, 1] == pytest.approx(np.mean(cell))
    opens(picture)


def test_a_task_that_draws_nothing_has_bars_and_no_answers() -> None:
    bag = Knapsack({})
    search = bag.instances("search")
    picture = pictures.by_class(bag, search, {"x": tuple(float(n) for n in range(len(search)))})
    assert len(axes(picture).patches) == 3
    opens(picture)
    with pytest.raises(UsageError, match="draws no answers"):
        pictures.answers(bag, search.instances[0], {})


def test_candidates_are_measured_in_the_sandbox() -> None:
    from discovery.errors import NothingValid

    bag = Knapsack({})
    rule = "def rank(weights, volumes, capacity):\n    return weights / volumes\n"
    found = pictures.measured(bag, {"density": rule}, bag.instances("screen"))
    assert [
        bag.judge(i, a).score for i, a in zip(bag.instances("screen"), found["density"].answers, strict=True)
    ] == list(found["density"].scores)
    with pytest.raises(NothingValid, match="bad has no score"):
        pictures.measured(bag, {"bad": rule.replace("weights /", "0 / 0 /")}, bag.instances("screen"))


class Nested(Knapsack):
    """A toy whose answers are outlines."""

    drawn: pictures_of.Picture

    def pictures(self, instance: Instance, answer: bytes) -> tuple[pictures_of.Picture, ...]:  # noqa: ARG002
        return (self.drawn,)


def test_outlines_of_several_answers_stand_beside_what_they_are_compared_with() -> None:
    task = Nested({})
    instance = task.instances("screen").instances[0]
    lines = tuple(pictures_of.Line(k, f"loop {k}" + "x$" * 3, "vector" * (k == 1)) for k in range(4))
    columns = (
        pictures_of.Column("before", lines[:1]),
        pictures_of.Column("after", lines, ("step one", "step " * 30)),
    )
    task.drawn = pictures_of.Outline("loops", "", columns, ("tile", "vector"))
    answer = task.instances("screen").instances[0].answer_bytes * b"\0"
    picture = pictures.answers(task, instance, {"a" + HOSTILE: answer, "b": answer})
    assert len(picture.figure.axes) == 3 and "before 1 lines" in picture.text
    titles = [one.get_title(loc="left") for one in picture.figure.axes]
    assert titles[0] == "before" and titles[2].startswith("b (score ")
    texts = axes(picture, 1).texts
    assert [t.get_position() for t in texts[:4]] == [(0, 0), (2, 1), (4, 2), (6, 3)]
    assert [t.get_text() for t in texts[4:6]] == ["", "1. step one"] and texts[6].get_text().startswith(
        "2. step step"
    )
    assert len(texts) > 7, "a long step is wrapped"
    assert [t.get_bbox_patch() is not None for t in texts[:4]] == [False, True, False, False]
    assert [t.get_text() for t in axes(picture, 0).get_legend().get_texts()] == ["vector"]
    assert "\x1b" not in words(picture) and "\u202e" not in words(picture)
    opens(picture)
    empty = pictures_of.Outline("nothing", "", (pictures_of.Column("after", ()),))
    opens(pictures.outline(empty))


def test_tiles_of_several_answers_have_a_panel_each_on_the_same_axes() -> None:
    task = Nested({})
    instance = task.instances("screen").instances[0]
    tiles = tuple(pictures_of.Tile(k, k + 1, 0, 2 * k + 2, str(k), k / 2) for k in range(3))
    task.drawn = pictures_of.Tiles("t", "", "j", "i", tiles, (pictures_of.Mark("limit", 8),))
    picture = pictures.answers(
        task, instance, {"a": instance.answer_bytes * b"\0", "b": instance.answer_bytes * b"\0"}
    )
    assert [one.get_title(loc="left")[:3] for one in picture.figure.axes] == ["a (", "b ("]
    assert all(
        one.get_ylim()[1] == pytest.approx(8.16) and one.get_xlim()[1] == 3 for one in picture.figure.axes
    )
    (boxes,) = axes(picture).collections
    assert len({tuple(c) for c in boxes.get_facecolors()}) == 3, "coloured by their level"
    kinds = replace(
        task.drawn,
        tiles=tuple(replace(t, kind="x" if k else "y") for k, t in enumerate(tiles)),
        kinds=("x", "y", "z"),
    )
    legend = axes(pictures.tiling(kinds)).get_legend()
    assert [t.get_text() for t in legend.get_texts()] == ["x", "y"]
    opens(picture)


# -- distributions ----------------------------------------------------------------------------------------------------


def test_a_distribution_counts_what_never_comes() -> None:
    values = {"a" + HOSTILE: [0.1, 0.4, 0.2, float("inf")], "b": [1.0]}
    picture = pictures.cumulative({"TTFT": values, "longest TBT": {"b": [0.2]}}, "s", {"TTFT": 0.2})
    first, second = picture.figure.axes
    steps = first.lines[0]
    assert list(steps.get_xdata()) == [0.1, 0.2, 0.4] and list(steps.get_ydata()) == [0.25, 0.5, 0.75]
    assert len(first.lines) == 3 and len(second.lines) == 1, "a limit is a line"
    assert "TTFT within 0.2 s: a$" in picture.text and "50 %, b 0 %" in picture.text
    assert first.get_xscale() == "log" and "\x1b" not in words(picture)
    assert not any("$" in t.get_text() for one in (first, second) for t in one.get_xticklabels())
    opens(picture)


def test_a_score_over_its_reference_has_intervals_over_a_class() -> None:
    one = Knapsack({}).instances("search").instances[0]
    rows = [("high", 4.0, 2.0), ("low", 2.0, 1.0), ("low", 2.0, 2.0), ("low", 2.0, 3.0), ("high", 6.0, 3.0)]
    found = [replace(one, group=g, reference=r) for g, r, _ in rows]
    picture = pictures.against_reference(found, {"a": [v for _, _, v in rows]}, "goodput", "load")
    (bars,) = axes(picture).containers
    assert list(bars.lines[0].get_xdata()) == [2.0, 5.0] and list(bars.lines[0].get_ydata()) == [2.0, 2.5]
    (low, high), (same, also) = (segment[:, 1] for segment in bars.lines[2][0].get_segments())
    # Student's t of two degrees of freedom: 4.303 · 1 / √3.
    assert (low, high) == pytest.approx((2 - 2.484, 2 + 2.484), abs=0.001) and same == also == 2.5
    assert "a up to 2.5 at 5" in picture.text
    opens(picture)


# -- the canvas -------------------------------------------------------------------------------------------------------


def test_the_same_data_give_the_same_bytes(ledger: Ledger, tmp_path: Path) -> None:
    first, second = (pictures.lineage(review.lineage(ledger, RUN)) for _ in range(2))
    assert first.png() == second.png() and first.svg() == second.svg()
    for name in ("a.png", "a.svg"):
        first.save(tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == first.png() == first._repr_png_()
    assert repr(first) == first.text


def test_labels_are_text_and_never_formulas() -> None:
    picture = canvas.drawn("t", lambda a: a.set_title("$\\frac{$"))
    opens(picture)
    assert isinstance(picture.figure, Figure)


def test_instances_are_only_pictured_by_tasks_that_say_so() -> None:
    for drawing in (Pictured, Gridded):
        assert not isinstance(Knapsack({}), drawing) and isinstance(load("smtt-index"), drawing)


# -- tiles ------------------------------------------------------------------------------------------------------------


def test_tiles_are_drawn_where_they_lie_with_their_marks() -> None:
    tiles = (Tile(0, 2, 0, 3, "a", 0.0), Tile(1, 3, 3, 4, "b", 1.0))
    chart = Tiles(f"T {HOSTILE}", "c", "time", "bytes", tiles, (Mark("height", 4), Mark("room", 8)))
    picture = pictures.tiling(chart)
    (boxes,) = axes(picture).collections
    assert [p.get_extents().extents.tolist() for p in boxes.get_paths()] == [[0, 0, 2, 3], [1, 3, 3, 4]]
    assert len({tuple(c) for c in boxes.get_facecolors()}) == 2, "coloured by their level"
    assert [line.get_ydata()[0] for line in axes(picture).lines] == [4, 8]
    assert axes(picture).get_xlim() == (0, 3) and axes(picture).get_ylim()[1] == pytest.approx(8.16)
    assert "2 tiles: height 4, room 8" in picture.text and "\x1b" not in words(picture)
    opens(picture)
    assert picture.png() == pictures.tiling(chart).png()


def test_tiles_of_kinds_have_a_legend_and_share_their_axes() -> None:
    tiles = (
        Tile(0, 2, 0, 1, "", kind="full"),
        Tile(2, 3, 0, 1, "", kind="part"),
        Tile(3, 4, 0, 1, "", kind="part"),
    )
    small, large = (
        Tiles(name, "c", "i", "j", tiles[:count], kinds=("full", "none", "part"))
        for name, count in (("s", 1), ("l", 3))
    )
    picture = pictures.tiling(small, large)
    assert [t.get_text() for t in axes(picture, 1).get_legend().get_texts()] == ["full", "part"]
    assert [len(c.get_paths()) for c in axes(picture, 1).collections] == [1, 2]
    assert axes(picture, 0).get_xlim() == axes(picture, 1).get_xlim() == (0, 4)
    assert pictures.tiling(replace(small, tiles=())).text.endswith("0 tiles")


def test_answers_of_a_task_of_tiles_are_drawn_below_one_another() -> None:
    task = load("memory-alloc")
    one = task.instances("screen").instances[0]
    lower, upper, size = np.frombuffer(one.payload, "<i8").reshape(3, -1)
    stacked = np.cumsum(size) - size
    given = {name: stacked.astype("<i8").tobytes() for name in ("A", "B")}
    picture = pictures.answers(task, one, given)
    assert axes(picture, 0).get_title(loc="left").startswith("A (score ")
    assert [len(axes(picture, n).collections[0].get_paths()) for n in (0, 1)] == [len(size), len(size)]
    assert len(lower) == len(upper)
