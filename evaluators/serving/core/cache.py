"""Prefixes of prompts that stay in an instance's cache: counted spans of blocks, the longest unused given up first.

A prompt names what it begins with by ids, one for each span of tokens, so that equal ids mean equal tokens from the
beginning on. A call that finds its first spans here computes only the rest of its prompt. Spans are free memory as
soon as no call uses them: they are given up when a block is needed, deeper spans before the ones that they continue."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence


class PrefixCache:
    """Spans of ``span`` blocks each. ``idle`` blocks belong to spans that no call uses."""

    __slots__ = ("_unused", "_users", "hits", "idle", "lookups", "span")

    def __init__(self, span: int) -> None:
        self.span = span
        self.idle = 0
        self.hits = self.lookups = 0
        self._users: dict[int, int] = {}
        self._unused: OrderedDict[int, None] = OrderedDict()

    def __contains__(self, span: int) -> bool:
        return span in self._users

    def __iter__(self) -> Iterator[int]:
        return iter(self._users)

    def __len__(self) -> int:
        return len(self._users)

    def matching(self, ids: Sequence[int], most: int) -> int:
        """How many of the first ``most`` spans of a prompt are here."""
        users, count = self._users, 0
        for id_ in ids[:most]:
            if id_ not in users:
                break
            count += 1
        return count

    def unused(self, id_: int) -> bool:
        """Whether a span is here and no call uses it."""
        return id_ in self._unused

    def use(self, ids: Sequence[int]) -> int:
        """A call begins to use these spans, which are here. Returns the blocks that were idle before."""
        before = self.idle
        for id_ in ids:
            if not self._users[id_]:
                del self._unused[id_]
                self.idle -= self.span
            self._users[id_] += 1
        return before - self.idle

    def put(self, id_: int) -> bool:
        """A call that uses all spans before it has computed this one. True when its blocks become the span's, which the
        call then uses; False when the span is here already."""
        if id_ in self._users:
            return False
        self._users[id_] = 1
        return True

    def release(self, ids: Sequence[int]) -> int:
        """A call no longer uses these spans. Returns the blocks that are idle now."""
        before = self.idle
        for id_ in reversed(ids):
            self._users[id_] -= 1
            if not self._users[id_]:
                self._unused[id_] = None
                self.idle += self.span
        return self.idle - before

    def give_up(self, blocks: int) -> None:
        """Drop unused spans until at least ``blocks`` blocks are not idle any more."""
        while blocks > 0 and self._unused:
            id_, _ = self._unused.popitem(last=False)
            del self._users[id_]
            self.idle -= self.span
            blocks -= self.span
