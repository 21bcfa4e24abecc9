"""One hostile candidate: its code, the verdicts that are safe, how a breach would show, and which defences hold it."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template
from typing import Literal

Category = Literal[
    "tamper", "leak", "result", "channel", "resource", "time", "escape", "interface", "control"
]
Marker = Literal["order", "scored", "score", "world", "differs", "kept", "text", "long", "hang", "crash"]
"""What lights when an attack gets through:

order: it answers in reverse order, its way to say that it got what it wanted; scored: it has a score, which it must
not have; score: its score is not that of the order it answered; world: a file, packet, connection, signal or process
is left outside; differs: run again, it scores differently; kept: a confirmation finds no difference; text: its words
come out raw; long: more of its words come out than may; hang: it has to be ended from outside; crash: code on the
trusted side raises."""

PRELUDE = """
def told(p, worked):
    order = list(range(len(p)))
    return order[::-1] if worked else order
def schedule(processing_times, due_dates):
    return attack(processing_times, due_dates)
"""


@dataclass(frozen=True)
class Attack:
    """``safe``: the outcomes that are no breach, in words of a stage. ``reason``: a piece of the reason then given.
    ``code`` defines ``attack(p, d)``, or is the whole text where it is ``bare``; ``$name`` stands for things of the
    :class:`attacks.world.World`. ``before``: what another candidate does first. ``bites``: the defences (names of
    :data:`attacks.weakenings.WEAKENINGS`) that have to be off together for the marker to light; empty when no
    weakening lights it. ``task``: which set of :mod:`attacks.instances` it is tried on."""

    name: str
    safe: str
    marker: Marker
    bites: str
    code: str
    reason: str = ""
    before: str = ""
    bare: bool = False
    category: Category = "control"
    task: Literal["smtt", "spoilt", "roomy", "shares"] = "smtt"

    @property
    def off(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.bites.split("+") if part.strip())

    def source(self, names: dict[str, str]) -> str:
        return Template(self.code if self.bare else PRELUDE + self.code).substitute(names)


FORGE = """
import posix, struct
def say(kind, sequence, body=b"", claim=None):
    posix.write(3, struct.pack("<IBI", claim or len(body), kind, sequence) + body)
def orders(n): return struct.pack(f"<{n}q", *range(n))
def forge(answer, n, kind=3, shift=0, claim=None):
    "Speak the protocol in the runner's place, from the answer to the first instance on."
    sequence = 1
    while True:
        say(kind, sequence + shift, answer(n), claim)
        head = posix.read(3, 65536)
        length, asked, sequence = struct.unpack_from("<IBI", head)
        if asked == 6:
            say(5, sequence, bytes(4))
            posix._exit(0)
        n = length // 16
"""
"""A head for attacks that forge answers; instances of ``n`` jobs have 16 bytes a job, answers 8."""
