"""Using up the machine: time, memory, processes, descriptors, disk."""

from attacks.attack import Attack

MMAP = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_ssize_t
def call(function, *arguments):
    result = function(*(ctypes.c_ssize_t(a) for a in arguments))
    if result == -1: raise OSError(ctypes.get_errno())
    return result
def mmap(size, protection, flags, descriptor=-1): return call(libc.mmap, 0, size, protection, flags, descriptor, 0)
"""
STAYS = """
def stay():
    import time
    time.sleep(9)
    posix._exit(0)
"""


def endless(name: str, body: str, head: str = "", reason: str = "processor time") -> Attack:
    held = "idle" if reason == "slept" else "clock"
    return Attack(name, "timeout", "hang", held, f"{head}\ndef attack(p, d):\n{body}\n", reason=reason)


ATTACKS = (
    endless("infinite_loop", "    while True: pass"),
    endless("c_call", "    return [sum(range(10**12))]"),
    endless("regular_expression", "    return re.match('(a+)+b', 'a' * 40)", "import re"),
    endless("big_power", "    return 7 ** 7 ** 9"),
    endless("swallow_everything", "    while True:\n        try:\n            while True: pass\n"
            "        except BaseException: pass"),
    endless("blocks", "    posix.read(3, 1)", "import posix", reason="slept"),
    endless("waits_for_a_lock", "    lock.acquire()",
            "import _thread\nlock = _thread.allocate_lock(); lock.acquire()", reason="slept"),
    endless("naps", "    while True: lock.acquire(timeout=0.02)",
            "import _thread\nlock = _thread.allocate_lock(); lock.acquire()", reason="slept"),
    Attack("loop_at_import", "timeout", "hang", "clock", "while True: pass", reason="processor time"),
    Attack("sleep", "error", "order", "seccomp", """
import time
def attack(p, d):
    time.sleep(0.01)
    return told(p, True)
""", reason="PermissionError"),
    Attack("memory_list", "error", "order", "rlimits", "def attack(p, d): return told(p, [0] * $much)",
           reason="MemoryError", task="roomy"),
    Attack("memory_touch", "error", "order", "rlimits", """
def attack(p, d):
    kept = []
    while len(kept) < $megabytes: kept.append(bytearray(1 << 20))
    return told(p, True)
""", reason="MemoryError", task="roomy"),
    Attack("memory_caught", "scored error", "order", "rlimits", """
def attack(p, d):
    try: kept = bytearray($bytes)
    except MemoryError: return told(p, False)
    return told(p, True)
""", task="roomy"),
    Attack("memory_shared", "error", "order", "rlimits", MMAP + """
def attack(p, d): return told(p, mmap($bytes, 3, 0x21))
""", reason="OSError: 12"),
    Attack("format_bomb", "error", "order", "rlimits", """
def attack(p, d): return told(p, "%$bytes.0f" % 1.0)
""", reason="MemoryError", task="roomy"),
    Attack("array_bomb", "error", "order", "rlimits", """
import numpy
def attack(p, d): return told(p, numpy.zeros($bytes, numpy.uint8).any() == False)
""", reason="MemoryError", task="roomy"),
    Attack("memfd", "killed", "order", "seccomp", """
import os
def attack(p, d): return told(p, os.memfd_create("x") > 0)
""", reason="forbidden system call"),
    Attack("recursion", "error", "hang", "", "def attack(p, d): return attack(p, d)", reason="RecursionError"),
    Attack("stack", "killed error timeout", "hang", "own process", """
import sys
sys.setrecursionlimit(10**9)
def attack(p, d): return attack(p, d)
"""),
    Attack("compile_bomb", "error killed timeout", "hang", "", """
def attack(p, d): return compile("-" * 200000 + "1", "x", "eval")
"""),
    Attack("source_bomb", "error killed timeout", "hang", "", "x = " + "(" * 20000 + ")" * 20000, bare=True),
    Attack("threads", "error", "order", "rlimits + seccomp", """
import _thread
def attack(p, d): return told(p, _thread.start_new_thread(int, ()))
""", reason="RuntimeError"),
    Attack("late_writer_thread", "error", "order", "rlimits + seccomp", """
import _thread, posix, time
def later():
    time.sleep(9)
    posix.write(3, b"late")
def attack(p, d):
    _thread.start_new_thread(later, ())
    return told(p, True)
""", reason="RuntimeError"),
    Attack("fork", "error", "world", "rlimits + seccomp", "import posix" + STAYS + """
def attack(p, d):
    for _ in range(3):
        if posix.fork() == 0: stay()
    return told(p, False)
""", reason="PermissionError"),
    Attack("daemonize", "error", "world", "rlimits + seccomp", "import posix" + STAYS + """
def attack(p, d):
    if posix.fork() == 0:
        posix.setsid()
        if posix.fork() == 0: stay()
        posix._exit(0)
    return told(p, False)
""", reason="PermissionError"),
    Attack("clone_raw", "error killed", "world", "rlimits + seccomp", "import posix, ctypes" + STAYS + """
def attack(p, d):
    result = ctypes.CDLL(None).syscall($clone, 17, 0, 0, 0, 0)
    if result == 0: stay()
    if result < 0: raise PermissionError
    return told(p, False)
"""),
    Attack("sibling", "error killed", "world", "rlimits + seccomp", "import posix, ctypes" + STAYS + """
def attack(p, d):
    result = ctypes.CDLL(None).syscall($clone, 0x8000 | 17, 0, 0, 0, 0)
    if result == 0: stay()
    if result < 0: raise PermissionError
    return told(p, False)
"""),
    Attack("many_descriptors", "error killed", "order", "rlimits + seccomp", """
import posix
def attack(p, d): return told(p, len([posix.dup(0) for _ in range(30)]))
"""),
    Attack("disk_fill", "error killed", "world", "rlimits + landlock + seccomp", """
import posix
def attack(p, d):
    posix.write(posix.open("$beacon", 0o101), bytes(1 << 20))
    return told(p, False)
""", reason="PermissionError"),
    Attack("shared_segment", "killed", "world", "seccomp", """
import ctypes
libc = ctypes.CDLL(None)
def attack(p, d): return told(p, libc.shmget($key, 4096, 0o1666) >= 0)
""", reason="forbidden system call"),
    Attack("lingers", "timeout", "world", "kill", """
def attack(p, d):
    while True: pass
"""),
)  # fmt: skip
