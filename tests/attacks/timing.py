"""Stealing time, faking it, or answering otherwise from run to run."""

from attacks.attack import Attack

BURN = """
import time
clock = time.process_time
def burn(seconds):
    end = clock() + seconds
    while clock() < end: pass
"""

ATTACKS = (
    Attack("slow", "timeout", "scored", "clock + retake", BURN + """
def attack(p, d):
    burn(0.12)
    return told(p, False)
""", reason="processor time"),
    Attack("patch_clock", "timeout", "scored", "clock + retake", BURN + """
def attack(p, d):
    burn(0.12)
    time.process_time = time.perf_counter = time.time = lambda: 0.0
    return told(p, False)
""", reason="processor time"),
    Attack("barely_late", "timeout", "scored", "retake", BURN + """
def attack(p, d):
    burn(0.075)
    return told(p, False)
"""),
    Attack("second_call_slow", "timeout", "scored", "clock + retake", BURN + """
calls = 0
def attack(p, d):
    global calls
    calls += 1
    if calls == 2: burn(0.12)
    return told(p, False)
""", reason="processor time"),
    Attack("ignore_signals", "error", "order", "seccomp", """
import signal
def attack(p, d): return told(p, signal.signal(signal.SIGTERM, signal.SIG_IGN) is not None)
"""),
    Attack("block_signals", "error", "order", "seccomp", """
import signal
def attack(p, d): return told(p, signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 60)) is not None)
""", reason="PermissionError"),
    Attack("alarm", "killed", "order", "seccomp", """
import signal
def attack(p, d): return told(p, signal.setitimer(signal.ITIMER_REAL, 9) is not None)
""", reason="forbidden system call"),
    Attack("priority", "killed error", "order", "seccomp", """
import os
def attack(p, d): return told(p, os.nice(1) is not None)
"""),
    Attack("pin_to_a_processor", "error", "order", "seccomp", """
import os
def attack(p, d): return told(p, os.sched_setaffinity(0, os.sched_getaffinity(0)) is None)
""", reason="PermissionError"),
    Attack("raise_limits", "error", "order", "seccomp", """
import resource
def attack(p, d): return told(p, resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8)) is None)
"""),
    Attack("unseeded", "scored", "differs", "repeatable", """
import random
def attack(p, d):
    order = list(range(len(p)))
    random.Random().shuffle(order)
    return order
"""),
    Attack("reads_the_clock", "quarantined", "kept", "confirmation", """
import time
def attack(p, d):
    seed, order = time.perf_counter_ns(), []
    for i in range(len(p)):
        seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
        order.append((seed >> 33, i))
    return [i for _, i in sorted(order)]
"""),
    Attack("counts_its_calls", "quarantined", "kept", "reversed order", """
calls = 0
def attack(p, d):
    global calls
    calls += 1
    order = sorted(range(len(p)), key=lambda j: d[j])
    return order if calls == 1 else order[::-1]
"""),
    Attack("remembers_the_last", "quarantined", "kept", "reversed order", """
seen = 0
def attack(p, d):
    global seen
    before, seen = seen, int(p.sum())
    return told(p, before > 0)
"""),
    Attack("depends_on_addresses", "quarantined", "kept", "another zygote", """
import sys
def attack(p, d):
    seed = id(sys) >> 12
    return sorted(range(len(p)), key=lambda j: pow(seed + 31 * j, 5, 4294967291))
"""),
)  # fmt: skip
