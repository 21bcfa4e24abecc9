"""What a run starts from: names, files, hashes, and what is said when there is no such thing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from toy.loop import Scripted, Toy, by_slot, density, rule
from toy.task import Knapsack

from db.ledger import Ledger
from discovery.candidate import check
from discovery.errors import UsageError
from discovery.seeds import MAX_FILE, baseline_code, read_code, resolve

TASK = Knapsack({})


def names(*sources: str, ledger: Ledger | None = None) -> list[str]:
    return [s.name for s in resolve(TASK, sources, ledger)]


def test_without_sources_those_of_the_task() -> None:
    assert names() == ["heaviest", "trivial"]


def test_baselines_by_name_with_and_without_prefix() -> None:
    assert names("baseline:density", "random") == ["density", "random"]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(density(0.5))
    (seed,) = resolve(TASK, (str(path),), None)
    assert seed.name == str(path) and seed.candidate.code == density(0.5)


def test_equal_code_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("# mine\n" + baseline_code(TASK, "density"))
    assert names("density", str(path), "random") == ["density", "random"]


def test_a_baselines_name_comes_before_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "density").write_text(density(0.5))
    assert resolve(TASK, ("density",), None)[0].candidate.code == baseline_code(TASK, "density")
    assert resolve(TASK, ("./density",), None)[0].candidate.code == density(0.5)


def test_a_candidate_of_an_earlier_run_by_the_begin_of_its_hash(toy: Toy) -> None:
    toy.propose(Scripted(by_slot([density(0.7)])))
    toy.start(samples=1, tune=False)
    wanted = check(density(0.7), TASK.interface).hash
    with toy.ledger() as ledger:
        for prefix in (wanted, wanted[:8], wanted[:8].upper()):
            assert resolve(TASK, (prefix,), ledger)[0].candidate.hash == wanted
        for prefix in (wanted[:5], "0" * 12 if not wanted.startswith("0" * 12) else "1" * 12):
            with pytest.raises(UsageError, match="neither a baseline"):
                resolve(TASK, (prefix,), ledger)
    report = toy.start(samples=1, sources=(wanted[:8], "random"))
    assert report.seed[0] == wanted[:8]


@pytest.mark.parametrize("source", ["baseline:", "baseline:nobody", "nobody", "deadbeef", "./no/file.py"])
def test_what_does_not_exist_is_one_sentence(source: str, new_ledger: Callable[[str], Ledger]) -> None:
    for ledger in (None, new_ledger("ledger")):
        with pytest.raises(UsageError) as told:
            resolve(TASK, (source,), ledger)
        assert "density" in str(told.value) and "\n" not in str(told.value)


def test_an_empty_source_is_refused() -> None:
    with pytest.raises(UsageError):
        resolve(TASK, ("",), None)


def test_a_reference_policy_is_no_seed() -> None:
    for source in ("all-subsets", "baseline:all-subsets"):
        with pytest.raises(UsageError, match="is a reference policy of task 'knapsack'"):
            resolve(TASK, (source,), None)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe", "is not UTF-8 (byte 0)"),
        (b"x" * (MAX_FILE + 1), "at most"),
        (b"import os\n" + density(1.0).encode(), "import of 'os' is not allowed"),
        (b"", "no top-level function 'rank'"),
    ],
)
def test_files_that_are_no_candidates(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(UsageError) as told:
        resolve(TASK, (str(path),), None)
    assert said in str(told.value) and str(path) in str(told.value)


def test_a_folder_or_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.py"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_code(path)


def test_a_seed_that_fails_ends_the_run_before_anything_is_asked(toy: Toy, tmp_path: Path) -> None:
    proposer = Scripted(by_slot([]))
    toy.propose(proposer)
    path = tmp_path / "crash.py"
    path.write_text(rule("return [1 / 0]"))
    with pytest.raises(UsageError, match=r"the seed '.*crash\.py' ended as error: .*ZeroDivisionError"):
        toy.start(sources=(str(path),))
    assert proposer.keys == []
