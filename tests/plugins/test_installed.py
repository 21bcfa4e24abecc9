"""A package where it is meant to be: installed by an installer into an environment without the workbench."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from plugin_samples import ODD_NAMES, PLAIN_LISTS
from review_samples import CHAMPION, TASK

from db.ledger import Ledger
from discovery import plugins
from evaluators.smtt.hosts import HOSTS
from evaluators.smtt.problem import decode, total_tardiness

MODULE = f"small_{CHAMPION.hash[:8]}"
JOBS = "job,processing_time,due_date\na,5,9\nb,3,4\nc,7,20\n"


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the interpreter of a new environment that holds nothing but an installer; with ``arrays`` numpy is there
    too, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder / "v", with_pip=True)
    site = Path(numpy.__file__).parents[1]
    (folder / "numpy").mkdir()
    for name in ("numpy", "numpy.libs"):
        if (site / name).exists():
            (folder / "numpy" / name).symlink_to(site / name)

    def run(
        *words: object, arrays: bool = True, text: str = "", **more: Any
    ) -> subprocess.CompletedProcess[str]:
        variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        variables |= {"PYTHONPATH": str(folder / "numpy")} if arrays else {}
        return subprocess.run(
            [folder / "v" / "bin" / "python", "-I" if not arrays else "-s", *map(str, words)],
            env=variables, input=text, capture_output=True, text=True, check=False, **more,
        )  # fmt: skip

    return run


def install(run: Callable, wheel: Path) -> None:
    ended = run("-m", "pip", "install", "-q", "--no-deps", "--no-index", "--force-reinstall", wheel)
    assert ended.returncode == 0, ended.stderr


def test_installed_it_sequences_a_file(
    environment: Callable, exported: plugins.Exported, tmp_path: Path
) -> None:
    assert exported.wheel is not None
    install(environment, exported.wheel)
    (tmp_path / "jobs.csv").write_text(JOBS)
    ended = environment("-m", MODULE, "jobs.csv", cwd=tmp_path)
    assert ended.returncode == 0 and ended.stderr == ""
    head, *rows, total = ended.stdout.splitlines()
    assert head.split() == ["job", "start", "end", "tardiness"]
    assert [r.split() for r in rows] == [["b", "0", "3", "0"], ["a", "3", "8", "0"], ["c", "8", "15", "0"]]
    assert total == "total tardiness 0; 0 of 3 jobs late"
    ended = environment("-m", MODULE, "-", "--json", text=JOBS, cwd=tmp_path)
    assert json.loads(ended.stdout)["jobs"][2] == {"job": "c", "start": 8, "end": 15, "tardiness": 0}
    ended = environment("-m", MODULE, "none.csv", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "") and ended.stderr.count("\n") == 1
    assert environment("-m", MODULE, cwd=tmp_path).returncode == 2


def test_installed_its_golden_tests_hold_and_it_is_announced(
    environment: Callable, exported: plugins.Exported, tmp_path: Path
) -> None:
    assert exported.wheel is not None
    install(environment, exported.wheel)
    ended = environment("-m", "unittest", f"{MODULE}.test_golden", cwd=tmp_path)
    assert ended.returncode == 0 and "Ran 4 tests" in ended.stderr
    script = (
        "import sys\nfrom importlib.metadata import entry_points\n"
        "point, = entry_points(group='discover.heuristics')\nf = point.load()\n"
        "result = f((5, 3, 7), [9, 4, 20])\n"
        "print(point.name, result, {type(r).__name__ for r in result}, type(result).__name__)\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('discovery', 'evaluators', 'db', 'searchspaces')])\n"
    )
    ended = environment("-c", script, cwd=tmp_path)
    assert ended.stdout == f"small-{CHAMPION.hash[:8]} [1, 0, 2] {{'int'}} list\n[]\n"


def test_without_numpy_where_none_is_needed(environment: Callable, ledger: Ledger, tmp_path: Path) -> None:
    made = plugins.export(ledger, PLAIN_LISTS.hash, tmp_path / "q", wheel=True)
    assert made.wheel is not None
    install(environment, made.wheel)
    assert environment("-c", "import numpy", arrays=False).returncode == 1
    module = made.provenance["package"]["module"]
    assert environment("-m", "unittest", f"{module}.test_golden", arrays=False).returncode == 0
    ended = environment("-m", module, "-", text=JOBS, arrays=False)
    assert ended.returncode == 0 and "total tardiness 0" in ended.stdout


def test_the_source_tree_builds_and_checks(exported: plugins.Exported, tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    ended = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "built")],
        cwd=exported.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    (built,) = (tmp_path / "built").iterdir()
    assert exported.wheel is not None and built.name == exported.wheel.name
    with zipfile.ZipFile(built) as ours, zipfile.ZipFile(exported.wheel) as theirs:
        for name in (n for n in theirs.namelist() if n.startswith(MODULE + "/")):
            assert ours.read(name) == theirs.read(name)
    ended = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "mypy"), "--allow-untyped-defs",
         "--allow-untyped-calls", str(exported.folder / "src" / MODULE)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout


# -- the command's bad input, in this process ----------------------------------------------------------------------


@pytest.fixture
def module(exported: plugins.Exported, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The exported package, imported: this heuristic is our own."""
    monkeypatch.syspath_prepend(str(exported.folder / "src"))
    yield importlib.import_module(f"{MODULE}.__main__")
    for name in [n for n in sys.modules if n.split(".")[0] == MODULE]:
        del sys.modules[name]


BAD = {
    "empty": (b"", "is empty; expected the columns job,processing_time,due_date"),
    "blank": (b" \n\n", "is empty"),
    "head only": (b"job,processing_time,due_date\n", "holds no jobs"),
    "no column": (b"job,due_date\na,1\n", "line 1: there is no column processing_time"),
    "no columns": (b"a,5,9\nb,3,4\n", "line 1: there is no column job or processing_time or due_date"),
    "column twice": (b"job,job,processing_time,due_date\na,b,1,2\n", "the column job is there twice"),
    "text": (
        b"job,processing_time,due_date\na,5,9\nb,three,4\n",
        "line 3: the processing_time is 'three'; expected a",
    ),
    "fraction": (
        b"job,processing_time,due_date\na,5.5,9\n",
        "is '5.5'; expected a whole number of at least 1",
    ),
    "negative": (b"job,processing_time,due_date\na,-5,9\n", "is '-5'; expected a whole number of at least 1"),
    "due negative": (
        b"job,processing_time,due_date\na,5,-9\n",
        "the due_date is '-9'; expected a whole number of at",
    ),
    "zero": (b"job,processing_time,due_date\na,0,9\n", "is '0'"),
    "nan": (b"job,processing_time,due_date\na,nan,9\n", "is 'nan'"),
    "infinite": (b"job,processing_time,due_date\na,1e400,9\n", "is '1e400'"),
    "huge": (b"job,processing_time,due_date\na," + b"9" * 400 + b",9\n", "expected a whole number"),
    "large": (b"job,processing_time,due_date\na,9007199254740993,9\n", "the times are too large"),
    "underscore": (b"job,processing_time,due_date\na,1_0,9\n", "is '1_0'"),
    "other digits": ("job,processing_time,due_date\na,١,9\n".encode(), "expected a whole number"),
    "missing": (b"job,processing_time,due_date\na,5,9\nb,3\n", "line 3: the due_date is missing"),
    "no name": (b"job,processing_time,due_date\n,5,9\n", "line 2: the job is missing"),
    "twice": (b"job,processing_time,due_date\na,5,9\na,3,4\n", "line 3: the job 'a' is in line 2 already"),
    "escape": (b"job,processing_time,due_date\n\x1b[2J,5,9\n", "is not printable"),
    "quote": (b'job,processing_time,due_date\n"a,5,9\n', "this is not CSV"),
    "null": (b"job,processing_time,due_date\n\x00,5,9\n", "line"),
    "latin": ("job,processing_time,due_date\né,5,9\n".encode("latin-1"), "is not UTF-8"),
    "utf-16": ("job,processing_time,due_date\na,5,9\n".encode("utf-16"), "is not UTF-8"),
    "binary": (bytes(range(256)), "is not UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence(
    module: Any, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, words = BAD[name]
    (tmp_path / "jobs.csv").write_bytes(data)
    assert module.main([str(tmp_path / "jobs.csv")]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.count("\n") == 1 and words in told.err and len(told.err) < 400
    assert "\x1b" not in told.err


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + JOBS,
        JOBS.replace(",", ";"),
        JOBS.replace("\n", "\r\n"),
        JOBS.replace("5,9", " 5.0 , 9 "),
        "due_date,note,Job,Processing_Time\n9,x,a,5\n\n4,y,b,3\n20,z,c,7\n",
        JOBS.replace("a,", '"a",'),
    ],
    ids=["byte order mark", "semicolons", "carriage returns", "spaces", "other order", "quotes"],
)
def test_files_as_people_have_them(
    module: Any, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "jobs.csv").write_text(text, encoding="utf-8", newline="")
    assert module.main([str(tmp_path / "jobs.csv"), "--json"]) == 0
    assert [j["job"] for j in json.loads(capsys.readouterr().out)["jobs"]] == ["b", "a", "c"]


def test_it_sequences_as_was_scored(module: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The total of the command is the referee's objective of the answer that was scored, on real instances."""
    for instance in TASK.instances("search").instances[:3]:
        times, due = decode(instance.payload)
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["job", "processing_time", "due_date"])
        rows.writerows([j, p, d] for j, (p, d) in enumerate(zip(times.tolist(), due.tolist(), strict=True)))
        (tmp_path / "jobs.csv").write_text(text.getvalue())
        assert module.main([str(tmp_path / "jobs.csv"), "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        order = [int(j["job"]) for j in told["jobs"]]
        assert told["total_tardiness"] == total_tardiness(times, due, order)
        assert order == [int(j) for j in numpy.argsort(due + times, kind="stable")]


def test_the_function_names_what_does_not_fit(module: Any) -> None:
    schedule = module.schedule
    assert schedule(numpy.array([5, 3]), (9, 4)) == [1, 0] and schedule([], []) == []
    assert schedule([5, 3], [9, 4], w=0.0) == [1, 0]
    for arguments, error, words in (
        (([5, 0], [1, 2]), ValueError, "processing_times[1] is 0; expected at least 1"),
        (([5, 1.5], [1, 2]), TypeError, "processing_times[1] is 1.5; expected a whole number"),
        (([5, "6"], [1, 2]), TypeError, "processing_times[1] is '6'"),
        (([5, 6], [1]), ValueError, "processing_times 2, due_dates 1"),
    ):
        with pytest.raises(error) as caught:
            schedule(*arguments)
        assert words in str(caught.value)


def test_a_failing_heuristic_is_one_sentence(
    module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> list[int]:
        raise RuntimeError("no idea")

    monkeypatch.setattr(module, "schedule", broken)
    (tmp_path / "jobs.csv").write_text(JOBS)
    assert module.main([str(tmp_path / "jobs.csv")]) == 1
    assert capsys.readouterr().err == "the heuristic failed on these jobs: RuntimeError: no idea\n"


def test_odd_parameter_names_work(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = plugins.export(ledger, ODD_NAMES.hash, tmp_path / "q")
    monkeypatch.syspath_prepend(str(tmp_path / "q" / "src"))
    package = importlib.import_module(made.provenance["package"]["module"])
    assert package.schedule([5, 3, 7], [9, 4, 20]) == [1, 0, 2]


def test_every_host_adapter_is_named_and_rendered(exported: plugins.Exported) -> None:
    project = tomllib.loads((exported.folder / "pyproject.toml").read_text())["project"]
    for host in HOSTS:
        text = (exported.folder / "src" / MODULE / host.file).read_text()
        assert "{{" not in text and "{%" not in text
        assert (host.host in project.get("optional-dependencies", {})) is bool(host.requires)
