"""The defences and how each is switched off: a layer left out, or a line of the program changed.

A change is made to the text that runs: a copy of the package for what runs inside (the zygote and its children), the
code of the very functions for what runs on the trusted side. A text that is not there exactly once is an error, so a
weakening cannot silently stop weakening."""

from __future__ import annotations

import importlib
import shutil
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INSIDE = {"child.py", "zygote.py", "kernel.py", "rlimits.py"}
"""Files of the sandbox that run in the zygote."""


@dataclass(frozen=True)
class Edit:
    """``text`` in the file becomes ``instead``."""

    file: str
    text: str
    instead: str

    def apply(self, source: str) -> str:
        if source.count(self.text) != 1:
            raise ValueError(f"{self.file} holds {self.text!r} {source.count(self.text)} times, not once")
        return source.replace(self.text, self.instead)


@dataclass(frozen=True)
class Weakening:
    """``what`` is gone: a layer, or what ``edits`` take out, or what the bench does otherwise (``bench``)."""

    what: str
    layer: str = ""
    edits: tuple[Edit, ...] = ()
    bench: bool = False


def _host(text: str, instead: str) -> Edit:
    return Edit("discovery/sandbox/host.py", text, instead)


def _stage(text: str, instead: str) -> Edit:
    return Edit("discovery/execution/stage.py", text, instead)


WEAKENINGS = {
    "rlimits": Weakening("limits of memory, files and processes", layer="rlimits"),
    "no_new_privs": Weakening("no_new_privs", layer="no_new_privs"),
    "landlock": Weakening("Landlock", layer="landlock"),
    "seccomp": Weakening("the list of system calls", layer="seccomp"),
    "own process": Weakening("the border between candidate and referee", bench=True),
    "one fork": Weakening("a process for each candidate", bench=True),
    "adapter": Weakening("the adapter's conversion of answers", bench=True),
    "environment": Weakening("the empty environment of the zygote", edits=(
        Edit("discovery/sandbox/process.py", 'env=environment | {"PYTHONHASHSEED": "0"},',
             'env=environment | {"PYTHONHASHSEED": "0", "KEY": "SECRET"},'),)),
    "descriptors": Weakening("closing of descriptors after the fork", edits=(
        Edit("discovery/sandbox/child.py", "os.closerange(SESSION + 1, _MOST_FILES)", "pass"),)),
    "repeatable": Weakening("fixed random numbers", edits=(
        Edit("discovery/sandbox/zygote.py", "child.make_repeatable()", "pass"),)),
    "capabilities": Weakening("the loss of root's capabilities", edits=(
        Edit("discovery/sandbox/zygote.py", "        kernel.drop_capabilities()\n", ""),)),
    "parent's death": Weakening("the death of a child with its zygote", edits=(
        Edit("discovery/sandbox/child.py", "kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)", "pass"),)),
    "kill": Weakening("the kill at the end of a session", edits=(
        Edit("discovery/sandbox/zygote.py", "        os.kill(self._child, signal.SIGKILL)\n        _, status",
             "        self._child = 0\n        return self._frames.STATUS.pack(0, False, 0, 0)\n        _, status"),)),
    "sink": Weakening("the 4 KB that are kept of what is printed", edits=(
        Edit("discovery/sandbox/child.py", "if len(self.kept) < frames.OUTPUT_BYTES:", "if True:"),
        Edit("discovery/sandbox/child.py", "+ sink.kept[: frames.OUTPUT_BYTES]", "+ sink.kept"),
        _host("bytearray(_HEADER + frames.LINES.size + frames.OUTPUT_BYTES + 1)", "bytearray(1 << 21)"))),
    "output length": Weakening("the bound of the last frame", edits=(
        _host("bytearray(_HEADER + frames.LINES.size + frames.OUTPUT_BYTES + 1)", "bytearray(1 << 21)"),)),
    "lines": Weakening("the bound of the count of lines", edits=(
        _host("if lines is None or lines > frames.MOST_LINES:", "if False:"),)),
    "exact length": Weakening("a look for bytes behind an answer", edits=(
        _host("view = self._view if exact else self._view[:whole]", "view = self._view[:whole]"),)),
    "early": Weakening("a look for bytes before the next instance", edits=(
        _host('            self._fail("rejected", "bytes arrived before the instance was released")',
              "            pass"),)),
    "closing": Weakening("a look for bytes after the last answer", edits=(
        _host("if (kind, sequence, _HEADER + length) != (frames.OUTPUT, self._sequence, got):", "if False:"),
        _host("if lines is None or lines > frames.MOST_LINES:", "if False:"))),
    "header": Weakening("kind and number of a frame", edits=(
        _host("if header != expected:", "if False:"),)),
    "answer length": Weakening("the length of an answer", edits=(
        _host("        while got < whole:",
              "        whole = min(whole, _HEADER + header[0])\n        while got < whole:"),
        Edit("evaluators/smtt/referee.py", "if len(answer) != 8 * n:", "if False:"))),
    "error length": Weakening("the bound of an error's text", edits=(
        _host("and length <= frames.ERROR_BYTES:", ":"),
        _host("raise CandidateFailure(kind, reason[:_REASON], used)", "raise CandidateFailure(kind, reason, used)"))),
    "runner's bound": Weakening("the runner's own bound of an error's text", edits=(
        Edit("discovery/sandbox/child.py", "isinstance(error, SyntaxError) else error)[:300]",
             "isinstance(error, SyntaxError) else error)"),
        Edit("discovery/sandbox/child.py", "[: frames.ERROR_BYTES - len(place)]", ""))),
    "escaping": Weakening("escaping of an error's text", edits=(
        _host('plain(bytes(body).decode("utf-8", "replace"))', 'bytes(body).decode("utf-8", "replace")'),)),
    "exit status": Weakening("the kernel's exit status", edits=(
        _host("if ending.status != 0 or ending.forced:", "if False:"),)),
    "clock": Weakening("the kernel's clock of the child", edits=(
        _host("if used >= budget:", "if False:"),)),
    "idle": Weakening("the watch for sleepers", edits=(
        _host("if self._idle >= IDLE_SECONDS:", "if False:"),
        _host("if self._starved >= STARVED_SECONDS + 20 * budget:", "if False:"))),
    "one at a time": Weakening("the release of instances one by one", edits=(
        _stage("yield _called(session, task, instance)",
               "yield _called(session, task, replace(instance, payload=instance.payload + order[-1].payload))"),)),
    "retake": Weakening("the second look at late answers", edits=(
        Edit("discovery/execution/local.py", "if unsettled(job, result):", "if False:"),)),
    "confirmation": Weakening("the confirmation", bench=True),
    "reversed order": Weakening("the reversed order of a confirmation", edits=(
        _stage("order = tuple(reversed(todo)) if job.confirm else todo", "order = todo"),
        _stage("step = -1 if job.confirm else 1", "step = 1"))),
    "another zygote": Weakening("the other zygote of a confirmation", edits=(
        Edit("discovery/execution/local.py", "with self._confirming() if job.confirm else self._zygote() as sandbox:",
             "with self._zygote() as sandbox:"),)),
    "permutation": Weakening("the referee's check of the permutation and its range", edits=(
        Edit("evaluators/smtt/referee.py", "    _check_permutation(sequence, n)\n", "    pass\n"),)),
    "quarantine": Weakening("the referee's refusal of what beats a proved optimum", edits=(
        Edit("evaluators/smtt/referee.py",
             'if instance.reference_kind == "proved optimum" and value < instance.reference:', "if False:"),)),
    "form": Weakening("the referee's check of finite numbers and their range", edits=(
        Edit("evaluators/plain.py", "        self._check(found)\n", ""),)),
    "finite objective": Weakening("the referee's check of a finite objective", edits=(
        Edit("evaluators/plain.py", "if not math.isfinite(value):", "if False:"),)),
    "bound": Weakening("the refusal of what beats a bound", edits=(
        Edit("evaluators/plain.py", "if kind in PROVED and self._better(value, reference):", "if False:"),)),
}  # fmt: skip


def changed(names: Iterable[str]) -> list[Edit]:
    return [edit for name in names for edit in WEAKENINGS[name].edits]


def weak_copy(edits: Iterable[Edit], folder: Path) -> Path:
    """A copy of the sandbox's package below ``folder`` with ``edits`` made; the folder to import it from."""
    shutil.copytree(ROOT / "discovery" / "sandbox", folder / "discovery" / "sandbox")
    (folder / "discovery" / "__init__.py").touch()
    for edit in edits:
        path = folder / edit.file
        path.write_text(edit.apply(path.read_text(encoding="utf-8")), encoding="utf-8")
    return folder


def inside(edit: Edit) -> bool:
    return Path(edit.file).name in INSIDE


@contextmanager
def weak_functions(edits: Iterable[Edit]) -> Iterator[None]:
    """Give the functions of loaded modules the code that their files would have with ``edits`` made."""
    sources: dict[str, str] = {}
    for edit in edits:
        sources[edit.file] = edit.apply(
            sources.get(edit.file) or (ROOT / edit.file).read_text(encoding="utf-8")
        )
    undo: list[Callable[[], None]] = []
    try:
        for file, source in sources.items():
            module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
            compiled = {c.co_qualname: c for c in _codes(compile(source, file, "exec", dont_inherit=True))}
            for function in _functions(module):
                old, new = function.__code__, compiled.get(function.__code__.co_qualname)
                if new is not None and _does(new) != _does(old):
                    function.__code__ = new
                    undo.append(lambda function=function, old=old: setattr(function, "__code__", old))
        yield
    finally:
        for one in undo:
            one()


def _does(code: types.CodeType) -> tuple[object, ...]:
    return code.co_code, code.co_consts, code.co_names


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)


def _functions(module: types.ModuleType) -> Iterator[Any]:
    """The functions and methods that ``module`` defines."""
    for value in vars(module).values():
        if isinstance(value, types.FunctionType) and value.__module__ == module.__name__:
            yield value
        elif isinstance(value, type) and value.__module__ == module.__name__:
            yield from (v for v in vars(value).values() if isinstance(v, types.FunctionType))
