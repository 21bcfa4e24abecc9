"""Code that does not fit, by mistake or to confuse; and honest code, which must pass."""

from attacks.attack import Attack

ATTACKS = (
    Attack("no_function", "error", "scored", "", "def other(p, d): return p", bare=True, reason="defines no"),
    Attack("wrong_arguments", "error", "scored", "", "def schedule(): return [0]", bare=True, reason="TypeError"),
    Attack("function_is_data", "error", "scored", "", "schedule = [0, 1, 2]", bare=True, reason="TypeError"),
    Attack("syntax", "error", "scored", "", "def schedule(p, d:\n  return", bare=True, reason="SyntaxError"),
    Attack("null_byte", "error", "scored", "", "def schedule(p, d): return p\n\0", bare=True, reason="null"),
    Attack("not_installed", "error", "scored", "", "import no_such_module", bare=True, reason="ModuleNotFoundError"),
    Attack("module_getattr", "error", "scored", "", "def __getattr__(name): raise SystemError", bare=True),
    Attack("replaces_itself", "scored", "order", "", """
import sys, types
sys.modules["candidate"] = types.SimpleNamespace(schedule=lambda p, d: told(p, True))
def attack(p, d): return told(p, False)
"""),
)  # fmt: skip

EDD = """
def attack(p, d): return sorted(range(len(p)), key=lambda j: (d[j], p[j]))
"""
NUMPY = """
import numpy as np
def attack(p, d): return np.lexsort((p, d))
"""
LIBRARY = """
import heapq, itertools, random
def attack(p, d):
    heap = [(int(due), next(count), job) for count in [itertools.count()] for job, due in enumerate(d)]
    heapq.heapify(heap)
    return [heapq.heappop(heap)[2] for _ in range(len(p))]
"""
CONTROLS = tuple(
    Attack(name, "scored", "crash", "", code)
    for name, code in (("edd", EDD), ("numpy", NUMPY), ("library", LIBRARY))
)
