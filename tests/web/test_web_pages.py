"""Pages and JSON without a browser: what is told, what is refused, and that nothing acts or writes."""

from __future__ import annotations

import json
import re
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import review_samples as samples
from review_samples import CHAMPION, CHILD, HOSTILE_HASH, MDD, RUN, TOO_HOSTILE
from starlette.testclient import TestClient

from db.errors import LedgerLocked
from db.ledger import Ledger
from db.records import Edge, Integration, NewEntry
from discovery import review
from discovery.candidate import Candidate
from discovery.web.guard import HEADERS, name_of
from discovery.web.shown import (
    balance,
    code,
    difference,
    finalize,
    largest,
    line_numbers,
    pieces,
    share,
)
from discovery.web.site import Site
from evaluators import pictures
from evaluators.pictures import Column, Curve, Curves, Lane, Line, Mark, Span, Tile, Tiles, Timeline
from evaluators.serving.episode.recorder import KINDS
from evaluators.task import Direction

PAGES = (
    "/", "/?task=small", "/leaderboards", "/leaderboards?task=small", "/compare",
    *(f"/runs/{RUN}{view}" for view in ("", "/lineage", "/pareto", "/entries", "/entries?ending=refused&order=time")),
    *(f"/runs/{RUN}/entries/{entry}" for entry in ("own0", "own3", "own7", "seed-1")),
    f"/candidates/{CHAMPION.hash}", f"/candidates/{CHILD.hash[:9]}", f"/candidates/{HOSTILE_HASH}",
    f"/compare?a={MDD.hash}&b={CHAMPION.hash}", f"/compare?a={MDD.hash}&b={HOSTILE_HASH}",
)  # fmt: skip


class Outline(HTMLParser):
    """What a page consists of: tags with their attributes, ids, and its visible text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there_and_keeps_the_policy(pages: TestClient, path: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 200, answer.text
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    outline = Outline(answer.text)
    for tag, attributes in outline.tags:
        assert tag != "style" and "style" not in attributes, (tag, attributes)
        assert tag != "script" or attributes.get("src", "").startswith("/static/")  # type: ignore[union-attr]
        assert not [a for a in attributes if a.startswith("on")], (tag, attributes)
        for where in ("src", "href", "action"):
            assert not (attributes.get(where) or "/").startswith(("http", "//", "javascript", "data"))
    ids = [a["id"] for _, a in outline.tags if "id" in a]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("path", PAGES)
def test_hostile_text_is_text_and_what_acts_is_shown(pages: TestClient, path: str) -> None:
    page = pages.get(path).text
    assert not [mark for mark in TOO_HOSTILE if mark in page]


def test_markup_in_code_reason_and_reply_is_escaped(client: TestClient, db: Path) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e'\"&{{ 7*7 }}"
    with Ledger.open(db) as ledger:
        candidate = samples.rule(0.31, hostile.replace("\u202e", ""))
        ledger.put_candidate(candidate.hash, candidate.code, candidate.nodes)
        ledger.record_reply(
            RUN, 16, 0, batch=2, operator="improve", proposer="chat", seed=1, messages_json=json.dumps(
                [{"role": hostile, "content": hostile}]), state="replied", text=hostile, model=hostile,
        )  # fmt: skip
        entry = NewEntry(16, "own", hostile, "error", candidate.hash, reason=hostile)
        ledger.integrate(RUN, 2, Integration((entry,)))
    for path in (
        f"/runs/{RUN}/entries/own16",
        f"/runs/{RUN}",
        f"/runs/{RUN}/entries",
        f"/compare?a={MDD.hash}&b={candidate.hash}",
    ):
        outline = Outline(client.get(path).text)
        assert all(a.get("src", "").startswith("/static/") for t, a in outline.tags if t in ("script", "img"))  # type: ignore[union-attr]
        assert "<script>alert(1)</script>" in outline.text and "\u202e" not in outline.text, path
        assert "49" not in re.findall(r"\{\{.*?\}\}|&49", outline.text)


def test_json_is_what_the_review_gives(pages: TestClient, filled: Path) -> None:
    with Ledger.open(filled, readonly=True) as ledger:
        _same(pages, ledger)


def _same(client: TestClient, ledger: Ledger) -> None:
    made = {
        f"/api/runs/{RUN}": review.run_summary(ledger, RUN),
        f"/api/runs/{RUN}/live": review.live(ledger, RUN),
        f"/api/runs/{RUN}/curve": review.curve(ledger, RUN),
        f"/api/runs/{RUN}/pareto": review.pareto(ledger, RUN),
        f"/api/runs/{RUN}/lineage": review.lineage(ledger, RUN),
        f"/api/candidates/{CHILD.hash}": review.summary(ledger, CHILD.hash),
        f"/api/candidates/{CHILD.hash}/classes": review.class_scores(ledger, CHILD.hash),
        f"/api/compare?a={MDD.hash}&b={CHILD.hash}": review.difference(ledger, MDD.hash, CHILD.hash),
    }
    for path, data in made.items():
        answer = client.get(path)
        assert answer.json() == json.loads(json.dumps(data.to_json())), path
        assert answer.content.isascii()
    assert [r["run"] for r in client.get("/api/runs").json()["runs"]] == [RUN]
    (board,) = client.get("/api/leaderboards?task=small").json()["leaderboards"]
    assert board["rows"][0]["name"] == "ils"
    assert client.get(f"/api/candidates/{CHILD.hash}/pictures").json() == {"pictures": None}


@pytest.mark.parametrize(
    "path, sentence",
    [
        ("/runs/r-nowhere", "there is no run 'r-nowhere'"),
        ("/runs/r-nowhere/lineage", "there is no run"),
        (f"/runs/{RUN}/entries/own99", "has no entry 'own99'"),
        (f"/runs/{RUN}/entries?page=x", "there is no page 'x'"),
        ("/candidates/ffffffff", "no candidate begins with"),
        ("/candidates/<script>", "names no candidate"),
        ("/compare?a=ffff&b=ffff", "no candidate begins with"),
        ("/compare?a=zz&b=ffff", "names no candidate"),
        ("/find?name=r-nix", "there is no run"),
        ("/leaderboards?task=nix", "there is no run of task"),
        (f"/candidates/{CHILD.hash}/nothing", "There is no such page"),
        ("/static/../app.py", "There is no such page"),
        ("/static/%2e%2e/app.py", "There is no such page"),
    ],
)
def test_what_is_not_there_is_a_page_with_a_sentence(pages: TestClient, path: str, sentence: str) -> None:
    answer = pages.get(path)
    assert answer.status_code == 404 and {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert sentence in Outline(answer.text).text and "Traceback" not in answer.text


def test_a_script_gets_the_sentence_as_an_object(pages: TestClient) -> None:
    for path in ("/api/runs/r-nowhere/curve", "/api/runs/r-nowhere/events", "/api/candidates/ffffffff"):
        answer = pages.get(path)
        assert answer.status_code == 404 and set(answer.json()) == {"error"}, path


@pytest.mark.parametrize(
    "host, served",
    [
        ("127.0.0.1:8765", True), ("localhost:8765", True), ("LOCALHOST", True), ("[::1]:8765", True),
        ("10.0.0.7:1", True),
        ("evil.example", False), ("evil.example:8765", False), ("127.0.0.1.evil.example:8765", False), ("", False),
        ("localhost.evil.example", False),
    ],
)  # fmt: skip
def test_foreign_names_are_refused(pages: TestClient, host: str, served: bool) -> None:
    for path in ("/", "/api/runs", "/static/style.css"):
        answer = pages.get(path, headers={"Host": host})
        assert answer.status_code == (200 if served else 421), path
        assert answer.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]


def test_names_are_read_from_host_headers() -> None:
    assert [name_of(h) for h in ("a:1", "a", "[::1]", "[::1]:80", "A.b:")] == ["a", "a", "::1", "::1", "a.b"]


def test_no_page_writes(client: TestClient, db: Path) -> None:
    with sqlite3.connect(db) as c:
        before = list(c.iterdump())
    for path in PAGES:
        client.get(path)
        assert client.post(path).status_code == 405
    with sqlite3.connect(db) as c:
        assert list(c.iterdump()) == before


def test_a_locked_ledger_is_said_and_can_be_tried_again(
    pages: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_: Ledger) -> None:
        raise LedgerLocked("the ledger is in use by another process; wait for it or end it")

    with monkeypatch.context() as patched:
        patched.setattr(review, "runs", locked)
        answer = pages.get("/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "in use by another process" in Outline(answer.text).text
    assert pages.get("/").status_code == 200


def test_a_defect_is_a_page_that_keeps_the_policy(pages: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "runs", lambda _: 1 / 0)
    answer = pages.get("/")
    assert answer.status_code == 500 and "a defect of discover" in answer.text
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS and "ZeroDivision" not in answer.text


def test_pages_are_read_while_a_run_writes(client: TestClient, db: Path) -> None:
    with Ledger.open(db) as ledger, ledger.writing():
        assert client.get(f"/runs/{RUN}").status_code == 200  # a writer in the middle of its transaction
    with Ledger.open(db) as ledger:
        ledger.set_status(RUN, "interrupted", "stopped by the user")
    assert "stopped by the user" in client.get(f"/runs/{RUN}").text


def test_an_empty_ledger_and_a_run_without_anything(tmp_path: Path) -> None:
    from discovery.web.app import application

    with Ledger.open(tmp_path / "e.sqlite") as ledger:
        client = TestClient(application(Site(ledger, "", "t")), base_url="http://127.0.0.1")
        assert "no runs yet" in client.get("/").text and "no runs yet" in client.get("/leaderboards").text
        ledger.create_run(samples.run_record("r-bare", settings={}))
        for path in ("", "/lineage", "/pareto", "/entries"):
            assert client.get(f"/runs/r-bare{path}").status_code == 200, path
        ledger.create_run(samples.run_record("r-gone", task="not-installed"))
        assert client.get("/").status_code == 200
        answer = client.get("/runs/r-gone")
        assert answer.status_code == 404 and "unknown task" in answer.text


def test_a_word_leads_to_its_run_or_candidate(pages: TestClient) -> None:
    for word, where in ((RUN[:5], f"/runs/{RUN}"), (CHILD.hash[:6], f"/candidates/{CHILD.hash}")):
        answer = pages.get("/find", params={"name": f" {word} "}, follow_redirects=False)
        assert (answer.status_code, answer.headers["Location"]) == (303, where)


def test_code_can_be_kept_to_the_letter(pages: TestClient) -> None:
    answer = pages.get(f"/candidates/{HOSTILE_HASH}/code")
    assert answer.content.decode("utf-8", "surrogatepass") == samples.HOSTILE_CODE
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert answer.headers["Content-Type"].startswith("text/plain")


def test_code_of_200_kilobytes_is_a_page(client: TestClient, db: Path) -> None:
    long = "x = '" + "\u202ea<" * 40_000 + "'\n" + "y = 1\n" * 8_000
    with Ledger.open(db) as ledger:
        ledger.put_candidate("ab" * 32, long, 9)
        ledger.integrate(RUN, 2, Integration((NewEntry(16, "own", "improve", "error", "ab" * 32),)))
    answer = client.get(f"/candidates/{'ab' * 32}")
    assert answer.status_code == 200 and "\u202e" not in answer.text
    assert len(answer.content) < 80 * len(long)


def kept(ledger: Ledger, sample: int, scores: list[float]) -> Candidate:
    """A child of the entry before it that sequences jobs as they are numbered, its answers kept."""
    made = samples.rule(0.1 + 0.01 * sample)
    instances = samples.TASK.instances("search").instances
    answers = b"".join(np.arange(i.answer_bytes // 8).astype("<i8").tobytes() for i in instances)
    samples.store(ledger, made, scores, answers=answers)
    entry = NewEntry(sample, "own", "improve", "scored", made.hash, score=1.0, m=samples.SIZE)
    parent = Edge(samples.key(sample), samples.key(sample - 1))
    ledger.integrate(RUN, sample - 14, Integration((entry,), (parent,)))
    return made


def jobs_drawn(outline: Outline) -> int:
    return sum(tag == "rect" and str(a.get("class")).startswith("span-") for tag, a in outline.tags)


def test_the_tasks_picture_of_an_answer_is_drawn(client: TestClient, db: Path) -> None:
    with Ledger.open(db) as ledger:
        keep = kept(ledger, 16, [1.0] * samples.SIZE)
    one = samples.TASK.instances("search").instances[1]
    outline = Outline(client.get(f"/candidates/{keep.hash}?instance={one.id}").text)
    assert jobs_drawn(outline) == 2 * one.size  # the sequence, and the optimum below it
    assert "job 0: 0 to" in outline.text and "optimal sequence" in outline.text
    assert client.get(f"/candidates/{keep.hash}?instance=nowhere").status_code == 404


def test_a_child_is_drawn_beside_its_parent(client: TestClient, db: Path) -> None:
    scores = [float(n) for n in range(samples.SIZE)]
    with Ledger.open(db) as ledger:
        parent = kept(ledger, 16, scores)
        child = kept(ledger, 17, [*scores[:3], 0.5, *scores[4:]])
    apart, worst = (samples.TASK.instances("search").instances[n] for n in (3, -1))
    place, unit = f"/compare?a={parent.hash}&b={child.hash}", samples.TASK.unit
    shown = Outline(client.get(f"/candidates/{child.hash}").text)
    assert f"{place}&instance={worst.id}#pictures" in [a.get("href") for _, a in shown.tags]
    outline = Outline(client.get(place).text)
    assert jobs_drawn(outline) == 2 * 2 * apart.size, "the one and the other, each with the optimum"
    assert f"A: {parent.hash[:8]}, 3 {unit}" in outline.text, "where their scores differ most"
    assert f"B: {child.hash[:8]}, 0.5 {unit}" in outline.text
    chosen = Outline(client.get(f"{place}&instance={worst.id}").text)
    assert f"A: {parent.hash[:8]}, {samples.SIZE - 1} {unit}" in chosen.text
    assert client.get(f"{place}&instance=nowhere").status_code == 404
    # Of CHILD no answers are kept.
    for a, b, side in ((CHILD, child, "B"), (child, CHILD, "A")):
        alone = client.get(f"/compare?a={a.hash}&b={b.hash}").text
        assert alone.count("<h3>") == 1 and f"<h3>{side}: {child.hash[:8]}" in alone
    nothing = client.get(f"/compare?a={MDD.hash}&b={CHILD.hash}")
    assert nothing.status_code == 200 and "<h3>" not in nothing.text


def test_timelines_beside_one_another_have_one_scale(
    client: TestClient, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = [Timeline("t", "c", "s", (Lane("x", (Span(0, end, ""),)),)) for end in (3, 6)]
    with Ledger.open(db) as ledger:
        names = [kept(ledger, n, [1.0] * samples.SIZE).hash for n in (16, 17)]
    drawn = iter(2 * charts)  # the instance is found first
    monkeypatch.setattr(samples.Small, "pictures", lambda *_: (next(drawn),))
    outline = Outline(client.get(f"/compare?a={names[0]}&b={names[1]}").text)
    widths = [a["width"] for tag, a in outline.tags if tag == "rect" and "span-" in str(a.get("class"))]
    assert widths == ["500.0", "1000.0"] and outline.text.count("6 s") == 2


def test_spans_are_coloured_by_their_kind(
    client: TestClient, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = Span(0, 1, "", note="waits <i>", kind="waiting"), Span(1, 3, "", kind="runs")
    lanes = tuple(Lane(f"call {n}", spans) for n in range(3))
    chart = Timeline("t", "c", "s", lanes, ("waiting", "gone", "runs"))
    monkeypatch.setattr(samples.Small, "pictures", lambda *_: (chart,))
    with Ledger.open(db) as ledger:
        made = kept(ledger, 16, [1.0] * samples.SIZE)
    page = client.get(f"/candidates/{made.hash}").text
    outline = Outline(page)
    kinds = [str(a["class"]) for tag, a in outline.tags if tag == "rect" and "kind-" in str(a.get("class"))]
    assert sorted(kinds[:2]) == ["kind-0", "kind-2"], "the legend, without what is not there"
    assert kinds[2:] == 3 * ["kind-0", "kind-2"]
    assert "waiting 3 s" in outline.text and "runs 6 s" in outline.text and "gone" not in outline.text
    assert "call 1: waits &lt;i&gt;" in page and "<i>" not in page
    style = client.get("/static/style.css").text
    assert all(f".kind-{n} {{" in style and style.count(f"--kind-{n}:") == 2 for n in range(len(KINDS)))


def test_nested_lines_are_indented_and_coloured(
    client: TestClient, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Line(0, "for i <b>"), Line(1, "for j", "vector"), Line(2, "S0")
    columns = Column("before", lines[:1]), Column("after", lines, ("vectorise j", "fuse <i>"))
    chart = pictures.Outline("loops", "how", columns, ("tile", "vector"))
    monkeypatch.setattr(samples.Small, "pictures", lambda *_: (chart,))
    with Ledger.open(db) as ledger:
        made = kept(ledger, 16, [1.0] * samples.SIZE)
    page = client.get(f"/candidates/{made.hash}").text
    outline = Outline(page)
    (after,) = re.findall(r'<pre[^>]*aria-label="loops, after">(.*?)</pre>', page, re.DOTALL)
    assert after == (
        '<span>for i &lt;b&gt;</span>\n  <span class="kind-1">for j</span>\n    <span>S0</span>\n'
    )
    assert [t for t, _ in outline.tags].count("li") >= 2 and "<li>fuse &lt;i&gt;</li>" in page
    legend = [str(a["class"]) for tag, a in outline.tags if tag == "rect" and "kind-" in str(a.get("class"))]
    assert legend == ["kind-1"], "without what is not there"
    style = client.get("/static/style.css").text
    assert all(f".outline pre .kind-{n} {{" in style for n in range(len(KINDS)))
    assert not any("style" in a for _, a in outline.tags), "the policy forbids inline styles"


def test_tiles_beside_one_another_have_one_scale_and_outlines_none(
    client: TestClient, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kinds of pictures differ by their place, and from answer to answer."""
    lines = pictures.Outline("loops", "", (Column("after", (Line(0, "for i"),)),))
    charts = [
        Tiles("t", "", "j", "i", (Tile(0, w, 0, h, "", 0.5, "n"),), (Mark("limit", h),))
        for w, h in ((2, 4), (4, 8))
    ]
    other = Timeline("t", "", "s", (Lane("x", (Span(0, 9, ""),)),))
    drawn = iter(2 * [(lines, charts[0], other), (lines, charts[1], charts[0])])
    monkeypatch.setattr(samples.Small, "pictures", lambda *_: next(drawn))
    with Ledger.open(db) as ledger:
        names = [kept(ledger, n, [1.0] * samples.SIZE).hash for n in (16, 17)]
    outline = Outline(client.get(f"/compare?a={names[0]}&b={names[1]}").text)
    found = [a for tag, a in outline.tags if tag == "rect" and a.get("class") == "span-late"]
    assert [(a["width"], a["y"], a["height"]) for a in found] == [
        ("500.0", "200.0", "200.0"), ("1000.0", "0.0", "400.0"), ("1000.0", "0.0", "400.0"),
    ]  # fmt: skip
    marks = [a["y1"] for tag, a in outline.tags if tag == "line" and a.get("class") == "mark"]
    assert marks == ["200.0", "0.0", "0.0"] and outline.text.count("limit") == 6


def test_tiles_lie_where_they_are_beside_one_another_on_one_scale(
    client: TestClient, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiles = Tile(0, 2, 0, 3, "a"), Tile(2, 4, 1, 4, "b", level=1.0, note="late <i>")
    charts = [Tiles("t", "c", "time", "bytes", tiles[:n], (Mark("limit", 4.0 * n),)) for n in (1, 2)]
    with Ledger.open(db) as ledger:
        names = [kept(ledger, n, [1.0] * samples.SIZE).hash for n in (16, 17)]
    drawn = iter(2 * charts)  # the instance is found first
    monkeypatch.setattr(samples.Small, "pictures", lambda *_: (next(drawn),))
    page = client.get(f"/compare?a={names[0]}&b={names[1]}").text
    outline = Outline(page)
    rects = [a for tag, a in outline.tags if tag == "rect" and "span-" in str(a.get("class"))]
    found = [tuple(float(str(a[k])) for k in ("x", "width", "y", "height")) for a in rects]
    assert found == [(0, 500, 250, 150), (0, 500, 250, 150), (500, 500, 200, 150)], "4 across, 8 up"
    assert [str(a["class"]) for a in rects] == ["span-good", "span-good", "span-late"]
    lines = [float(str(a["y1"])) for tag, a in outline.tags if tag == "line" and a.get("class") == "mark"]
    assert lines == [200, 0] and "limit 8" in outline.text and outline.text.count("8 bytes") == 2
    assert "late &lt;i&gt;" in page and "<i>" not in page


def test_curves_beside_one_another_share_both_axes(
    client: TestClient, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Curve("own <i>", ((0, 1.0), (4, 100.0)))
    charts = [
        Curves("gap", "c", "steps", "gap", curves, logarithmic=True)
        for curves in ((own,), (own, Curve("other", ((0, 10.0), (8, 10_000.0)))))
    ]
    with Ledger.open(db) as ledger:
        names = [kept(ledger, n, [1.0] * samples.SIZE).hash for n in (16, 17)]
    drawn = iter(2 * charts)  # the instance is found first
    monkeypatch.setattr(samples.Small, "pictures", lambda *_: (next(drawn),))
    page = client.get(f"/compare?a={names[0]}&b={names[1]}").text
    outline = Outline(page)
    lines = [(a["class"], a["points"]) for tag, a in outline.tags if tag == "polyline"]
    ours = ("line-0", "0.0,400.0 500.0,200.0")
    assert lines == [ours, ours, ("line-1", "0.0,300.0 1000.0,0.0")], "from 1 to 10,000, to step 8"
    assert "own &lt;i&gt;" in page and "<i>" not in page and outline.text.count("8 steps") == 2
    style = client.get("/static/style.css").text
    assert all(f".line-{n} {{" in style for n in range(len(KINDS)))
    assert not any("style" in a for _, a in outline.tags), "the policy forbids inline styles"


def test_tiles_are_coloured_by_their_kind(
    client: TestClient, db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chart = Tiles("t", "c", "i", "j", (Tile(0, 1, 0, 1, "", kind="part"),), kinds=("full", "part"))
    monkeypatch.setattr(samples.Small, "pictures", lambda *_: (chart,))
    with Ledger.open(db) as ledger:
        made = kept(ledger, 16, [1.0] * samples.SIZE)
    outline = Outline(client.get(f"/candidates/{made.hash}").text)
    kinds = [str(a["class"]) for tag, a in outline.tags if tag == "rect" and "kind-" in str(a.get("class"))]
    assert kinds == ["kind-1", "kind-1"] and "part" in outline.text and "full" not in outline.text
    data = client.get(f"/api/candidates/{made.hash}/pictures").json()["pictures"]
    assert data[0]["kind"] == "tiles" and data[0]["tiles"][0]["kind"] == "part"


# -- text -------------------------------------------------------------------------------------------------------------


def test_pieces_give_back_the_text_with_its_escapes() -> None:
    text = "a\u202eb\n\tc\x1b"
    assert [(p.text, p.kind) for p in pieces(text)] == [
        ("a", "plain"), ("\\u202e", "control"), ("b\n\tc", "plain"), ("\\x1b", "control"),
    ]  # fmt: skip
    literal = "'\\u202e'"
    assert {p.kind for p in pieces(literal)} == {"plain"}  # what the code itself says is no escape


def test_colours_change_no_character() -> None:
    text = "\n\ndef f(x, *, k=1.5):\r\n    return 'a' # \u2066note\n"
    shown = "".join(p.text for p in code(text))
    assert shown == finalize(text)
    kinds = {p.text: p.kind for p in code(text)}
    assert kinds["def"] == "t-k" and kinds["1.5"] == "t-m" and kinds["\\u2066"] == "control"


def test_lines_of_a_difference_have_their_kinds() -> None:
    text = review.unified("a\nb\n", "a\nc\n", "x", "y")
    assert [line.kind for line in difference(text)] == ["file", "file", "place", "same", "removed", "added"]
    assert difference("") == ()


@pytest.mark.parametrize("text, lines", [("a", 1), ("a\n", 1), ("a\nb", 2), ("", 1), ("\n\n", 2)])
def test_lines_are_numbered(text: str, lines: int) -> None:
    assert line_numbers(text).count("\n") == lines - 1


@pytest.mark.parametrize("direction, sign", [("minimize", 1), ("maximize", -1)])
def test_a_difference_is_shown_where_a_share_means_nothing(direction: Direction, sign: int) -> None:
    rows = [
        {"class": "a", "score": 3.0, "baseline": 0.0, "against": None, "parents": [5.0, None]},
        {"class": "b", "score": 1.0, "baseline": None, "against": None, "parents": [None]},
    ]
    against = balance(rows, "score", "baseline", "against", direction)
    assert [row.better for row in against] == [-3.0 * sign, None] and largest(against) == 3.0
    assert [row.better for row in balance(rows, "score", "parents", "against", direction)] == [
        2.0 * sign,
        None,
    ]
    assert largest(()) == 1.0


def test_shares_have_their_sign() -> None:
    assert [share(v) for v in (None, 0.123, -0.5, -27.34)] == ["–", "+12.3 %", "−50.0 %", "−2734 %"]


def test_nothing_is_a_dash_and_markup_in_values_is_text() -> None:
    values: list[Any] = [None, "\x1b", 3]
    assert [finalize(v) for v in values] == ["–", "\\x1b", 3]
