"""What runs after the fork: lock down, then load the candidate and answer its calls. From the first line of the
candidate on, all of this belongs to the candidate; nothing here is trusted by the host.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import types
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

import numpy

from discovery.sandbox import frames, kernel, landlock, rlimits
from discovery.sandbox.functions import Functions
from discovery.sandbox.replicas import Replicas
from discovery.sandbox.seccomp import Filter

Adapter = Callable[..., Any]
"""The function of the task's adapter: ``answer`` or, of a policy task, ``simulate``."""
SESSION = 3
"""The descriptor of the session's socket in the child; 0 to 2 are the null device."""
FILENAME = "<candidate>"
NOT_LOCKED = 70
_TRACER_FRAMES = 2
_MOST_FILES = 64


class Lock:
    """The lock-down, prepared before the fork: what is None or empty is left out."""

    def __init__(
        self, limits: list[tuple[int, int]], no_new_privs: bool, ruleset: int | None, seccomp: Filter | None
    ) -> None:
        self._limits = limits
        self._no_new_privs = no_new_privs
        self._ruleset = ruleset
        self._filter = seccomp

    def apply(self, session: int, parent: int) -> None:
        """Keep ``session`` as the only descriptor besides 0 to 2 and give up everything. Raises OSError."""
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(NOT_LOCKED)
        if self._no_new_privs:
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
        if self._ruleset is not None:
            landlock.restrict(self._ruleset)
        os.dup2(session, SESSION)
        os.closerange(SESSION + 1, _MOST_FILES)
        rlimits.apply(self._limits)
        if self._filter is not None:
            self._filter.install()


class _Sink:
    """Stands for stdout and stderr and keeps the first 4 KB."""

    encoding, errors, closed, name, mode = "utf-8", "replace", False, "<sink>", "w"

    def __init__(self) -> None:
        self.kept = b""

    def write(self, text: str) -> int:
        if len(self.kept) < frames.OUTPUT_BYTES:
            self.kept += text[: frames.OUTPUT_BYTES].encode("utf-8", "replace")
        return len(text)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True


def serve(adapter: Adapter | None) -> NoReturn:
    """Speak the protocol on descriptor 3 until FINISH, then exit with status 0."""
    sequence = 0
    try:
        sink = _Sink()
        sys.stdout = sys.stderr = sink
        _seed()
        _send(frames.frame(frames.LOCKED, 0))
        body = _receive()[2]
        wanted = json.loads(body)
        counted, lines = wanted["counted"], Lines()
        if adapter is None:
            raise RuntimeError("this zygote has no adapter")
        work = _work(adapter, wanted)
        _send(frames.frame(frames.RESULT, 0))
        while True:
            kind, sequence, body = _receive()
            if kind == frames.FINISH:
                said = frames.LINES.pack(lines.count) + sink.kept[: frames.OUTPUT_BYTES]
                _send(frames.frame(frames.OUTPUT, sequence, said))
                os._exit(0)
            if sequence <= counted:
                with lines:
                    answer = work(kind, sequence, body)
            else:
                answer = work(kind, sequence, body)
            _send(frames.HEADER.pack(len(answer), frames.RESULT, sequence) + answer)
    except SystemExit:
        os._exit(0)
    except BaseException as error:
        try:
            _send(frames.frame(frames.ERROR, sequence, _describe(error)))
        except BaseException:
            os.write(SESSION, frames.frame(frames.ERROR, sequence, b"MemoryError"))
    os._exit(0)


class Lines:
    """Counts the candidate's lines as they run within ``with``, to MOST_LINES; from then on it costs nothing."""

    def __init__(self) -> None:
        self.count = 0

    def __enter__(self) -> None:
        # The frame of the tracer itself must not be what a deep recursion stumbles over.
        sys.setrecursionlimit(sys.getrecursionlimit() + _TRACER_FRAMES)
        if self.count < frames.MOST_LINES:
            sys.settrace(self._call)

    def __exit__(self, *exc: object) -> None:
        sys.settrace(None)
        sys.setrecursionlimit(sys.getrecursionlimit() - _TRACER_FRAMES)

    def _call(self, frame: types.FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002
        return self._line if frame.f_code.co_filename == FILENAME else None

    def _line(self, frame: types.FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002
        if event == "line":
            self.count += 1
            if self.count >= frames.MOST_LINES:
                sys.settrace(None)
        return self._line


def _work(adapter: Adapter, wanted: dict[str, Any]) -> Callable[[int, int, bytes], bytes]:
    """What turns kind, sequence and body of a frame into the body of its RESULT."""
    name, parameters = wanted["function"], wanted["parameters"]
    code = compile(wanted["code"], FILENAME, "exec", dont_inherit=True)
    hooks: dict[str, dict[str, Any]] = wanted["hooks"] or {}
    named = {name: parameters, **hooks}
    (function, *others) = _load(code, named)
    if wanted["policy"] is not None:

        def load() -> list[Callable[..., Any]]:
            return [partial(f, **given) for f, given in zip(_load(code, named), named.values(), strict=True)]

        replicas = Replicas(Functions.read(wanted["policy"]), load)
        return lambda kind, _, body: (
            replicas.decide(body) if kind == frames.CALL else replicas.simulate(adapter, body)
        )
    more: tuple[Any, ...] = ()
    if wanted["hooks"] is not None:
        bound = zip(hooks.items(), others, strict=True)
        more = (types.MappingProxyType({hook: partial(f, **given) for (hook, given), f in bound}),)
    if wanted["asks"]:
        return lambda _, sequence, body: adapter(function, body, parameters, partial(_ask, sequence), *more)
    return lambda _, __, body: adapter(function, body, parameters, *more)


def _load(code: types.CodeType, names: Iterable[str]) -> list[Any]:
    """The functions of these names in a module of their own. Raises NameError for one that the module does not define
    and TypeError for what cannot be called."""
    module = types.ModuleType("candidate")
    sys.modules["candidate"] = module
    exec(code, module.__dict__)  # noqa: S102 - the one place
    try:
        found = {name: module.__dict__[name] for name in names}
    except KeyError as error:
        raise NameError(f"the module defines no {error}") from None
    for name, function in found.items():
        if not callable(function):
            raise TypeError(f"{name!r} is no function but of type {type(function).__name__}")
    return list(found.values())


def _ask(sequence: int, query: bytes) -> bytes:
    """The oracle's reply. Raises RuntimeError once its budget is used up."""
    _send(frames.frame(frames.ASK, sequence, query))
    reply = _receive()[2]
    if not reply:
        raise RuntimeError("the oracle's budget of operations is used up")
    return reply


def make_repeatable() -> None:
    """Before the fork: generators that a candidate leaves unseeded draw from one fixed stream."""
    entropy = random.Random(0)
    setattr(numpy.random.bit_generator, "randbits", entropy.getrandbits)  # noqa: B010 - not in numpy's stubs
    original = random.Random.seed

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        original(self, entropy.getrandbits(64) if a is None else a, version)

    setattr(random.Random, "seed", seed)  # noqa: B010 - a method, replaced on purpose
    random.seed = random._inst.seed


def _seed() -> None:
    """After the fork: Python reseeds ``random`` there by itself."""
    random.seed(0)
    numpy.random.seed(0)


def _receive() -> tuple[int, int, bytes]:
    data = os.read(SESSION, 65536)
    while len(data) < frames.HEADER.size:
        more = os.read(SESSION, 65536)
        if not more:
            os._exit(0)
        data += more
    length, kind, sequence = frames.HEADER.unpack_from(data)
    missing = frames.HEADER.size + length - len(data)
    if missing > 0:
        parts = [data]
        while missing > 0:
            more = os.read(SESSION, min(missing, 1 << 20))
            if not more:
                os._exit(0)
            parts.append(more)
            missing -= len(more)
        data = b"".join(parts)
    return kind, sequence, data[frames.HEADER.size :]


def _send(data: bytes) -> None:
    sent = os.write(SESSION, data)
    while sent < len(data):
        data = data[sent:]
        sent = os.write(SESSION, data)


def _describe(error: BaseException) -> bytes:
    line = error.lineno if isinstance(error, SyntaxError) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == FILENAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    name = type(error).__name__
    text = "the memory limit of the sandbox" if isinstance(error, MemoryError) else ""
    if not text:
        try:
            text = str(error.msg if isinstance(error, SyntaxError) else error)[:300]
        except BaseException:
            text = "(no text)"
    place = f" (line {line})" if isinstance(line, int) else ""
    said = f"{name}: {text}".encode("utf-8", "backslashreplace")[: frames.ERROR_BYTES - len(place)]
    return said + place.encode()
