"""The functions of one candidate, the same on both sides of the pipe: which of them a simulation may ask, and one
message with the decisions of several.

The messages of a task without hooks are those of :mod:`discovery.sandbox.records`. Where a task has hooks, a message
begins with the size of each function's records in bytes (u64, 0 where nobody asks it), in the order of the functions;
then come the records of one function after another. The answer is their reply records in the same order.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from discovery.sandbox.records import Spec, View

Simulate = Callable[..., Generator[Any, Any, bytes]]
"""The adapter of a policy task: payload, and of a task with hooks the names of those that there are → views, replies,
and at the end the event log."""


@dataclass(frozen=True)
class Functions:
    """``specs``: the task's main function, then hooks. ``hooked``: whether the task has any, so that its simulation
    says whom it asks."""

    specs: tuple[Spec, ...]
    hooked: bool = False

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Functions:
        """From its fields as JSON gives them."""
        return cls(tuple(map(Spec.read, told["specs"])), told["hooked"])

    def only(self, hooks: Collection[str]) -> Functions:
        """The main function and those of ``hooks``."""
        main, *others = self.specs
        return Functions((main, *(s for s in others if s.function in hooks)), self.hooked)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {spec.function: place for place, spec in enumerate(self.specs)}

    def start(self, simulate: Simulate, payload: bytes) -> Generator[Any, Any, bytes]:
        """A simulation, which is told here what hooks there are."""
        if not self.hooked:
            return simulate(payload)
        return simulate(payload, frozenset(spec.function for spec in self.specs[1:]))

    def asked(self, said: Any) -> tuple[int, View]:
        """Which function a simulation asks by what it yields, and the view. Raises RuntimeError for one that is not
        there, which is a mistake of the task."""
        if not self.hooked:
            return 0, said
        name, view = said
        try:
            return self._places[name], view
        except KeyError:
            has = ", ".join(self._places)
            raise RuntimeError(
                f"the simulation asks for {name!r}; the candidate's functions are {has}"
            ) from None

    def asker(self, said: Any) -> str:
        """What begins a complaint about the reply to what a simulation yielded."""
        return f"{said[0]}(): " if self.hooked and said is not None else ""

    def join(self, parts: Sequence[bytes]) -> bytes:
        """The message of the records of each function."""
        if not self.hooked:
            return parts[0]
        return b"".join((struct.pack(f"<{len(parts)}Q", *map(len, parts)), *parts))

    def split(self, body: bytes) -> list[bytes]:
        """The records of each function in a message, empty where nobody asks it."""
        if not self.hooked:
            return [body]
        head = struct.Struct(f"<{len(self.specs)}Q")
        found, at = [], head.size
        for size in head.unpack_from(body):
            found.append(body[at : at + size])
            at += size
        return found
