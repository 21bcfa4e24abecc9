"""Changing the code that judges: it runs elsewhere, so nothing that is changed here is asked."""

from attacks.attack import Attack

ATTACKS = (
    Attack("patch_numpy", "rejected", "scored", "own process", """
import numpy
def attack(p, d):
    numpy.flatnonzero = lambda a: numpy.zeros(0, int)
    numpy.bincount = lambda a, minlength=0: numpy.ones(minlength, int)
    return [len(p) - 1] * len(p)
""", reason="not a permutation"),
    Attack("patch_builtins", "scored", "score", "own process", """
import builtins
def attack(p, d):
    builtins.max = lambda *a, **k: 10**18
    return told(p, False)
"""),
    Attack("patch_serializer", "scored error", "score", "own process", """
import json
def attack(p, d):
    json.dumps = lambda *a, **k: '{"outcome": "scored", "scores": [-9, -9], "answers": []}'
    return told(p, False)
"""),
    Attack("patch_loaded_modules", "scored", "score", "own process", """
import sys
def attack(p, d):
    for module in list(sys.modules.values()):
        task = getattr(module, "Smtt", None)
        if task is not None:
            judgement = sys.modules["evaluators.task"].Judgement(0.0, -9.0)
            task.judge = staticmethod(lambda *a: judgement)
    return told(p, False)
"""),
    Attack("frame_rewrite", "scored", "score", "own process", """
import sys
def attack(p, d):
    frame = sys._getframe()
    while frame:
        for found in list(frame.f_locals.values()):
            if hasattr(found, "reference_kind"):
                object.__setattr__(found, "reference_kind", "baseline")
                object.__setattr__(found, "reference", 1e6)
        frame = frame.f_back
    return told(p, False)
"""),
    Attack("settrace_caller", "scored", "score", "own process", """
import sys
def tracer(frame, event, argument):
    for found in frame.f_locals.values():
        if isinstance(found, list) and found and all(isinstance(x, float) for x in found):
            found[:] = [-9.0] * len(found)
    return tracer
def attack(p, d):
    frame = sys._getframe(2)
    sys.settrace(tracer)
    while frame:
        frame.f_trace = tracer
        frame = frame.f_back
    return told(p, False)
"""),
    Attack("import_hook", "scored", "score", "own process", """
import builtins, types
original = builtins.__import__
def hook(name, *rest):
    if name == "json":
        return types.SimpleNamespace(dumps=lambda x: '{"outcome": "scored", "scores": [-9, -9], "answers": []}')
    return original(name, *rest)
def attack(p, d):
    builtins.__import__ = hook
    return told(p, False)
"""),
    Attack("mutate_inputs", "scored", "score", "own process", """
import sys, ctypes
def attack(p, d):
    n = len(p)
    frame = sys._getframe(2)
    payload = frame.f_locals.get("payload")
    if isinstance(payload, bytes):
        numbers = (ctypes.c_int64 * (2 * n)).from_address(id(payload) + bytes.__basicsize__ - 1)
        numbers[n - 1], numbers[2 * n - 1] = 10**8, 10**8
    p[:] = 1
    d[:] = 0
    return told(p, False)
"""),
    Attack("atexit_overwrite", "scored", "score", "own process", """
import atexit, posix
def late():
    for descriptor in range(1, 20):
        try:
            posix.write(descriptor, b'{"outcome": "scored", "scores": [-9, -9], "answers": []}\\n')
        except OSError:
            pass
atexit.register(late)
def attack(p, d): return told(p, False)
"""),
    Attack("profile_caller", "scored", "score", "own process", """
import sys
def profile(frame, event, argument):
    while frame:
        found = frame.f_locals.get("scores")
        if isinstance(found, list) and found: found[:] = [-9.0] * len(found)
        frame = frame.f_back
def attack(p, d):
    sys.setprofile(profile)
    return told(p, False)
"""),
    Attack("audit_hook_gag", "scored error", "hang", "own process", """
import sys
def hook(event, arguments):
    if event == "open": raise SystemExit
def attack(p, d):
    sys.addaudithook(hook)
    return told(p, False)
"""),
    Attack("patch_adapter", "rejected", "scored", "permutation + quarantine", """
import sys, numpy
def attack(p, d):
    sys.modules["adapter"].sequence = lambda result, n: numpy.zeros(n, "<i8")
    smtt = sys.modules.get("plain smtt adapter")
    if smtt: smtt.sequence = lambda result, n: numpy.zeros(n, "<i8")
    return told(p, False)
""", reason="not a permutation"),
)  # fmt: skip
