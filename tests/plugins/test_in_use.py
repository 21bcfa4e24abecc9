"""Installed plugins in the workbench: listed, ranked, scored, a seed of runs; and broken ones that harm nothing."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import plugin_samples as samples
import pytest
from review_samples import CHAMPION, TASK, TOO_HOSTILE

from db.ledger import Ledger
from discovery import installed, plugins
from discovery.errors import UsageError
from discovery.plugins.verifying import verify_package
from discovery.seeds import resolve

NAME = f"small-{CHAMPION.hash[:8]}"
MODULE = NAME.replace("-", "_")


@pytest.fixture
def site(tmp_path: Path, exported: plugins.Exported, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with the wheel in it, as an installer puts it there."""
    assert exported.wheel is not None
    folder = tmp_path / "site"
    with zipfile.ZipFile(exported.wheel) as archive:
        archive.extractall(folder)
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_nothing_is_installed() -> None:
    assert not [p for p in installed.plugins().plugins if p.startswith("small")]


@pytest.mark.usefixtures("site")
def test_it_is_listed_and_ranked(discover: Callable) -> None:
    (small,) = json.loads(discover("tasks", "small", "--json").out)["tasks"]
    assert small["plugins"] == [NAME]
    out = discover("tasks").out
    assert f"plugin:{NAME}" in out and "passed look 1 of the gate" in out
    rows = json.loads(discover("baselines", "--task", "small", "--json").out)["baselines"]
    (row,) = [r for r in rows if r["kind"] == "plugin"]
    assert row["name"] == f"plugin:{NAME}" and row["score"] > 0 and "run r-0000aaaa" in row["source"]
    assert MODULE not in sys.modules  # read, not imported


@pytest.mark.usefixtures("site")
def test_it_is_scored_by_its_text(discover: Callable, exported: plugins.Exported) -> None:
    ended = discover("score", f"plugin:{NAME}", "--task", "small", "--json", "-q")
    assert json.loads(ended.out)["score"] == exported.provenance["scores"]["search"]["score"]
    ended = discover("score", f"plugin:{NAME}", "--task", "smtt")
    assert ended.code == 2 and "is for task 'small', not for 'smtt'" in ended.sentence
    ended = discover("score", "plugin:nope", "--task", "small")
    assert ended.code == 2 and f"for task 'small' there are: {NAME}" in ended.sentence


def test_recomputed_by_our_own_word(site: Path, small: object, ledger: Ledger) -> None:  # noqa: ARG001
    from discovery.scoring import baselines_report

    class One(type(TASK)):  # type: ignore[misc]
        def baselines(self) -> dict:
            return {}

    found = baselines_report(One({}), "search", others={"plugin:x": CHAMPION.code})
    (score, tuned) = found["plugin:x"]
    assert tuned is None and score == ledger.champion(samples.RUN).score  # type: ignore[union-attr]


@pytest.mark.usefixtures("site")
def test_it_seeds_a_run() -> None:
    (seed, other) = resolve(TASK, (f"plugin:{NAME}", "mdd"), None)
    assert seed.name == f"plugin:{NAME}" and seed.candidate.hash == CHAMPION.hash and other.name == "mdd"
    with pytest.raises(UsageError, match="no plugin 'gone' is installed"):
        resolve(TASK, ("plugin:gone",), None)


def test_an_installed_one_is_verified(site: Path, discover: Callable) -> None:
    for name in ("INSTALLER", "REQUESTED"):
        (site / f"{MODULE}-1.0.0.dist-info" / name).write_text("pip\n")
    assert discover("verify", f"plugin:{NAME}").code == 0
    assert verify_package(NAME).kind == "installed"
    (site / MODULE / "_call.py").write_text("raise SystemExit\n")
    ended = discover("verify", f"plugin:{NAME}")
    assert ended.code == 1 and "_call.py was changed" in ended.sentence


def broken_ways(site: Path) -> dict[str, Callable[[], object]]:
    module, info = site / MODULE, site / f"{MODULE}-1.0.0.dist-info"
    provenance = module / "provenance.json"
    whole = json.loads(provenance.read_text())
    return {
        "heuristic changed": lambda: (module / "heuristic.py").write_text("x = 1\n"),
        "heuristic missing": lambda: (module / "heuristic.py").unlink(),
        "provenance missing": provenance.unlink,
        "no json": lambda: provenance.write_text("{"),
        "deep": lambda: provenance.write_text("[" * 100_000),
        "newer": lambda: provenance.write_text(json.dumps({**whole, "format": 2})),
        "no task": lambda: provenance.write_text(json.dumps({**whole, "task": None})),
        "hostile": lambda: provenance.write_text(json.dumps({**whole, "format": "\x1b[2J\u202e"})),
        "large": lambda: provenance.write_bytes(b" " * (installed.MAX_FILE + 1)),
        "a link": lambda: (provenance.unlink(), provenance.symlink_to("/dev/zero")),
        "no record": lambda: (info / "RECORD").unlink(),
        "elsewhere": lambda: (info / "entry_points.txt").write_text(f"[{installed.GROUP}]\n{NAME} = json:loads\n"),
        "hostile name": lambda: (info / "entry_points.txt").write_text(
            f"[{installed.GROUP}]\na\x1b[2J\u202e = json:loads\n"
        ),
    }  # fmt: skip


def test_broken_ones_are_a_line_and_harm_nothing(discover: Callable, site: Path, tmp_path: Path) -> None:
    shutil.copytree(site, tmp_path / "whole")
    for name in broken_ways(site):
        shutil.rmtree(site)
        shutil.copytree(tmp_path / "whole", site)
        broken_ways(site)[name]()
        ended = discover("tasks", "--json")
        assert ended.code == 0 and ended.err.count("\n") == 1, (name, ended.err)
        assert ended.err.startswith("note: the plugin ") and "cannot be used: " in ended.err
        assert not any(c in ended.err for c in TOO_HOSTILE) and len(ended.err) < 450
        assert all(t["plugins"] == [] for t in json.loads(ended.out)["tasks"])
        assert discover("score", f"plugin:{NAME}", "--task", "small").code == 2


def test_two_of_one_name(
    discover: Callable, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same package twice on the path is one plugin; another one of the same name is told."""
    shutil.copytree(site, tmp_path / "again")
    monkeypatch.syspath_prepend(str(tmp_path / "again"))
    assert discover("tasks", "--json").err == ""
    for old in (tmp_path / "again").iterdir():
        old.rename(old.with_name(old.name.replace(MODULE, "other")))
    info = tmp_path / "again" / "other-1.0.0.dist-info"
    for file in (info / "RECORD", info / "METADATA", info / "entry_points.txt"):
        text = file.read_text().replace(MODULE, "other")
        file.write_text(text if file.name == "entry_points.txt" else text.replace(NAME, "other"))
    told = tmp_path / "again" / "other" / "provenance.json"
    told.write_text(told.read_text().replace(f"src/{MODULE}", "src/other"))
    ended = discover("tasks", "--json")
    assert "two installed packages bring a plugin" in ended.err


@pytest.mark.usefixtures("site")
def test_scores_under_other_terms_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = installed.plugin(NAME, TASK)
    assert plugin.score(TASK, "gate") is not None and plugin.score(TASK, "final") is None
    monkeypatch.setattr(TASK, "version", "2", raising=False)
    assert plugin.score(TASK, "gate") is None
