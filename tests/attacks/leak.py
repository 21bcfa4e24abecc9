"""Reading what a candidate must not know: references, keys, other instances, other candidates."""

from attacks.attack import FORGE, Attack

ATTACKS = (
    Attack("frames", "scored", "order", "own process", """
import sys
def attack(p, d):
    frame, found = sys._getframe(), False
    while frame:
        found |= any(hasattr(x, "reference_kind") for x in frame.f_locals.values())
        frame = frame.f_back
    return told(p, found)
"""),
    Attack("gc", "scored", "order", "own process", """
import gc
def attack(p, d): return told(p, any(type(x).__name__ == "Instance" for x in gc.get_objects()))
"""),
    Attack("main_and_modules", "scored", "order", "own process", """
import sys
def attack(p, d):
    ours = [m for m in sys.modules if m.split(".")[0] in ("evaluators", "searchspaces", "db")]
    main = vars(sys.modules["__main__"]).values()
    return told(p, ours or "discovery.sandbox.host" in sys.modules or "REFERENCE" in map(str, main))
"""),
    Attack("env", "scored", "order", "own process", """
import os, posix
def attack(p, d): return told(p, bool(os.environ) or any(b"SECRET" in k for k in posix.environ))
"""),
    Attack("exec_env_stack", "scored", "order", "environment", """
import ctypes
def attack(p, d):
    start = ctypes.c_size_t.in_dll(ctypes.CDLL(None), "__libc_stack_end").value
    words, at, names = ctypes.c_size_t, start, b""
    count = words.from_address(at).value
    at += 8 * (count + 2)
    while words.from_address(at).value:
        names += ctypes.string_at(words.from_address(at).value) + b";"
        at += 8
    return told(p, b"SECRET" in names)
"""),
    Attack("arguments", "scored", "order", "own process", """
import sys
def attack(p, d): return told(p, len("".join(sys.argv + sys.orig_argv)) > 0)
"""),
    Attack("heap_walk", "scored killed", "order", "own process", """
import gc, ctypes, re
def attack(p, d):
    arenas = {id(x) >> 20 for x in gc.get_objects()} & {id(x) >> 20 for x in map(str, range(1000, 1200))}
    return told(p, any(re.search(rb"REFERENCE-IN-MEMORY-\\d", ctypes.string_at(a << 20, 1 << 20)) for a in arenas))
"""),
    Attack("self_memory", "error", "order", "landlock", """
import posix
def attack(p, d): return told(p, posix.open("/proc/self/mem", 0) >= 0)
""", reason="PermissionError"),
    Attack("memory_map", "error", "order", "landlock", """
import posix
def attack(p, d): return told(p, posix.read(posix.open("/proc/self/maps", 0), 9))
""", reason="PermissionError"),
    Attack("host_environment", "error", "order", "landlock + capabilities", """
import posix
def attack(p, d): return told(p, posix.read(posix.open("/proc/$host/environ", 0), 9))
""", reason="PermissionError"),
    Attack("read_answers", "error", "order", "landlock", """
import posix
def attack(p, d): return told(p, posix.read(posix.open("$references", 0), 9))
""", reason="PermissionError"),
    Attack("read_keys", "error", "order", "landlock", """
import posix
def attack(p, d): return told(p, b"SECRET" in posix.read(posix.open("$secret", 0), 99))
""", reason="PermissionError"),
    Attack("shared_memory_files", "error", "order", "landlock + seccomp", """
import os
def attack(p, d): return told(p, os.listdir("/dev/shm") is not None)
""", reason="PermissionError"),
    Attack("open_descriptors", "scored", "order", "descriptors", """
import ctypes
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_ssize_t
def attack(p, d):
    found = b""
    for descriptor in range(4, 64):
        at = libc.mmap(*map(ctypes.c_ssize_t, (0, 4096, 1, 2, descriptor, 0)))
        if at != -1: found += ctypes.string_at(at, 40)
    return told(p, b"SECRET" in found)
"""),
    Attack("next_instance", "scored", "order", "one at a time", FORGE + """
def attack(p, d):
    if len(p) > 9: forge(lambda n: struct.pack(f"<{m}q", *range(m)[::-1]) if (m := 6 if n == 6 else 9) else b"", 6)
    return told(p, False)
"""),
    Attack("keyring", "killed", "order", "seccomp", """
import ctypes
def attack(p, d): return told(p, ctypes.CDLL(None).syscall($keyctl, 0, -3, 1) > 0)
""", reason="forbidden system call"),
    Attack("state_in_library", "scored", "order", "one fork", """
import builtins, sys
import numpy as np
def attack(p, d): return told(p, hasattr(builtins, "beacon") or hasattr(np, "beacon") or "beacon" in sys.modules)
""", before="""
import builtins, sys
import numpy as np
builtins.beacon = np.beacon = 1
sys.modules["beacon"] = sys
"""),
    Attack("rng_state", "scored", "order", "one fork", """
import random
def attack(p, d): return told(p, random.getrandbits(64) == 0xB0B)
""", before="""
import random
random.getrandbits = lambda n: 0xB0B
"""),
    Attack("other_candidates_code", "scored", "order", "one fork", """
import sys
mine = sys.modules["candidate"]
def attack(p, d): return told(p, hasattr(mine, "another_ones_idea"))
""", before="another_ones_idea = 1"),
)  # fmt: skip
