"""The site builds without a warning (broken links are warnings) and asks no other machine for anything."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from doc_pages import ROOT
from typer.main import get_command

from discovery.cli.main import app
from discovery.config import rules

LINKS = {"a"}
"""Only these may name another host: nothing is fetched until the reader follows them."""
OUTSIDE = re.compile(r"^\s*(?:https?:)?//")


class Assets(HTMLParser):
    """What a browser fetches when it opens a page, and the ids in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.outside: list[str] = []
        self.classes: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.classes.update(values.get("class", "").split())
        if tag not in LINKS:
            self.outside += [
                f"<{tag} {name}={values[name]!r}>"
                for name in ("src", "href", "srcset", "data", "action", "poster")
                if OUTSIDE.match(values.get(name, ""))
            ]
        self.outside += [f"style={s!r}" for s in [values.get("style", "")] if "url(" in s and "//" in s]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not os.environ.get("CI"):
        pytest.importorskip("mkdocs", reason="the extra `docs` is not installed: make docs")
    folder = tmp_path_factory.mktemp("site")
    # Not --quiet: warnings that are not shown do not count for --strict either.
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


def pages(site: Path) -> Iterator[Path]:
    yield from site.rglob("*.html")


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    wrong = [f"{page.relative_to(site)}: {found}" for page in pages(site) for found in Assets(page).outside]
    assert not wrong


def test_style_sheets_fetch_nothing_from_elsewhere(site: Path) -> None:
    for sheet in site.rglob("*.css"):
        assert not re.findall(
            r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")
        ), sheet


def test_what_would_make_the_script_fetch_is_not_used(site: Path) -> None:
    """The theme's script would fetch a library for a diagram, and figures for a repository that is named."""
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        assert not Assets(page).classes & {"mermaid", "md-source"}, page
        assert "api.github.com" not in text


def test_the_reference_names_every_command_every_flag_and_every_setting(site: Path) -> None:
    commands = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    for name, command in get_command(app).commands.items():
        assert f'id="discover-{name}"' in commands
        for parameter in command.params:
            assert all(flag in commands for flag in parameter.opts if flag.startswith("-"))
    settings = (site / "reference" / "settings.html").read_text(encoding="utf-8")
    assert all(f"DISCOVER_{name.upper()}" in settings for name in rules())


@pytest.mark.parametrize(
    "page, names",
    [
        ("tasks", ("Interface", "Instance", "PlainTask", "judge", "bind")),
        ("search", ("Strategy", "Plan", "Snapshot", "Proposer", "Request")),
        ("ledger", ("Ledger", "EntryRecord", "ancestors", "LedgerNewer")),
        ("review", ("run_summary", "report", "curve", "leaderboards")),
        ("parameters", ("FloatRange", "Tuner")),
    ],
)
def test_the_python_reference_is_written_from_the_code(site: Path, page: str, names: tuple[str, ...]) -> None:
    text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
    assert not [n for n in names if n not in text]
    assert ":::" not in text and ":class:" not in text and ":mod:" not in text


def test_every_page_is_in_the_menu_and_in_the_search(site: Path) -> None:
    start = (site / "index.html").read_text(encoding="utf-8")
    index = (site / "search" / "search_index.json").read_text(encoding="utf-8")
    for source in (ROOT / "docs").rglob("*.md"):
        target = source.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert target in start and target in index
