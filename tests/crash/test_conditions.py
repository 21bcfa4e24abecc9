"""One campaign through everything that a machine may do to it: each sitting ends with a sentence and the right exit
code, loses nothing, and what is left at the end is the run that nothing happened to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import sqlite3
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from killing import descendants
from loop_processes import QUIET, command, wait
from toy.loop import Toy

from db.ledger import Ledger

SHAPE = {"samples": 32, "batch": 4, "trials": 3, "islands": 2, "archive": 10}
WORDS = ["run", "--task", "knapsack", "--proposer", "genetic", "--workers", "1"]
WORDS += [word for name, value in SHAPE.items() for word in (f"--{name}", str(value))]
IMPATIENT = (
    "from db import engine, ledger\n"
    "engine.OPENING_TIMEOUT = 0.2; ledger.Ledger.open.__func__.__kwdefaults__['busy_timeout'] = 1.0"
)
TALKATIVE = "from discovery.cli import live; live.EVERY = 0.0"
"""A line at every change, so that a closed stderr is noticed before the run is over."""
Process = subprocess.Popen[str]


@dataclass
class Sittings:
    """A campaign in ``folder``, one sitting after another."""

    site: Path
    folder: Path
    run: str = ""

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.sqlite"

    def begin(self, first: str = "", flags: tuple[str, ...] = QUIET, **how: Any) -> Process:
        words = ["resume", self.run] if self.run else WORDS
        words = [*words, "--db", "ledger.sqlite"]
        return command(self.site, self.folder, *words, first=first, flags=flags, **how)

    def slots(self) -> int:
        """How many slots have been filled so far."""
        try:
            with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True) as c:
                found = c.execute("SELECT (SELECT id FROM run), (SELECT count(*) FROM proposal)").fetchone()
        except sqlite3.OperationalError:  # not made yet
            return 0
        self.run = found[0] or self.run
        return int(found[1])

    def disturbed(self, do: Callable[[Process], object], **how: Any) -> tuple[int, str]:
        """A sitting to which something is done once it has filled a slot; exit code and stderr."""
        before, process = self.slots(), self.begin(**how)
        wait(lambda: self.slots() > before, process)
        assert process.poll() is None, "it ended before it was disturbed"
        do(process)
        return self.ended(process)

    def ended(self, process: Process) -> tuple[int, str]:
        """Exit code and stderr."""
        _, err = process.communicate(timeout=240)
        return process.returncode, err

    def digest(self) -> str:
        with Ledger.open(self.ledger, create=False) as ledger:
            (record,) = ledger.runs()
            assert record.status == "done"
            return ledger.digest(record.id)


@pytest.fixture
def sittings(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sittings:
    monkeypatch.setenv("TERM", "dumb")  # a few lines, which a terminal takes though nobody reads them
    return Sittings(installed, tmp_path)


def signalled(number: int) -> Callable[[Process], None]:
    return lambda process: process.send_signal(number)


def one_sentence(err: str) -> str:
    """The one line that a failure says."""
    assert err.count("\n") == 1 and err.startswith("discover: "), err
    return err


def test_one_campaign_through_everything(sittings: Sittings, toy: Toy) -> None:
    code, err = sittings.disturbed(lambda process: process.send_signal(signal.SIGTERM))
    assert (code, err) == (130, f"interrupted; go on with `discover resume {sittings.run}`\n")

    with terminal() as (ours, how):
        code, _ = sittings.disturbed(lambda _: os.close(ours), flags=(), **how)
    assert code == 130, "its terminal was closed"

    code, _ = sittings.disturbed(lambda process: close(process, "stderr"), flags=(), first=TALKATIVE)
    assert code == 130, "what nobody watches any more ends"

    with held(sittings.ledger) as hold:
        code, err = sittings.disturbed(lambda _: hold(), first=IMPATIENT)
    assert code == 3 and "in use by another process; wait for it or end it" in one_sentence(err)

    code, err = sittings.ended(sittings.begin(full(sittings.ledger)))
    assert code == 3 and "cannot be written" in one_sentence(err)

    code, err = sittings.disturbed(keep_killing)
    assert code == 3 and "the sandbox's zygote" in one_sentence(err)

    code, err = sittings.disturbed(kill_once_and_leave, first=back(hours=5))
    assert code == 3
    assert "the output could not be written (Broken pipe); what was done is kept" in one_sentence(err)
    whole = toy.start(**SHAPE, executor="local", proposer="genetic", db="whole")
    assert sittings.digest() == toy.digest(whole.run, "whole")


@contextmanager
def terminal() -> Iterator[tuple[int, dict[str, Any]]]:
    """Our end of a terminal, which the caller closes, and how a process is started in it."""
    ours, theirs = pty.openpty()

    def take() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # tests may run under nohup, which a run respects

    taken = {"preexec_fn": take, "start_new_session": True}
    try:
        yield ours, {"stdin": theirs, "stdout": theirs, "stderr": theirs, **taken}
    finally:
        os.close(theirs)


def close(process: Process, name: str) -> None:
    """Stop to read a stream of the process."""
    getattr(process, name).close()
    setattr(process, name, None)


@contextmanager
def held(ledger: Path) -> Iterator[Callable[[], object]]:
    """A call that takes the ledger's lock, as another process that writes would, until the block is left."""
    holder = sqlite3.connect(ledger, isolation_level=None, timeout=60)
    try:
        yield lambda: holder.execute("BEGIN IMMEDIATE")
    finally:
        holder.close()


def full(ledger: Path) -> str:
    """No file of the process may grow beyond the ledger's own size and some pages, like on a disk that is full."""
    room = ledger.stat().st_size + (64 << 10)
    return f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))"


def back(hours: int) -> str:
    """The wall clock of a process, moved back."""
    return (
        "import time\nnow, nanos = time.time, time.time_ns\n"
        f"time.time = lambda: now() - {hours} * 3600\ntime.time_ns = lambda: nanos() - {hours} * 3600 * 10**9"
    )


def kill_once_and_leave(process: Process) -> None:
    """Kill the zygotes of a process with their children, and do not wait for what it has to say."""
    for pid in descendants(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    close(process, "stdout")


def keep_killing(process: Process) -> None:
    """Kill whatever the process starts, until it gives up."""
    while process.poll() is None:
        for pid in descendants(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


@pytest.mark.campaign
def test_a_folder_that_cannot_be_written(installed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "readonly"
    with mounted(folder, 1000):
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        for words, name in ((WORDS, ".discover"), ([*WORDS, "--db", "ledger.sqlite"], "ledger.sqlite")):
            process = command(installed, folder, *words)
            _, err = process.communicate(timeout=240)
            assert process.returncode == 3 and name in one_sentence(err), err
        assert [*folder.iterdir()] == []


@pytest.mark.campaign
@pytest.mark.parametrize("kilobytes", [120, 300, 420, 640, 1000])
def test_a_disk_that_is_full(installed: Path, tmp_path: Path, kilobytes: int) -> None:
    """A real one, however much of the run it holds; with more room the run goes on."""
    whole, small = Sittings(installed, tmp_path / "whole"), Sittings(installed, tmp_path / "small")
    whole.folder.mkdir()
    assert whole.ended(whole.begin()) == (0, "")
    with mounted(small.folder, kilobytes):
        for _ in range(2):
            code, err = small.ended(small.begin())
            assert code == 3 and "full" in one_sentence(err)
            small.slots()
        subprocess.run(["mount", "-o", "remount,size=50m", small.folder], check=True)
        assert small.ended(small.begin()) == (0, "")
        assert small.digest() == whole.digest()


@contextmanager
def mounted(folder: Path, kilobytes: int) -> Iterator[None]:
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder], capture_output=True
    )
    if made.returncode != 0:
        pytest.skip("a file system can only be mounted by root, and not in every container")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)
