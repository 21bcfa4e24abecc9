"""The frames between host and child: u32 length of the body, u8 kind, u32 sequence, then the body.

The host sends LOAD, one CALL an instance and FINISH. A policy task has a CALL for each batch of decisions instead
(:mod:`discovery.sandbox.records`), or a SIMULATE for a whole simulation in the child. Between a CALL and its RESULT the
child may send ASK, which the host answers with a REPLY; an empty one says that the oracle's budget is used up. The
child sends LOCKED (locked down, before any code of the candidate ran), an empty RESULT for LOAD (sequence 0), one
RESULT or ERROR a CALL, and OUTPUT for FINISH: the number of lines that were counted, then what was printed.
"""

from __future__ import annotations

import struct

HEADER = struct.Struct("<IBI")
LOAD, CALL, RESULT, ERROR, OUTPUT, FINISH, LOCKED, SIMULATE, ASK, REPLY = range(1, 11)
ERROR_BYTES = 300
OUTPUT_BYTES = 4096
LINES = struct.Struct("<I")
MOST_LINES = 2048
"""Where the counting of lines ends: it costs some 0.2 µs a line."""

FORK, END, PROBE, LAYERS = b"F", b"E", b"P", b"L"
"""First byte of a control message from the host to the zygote."""
PID = struct.Struct("<q")
"""The zygote's reply to FORK: the pid, or minus an errno."""
STATUS = struct.Struct("<q?dq")
"""The zygote's reply to END: wait status, whether it did not leave on its own, processor seconds, largest resident
set in bytes."""


def frame(kind: int, sequence: int, body: bytes = b"") -> bytes:
    return HEADER.pack(len(body), kind, sequence) + body
