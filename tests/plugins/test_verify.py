"""What verify finds, what it refuses to read, and that nothing of a package ever runs outside the sandbox."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import review_samples
from plugin_samples import IDLE, PLAIN_LISTS, RUN, rehashed, rezipped
from review_samples import CHAMPION, PARENT, undocumented

from db.ledger import Ledger
from discovery import plugins
from discovery.errors import EnvironmentProblem, UsageError
from discovery.plugins import integrity, reading
from discovery.plugins.verifying import verify_package, verify_run

MODULE = f"small_{CHAMPION.hash[:8]}"


@pytest.fixture
def wheel(exported: plugins.Exported) -> Path:
    assert exported.wheel is not None
    return exported.wheel


@pytest.fixture
def folder(exported: plugins.Exported) -> Path:
    return exported.folder


def test_a_package_holds(wheel: Path, folder: Path, ledger: Ledger) -> None:
    for path in (wheel, folder):
        found = verify_package(path, ledger=ledger)
        assert found.ok and found.problems == () and found.made_anew and found.golden and found.recorded
        assert [(s.split, s.agrees, s.same_answers) for s in found.scores] == [
            ("search", True, True),
            ("gate", True, True),
        ]
    assert review_samples.Small.opened == []  # the final split stays closed


def test_one_that_gets_lists_holds(ledger: Ledger, tmp_path: Path) -> None:
    plugins.export(ledger, PLAIN_LISTS.hash, tmp_path / "q")
    found = verify_package(tmp_path / "q")
    assert found.ok and [s.split for s in found.scores] == ["search"]


def test_the_command(discover: Callable, wheel: Path, folder: Path) -> None:
    ended = discover("verify", wheel, "--json", "-q")
    data = json.loads(ended.out)
    assert ended.code == 0 and data["ok"] and data["recorded"] is True and ended.err == ""
    assert undocumented("verify", data) == []
    assert "verified in" in discover("verify", folder).out
    ended = discover("verify", CHAMPION.hash[:8])
    assert ended.code == 0 and "verified in" in ended.out and "recomputed" not in ended.out
    assert discover("verify", "what").code == 2
    ended = discover("verify", wheel, "--no-run")
    assert ended.code == 2 and "a package has to run" in ended.sentence


def test_the_command_audits_a_run(discover: Callable) -> None:
    ended = discover("verify", IDLE, "--json", "-q")
    data = json.loads(ended.out)
    assert ended.code == 0 and data["ok"] and undocumented("verify", data) == []
    assert data["audit"]["rerun"] >= 3 and [s["split"] for s in data["scores"]] == ["search", "gate"]
    ended = discover("verify", IDLE, "--no-run")
    assert ended.code == 0 and "3 (not run)" in ended.out and "verified in" in ended.out


def test_a_look_that_nobody_made_is_found(discover: Callable) -> None:
    """The look of RUN was written by hand."""
    ended = discover("verify", RUN)
    assert ended.code == 1 and "run r-0000aaaa does not hold" in ended.sentence.replace("discover: ", "run ")
    assert "look 1 was made on another block" in ended.out


def test_no_ledger_is_needed(wheel: Path, discover: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISCOVER_DB", "none.sqlite")
    ended = discover("verify", wheel, "--json")
    assert ended.code == 0 and json.loads(ended.out)["recorded"] is None
    assert discover("verify", wheel, "--db", "none.sqlite").code == 3  # but one that is named must be there
    Path("none.sqlite").write_text("not a ledger")
    ended = discover("verify", wheel, "--json")
    assert ended.code == 0 and "the ledger is left out" in ended.err


def test_a_ledger_that_did_not_record_it(wheel: Path, shelf: Path) -> None:
    with Ledger.open(shelf / "l.sqlite", create=False) as other:
        assert verify_package(wheel, ledger=other).recorded is False


# -- tampering --------------------------------------------------------------------------------------------------------

FILES = (
    "CITATION.cff", "LICENSE", "README.md", "picture.svg", "pyproject.toml", f"src/{MODULE}/__init__.py",
    f"src/{MODULE}/__main__.py", f"src/{MODULE}/_call.py", f"src/{MODULE}/_values.py", f"src/{MODULE}/golden.json",
    f"src/{MODULE}/heuristic.py", f"src/{MODULE}/py.typed", f"src/{MODULE}/sbom.cdx.json",
    f"src/{MODULE}/test_golden.py",
)  # fmt: skip


def test_any_changed_file_is_found(folder: Path) -> None:
    shutil.rmtree(folder / "dist")
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        *FILES,
        f"src/{MODULE}/provenance.json",
    }
    for name in FILES:
        before = (folder / name).read_bytes()
        (folder / name).write_bytes(before + b" ")
        assert verify_package(folder).problems == (f"{name} was changed",)
        rehashed(folder)  # whoever changes the hash too is found by making the package anew
        told = " ".join(verify_package(folder).problems)
        assert "is not what discover" in told or "cannot be made" in told, name
        (folder / name).write_bytes(before)
        rehashed(folder)
    assert verify_package(folder).ok


def test_any_changed_member_is_found(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    for name in names:
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(name)
        changed = rezipped(wheel, tmp_path / "w.whl", {name: data + b"\n"})
        assert not verify_package(changed).ok, name
        if not name.endswith("/provenance.json"):
            assert not verify_package(rezipped(wheel, tmp_path / "w.whl", {name: None})).ok, name


def test_the_command_says_what_was_changed(discover: Callable, folder: Path) -> None:
    (folder / "src" / MODULE / "heuristic.py").write_text(PARENT.code)
    (folder / "README.md").unlink()
    (folder / "src" / MODULE / "extra\x1b[2J.py").write_text("")
    ended = discover("verify", folder)
    assert ended.code == 1 and "README.md is missing (and 2 more)" in ended.sentence
    assert "heuristic.py was changed" in ended.out and "extra\\x1b[2J.py was added" in ended.out
    assert "\x1b" not in ended.out
    assert json.loads(discover("verify", folder, "--json").out)["ok"] is False


def test_compiled_code_beside_the_source_is_found(folder: Path) -> None:
    cache = folder / "src" / MODULE / "__pycache__"
    cache.mkdir()
    (cache / "heuristic.cpython-311.pyc").write_bytes(b"x")
    (problem,) = verify_package(folder).problems
    assert problem.endswith("heuristic.cpython-311.pyc was added")


def forged(folder: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[dict[str, Any]], None]) -> None:
    """A provenance that claims something else and fits all hashes, as if another version had made it."""
    (path,) = folder.glob("src/*/provenance.json")
    told = json.loads(path.read_text())
    change(told)
    path.write_bytes((json.dumps(told, indent=1) + "\n").encode())
    rehashed(folder)
    monkeypatch.setattr(integrity, "own_version", lambda: "another")


def test_a_better_score_than_it_has(
    folder: Path, discover: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def better(told: dict[str, Any]) -> None:
        told["scores"]["gate"]["score"] /= 2

    forged(folder, monkeypatch, better)
    ended = discover("verify", folder)
    assert ended.code == 1 and "on gate it scores" in ended.sentence and "is claimed" in ended.sentence


def test_the_same_score_by_other_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forged(folder, monkeypatch, lambda told: told["scores"]["gate"].update(answers_sha256="0" * 64))
    (problem,) = verify_package(folder).problems
    assert problem.startswith("on gate its answers are not those recorded, though its score is")


def test_another_heuristic_with_all_hashes_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other(told: dict[str, Any]) -> None:
        told["candidate"] = PARENT.hash

    (folder / "src" / MODULE / "heuristic.py").write_text(PARENT.code)
    forged(folder, monkeypatch, other)
    found = verify_package(folder)
    assert found.made_anew is None and found.golden is False
    assert any("on gate it scores" in p for p in found.problems)


def test_a_heuristic_that_is_not_the_named_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "src" / MODULE / "heuristic.py").write_text(PARENT.code)
    forged(folder, monkeypatch, lambda _: None)
    assert verify_package(folder).problems == (
        "its heuristic is not the candidate that its provenance names",
    )
    (folder / "src" / MODULE / "heuristic.py").write_text("import os\n")
    forged(folder, monkeypatch, lambda _: None)
    (problem,) = verify_package(folder).problems
    assert "its heuristic is no candidate for task 'small': import of 'os'" in problem


def test_a_hostile_heuristic_is_run_in_the_sandbox_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = CHAMPION.code + f"\nopen({str(tmp_path / 'owned')!r}, 'w').write('x')\n"
    from discovery.candidate import fingerprint, parse

    def other(told: dict[str, Any]) -> None:
        told["candidate"] = fingerprint(parse(code))

    (folder / "src" / MODULE / "heuristic.py").write_text(code)
    (folder / "src" / MODULE / "__init__.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    forged(folder, monkeypatch, other)
    found = verify_package(folder)
    assert not found.ok and not (tmp_path / "owned").exists() and not (tmp_path / "imported").exists()
    assert MODULE not in sys.modules


def test_a_provenance_of_rubbish_is_one_sentence(folder: Path) -> None:
    (path,) = folder.glob("src/*/provenance.json")
    whole = json.loads(path.read_text())
    for name in whole.keys() - {"discover"}:
        for rubbish in (None, [], {}, "x", -1, {"a": [{}]}):
            for version in (whole["discover"], "another") if rubbish in (None, "x") else (whole["discover"],):
                path.write_text(json.dumps({**whole, "discover": version, name: rubbish}))
                try:
                    found = verify_package(folder)
                except (UsageError, EnvironmentProblem, review_samples.TaskError):
                    continue
                assert not found.ok or version == "another", (name, rubbish)


# -- what is no package -----------------------------------------------------------------------------------------------


def test_what_is_no_package(discover: Callable, tmp_path: Path, wheel: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").mkdir()
    with zipfile.ZipFile(tmp_path / "zip.whl", "w") as archive:
        archive.writestr("a", "b")
    (tmp_path / "cut.whl").write_bytes(wheel.read_bytes()[:5000])
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("text", "empty", "zip.whl", "cut.whl", "dangling", "nothing-there", "plugin:nope"):
        ended = discover("verify", name)
        assert ended.code == 2 and ended.out == "", name
        assert len(ended.sentence) < 300
    for name, text in (("a", "not json"), ("b", "[]"), ("c", '{"format": 99}'), ("d", "[" * 100_000)):
        broken = rezipped(wheel, tmp_path / f"{name}.whl", {f"{MODULE}/provenance.json": text.encode()})
        assert discover("verify", broken).code == 2


def test_a_pipe_is_not_waited_for(discover: Callable, tmp_path: Path, folder: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert discover("verify", "pipe").code == 2
    os.mkfifo(folder / "pipe")
    assert "is not a regular file" in discover("verify", folder).sentence


def test_links_out_of_the_folder_are_not_followed(discover: Callable, folder: Path) -> None:
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to("/etc/passwd")
    ended = discover("verify", folder)
    assert ended.code == 2 and "is not a regular file" in ended.sentence


def test_a_bomb_is_not_unpacked(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{MODULE}/provenance.json", b" " * 60_000_000)
    with pytest.raises(UsageError, match="larger than"):
        verify_package(tmp_path / "bomb.whl")
    monkeypatch.setattr(reading, "MAX_FILES", 3)
    with pytest.raises(UsageError, match="more than 3 files"):
        verify_package(wheel)


def test_members_of_the_same_name(wheel: Path, tmp_path: Path) -> None:
    shutil.copy(wheel, tmp_path / "w.whl")
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "w.whl", "a") as archive:
        archive.writestr(f"{MODULE}/heuristic.py", PARENT.code)
    with pytest.raises(UsageError, match="twice"):
        verify_package(tmp_path / "w.whl")


def test_members_outside_are_only_bytes(wheel: Path, tmp_path: Path) -> None:
    bad = rezipped(wheel, tmp_path / "w.whl", {"../../outside": b"x", "/abs": b"y"})
    assert {p for p in verify_package(bad).problems if "was added" in p} == {
        "../../outside was added",
        "/abs was added",
    }


def test_other_terms(folder: Path, discover: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as changed:
        changed.setattr(review_samples.Small, "version", "2")
        ended = discover("verify", folder)
        assert ended.code == 3 and "scores do not compare" in ended.sentence
    forged(folder, monkeypatch, lambda told: told["scores"]["search"].update(set_sha256="0" * 64))
    assert "on other instances of the search split" in discover("verify", folder).sentence
    forged(folder, monkeypatch, lambda told: told["task"].update(name="gone"))
    assert discover("verify", folder).code == 2


# -- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_holds(ledger: Ledger) -> None:
    found = verify_run(ledger, IDLE)
    assert found.ok and [(s.split, s.same_answers) for s in found.scores] == [
        ("search", True),
        ("gate", True),
    ]
    assert verify_run(ledger, CHAMPION.hash).ok


def test_a_run_whose_stored_scores_are_not_true(discover: Callable, tmp_path: Path) -> None:
    with Ledger.open(tmp_path / "other.sqlite") as other:
        review_samples.filled(other)
    ended = discover("verify", review_samples.RUN, "--db", "other.sqlite", "--json")
    data = json.loads(ended.out)
    assert ended.code == 1 and not data["ok"] and len(data["scores"][0]["differ"]) >= 7
    assert "of 8 scores differ, first those of" in ended.sentence


def test_a_run_without_a_champion(discover: Callable) -> None:
    assert discover("verify", "r-nope").code == 2


def test_the_digest_names_the_package(exported: plugins.Exported, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(f"{MODULE}/provenance.json")
    assert hashlib.sha256(data).hexdigest() == exported.digest == verify_package(wheel).digest
