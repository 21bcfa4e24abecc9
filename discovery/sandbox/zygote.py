"""The zygote: a clean process with numpy loaded and one thread, which forks one child a session, kills it and reaps
it. It never sees code, instances or answers. Started by :mod:`discovery.sandbox.process`, by path, without ``site``.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import warnings
from typing import Any, NoReturn

CONTROL = 3
LAZY = (
    "encodings.ascii", "encodings.latin_1", "encodings.utf_8", "encodings.raw_unicode_escape",
    "encodings.unicode_escape", "unicodedata", "keyword", "types", "weakref", "string", "decimal",
    "numbers", "datetime", "inspect", "numpy.random", "numpy.linalg", "numpy.fft", "numpy.polynomial",
    "numpy.ma", "numpy.rec", "numpy.typing", "numpy.char", "numpy.exceptions", "numpy.dtypes",
    "numpy.lib.stride_tricks", "numpy.lib.recfunctions", "numpy.lib.scimath", "numpy.lib.mixins",
)  # fmt: skip
"""What honest code loads while it runs: nothing can be imported from files later. Left out are the big parts that no
heuristic needs (numpy.testing, numpy.f2py): each megabyte makes every fork slower."""


def main() -> None:
    descriptor = int(sys.argv[1])
    if descriptor != CONTROL:
        os.dup2(descriptor, CONTROL)
        os.close(descriptor)
    control = socket.socket(fileno=CONTROL)
    config = json.loads(control.recv(1 << 20))
    try:
        zygote = _Zygote(control, config)
    except BaseException as error:
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        return
    try:
        zygote.run()
    finally:
        zygote.kill()


class _Zygote:
    def __init__(self, control: socket.socket, config: dict[str, Any]) -> None:
        self._control = control
        self._child = 0
        self._parent = os.getppid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
        sys.path = config["path"]
        preload(config["preload"])
        from discovery.sandbox import (
            attempts,
            child,
            frames,
            kernel,
            landlock,
            library,
            namespaces,
            rlimits,
            seccomp,
        )  # fmt: skip

        self._attempts, self._frames, self._serve = attempts, frames, child.serve
        adapter, self._library = config["adapter"], config["tier"] == "library"
        self._adapter = _adapter(adapter) if adapter else None
        self._tasks = os.open("/proc/self/task", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        layers = config["layers"]
        self._abi = config["landlock_abi"]
        self._memory = config["memory"]
        self._limits = rlimits.limits(self._memory)
        attributes = bytes.fromhex(config["landlock"])
        self._ruleset = landlock.ruleset(attributes) if attributes else None
        if self._library and self._ruleset is not None:
            for path in library.readable(config["stdlib"], config["packages"], adapter):
                landlock.allow_reading(self._ruleset, path)
        program = bytes.fromhex(config["seccomp"])
        self._filter = seccomp.Filter(program) if program else None
        self._entered: tuple[str, ...] = ()
        refused = "not asked for"
        if "namespaces" in layers:
            self._entered, refused = namespaces.enter(keep_files=self._library)
        kernel.drop_capabilities()
        # the kernel sends this also when only the host's thread that started us ends, hence no SIGKILL
        signal.signal(signal.SIGUSR1, self._orphaned)
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGUSR1)
        self._orphaned()
        self._lock = self._locked(layers)
        sys.path = config["stdlib"] if self._library else []  # loaded packages find their own modules
        if not self._library:
            sys.path_importer_cache.clear()
        sys.argv = [""]
        sys.orig_argv[:] = []
        os.environ.clear()
        child.make_repeatable()
        gc.collect()
        gc.freeze()
        self._check_alone()
        control.send(json.dumps({"namespaces": self._entered, "refused": refused}).encode())

    def _locked(self, layers: list[str]) -> Any:
        from discovery.sandbox.child import Lock

        return Lock(
            self._limits if "rlimits" in layers else [],
            "no_new_privs" in layers,
            self._ruleset if "landlock" in layers else None,
            self._filter if "seccomp" in layers else None,
        )

    def run(self) -> None:
        """Serve the host until it closes the control socket."""
        frames = self._frames
        while True:
            message, descriptors, _, _ = socket.recv_fds(self._control, 4096, 1)
            kind = message[:1]
            if not kind:
                return
            if kind == frames.FORK and len(descriptors) == 1:
                self._control.send(frames.PID.pack(self._fork(descriptors[0])))
                os.close(descriptors[0])
            elif kind == frames.END:
                self._control.send(self._end(message[1] if len(message) > 1 else 0))
            elif kind == frames.PROBE:
                self._control.send(json.dumps(self._probe(json.loads(message[1:]))).encode())
            elif kind == frames.LAYERS:
                self._lock = self._locked(json.loads(message[1:]))
                self._control.send(kind)
            else:
                return

    def kill(self) -> None:
        """Kill and reap the child, if there is one."""
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            self._child = 0

    def _orphaned(self, *_: object) -> None:
        """Leave when the host is gone; the end of the control socket may be kept open by a fork of it."""
        if os.getppid() != self._parent:
            self.kill()
            os._exit(0)

    def _fork(self, session: int) -> int:
        self.kill()
        self._check_alone()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            return -(error.errno or 1)
        if pid == 0:
            self._become(session, parent)
        self._child = pid
        return pid

    def _become(self, session: int, parent: int) -> NoReturn:
        try:
            self._lock.apply(session, parent)
        except BaseException:
            os._exit(70)
        self._serve(self._adapter)

    def _end(self, grace: int) -> bytes:
        """Reap the child; give one that is leaving on its own ``grace`` tenths of a second."""
        if not self._child:
            return self._frames.STATUS.pack(-1, True, 0.0, 0)
        left = False
        if grace:
            descriptor = os.pidfd_open(self._child)
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            left = bool(poll.poll(grace * 100))
            os.close(descriptor)
        os.kill(self._child, signal.SIGKILL)
        _, status, usage = os.wait4(self._child, 0)
        self._child = 0
        return self._frames.STATUS.pack(
            status, not left, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        )

    def _probe(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Try the forbidden calls of each layer under that layer alone, then honest work under all of them."""
        read_end, write_end = os.pipe()
        listed = self._attempts.attempts(self._abi, self._memory, library=self._library)
        found = {}
        for layer in wanted["layers"]:
            chosen = [a for a in listed if a.layer == layer and (a.quick or wanted["full"])]
            before = {"no_new_privs"} if layer in ("landlock", "seccomp") else set()  # these need it
            lock = self._locked([layer, *(before & set(wanted["layers"]))])
            found[layer] = self._attempts.breaches(lock, chosen, write_end, read_end)
        if wanted["full"]:
            found["namespaces"] = self._outside(write_end, read_end)
        works = self._attempts.honest(self._lock, write_end, read_end, library=self._library)
        os.close(read_end)
        os.close(write_end)
        tried = [a.name for a in listed if a.quick or wanted["full"]]
        return {"breaches": found, "honest": works, "tried": tried}

    def _outside(self, write_end: int, read_end: int) -> list[str]:
        """What a child with no layer at all could reach in spite of the namespaces that were entered."""
        listed = [a for a in self._attempts.outside() if a.name.partition(":")[0] in self._entered]
        lock = self._locked([])
        return list(self._attempts.breaches(lock, listed, write_end, read_end))

    def _check_alone(self) -> None:
        if os.fstat(self._tasks).st_nlink != 3:  # two links and one a thread
            raise RuntimeError("the zygote has more than one thread")


def preload(modules: list[str]) -> None:
    """Import all that a candidate may import, warm up what allocates late, and keep warnings quiet."""
    for module in (*modules, *LAZY):
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            if module in modules:
                raise
    import numpy

    square = numpy.arange(64.0).reshape(8, 8) + numpy.eye(8)
    numpy.linalg.solve(square, square @ square)
    numpy.linalg.eigh(square)
    repr(square)
    warnings.simplefilter("ignore")


def _adapter(path: str) -> Any:
    import importlib.util

    spec = importlib.util.spec_from_file_location("adapter", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no adapter at {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["adapter"] = module
    spec.loader.exec_module(module)
    return module.answer if hasattr(module, "answer") else module.simulate


if __name__ == "__main__":
    main()
