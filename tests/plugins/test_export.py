"""What a package holds, that it is the same every time, and what does not leave."""

from __future__ import annotations

import email
import hashlib
import json
import stat
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plugin_samples as samples
import pytest
import review_samples
from plugin_samples import IDLE, LOOSE, METHODS, ODD_NAMES, PLAIN_LISTS, RUN, SILENT, command
from review_samples import CHAMPION, EDD, HOSTILE, MDD, PARENT, TASK, undocumented

from db.errors import LedgerLocked
from db.ledger import Ledger
from discovery import plugins
from discovery.errors import EnvironmentProblem, NothingValid, UsageError
from discovery.plugins.naming import naming
from discovery.plugins.rendering import markdown, toml
from discovery.plugins.winner import bidirectional


def tree(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


def test_a_package_holds_what_it_must(exported: plugins.Exported) -> None:
    found = tree(exported.folder)
    module = "src/small_" + CHAMPION.hash[:8]
    assert set(found) == {
        "CITATION.cff", "LICENSE", "README.md", "picture.svg", "pyproject.toml",
        f"dist/small_{CHAMPION.hash[:8]}-1.0.0-py3-none-any.whl",
        *(f"{module}/{name}" for name in (
            "__init__.py", "__main__.py", "_call.py", "_values.py", "golden.json", "heuristic.py", "provenance.json",
            "py.typed", "sbom.cdx.json", "test_golden.py",
        )),
    }  # fmt: skip
    assert found[f"{module}/heuristic.py"] == CHAMPION.code.encode()
    assert (
        b"Copyright (c) " in found["LICENSE"]
        and b"A. Body" in found["LICENSE"]
        and b"{{" not in found["LICENSE"]
    )
    assert tomllib.loads(found["pyproject.toml"].decode())["project"]["dependencies"] == ["numpy>=1.26"]
    assert exported.wheel_bytes < 200_000


def test_the_provenance_tells_where_it_came_from(exported: plugins.Exported) -> None:
    (path,) = exported.folder.glob("src/*/provenance.json")
    told = json.loads(path.read_text())
    assert told["candidate"] == CHAMPION.hash and told["promoted"] and told["champion"]
    assert told["run"]["id"] == RUN and told["run"]["seed"] == "3" and told["run"]["isolated"] is True
    names = [e["candidate"] for e in told["lineage"]["entries"]]
    assert names == [CHAMPION.hash, PARENT.hash, MDD.hash] and told["lineage"]["left_out"] == 0
    own, parent, seed = told["lineage"]["entries"]
    assert own["parents"] == [1] and parent["parents"] == [2] and seed["name"] == "mdd"
    prompt = json.dumps([{"role": "user", "content": "Improve 1"}])
    assert own["prompts"] == [hashlib.sha256(prompt.encode()).hexdigest()]
    search, gate = told["scores"]["search"], told["scores"]["gate"]
    assert search["instances"] == 8 and gate["instances"] == 40 and told["scores"]["final"] is None
    assert gate["set_sha256"] == TASK.instances("gate").digest and gate["references"] == {
        "proved optimum": 40
    }
    assert [b["name"] for b in gate["beside"]] == ["mdd"] and gate["beside"][0]["score"] > 0
    (comparison,) = told["comparisons"]
    assert comparison["split"] == "gate" and comparison["low"] <= comparison["gain"] <= comparison["high"]
    assert told["parameters"] == [
        {"name": "w", "default": 1.0, "type": "float", "range": {"low": 0.0, "high": 4.0, "log": False}}
    ]
    for name, hash_ in told["files"].items():
        assert hashlib.sha256((exported.folder / name).read_bytes()).hexdigest() == hash_


def test_the_final_split_is_told_only_once_a_report_has_opened_it(
    exported: plugins.Exported, ledger: Ledger, tmp_path: Path, small: Any
) -> None:
    assert review_samples.Small.opened == []
    from discovery.evaluation import Evaluation

    Evaluation(TASK, small, ledger).whole(CHAMPION, TASK.instances("final"))
    other = plugins.export(ledger, RUN, tmp_path / "q")
    assert other.provenance["scores"]["final"] is None  # stored, but no report has opened it
    for _ in range(2):
        ledger.add_event(RUN, "report_opened", {"candidates": [CHAMPION.hash]})
    told = plugins.export(ledger, RUN, tmp_path / "r").provenance["scores"]["final"]
    assert told["opening"] == 1 and told["score"] is not None
    assert exported.digest != plugins.export(ledger, RUN, tmp_path / "s").digest


def test_two_commands_give_the_same_bytes(shelf: Path, tmp_path: Path) -> None:
    """Another folder, umask, hash seed, time zone, language and moment."""
    site = samples.announced(tmp_path / "site")
    ledgers = []
    for name, umask, variables in (
        ("a", 0o022, {"PYTHONHASHSEED": "1", "TZ": "UTC"}),
        ("b", 0o077, {"PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}),
    ):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "l.sqlite").write_bytes((shelf / "l.sqlite").read_bytes())
        words = (
            "export",
            RUN,
            "--out",
            f"{'out' if name == 'a' else folder / 'deep' / 'er'}",
            "--wheel",
            "--json",
            "-q",
        )
        ended = command(
            site, *words, "--db", "l.sqlite", "--licence", "0bsd", cwd=folder, umask=umask, **variables
        )
        assert ended.returncode == 0, ended.stderr
        ledgers.append(json.loads(ended.stdout))
    a, b = tree(tmp_path / "a" / "out"), tree(tmp_path / "b" / "deep" / "er")
    assert a == b and ledgers[0]["wheel_sha256"] == ledgers[1]["wheel_sha256"]
    modes = {
        stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "b" / "deep" / "er").rglob("*") if p.is_file()
    }
    assert modes == {0o644}
    for data in a.values():
        for word in (str(tmp_path), "/tmp", "/work", str(Path.home()) + "/"):
            assert word.encode() not in data


def test_a_wheel_is_in_order(exported: plugins.Exported) -> None:
    assert exported.wheel is not None
    with zipfile.ZipFile(exported.wheel) as archive:
        entries = archive.infolist()
        assert [e.filename for e in entries] == sorted(e.filename for e in entries)
        assert {e.date_time for e in entries} == {(1980, 1, 1, 0, 0, 0)} and not archive.testzip()
        info = f"small_{CHAMPION.hash[:8]}-1.0.0.dist-info"
        metadata = archive.read(f"{info}/METADATA")
        head = email.message_from_bytes(metadata)
        assert archive.read(f"{info}/licenses/LICENSE") == (exported.folder / "LICENSE").read_bytes()
    assert head["Name"] == f"small-{CHAMPION.hash[:8]}" and head["License-Expression"] == "MIT"
    assert head["Requires-Dist"] == "numpy>=1.26" and head["Author"] == "A. Body"
    assert metadata.partition(b"\n\n")[2] == (exported.folder / "README.md").read_bytes()


def test_the_readme_has_a_table_an_interval_and_a_picture(exported: plugins.Exported) -> None:
    text = (exported.folder / "README.md").read_text()
    assert f"| small\\-{CHAMPION.hash[:8]} |".replace("\\-", "-") in text and "| mdd (best seed) |" in text
    assert "95 % interval" in text and "![Mean score by class](picture.svg)" in text
    assert f"python -m small_{CHAMPION.hash[:8]} jobs.csv" in text
    drawn = (exported.folder / "picture.svg").read_text()
    assert drawn.startswith("<svg ") and "script" not in drawn and "href" not in drawn


def test_the_bill_of_materials(exported: plugins.Exported) -> None:
    (path,) = exported.folder.glob("src/*/sbom.cdx.json")
    told = json.loads(path.read_text())
    assert (told["bomFormat"], told["specVersion"], told["version"]) == ("CycloneDX", "1.6", 1)
    assert told["metadata"]["component"]["licenses"] == [{"expression": "MIT"}]
    heuristic, numpy = told["components"]
    assert heuristic["hashes"][0]["content"] == hashlib.sha256(CHAMPION.code.encode()).hexdigest()
    assert numpy["purl"] == "pkg:pypi/numpy" and "timestamp" not in told["metadata"]


def test_an_export_is_a_row_and_an_event(exported: plugins.Exported, ledger: Ledger) -> None:
    (row,) = ledger.exports(RUN)
    (event,) = ledger.events(RUN, "exported")
    assert row.path == str(exported.folder) and event.data["digest"] == exported.digest
    assert ledger.entry_by_id(row.entry).candidate == CHAMPION.hash


def test_again_into_the_same_folder_changes_nothing(exported: plugins.Exported, ledger: Ledger) -> None:
    before = {p: p.stat().st_mtime_ns for p in exported.folder.rglob("*")}
    choices = naming(licence="MIT", author="A. Body")
    again = plugins.export(ledger, RUN, exported.folder, wheel=True, choices=choices)
    assert not again.written and again.wheel_sha256 == exported.wheel_sha256
    assert {p: p.stat().st_mtime_ns for p in exported.folder.rglob("*")} == before


def test_the_command(discover: Callable, tmp_path: Path) -> None:
    ended = discover("export", RUN, "--out", "mine", "--name", "my-rule", "--json")
    data = json.loads(ended.out)
    assert (
        ended.code == 0 and data["package"] == "my-rule" and data["wheel"] is None and data["licence"] is None
    )
    assert undocumented("export", {k: v for k, v in data.items() if k != "scores"}) == []
    assert (tmp_path / "mine" / "src" / "my_rule" / "heuristic.py").exists()
    assert not (tmp_path / "mine" / "LICENSE").exists()
    assert "no licence was chosen" in ended.err
    ended = discover("export", CHAMPION.hash[:8], "--out", "other", "--wheel", "--licence", "mit")
    assert ended.code == 0 and "pip install" in ended.out


def test_the_champion_by_its_hash_is_the_same_package(
    exported: plugins.Exported, ledger: Ledger, tmp_path: Path
) -> None:
    choices = naming(licence="MIT", author="A. Body")
    assert (
        plugins.export(ledger, CHAMPION.hash[:8], tmp_path / "q", choices=choices).digest == exported.digest
    )


def test_where_nothing_beat_the_seed_everything_says_so(ledger: Ledger, tmp_path: Path) -> None:
    made = plugins.export(ledger, IDLE, tmp_path / "p")
    assert made.winner.champion and not made.winner.promoted and made.provenance["promoted"] is False
    assert "nothing beat the best seed, mdd" in made.provenance["verdict"]
    assert "nothing beat the best seed, mdd" in (tmp_path / "p" / "README.md").read_text().replace("\\", "")
    assert made.provenance["comparisons"] == [] and made.winner.candidate.hash == MDD.hash
    assert not [p for p in made.folder.rglob("*") if p.is_file() and b"somebody" in p.read_bytes()]
    assert all(s is None or s["beside"] == [] for s in made.provenance["scores"].values())


def test_a_candidate_that_is_no_champion_says_so(ledger: Ledger, tmp_path: Path) -> None:
    made = plugins.export(ledger, PARENT.hash[:12], tmp_path / "p")
    assert "has not passed the gate" in made.provenance["verdict"] and not made.winner.champion
    assert made.provenance["scores"]["gate"] is None


# -- arrays or lists --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "candidate, arrays, why",
    [
        (PLAIN_LISTS, False, "with lists it gave the same answers on 8 instances"),
        (SILENT, True, "with lists its answers differ"),
        (METHODS, True, "with lists it ended as error"),
        (CHAMPION, True, "the code imports numpy"),
        (EDD, True, "the code imports numpy"),
    ],
    ids=["lists", "silent", "methods", "numpy", "seed"],
)
def test_numpy_only_where_it_is_needed(
    ledger: Ledger, tmp_path: Path, candidate: Any, arrays: bool, why: str
) -> None:
    made = plugins.export(ledger, candidate.hash, tmp_path / "p")
    (call,) = (tmp_path / "p").glob("src/*/_call.py")
    assert made.provenance["package"]["requires"] == (["numpy>=1.26"] if arrays else [])
    assert ("import numpy" in call.read_text()) is arrays and why in made.provenance["arguments"]["why"]


def test_parameters_may_have_any_name(ledger: Ledger, tmp_path: Path) -> None:
    made = plugins.export(ledger, ODD_NAMES.hash, tmp_path / "p")
    (call,) = (tmp_path / "p").glob("src/*/_call.py")
    text = call.read_text()
    assert "___values.integers(" in text and made.calls > 0
    assert "_numpy: str = 'a\"\\'b'," in text


def test_what_does_not_repeat_its_answers_does_not_leave(ledger: Ledger, tmp_path: Path) -> None:
    with pytest.raises(NothingValid, match="answers otherwise when its calls come in another order"):
        plugins.export(ledger, LOOSE[-1].hash, tmp_path / "p")
    assert not (tmp_path / "p").exists() and ledger.exports(RUN) == ()


# -- what does not leave ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "candidate, words",
    [
        (review_samples.CHEAT, "is quarantined: beats a proved optimum; it cannot be exported"),
        (review_samples.STOPPED, "has no score (it ended as stopped)"),
        (review_samples.SLOW, "has no score (it ended as timeout: instance 1 took 3 s)"),
        (review_samples.REJECTED, "has no score (it ended as rejected: a short answer)"),
    ],
    ids=["quarantined", "stopped", "timeout", "rejected"],
)
def test_invalid_candidates(discover: Callable, tmp_path: Path, candidate: Any, words: str) -> None:
    with Ledger.open(tmp_path / "other.sqlite") as ledger:
        review_samples.filled(ledger)
    ended = discover("export", candidate.hash, "--out", "p", "--db", "other.sqlite")
    assert ended.code == 1 and words in ended.sentence and ended.out == ""
    assert not (tmp_path / "p").exists()


def test_a_hostile_reason_cannot_act(discover: Callable, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "other.sqlite") as ledger:
        review_samples.filled(ledger)
    ended = discover("export", review_samples.BROKEN.hash, "--out", "p", "--db", "other.sqlite")
    assert ended.code == 1 and not any(c in ended.err for c in review_samples.TOO_HOSTILE)


@pytest.mark.parametrize(
    "code, words",
    [
        (
            CHAMPION.code.replace("# by", "# \u202e by"),
            "line 7 holds the bidirectional control character U+202E",
        ),
        (CHAMPION.code.replace("# by", "# \u2066 by"), "bidirectional control character U+2066"),
        (CHAMPION.code + "# " + "x" * 200_000 + "\n", "at most 32768 are allowed"),
    ],
    ids=["override", "isolate", "200 kB"],
)
def test_code_that_must_not_leave(
    discover: Callable, ledger: Ledger, tmp_path: Path, code: str, words: str
) -> None:
    samples.store_text(ledger, RUN, code, "abcd" + 60 * "0")
    ended = discover("export", "abcd", "--out", "p")
    assert ended.code == 1 and words in ended.sentence and not (tmp_path / "p").exists()


def test_right_to_left_letters_are_no_controls() -> None:
    assert bidirectional("# שלום\nx = 1\n") is None


def test_nothing_to_export(discover: Callable) -> None:
    assert discover("export", "r-nope", "--out", "p").code == 2
    assert discover("export", "fedcba", "--out", "p").code == 2
    assert discover("export", "what", "--out", "p").code == 2


def test_another_version_of_the_evaluator(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_samples.Small, "version", "2")
    with pytest.raises(UsageError, match="was made with version 1 of the evaluator"):
        plugins.export(ledger, RUN, tmp_path / "p")


# -- where it is written ----------------------------------------------------------------------------------------------


def test_an_existing_folder_is_left_alone(discover: Callable, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.tex").write_text("years of work")
    ended = discover("export", RUN, "--out", "p")
    assert ended.code == 2 and "holds other files" in ended.sentence
    assert [x.name for x in (tmp_path / "p").iterdir()] == ["thesis.tex"]
    (tmp_path / "file").write_text("a file")
    assert "is not a folder" in discover("export", RUN, "--out", "file").sentence
    (tmp_path / "link").symlink_to("p")
    assert "is not a folder" in discover("export", RUN, "--out", "link").sentence
    (tmp_path / "empty").mkdir()
    assert discover("export", RUN, "--out", "empty").code == 0


def test_a_folder_that_cannot_be_written(discover: Callable, tmp_path: Path, ledger: Ledger) -> None:
    (tmp_path / "file").write_text("a file")
    ended = discover("export", RUN, "--out", "file/p")
    assert ended.code == 3 and "cannot be written" in ended.sentence
    assert discover("export", RUN, "--out", "/proc/p").code == 3
    assert ledger.exports(RUN) == ()


def test_a_full_disk_leaves_nothing(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from discovery.plugins import writing

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(EnvironmentProblem, match="No space left"):
        plugins.export(ledger, RUN, tmp_path / "p")
    assert [x.name for x in tmp_path.iterdir() if "sqlite" not in x.name and x.name != "checkpoints"] == []
    assert ledger.exports(RUN) == ()


def test_a_ledger_that_is_locked_leaves_nothing(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: object) -> None:
        raise LedgerLocked("the ledger is locked by another program")

    monkeypatch.setattr(ledger, "add_export", locked)
    with pytest.raises(LedgerLocked):
        plugins.export(ledger, RUN, tmp_path / "p")
    assert not (tmp_path / "p").exists() and not list(tmp_path.glob(".discover-export-*"))


def test_a_ledger_of_a_newer_version(discover: Callable, tmp_path: Path) -> None:
    import sqlite3

    from db.migrations import VERSION_TABLE

    (tmp_path / "new.sqlite").write_bytes((tmp_path / "l.sqlite").read_bytes())
    with sqlite3.connect(tmp_path / "new.sqlite") as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    connection.close()
    ended = discover("export", RUN, "--out", "p", "--db", "new.sqlite")
    assert ended.code == 3 and "newer" in ended.sentence and not (tmp_path / "p").exists()


# -- names and licences -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "Upper", "1st", "a--b", "-a", "a b", "a/../b", "é", "x" * 65, "a_b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(UsageError, match="expected at most 64 lower-case letters"):
        naming(name)


@pytest.mark.parametrize("name", ["json", "numpy", "discovery", "class", "unittest"])
def test_names_that_are_taken(name: str) -> None:
    with pytest.raises(UsageError, match="another Python module has that name"):
        naming(name)


def test_licences(tmp_path: Path, ledger: Ledger) -> None:
    for known in ("MIT", "apache-2.0", "BSD-3-Clause", "0BSD"):
        assert naming(licence=known).text
    with pytest.raises(UsageError, match="give another one's text with --licence-file"):
        naming(licence="GPL-3.0-only")
    with pytest.raises(UsageError, match="needs --licence"):
        naming(licence_file=tmp_path / "x")
    with pytest.raises(UsageError, match="cannot be read"):
        naming(licence="LicenseRef-Mine", licence_file=tmp_path / "x")
    (tmp_path / "x").write_text("All mine.\n")
    with pytest.raises(UsageError, match="no SPDX identifier"):
        naming(licence='MIT"\nName: other', licence_file=tmp_path / "x")
    choices = naming(licence="LicenseRef-Mine", licence_file=tmp_path / "x")
    made = plugins.export(ledger, RUN, tmp_path / "p", choices=choices)
    assert (made.folder / "LICENSE").read_text() == "All mine.\n"
    assert (
        tomllib.loads((made.folder / "pyproject.toml").read_text())["project"]["license"] == "LicenseRef-Mine"
    )


def test_what_others_wrote_stays_text(ledger: Ledger, tmp_path: Path) -> None:
    author = f'"] = 1 {HOSTILE} \n```[x](javascript:y) <b> \U0001f600'
    made = plugins.export(ledger, RUN, tmp_path / "p", choices=naming(author=author))
    parsed = tomllib.loads((made.folder / "pyproject.toml").read_text(encoding="utf-8"))
    assert parsed["project"]["authors"][0]["name"].startswith('"] = 1 ')
    for path in made.folder.rglob("*"):
        if path.is_file():
            text = path.read_bytes().decode("utf-8")
            assert not any(c in text for c in review_samples.TOO_HOSTILE), path
    assert "`c`" not in (made.folder / "README.md").read_text()  # the model's name is not markup
    assert markdown("a `b` <i> [c](d)") == "a \\`b\\` \\<i\\> \\[c\\](d)"
    assert tomllib.loads(f"x = {toml(author)}")["x"]


def test_what_was_not_isolated_says_so(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from discovery.plugins import exporting

    made = exporting.make_executor

    def open_(*words: Any, unsafe: bool) -> Any:
        executor = made(*words)
        executor.isolated = not unsafe
        return executor

    monkeypatch.setattr(exporting, "make_executor", open_)
    plugins.export(ledger, RUN, tmp_path / "p")
    assert "not isolated" not in (tmp_path / "p" / "README.md").read_text()
    told = plugins.export(ledger, RUN, tmp_path / "q", unsafe=True).provenance
    assert told["golden"]["isolated"] is False
    assert "not isolated" in (tmp_path / "q" / "README.md").read_text()
