"""Answers that are none: wrong types and lengths, numbers that wrap, objects that lie, answers that are too good."""

from attacks.attack import FORGE, Attack, Marker

LENIENT = "adapter + permutation + quarantine"


def shaped(
    name: str,
    expression: str,
    safe: str = "error",
    head: str = "",
    bites: str = LENIENT,
    marker: Marker = "scored",
) -> Attack:
    """An attack that answers with ``expression``."""
    return Attack(
        name, safe, marker, bites, f"{head}\ndef attack(p, d):\n    n = len(p)\n    return {expression}\n"
    )


ATTACKS = (
    shaped("none", "None"),
    shaped("string", "'210345'"),
    shaped("dict", "{i: i for i in range(n)}", bites="adapter"),
    shaped("claimed_pair", "(list(range(n)), 0.0)"),
    shaped("short", "list(range(n - 1))"),
    shaped("long", "list(range(n)) + [0]", bites="adapter"),
    shaped("empty", "[]"),
    shaped("duplicates", "[int(p.argmin())] * n", "rejected", bites="permutation + quarantine"),
    shaped("negative_alias", "list(range(n - 1)) + [-1]", bites="adapter + permutation"),
    shaped("out_of_range", "list(range(1, n + 1))", bites="adapter + permutation", marker="crash"),
    shaped("nan", "[float('nan')] * n"),
    *(
        Attack(name, "rejected", "scored", bites, f"def attack(p, d): return [{number}] * len(p)", task="shares")
        for name, number, bites in (
            ("number_nan", "float('nan')", "form + finite objective"),
            ("number_infinite", "float('inf')", "form + finite objective"),
            ("number_above", "2.0", "form"),
            ("number_below", "-1.0", "form + bound"),
        )
    ),
    shaped("infinity", "[float('inf')] * n"),
    shaped("floats", "[float(i) for i in range(n)]", bites="adapter"),
    shaped("fractional", "[i + 0.5 for i in range(n)]", bites="adapter"),
    shaped("bools", "[False, True] + list(range(2, n))", bites="adapter"),
    shaped("huge_ints", "[10**30] * n", bites="adapter + permutation", marker="crash"),
    shaped("int64_wrap", "[2**64 + i for i in range(n)]", bites="adapter"),
    shaped("int32_wrap", "[2**32 + i for i in range(n)]", bites="adapter"),
    shaped("infinite_generator", "forever()", head="def forever():\n    while True: yield 0"),
    shaped("growing_generator", "(p.resize(0) for i in p)"),
    Attack("huge_list", "error", "scored", f"rlimits + {LENIENT}", "def attack(p, d): return [0] * $much",
           task="roomy"),
    shaped("coroutine", "soon()", head="async def soon(): return [0]"),
    shaped("self_reference", "(lambda l: l.append(l) or l)([])"),
    shaped("deep_nesting", "__import__('functools').reduce(lambda a, _: [a], range(5000), [])"),
    shaped("int_subclass_lies", "[I() for _ in range(n)]", "rejected error",
           head="class I(int):\n    def __int__(self): return 0\n    def __index__(self): return 0\n"
                "    def __eq__(self, other): return True\n    __hash__ = int.__hash__",
           bites="permutation + quarantine"),
    shaped("two_faced_list", "L(range(n))", "rejected error",
           head="class L(list):\n    def __iter__(self): return iter([0] * len(self))",
           bites="permutation + quarantine"),
    shaped("evil_array", "numpy.zeros(n, dtype=object)", "rejected error", head="import numpy",
           bites="permutation + quarantine"),
    shaped("array_that_lies", "A((n,), dtype='<i8')", "rejected error scored",
           head="import numpy\nclass A(numpy.ndarray):\n"
                "    def astype(self, *a, **k): return numpy.zeros(len(self), '<i8')",
           bites="permutation + quarantine"),
    shaped("unpickled", "R()", head="class R:\n    def __reduce__(self): return (print, ('unpickled',))"),
    shaped("conversion_hangs", "L(n)", "timeout", bites="clock + retake",
           head="class L:\n    def __init__(self, n): self.n = n\n    def __len__(self): return self.n\n"
                "    def __iter__(self):\n"
                "        import time\n        end = time.process_time() + 0.12\n"
                "        while time.process_time() < end: pass\n        return iter(range(self.n))"),
    shaped("conversion_exits", "L()", "rejected", bites="own process",
           head="class L:\n    def __len__(self): raise SystemExit"),
    Attack("better_than_optimal", "quarantined", "scored", "quarantine", """
import itertools
def attack(p, d):
    # the bench gives one instance a reference that is too high: whoever finds a bug there must not profit from it
    def late(order):
        t = total = 0
        for j in order: t += int(p[j]); total += max(0, t - int(d[j]))
        return total
    return min(itertools.permutations(range(len(p))), key=late)
""", reason="beats the proved optimum", task="spoilt"),
    Attack("forged_duplicates", "rejected", "scored", "permutation + quarantine", FORGE + """
def attack(p, d): forge(lambda n: bytes(8 * n), len(p))
"""),
    Attack("forged_out_of_range", "rejected", "crash", "permutation", FORGE + """
def attack(p, d): forge(lambda n: (b"\\xff" * 7 + b"\\x7f") * n, len(p))
"""),
    Attack("forged_short", "rejected", "scored", "header + answer length + permutation + quarantine", FORGE + """
def attack(p, d): forge(lambda n: bytes(8 * n - 8), len(p))
""", reason="bytes where"),
)  # fmt: skip
