"""The trusted side: sessions over a zygote. Counts exact bytes, the kernel's clock and the kernel's exit status."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

from discovery.escape import plain
from discovery.sandbox import frames
from discovery.sandbox.base import (
    DIED_TWICE,
    Answer,
    CandidateFailure,
    Closing,
    FailureKind,
    Layers,
    Oracle,
    Parameters,
    SandboxUnavailable,
    SessionLost,
)
from discovery.sandbox.functions import Functions
from discovery.sandbox.process import REQUIRED, Ending, Zygote, ZygoteDied, clock
from discovery.sandbox.selftest import LayerReport, examine
from evaluators.task import Tier

LOAD_SECONDS = 1.0
CLOSE_SECONDS = 1.0
IDLE_SECONDS = 5.0
"""A child that owes an answer and was seen asleep for that long in all is given up."""
STARVED_SECONDS = 60.0
_LOOK_SECONDS = 1.0
_REASON = 300
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_SEND = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
_HEADER = frames.HEADER.size
_Head = tuple[int, int, int]
"""The header of a frame: length of its body, kind, sequence."""
_SIGNALS: dict[int, str] = {
    signal.SIGSYS: "forbidden system call",
    signal.SIGSEGV: "crash (SIGSEGV), often too deep a recursion or memory",
    signal.SIGKILL: "killed by the system, often out of memory",
    signal.SIGXCPU: "out of processor time",
}


class ZygoteSandbox:
    """A warm zygote for the adapter at ``adapter`` (trusted code with ``answer(function, payload, parameters)``, of a
    policy task ``simulate(payload)``; see :mod:`evaluators.task` for what an oracle and hooks add).

    ``memory`` is what a candidate may allocate, in bytes; ``tier`` is what it may read. ``policy`` are the functions of
    a policy task. ``asks``: whether the adapter's ``answer`` takes a fourth argument through which it asks an oracle.
    Raises SandboxUnavailable when a required layer is off or missing, unless ``unsafe``: then it goes on with the
    layers that hold, and ``isolated`` is False.
    """

    isolated: bool
    layers: Mapping[str, object]
    report: LayerReport

    def __init__(
        self,
        adapter: Path,
        *,
        memory: int,
        layers: Layers = Layers(),  # noqa: B008 - frozen
        tier: Tier = "strict",
        unsafe: bool = False,
        policy: Functions | None = None,
        asks: bool = False,
    ) -> None:
        self._adapter, self._memory, self._layers, self._unsafe = adapter, memory, layers, unsafe
        self._tier: Tier = tier
        self.policy, self._asks = policy, asks
        self._closed = False
        self._zygote = self._start()

    def session(
        self,
        code: str,
        function: str,
        parameters: Parameters,
        *,
        hooks: Mapping[str, Parameters] | None = None,
        counted: int = 0,
    ) -> ZygoteSession:
        """A new child with ``code``. What loading it gives is seen by the first call."""
        if self._closed:
            raise RuntimeError("the sandbox is closed")
        own = self.policy.only(hooks or ()) if self.policy is not None else None
        wanted = {
            "code": code,
            "function": function,
            "parameters": dict(parameters),
            "hooks": None if hooks is None else {name: dict(given) for name, given in hooks.items()},
            "counted": counted,
            "policy": None if own is None else asdict(own),
            "asks": self._asks,
        }
        return ZygoteSession(self, json.dumps(wanted).encode())

    def close(self) -> None:
        """End the zygote and whatever child it has."""
        self._closed = True
        self._zygote.close()

    def __enter__(self) -> ZygoteSandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _start(self) -> Zygote:
        zygote = Zygote(self._adapter, self._memory, self._layers, self._tier)
        try:
            self.report = examine(zygote, self._layers, full=False)
            complaint = self.report.complaint()
            if complaint and not self._unsafe:
                raise SandboxUnavailable(
                    f"{complaint}; --unsafe-no-sandbox goes on without it and marks every result"
                )
            self.isolated = not complaint
            self.layers = self.report.to_json()
            if complaint:
                zygote.use([name for name in REQUIRED if self.report.held.get(name)])
        except ZygoteDied as error:
            zygote.close()
            raise SandboxUnavailable(f"the sandbox's zygote died at its start ({error})") from None
        except BaseException:
            zygote.close()
            raise
        return zygote

    def _restart(self) -> Zygote:
        self._zygote.close()
        self._zygote = self._start()
        return self._zygote


@dataclass(frozen=True)
class _Call:
    """One exchange, kept so that it can be repeated in a new child."""

    kind: int
    payload: bytes
    answer_bytes: int
    limit: float
    oracle: Oracle | None = None


class ZygoteSession:
    """One child. See :class:`discovery.sandbox.base.Session`."""

    def __init__(self, sandbox: ZygoteSandbox, load: bytes) -> None:
        self._sandbox = sandbox
        self._load = frames.frame(frames.LOAD, 0, load)
        self._calls: list[_Call] = []
        self._restarted = False
        self._over = False
        self._buffer = bytearray()
        try:
            self._open()
        except ZygoteDied as error:
            self._again(error)

    def __enter__(self) -> ZygoteSession:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._over:
            try:
                self._end(leaving=False)
            except ZygoteDied:
                pass  # its child died with it

    def call(self, payload: bytes, answer_bytes: int, limit: float, oracle: Oracle | None = None) -> Answer:
        return self._call(_Call(frames.CALL, payload, answer_bytes, limit, oracle))

    def simulate(self, payload: bytes, answer_bytes: int, limit: float) -> Answer:
        return self._call(_Call(frames.SIMULATE, payload, answer_bytes, limit))

    def _call(self, wanted: _Call) -> Answer:
        if self._over:
            raise RuntimeError("the session is over")
        try:
            answer = self._exchange(wanted)
        except ZygoteDied as error:
            self._again(error)
            return self._call(wanted)
        if self._sandbox.policy is None:
            self._calls.append(wanted)
        return answer

    def finish(self) -> Closing:
        if self._over:
            raise RuntimeError("the session is over")
        try:
            return self._finish()
        except ZygoteDied as error:
            self._again(error)
            return self.finish()

    # -- the child -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._pid = self._sandbox._zygote.fork(theirs)
        except BaseException:
            ours.close()
            self._over = True
            raise
        finally:
            theirs.close()
        self._socket = ours
        self._clock = clock(self._pid)
        self._sequence = 0
        self._before = 0.0
        self._loaded = self._locked = False
        self._waits = -1.0
        self._over = False

    def _again(self, cause: ZygoteDied) -> None:
        """Restart the zygote once and bring a new child to where the old one was. Raises SessionLost where that is not
        known."""
        if self._restarted:
            raise SandboxUnavailable(f"{DIED_TWICE} ({cause})")
        self._restarted = True
        if not self._over:
            self._socket.close()
        self._over = True
        self._sandbox._restart()
        if self._sandbox.policy is not None:
            raise SessionLost(str(cause)) from None
        try:
            self._open()
            for done in self._calls:
                self._exchange(done)
        except ZygoteDied as error:
            self._again(error)

    def _end(self, *, leaving: bool) -> Ending:
        self._over = True
        self._socket.close()
        return self._sandbox._zygote.end(leaving)

    def _fail(self, kind: FailureKind, reason: str) -> NoReturn:
        """Kill the child and say why."""
        used = time.clock_gettime(self._clock) - self._before
        self._end(leaving=False)
        raise CandidateFailure(kind, reason[:_REASON], used)

    def _died(self) -> NoReturn:
        """The child closed its socket before it answered: say how it ended."""
        used = time.clock_gettime(self._clock) - self._before
        ending = self._end(leaving=True)
        if (
            os.WIFSIGNALED(ending.status)
            and os.WTERMSIG(ending.status) == signal.SIGKILL
            and not ending.forced
        ):
            # Not by us and, alone in its process, not by itself: once may be somebody else's fault.
            if not self._restarted:
                raise ZygoteDied("the system killed its child")
            raise CandidateFailure("killed", _SIGNALS[signal.SIGKILL], used)
        if not self._locked:
            raise SandboxUnavailable("the sandbox's child could not lock itself down; run 'discover doctor'")
        if ending.forced:
            raise CandidateFailure("rejected", "the code closed its channel to the sandbox", used)
        if os.WIFSIGNALED(ending.status):
            number = os.WTERMSIG(ending.status)
            raise CandidateFailure("killed", _SIGNALS.get(number) or f"signal {number}", used)
        status = os.WEXITSTATUS(ending.status)
        raise CandidateFailure("rejected", f"the process exited (status {status}) before it answered", used)

    # -- one exchange --------------------------------------------------------------------------------------------

    def _exchange(self, wanted: _Call) -> Answer:
        if not self._loaded:
            self._await_load(wanted.limit)
        try:
            early = self._socket.recv(1, _PEEK)
        except BlockingIOError:
            pass
        except OSError:
            self._died()
        else:
            if not early:
                self._died()
            self._fail("rejected", "bytes arrived before the instance was released")
        self._sequence = sequence = self._sequence + 1
        budget = 2 * wanted.limit
        self._begin(budget)
        self._send(frames.HEADER.pack(len(wanted.payload), wanted.kind, sequence), wanted.payload, budget)
        if wanted.oracle is not None:
            data = self._served(wanted.oracle, wanted.answer_bytes, sequence, budget)
        else:
            data = self._receive(frames.RESULT, wanted.answer_bytes, sequence, budget)
        now = time.clock_gettime(self._clock)
        cpu, self._before = now - self._before, now
        return Answer(data, cpu)

    def _served(self, oracle: Oracle, size: int, sequence: int, budget: float) -> bytes:
        """Answer questions until the answer comes. The child's clock runs on, which bounds how many there can be."""
        ask = oracle.start()
        view = memoryview(bytearray(_HEADER + max(size, oracle.query_bytes) + 1))
        while True:
            got, header = self._head(view, budget)
            if header != (oracle.query_bytes, frames.ASK, sequence):
                return self._body(view, got, header, (size, frames.RESULT, sequence), budget)
            if time.clock_gettime(self._clock) - self._before >= budget:
                self._fail("timeout", f"more than {budget:.3g} s of processor time")
            reply = ask(self._body(view, got, header, header, budget)) or b""
            self._send(frames.HEADER.pack(len(reply), frames.REPLY, sequence), reply, budget)

    def _await_load(self, limit: float) -> None:
        budget = max(LOAD_SECONDS, limit)
        self._begin(budget)
        self._send(self._load, b"", budget)
        self._receive(frames.LOCKED, 0, 0, budget, exact=False)  # sent before any code of the candidate runs
        self._locked = True
        self._receive(frames.RESULT, 0, 0, budget)
        self._before = time.clock_gettime(self._clock)
        self._loaded = True

    def _finish(self) -> Closing:
        if not self._loaded:
            self._await_load(LOAD_SECONDS)
        self._sequence += 1
        self._begin(CLOSE_SECONDS)
        self._send(frames.frame(frames.FINISH, self._sequence), b"", CLOSE_SECONDS)
        buffer = memoryview(bytearray(_HEADER + frames.LINES.size + frames.OUTPUT_BYTES + 1))
        got = 0
        while True:  # until the child closes: one OUTPUT and nothing else
            more = self._some(buffer[got:], CLOSE_SECONDS, closing=True)
            if not more:
                break
            got += more
            if got == len(buffer):
                self._fail("rejected", "extra bytes after the last answer")
        if got < _HEADER:
            self._died()
        length, kind, sequence = frames.HEADER.unpack_from(buffer)
        if (kind, sequence, _HEADER + length) != (frames.OUTPUT, self._sequence, got):
            self._fail("rejected", "extra or odd bytes after the last answer")
        lines = frames.LINES.unpack_from(buffer, _HEADER)[0] if length >= frames.LINES.size else None
        if lines is None or lines > frames.MOST_LINES:
            self._fail("rejected", "odd bytes after the last answer")
        ending = self._end(leaving=True)
        if ending.status != 0 or ending.forced:
            raise CandidateFailure("rejected", "the process did not end as it should after the last answer")
        output = bytes(buffer[_HEADER + frames.LINES.size : got])
        return Closing(output, ending.cpu_seconds, ending.max_rss, lines)

    def _receive(self, kind: int, size: int, sequence: int, budget: float, *, exact: bool = True) -> bytes:
        """The body of one frame that is exactly this; ``exact`` also looks for a byte too many behind it."""
        whole = _HEADER + size
        if len(self._buffer) != whole + 1:
            self._buffer = bytearray(whole + 1)
            self._view = memoryview(self._buffer)
        view = self._view if exact else self._view[:whole]
        got, header = self._head(view, budget)
        return self._body(view, got, header, (size, kind, sequence), budget)

    def _head(self, view: memoryview, budget: float) -> tuple[int, _Head]:
        """How many bytes of a frame came so far, at least its header, and the header."""
        got = self._some(view, budget)
        while got < _HEADER:
            got += self._some(view[got:], budget)
        return got, frames.HEADER.unpack_from(view)

    def _body(self, view: memoryview, got: int, header: _Head, expected: _Head, budget: float) -> bytes:
        """The body of the frame that begins in ``view`` and must be the ``expected`` one, with nothing behind it."""
        if header != expected:
            self._odd(bytes(view[:got]), header, expected, budget)
        whole = _HEADER + expected[0]
        while got < whole:
            got += self._some(view[got:], budget)
        if got > whole:
            self._fail("rejected", "extra bytes after an answer")
        return bytes(view[_HEADER:whole])

    def _odd(self, data: bytes, header: _Head, expected: _Head, budget: float) -> NoReturn:
        """A frame that is not the one expected: an error to report, or a breach of the protocol."""
        (length, came, number), (size, kind, sequence) = header, expected
        if came == frames.ERROR and number == sequence and length <= frames.ERROR_BYTES:
            body = memoryview(bytearray(length))
            got = min(len(data) - _HEADER, length)
            body[:got] = data[_HEADER : _HEADER + got]
            while got < length:
                got += self._some(body[got:], budget)
            self._fail("error", plain(bytes(body).decode("utf-8", "replace")))
        if came == kind == frames.RESULT and number == sequence:
            self._fail("rejected", f"the answer has {length} bytes where {size} are expected")
        self._fail("rejected", "the code wrote odd bytes to the sandbox's channel")

    # -- bytes, under the clock ----------------------------------------------------------------------------------

    def _begin(self, budget: float) -> None:
        self._idle = self._starved = 0.0
        self._seen = self._before
        wait = min(budget, _LOOK_SECONDS)
        if wait != self._waits:
            self._wait(wait)

    def _wait(self, seconds: float) -> None:
        """How long the next receive may block."""
        self._waits = seconds
        micros = max(2000, int(seconds * 1e6))
        value = struct.pack("@ll", *divmod(micros, 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)

    def _some(self, view: memoryview, budget: float, *, closing: bool = False) -> int:
        """Receive at least one byte, or 0 at the end of the stream where that is expected (``closing``)."""
        while True:
            try:
                got = self._socket.recv_into(view)
            except BlockingIOError:
                self._look(budget)
                continue
            except ConnectionResetError:
                got = 0
            if got or closing:
                return got
            self._died()

    def _send(self, head: bytes, body: bytes, budget: float) -> None:
        size = len(head) + len(body)
        try:
            sent = self._socket.sendmsg((head, body), (), _SEND)
            if sent == size:
                return
        except BlockingIOError:
            sent = 0
        except (BrokenPipeError, ConnectionResetError):
            self._died()
        rest = memoryview(head + body)[sent:]
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        self._wait(0.05)
        while rest:
            if not poll.poll(50):
                self._look(budget, 0.05)
                continue
            try:
                rest = rest[self._socket.send(rest, _SEND) :]
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                self._died()
        self._wait(min(budget, _LOOK_SECONDS))

    def _look(self, budget: float, waited: float | None = None) -> None:
        """Nothing came for a while: is the child over its budget, or asleep?"""
        interval = self._waits if waited is None else waited
        now = time.clock_gettime(self._clock)
        used = now - self._before
        if used >= budget:
            self._fail("timeout", f"more than {budget:.3g} s of processor time")
        if now - self._seen < interval / 10:
            if _asleep(self._pid):
                self._idle += interval
            else:
                self._starved += interval
            if self._idle >= IDLE_SECONDS:
                self._fail("timeout", f"it slept for {IDLE_SECONDS:g} s instead of answering")
            if self._starved >= STARVED_SECONDS + 20 * budget:
                self._fail("timeout", "it made no progress")
        self._seen = now
        if waited is None:
            self._wait(min(max(budget - used, 0.002), _LOOK_SECONDS))


def _asleep(pid: int) -> bool:
    """Whether the process sleeps, rather than waiting for a processor or for memory."""
    try:
        state = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return True
    return state not in (b"R", b"D")
