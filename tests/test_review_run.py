"""The review commands on a real run, from its first sample to the final split."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from discovery.cli.main import main


@dataclass(frozen=True)
class Ended:
    code: object
    out: str
    err: str


class Folder:
    """A ledger with one run of 16 samples, and a command line in this process."""

    def __init__(self, path: Path) -> None:
        self.db = str(path / "l.sqlite")
        self.made = self.ask("run", "--task", "smtt", "--samples", "16", "--no-tune", "--quiet")
        self.run: str = self.made["run"]

    def call(self, *words: str) -> Ended:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main([*words, "--db", self.db])
        for stream in (out, err):
            stream.flush()
        return Ended(ended.value.code, *(s.buffer.getvalue().decode() for s in (out, err)))  # type: ignore[attr-defined]

    def ask(self, *words: str) -> Any:
        done = self.call(*words, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    return Folder(tmp_path_factory.mktemp("run"))


def test_the_list_and_the_summary_agree_with_what_the_run_said(folder: Folder) -> None:
    (row,) = folder.ask("runs")["runs"]
    best = folder.made["best"]
    assert (row["run"], row["status"], row["samples"], row["samples_total"]) == (folder.run, "done", 16, 16)
    assert (row["best"], row["gate"]) == (best["score"], best["gate"])
    shown = folder.ask("show", folder.run)
    assert sum(shown["outcomes"].values()) == shown["samples"] == 16
    assert shown["champion"]["candidate"].startswith(best["candidate"][:8])
    assert shown["champion"]["promoted"] is best["promoted"]
    assert {s["name"] for s in shown["seeds"]} >= {"edd", "mdd"}
    assert folder.ask("show", folder.run, "--digest")["run"] == folder.run


def test_every_node_of_the_tree_can_be_shown(folder: Folder) -> None:
    made = folder.ask("tree", folder.run)
    assert sum(n["kind"] == "own" for n in made["nodes"]) == 16
    assert all(e["parent"] != e["child"] for e in made["edges"])
    node = next(n for n in made["nodes"] if n["kind"] == "own" and n["outcome"] in ("scored", "stopped"))
    shown = folder.ask("show", node["candidate"][:12])
    assert shown["candidate"] == node["candidate"] and shown["by_class"]
    assert shown["attempts"][0]["state"] == "replied"
    assert "search" in {e["set"] for e in shown["evaluations"]}
    a, b = (n["candidate"][:12] for n in made["nodes"] if n["kind"] == "seed")
    assert folder.ask("diff", a, b)["test"]["p"] > 0
    code = folder.call("show", a, "--code").out
    assert code == (Path(__file__).parents[1] / f"evaluators/smtt/baselines/{_name(made, a)}.py").read_text()


def _name(made: Any, prefix: str) -> str:
    return next(str(n["name"]) for n in made["nodes"] if n["candidate"] and n["candidate"].startswith(prefix))


@pytest.mark.campaign
def test_the_report_opens_the_final_split_and_counts(folder: Folder) -> None:
    for opening in (1, 2):
        data = folder.ask("report", folder.run, "--quiet")
        assert data["final_openings"] == opening
        seed = next(s for s in data["scores"] if s["role"] == "seed")
        assert seed["outcomes"]["final"] == "scored" and 0 < seed["final"] < 100
        assert {t["size"] for t in data["times"] if t["split"] == "final"} == {500, 1000}
    done = folder.call("report", folder.run)
    assert done.code == 0 and "opening 3 of the final split" in done.err
    assert "was opened 3 times" in done.out
