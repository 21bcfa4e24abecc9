"""One true ledger for the session, copied for each test that writes; the command line in this process."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import plugin_samples as samples
import pytest
from review_samples import TASK, Small

from db.ledger import Ledger
from discovery import plugins
from discovery.cli.main import main
from discovery.execution.base import Executor
from discovery.execution.make import make_executor
from discovery.plugins import exporting, verifying
from discovery.plugins.naming import naming
from evaluators import registry


class Kept:
    """An executor that commands may use and that is still open after them: each would start two zygotes."""

    def __init__(self, executor: Executor) -> None:
        self.name, self.workers = executor.name, executor.workers
        self.isolated, self.layers = executor.isolated, executor.layers
        self.submit = executor.submit

    def close(self) -> None:
        """Others go on with it."""


@pytest.fixture(scope="session")
def warm() -> Iterator[Executor]:
    executor = make_executor(TASK, "local", 2)
    yield executor
    executor.close()


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory, warm: Executor) -> Path:
    """A folder with the ledger ``l.sqlite``; not to be written."""
    folder = tmp_path_factory.mktemp("shelf")
    with Ledger.open(folder / "l.sqlite") as ledger:
        samples.true_ledger(ledger, warm)
    return folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, warm: Executor) -> Executor:
    """The task ``small`` is known, and its candidates run in the warm sandbox."""
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    for module in (exporting, verifying):
        monkeypatch.setattr(module, "make_executor", lambda *_, **__: Kept(warm))
    monkeypatch.setattr(Small, "opened", [])
    return warm


@pytest.fixture
def ledger(tmp_path: Path, shelf: Path, small: Executor) -> Iterator[Ledger]:  # noqa: ARG001
    shutil.copy(shelf / "l.sqlite", tmp_path / "l.sqlite")
    with Ledger.open(tmp_path / "l.sqlite") as opened:
        yield opened


@pytest.fixture
def exported(ledger: Ledger, tmp_path: Path) -> plugins.Exported:
    """The champion of RUN as a folder ``p`` and a wheel in it."""
    return plugins.export(
        ledger, samples.RUN, tmp_path / "p", wheel=True, choices=naming(licence="MIT", author="A. Body")
    )


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The last line of stderr, which says what is wrong."""
        assert "Traceback" not in self.err, self.err
        last = self.err.rstrip("\n").splitlines()[-1]
        assert last.startswith("discover: "), self.err
        return last


@pytest.fixture
def discover(
    ledger: Ledger,  # noqa: ARG001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """The command line in this process, in the folder of the ledger."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISCOVER_DB", "l.sqlite")
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: object) -> Ended:
        with pytest.raises(SystemExit) as ended:
            main([str(w) for w in words])
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, captured.out, captured.err)

    return call
