"""The compiler, its cache and the processes that run what it makes: hostile ones too."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from evaluators.polyhedral import toolchain
from evaluators.polyhedral.toolchain import COMPILE_LIMITS, Compiler, Failure, Workers, alone, compiler
from evaluators.task import TaskError

ROOT = Path(toolchain.__file__).parents[2]
TEXT = "void kernel(void) {}\n"


@pytest.fixture
def fake(tmp_path: Path, cache: Path) -> Callable[[str], Compiler]:  # noqa: ARG001 - objects go there
    """Makes a compiler of a script; ``$out`` is the object that it should make, ``$log`` a file that it may write."""

    def make(script: str) -> Compiler:
        path = tmp_path / "fakecc"
        head = f'#!/bin/sh\nlog={tmp_path / "log"}\nwhile [ "$1" != -o ]; do shift; done\nout=$2\n'
        path.write_text(head + script, "utf-8")
        path.chmod(0o755)
        return Compiler(str(path), "fake 1")

    return make


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that tests can wait for."""
    monkeypatch.setattr(toolchain, "COMPILE_LIMITS", {**COMPILE_LIMITS, "cpu": 1, "wall": 1.2, "file": 4096})


def ended(pid: int) -> bool:
    """Whether a process has ended, or only waits to be told so."""
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text("ascii")
    except OSError:
        return True


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


# -- compiling ------------------------------------------------------------------------------------------------------


def test_an_object_is_compiled_once(fake: Callable[[str], Compiler], cache: Path, tmp_path: Path) -> None:
    own = fake('echo once >> $log; echo object > "$out"')
    first = own.compiled(TEXT)
    assert first.read_text() == "object\n" and first.parent == cache
    assert own.compiled(TEXT) == first and (tmp_path / "log").read_text() == "once\n"
    assert {p.suffix for p in cache.iterdir()} <= {".so", ".lock"}, "sources and drafts do not stay"
    others = [
        own.compiled(TEXT + "\n"),
        Compiler(own.path, own.version, (*own.flags, "-O1")).compiled(TEXT),
        Compiler(own.path, "fake 2").compiled(TEXT),
    ]
    assert len({first, *others}) == 4 and (tmp_path / "log").read_text() == "once\n" * 4


def test_flags_and_text_are_not_confused() -> None:
    assert Compiler("cc", "1", ("-a", "b")).key("c") != Compiler("cc", "1", ("-a",)).key("b\0c\0")
    assert Compiler("cc", "1", ("-a", "b")).key("c") != Compiler("cc", "1", ("-ab",)).key("c")


def test_many_threads_compile_at_once(gcc: Compiler, cache: Path) -> None:
    """Some the same text, some others: every object is whole."""
    texts = [f"int answer(void) {{ return {k % 3}; }}\n" for k in range(9)]
    with ThreadPoolExecutor(6) as pool:
        paths = list(pool.map(gcc.compiled, texts))
    assert [ctypes.CDLL(str(p)).answer() for p in paths] == [k % 3 for k in range(9)]
    assert len(set(paths)) == 3 == len(list(cache.glob("*.so"))) and not list(cache.glob("*.c"))


def test_what_the_compiler_says_is_told(gcc: Compiler) -> None:
    with pytest.raises(Failure) as failed:
        gcc.compiled("void kernel(void) { syntax error }\n")
    assert failed.value.kind == "failed" and "syntax" in str(failed.value)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("script", "kind", "said"),
    [
        ("echo cannot >&2; exit 3", "failed", "cannot"),
        ("exit 0", "failed", ""),
        ("kill -9 $$", "failed", ""),
        ("sleep 60", "late", ""),
        ("sleep 60 & wait", "late", ""),
        ("while :; do :; done", "late", ""),
        ("yes", "failed", ""),
        ('exec head -c 100000 /dev/zero > "$out"', "failed", ""),
    ],
)
def test_a_compiler_that_misbehaves_is_stopped(
    script: str, kind: str, said: str, fake: Callable[[str], Compiler], cache: Path
) -> None:
    begun = time.monotonic()
    with pytest.raises(Failure) as failed:
        fake(script).compiled(TEXT)
    assert failed.value.kind == kind and said in failed.value.said
    assert len(failed.value.said) <= 2000 and time.monotonic() - begun < 10
    assert not list(cache.glob("*.c")) and not list(cache.glob("*.so"))
    assert fake('echo object > "$out"').compiled(TEXT).exists(), "the next one is not harmed"


def test_processor_time_counts_where_the_wall_clock_does_not(
    fake: Callable[[str], Compiler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolchain, "COMPILE_LIMITS", {**COMPILE_LIMITS, "cpu": 1})
    with pytest.raises(Failure) as failed:
        fake("while :; do :; done").compiled(TEXT)
    assert failed.value.kind == "late"


@pytest.mark.usefixtures("hasty")
def test_nothing_that_a_stopped_compiler_started_goes_on(
    fake: Callable[[str], Compiler], tmp_path: Path
) -> None:
    with pytest.raises(Failure):
        fake("sleep 61 & echo $! > $log; wait").compiled(TEXT)
    assert eventually(lambda: ended(int((tmp_path / "log").read_text())))


def test_a_greedy_text_is_stopped_by_memory(gcc: Compiler) -> None:
    """The real compiler on a text that grows without end."""
    lines = ["#define A0 x+x+x+x+x+x+x+x"]
    lines += [f"#define A{k + 1} A{k} + A{k} + A{k} + A{k} + A{k} + A{k} + A{k} + A{k}" for k in range(9)]
    small = {**COMPILE_LIMITS, "memory": 2**28, "cpu": 10}
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Failure):
        patch.setattr(toolchain, "COMPILE_LIMITS", small)
        gcc.compiled("\n".join(lines) + "\nint kernel(int x) { return A9; }\n")


def test_no_compiler_is_one_sentence(monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path) -> None:  # noqa: ARG001
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        TaskError, match=r"no compiler 'gcc' on this machine; install one \(on Debian.*apt install gcc"
    ):
        compiler()
    for script in ("#!/bin/sh\nexit 1\n", "#!/no/such/thing\n"):
        (tmp_path / "gcc").write_text(script)
        (tmp_path / "gcc").chmod(0o755)
        with pytest.raises(TaskError, match="does not run"):
            compiler()


def test_a_compiler_is_known_by_what_it_says_and_the_processor(gcc: Compiler) -> None:
    version = subprocess.run([gcc.path, "--version"], capture_output=True, text=True, check=True).stdout
    assert gcc.version.startswith(version.splitlines()[0]) and gcc.version.endswith(toolchain.processor())
    assert compiler() is gcc and compiler(extra=("-O1",)).flags == (*gcc.flags, "-O1")
    assert compiler(extra=("-O1",)).key(TEXT) != gcc.key(TEXT)


# -- the cache ------------------------------------------------------------------------------------------------------


def refused_folder(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(base))
    toolchain.cache_folder.cache_clear()
    with pytest.raises(
        TaskError, match=r"cannot be written to \(.*\); set XDG_CACHE_HOME to a folder that can$"
    ):
        toolchain.cache_folder()


def test_a_cache_that_cannot_be_made_is_one_sentence(
    tmp_path: Path,
    cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").write_text("")
    refused_folder(tmp_path / "file", monkeypatch)


def test_a_cache_that_cannot_be_written_to_is_one_sentence(
    tmp_path: Path,
    cache: Path,  # noqa: ARG001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "locked" / "discover" / "polyhedral"
    folder.mkdir(parents=True)
    if os.geteuid() == 0:  # for whom every folder can be written to

        def refused(**_: Any) -> Any:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(toolchain.tempfile, "TemporaryFile", refused)
    folder.chmod(0o500)
    refused_folder(tmp_path / "locked", monkeypatch)
    folder.chmod(0o700)


def test_a_full_cache_loses_its_older_half(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = toolchain.cache_folder()
    assert folder == cache and folder.stat().st_mode & 0o777 == 0o700
    for k in range(10):
        (folder / f"{k}.so").write_text("")
        os.utime(folder / f"{k}.so", (1000 - k, 1000 - k))
    monkeypatch.setattr(toolchain, "MOST_KEPT", 9)
    toolchain.cache_folder.cache_clear()
    toolchain.cache_folder()
    assert sorted(p.stem for p in folder.glob("*.so")) == list("01234")


# -- workers --------------------------------------------------------------------------------------------------------

LIMITS = {"cpu": 5, "wall": 20.0, "memory": 2**31, "file": 2**20}


def nap(seconds: float, target: Path) -> dict[str, Any]:
    """An order to a compiler that sleeps and then makes a file."""
    return {
        "do": "compile", "command": ["/bin/sh", "-c", f"sleep {seconds}; : > {target}.*.so"], "environment": {},
        "source": "x", "target": str(target), "limits": LIMITS,
    }  # fmt: skip


def quick(target: Path) -> dict[str, Any]:
    return {**nap(0, target), "command": ["/bin/true"]}


def test_workers_are_used_again_and_one_that_was_killed_is_replaced(tmp_path: Path) -> None:
    workers = Workers()
    assert workers.ask(quick(tmp_path / "a"))["status"] == "failed"
    (first,) = workers._free
    assert workers.ask(quick(tmp_path / "a"))["status"] == "failed" and workers._free == [first]
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert workers.ask(quick(tmp_path / "a"))["status"] == "failed"
    (second,) = workers._free
    assert second.pid != first.pid
    second.stdin.close()
    assert second.wait(10) == 0, "it ends when nobody can ask any more"


def test_a_worker_that_dies_at_work_is_told_and_replaced(tmp_path: Path) -> None:
    workers = Workers()
    workers.ask(quick(tmp_path / "a"))
    (first,) = workers._free
    timer = threading.Timer(0.3, first.kill)
    timer.start()
    begun = time.monotonic()
    assert workers.ask(nap(15, tmp_path / "a")) == {"status": "killed"} and not workers._free
    assert time.monotonic() - begun < 10, "what it ran ended with it"
    assert workers.ask(quick(tmp_path / "a"))["status"] == "failed"
    workers._free[0].kill()


def test_as_many_workers_as_are_asked_at_once(tmp_path: Path) -> None:
    workers = Workers()
    begun = time.monotonic()
    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(lambda k: workers.ask(nap(1.5, tmp_path / str(k))), range(3)))
    assert len(replies) == 3 == len(workers._free) and time.monotonic() - begun < 4.4
    for worker in workers._free:
        worker.kill()


def test_after_a_fork_the_child_has_workers_of_its_own(tmp_path: Path) -> None:
    workers = Workers()
    workers.ask(quick(tmp_path / "a"))
    mine = workers._free[0].pid
    child = os.fork()
    if child == 0:
        status = 1
        try:
            workers.ask(quick(tmp_path / "b"))
            status = int(workers._free[0].pid == mine)
            workers._free[0].kill()
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert workers.ask(quick(tmp_path / "a"))["status"] == "failed" and workers._free[0].pid == mine
    workers._free[0].kill()


PARENT = """
import sys, threading, time
from pathlib import Path
from evaluators.polyhedral.toolchain import WORKERS
folder = Path(sys.argv[1])
limits = {"cpu": 60, "wall": 60.0, "memory": 2**31, "file": 2**20}
order = {"do": "compile", "environment": {}, "source": "x", "target": str(folder / "o"), "limits": limits}
WORKERS.ask({**order, "command": ["/bin/true"]})
idle = WORKERS._free[0]
if sys.argv[2] == "busy":
    command = ["/bin/sh", "-c", f"echo $$ > {folder}/busy; exec sleep 50"]
    threading.Thread(target=WORKERS.ask, args=({**order, "command": command},), daemon=True).start()
    while not (folder / "busy").exists() or not (folder / "busy").read_text():
        time.sleep(0.01)
print(idle.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_workers_end_with_their_parent_however_it_ends(state: str, tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), state], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert parent.stdout is not None and parent.stderr is not None
    pids = [int(parent.stdout.readline())]
    if state == "busy":
        pids.append(int((tmp_path / "busy").read_text()))
    assert not any(map(ended, pids))
    parent.kill()
    parent.wait()
    assert all(eventually(lambda pid=pid: ended(pid), 5.0) for pid in pids)
    assert parent.stderr.read() == "", "nothing is said about it"
    parent.stdout.close()
    parent.stderr.close()


# -- one measurement at a time ----------------------------------------------------------------------------------------

MEASURING = """
import sys, time
from evaluators.polyhedral.toolchain import alone
for _ in range(4):
    with alone(), open(sys.argv[1], "a") as file:
        print(time.monotonic(), file=file, end=" ")
        time.sleep(0.03)
        print(time.monotonic(), file=file, flush=True)
"""


def test_only_one_measures_among_threads_and_processes(cache: Path, tmp_path: Path) -> None:  # noqa: ARG001
    times = tmp_path / "times"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    others = [
        subprocess.Popen([sys.executable, "-c", MEASURING, str(times)], env=environment) for _ in range(2)
    ]

    def here() -> None:
        for _ in range(8):
            with alone(), times.open("a") as file:
                file.write(f"{time.monotonic()} ")
                time.sleep(0.03)
                file.write(f"{time.monotonic()}\n")

    threads = [threading.Thread(target=here) for _ in range(2)]
    for thread in threads:
        thread.start()
    for each in (*threads, *others):
        each.join() if isinstance(each, threading.Thread) else each.wait(30)
    spans = sorted([float(v) for v in line.split()] for line in times.read_text().splitlines())
    assert len(spans) == 2 * 4 + 2 * 8
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def test_a_worker_speaks_json_lines(tmp_path: Path) -> None:
    """By hand, as the module says: one order a line, one reply a line."""
    command = [sys.executable, "-B", str(Path(toolchain.__file__).parent / "worker.py")]
    worker = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert worker.stdin is not None and worker.stdout is not None
    for script, status in (("exit 1", "failed"), (f": > {tmp_path}/made", "failed")):
        order = {**nap(0, tmp_path / "o"), "command": ["/bin/sh", "-c", textwrap.dedent(script)]}
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()
        assert json.loads(worker.stdout.readline())["status"] == status
    worker.stdin.close()
    assert worker.wait(10) == 0
    worker.stdout.close()
