"""An engine instance: continuous batching over a paged cache, with the cost of a decode iteration independent of how
many calls take part.

The sums over decoding calls are kept as running totals. A call that joins at step j with L tokens in the cache holds
L + (s - j) of them at step s, so it needs a new block at the steps with (j - L) mod B = s mod B: one counter a residue
says how many blocks a step takes. Calls leave at a step known when they join, so a heap by step finds the next one.
"""

from __future__ import annotations

from bisect import bisect_right
from heapq import heappop, heappush

from evaluators.serving.core.cache import PrefixCache
from evaluators.serving.core.calls import DECODE, DONE, PREFILL, WAITING, Call
from evaluators.serving.core.costs import Costs, fitting, lasting

Chunk = tuple[Call, int]


class Instance:
    """One engine. ``blocks`` of ``block`` tokens each are its cache, ``cap`` calls at most run at once, ``budget``
    tokens at most are computed in an iteration. ``span`` blocks make a span of the prefix cache; 0: there is none.
    ``free`` blocks can be taken; those of unused prefixes are among them. ``host`` blocks fit into the host's memory, a
    block has ``block_bytes``. An instance for ``prefill`` alone hands its calls over at their first token."""

    __slots__ = (
        "_chunks",
        "_count",
        "_ends",
        "_first",
        "_growth",
        "_late",
        "_leaving",
        "_longest",
        "_residues",
        "_start",
        "arriving",
        "block",
        "block_bytes",
        "blocks",
        "budget",
        "busy",
        "cache",
        "cap",
        "costs",
        "decoding",
        "free",
        "handed",
        "host_free",
        "iterations",
        "kv",
        "number",
        "prefill",
        "prefilling",
        "ready",
        "running",
        "step",
        "stopping",
        "swapped",
        "waiting",
    )  # fmt: skip

    def __init__(
        self, number: int, costs: Costs, *, blocks: int, block: int, cap: int, budget: int, span: int = 0,
        block_bytes: int = 0, host: int = 0, prefill: bool = False,
    ) -> None:  # fmt: skip
        self.number, self.costs = number, costs
        self.block, self.blocks, self.cap, self.budget = block, blocks, cap, budget
        self.free = blocks
        self.cache = PrefixCache(span)
        self.block_bytes, self.host_free, self.prefill = block_bytes, host, prefill
        self.waiting: list[Call] = []
        self.swapped: list[Call] = []
        self.ready: list[Call] = []
        self.stopping: list[Call] = []
        self.handed: list[Call] = []
        self.arriving = 0
        self.prefilling: list[Call] = []
        self.decoding: dict[int, Call] = {}
        self.step = self.kv = 0
        self.busy = self.iterations = 0
        self.running = False
        self._residues = [0] * block
        self._leaving: list[tuple[int, int, int]] = []
        self._ends: list[int] = []
        self._longest: list[int] = []
        self._late: list[Call] = []
        self._chunks: tuple[Chunk, ...] = ()
        self._start = self._first = self._growth = self._count = 0

    # -- what an iteration needs ---------------------------------------------------------------------------------------

    @property
    def sequences(self) -> int:
        """Calls that hold a place: decoding and partly prefilled ones, and those whose cache is here or on its way."""
        return len(self.decoding) + len(self.prefilling) + len(self.ready) + self.arriving

    def has_room(self, blocks: int) -> bool:
        """Whether one more call with ``blocks`` blocks can come, beside what the decodes of the next iteration take."""
        return self.sequences < self.cap and blocks <= self.free - self.needed

    @property
    def needed(self) -> int:
        """Blocks that the next decode iteration takes."""
        return self._residues[self.step % self.block]

    def found(self, call: Call) -> int:
        """How many spans of a waiting call's prompt are in the cache; its last token is always computed."""
        cache = self.cache
        if not cache.span or not call.request.prefix:
            return 0
        return cache.matching(call.request.prefix, (call.length - 1) // (cache.span * self.block))

    def left(self, call: Call) -> int:
        """Tokens that a call of the queue still has to compute."""
        if call.state == WAITING:
            return call.length - self.found(call) * self.cache.span * self.block
        return call.length - call.computed

    def wants(self, call: Call, tokens: int, locked: set[int]) -> int:
        """Free blocks that ``tokens`` more of a call's prompt take. A waiting call takes the unused spans that it finds
        as well, but for those in ``locked``, which an earlier call of the plan takes; they are added."""
        if call.state != WAITING:
            return -(-(call.computed + tokens) // self.block) - call.blocks - call.shared * self.cache.span
        spans, size = self.found(call), self.cache.span
        taken = -(-(spans * size * self.block + tokens) // self.block) - spans * size
        for id_ in call.request.prefix[:spans]:
            if id_ not in locked and self.cache.unused(id_):
                locked.add(id_)
                taken += size
        return taken

    def frees(self, call: Call) -> int:
        """Blocks that a running call would give back at once."""
        if call.state != DECODE:
            return call.blocks
        return -(-(call.length + self.step - call.joined) // self.block) - call.shared * self.cache.span

    def taken(self, chunks: tuple[Chunk, ...]) -> int:
        """Blocks that chunks of prefill take."""
        locked: set[int] = set()
        return sum(self.wants(call, tokens, locked) for call, tokens in chunks)

    @property
    def under_way(self) -> tuple[int, int, int, int, int]:
        """(start, first, growth, count, decoding calls) of the iteration or stretch under way."""
        return self._start, self._first, self._growth, self._count, len(self.decoding)

    # -- iterations ----------------------------------------------------------------------------------------------------

    def begin(self, now: int, chunks: tuple[Chunk, ...], steps: int) -> int:
        """Start an iteration with ``chunks`` of prefill, or a stretch of at most ``steps`` decode iterations, cut where
        a call ends or blocks run out. Blocks must be there for the first. Returns when it ends."""
        count, decodes = 1, len(self.decoding)
        if chunks:
            parts, nothing = [], set[int]()
            for call, _ in chunks:  # all spans are held before any block is taken, which might give them up
                if call.state == WAITING:
                    self._admit(call, now)
            for call, tokens in chunks:
                parts.append((tokens, call.computed))
                taken = self.wants(call, tokens, nothing)
                call.blocks += taken
                self.take(taken)
            self._first, self._growth = self.costs.mixture(decodes, self.kv, parts), 0
        else:
            self._first, self._growth = self.costs.stretch(decodes, self.kv)
            if steps > 1:
                count = min(steps, self._next_leaving() - self.step)
                if count > 1:
                    count = self._affordable(count)
        if decodes:
            self.take(self._taken(0, 1))
        for call in self._late:
            call.worst = max(call.worst, now + self._first - call.last)
        self._late.clear()
        self._chunks, self._start, self._count = chunks, now, count
        self.running = True
        return now + lasting(self._first, self._growth, count)

    def cut(self, now: int) -> int | None:
        """Something happened at ``now``: let the stretch end with the iteration under way. Returns its new end, None
        when that is as it was."""
        if self._count <= 1:
            return None
        done = fitting(self._first, self._growth, now - self._start)
        if lasting(self._first, self._growth, done) < now - self._start or not done:
            done += 1
        if done >= self._count:
            return None
        self._count = done
        return self._start + lasting(self._first, self._growth, done)

    def settle(self, now: int) -> list[Call]:
        """End the iteration or stretch. Returns the calls that ended with it."""
        count, decodes = self._count, len(self.decoding)
        self.running = False
        self.busy += now - self._start
        self.iterations += count
        ended: list[Call] = []
        if decodes:
            if count > 1:
                self.take(self._taken(1, count))
            self.step += count
            self.kv += count * decodes
            longest, ends, lengths = self._first + self._growth * (count - 1), self._ends, self._longest
            while lengths and lengths[-1] <= longest:
                lengths.pop()
                ends.pop()
            ends.append(self.step)
            lengths.append(longest)
            leaving = self._leaving
            while leaving and leaving[0][0] <= self.step:
                _, number, joined = heappop(leaving)
                call = self.decoding.get(number)
                if call is not None and call.joined == joined:
                    self.leave(call, now)
                    ended.append(call)
        for call, tokens in self._chunks:
            call.computed += tokens
            if call.request.prefix and self.cache.span:
                self._share(call)
            if call.computed == call.length:
                self.prefilling.remove(call)
                self._token(call, now)
                if call.generated == call.request.output:
                    self.release(call)
                    ended.append(call)
                elif self.prefill:
                    self.handed.append(call)
                else:
                    self._join(call)
        for call in ended:
            call.state, call.ended = DONE, now
        self._chunks = ()
        return ended

    def peek(self, now: int) -> tuple[int, int]:
        """(KV tokens of decoding calls, free blocks) at ``now`` within a stretch, as if each iteration had ended
        by itself before anything else happened at that moment."""
        done = self.progress(now)
        if not done:
            return self.kv, self.free
        return self.kv + done * len(self.decoding), self.free - self._taken(1, done + 1)

    def progress(self, now: int) -> int:
        """How many iterations of a stretch have ended before ``now``."""
        if not self.running or self._count <= 1:
            return 0
        done = fitting(self._first, self._growth, now - self._start)
        if done and lasting(self._first, self._growth, done) == now - self._start:
            done -= 1
        return min(done, self._count - 1)

    # -- calls come and go ---------------------------------------------------------------------------------------------

    def preempt(self, call: Call, now: int) -> None:
        """Take a running call's place and cache away; it waits again, first in the queue, and computes all
        anew."""
        if call.state == DECODE:
            self.leave(call, now)
            call.last = now
        else:
            self.prefilling.remove(call)
            self.release(call)
        call.length = call.request.prompt + call.generated
        call.computed = 0
        call.state = WAITING
        call.preempted += 1
        self.waiting.insert(0, call)

    def accept(self) -> None:
        """The calls whose cache has come join the batch."""
        for call in self.ready:
            self._join(call)
            self._late.append(call)
        self.ready.clear()

    def reserve(self, call: Call, blocks: int) -> None:
        """Blocks and a place for a call that comes back."""
        self.take(blocks)
        call.blocks = blocks
        self.arriving += 1

    def leave(self, call: Call, now: int) -> None:
        """A decoding call gives up its place and its blocks at the present step."""
        self.detach(call, now)
        self.release(call)

    def detach(self, call: Call, now: int) -> None:
        """A decoding call leaves the batch at the present step; its blocks stay its own."""
        steps = self.step - call.joined
        call.blocks = self.frees(call)
        call.generated += steps
        del self.decoding[call.number]
        self.kv -= call.length + steps
        self._residues[(call.joined - call.length) % self.block] -= 1
        call.length += steps
        if steps:
            call.last = now
            # Lengths decrease with later ends, so the first iteration after it joined was the longest.
            call.worst = max(call.worst, self._longest[bisect_right(self._ends, call.joined)])
        if not self.decoding:
            self._ends.clear()
            self._longest.clear()
            self._leaving.clear()

    def youngest(self) -> Call | None:
        """The call that was admitted last."""
        if self.prefilling:
            return self.prefilling[-1]
        return max(self.decoding.values(), key=lambda c: (c.entered, c.number), default=None)

    def _admit(self, call: Call, now: int) -> None:
        self.waiting.remove(call)
        call.shared = self.found(call)
        call.state, call.entered = PREFILL, now
        if call.request.prefix and self.cache.span:
            self.cache.lookups += len(call.request.prefix)
            self.cache.hits += call.shared
            self.free -= self.cache.use(call.request.prefix[: call.shared])
            call.computed = call.shared * self.cache.span * self.block
        self.prefilling.append(call)

    def _share(self, call: Call) -> None:
        """Spans that a call has computed go to the cache, where others find them; it gives its own copy of one that
        another call has put there meanwhile."""
        cache, prefix = self.cache, call.request.prefix
        whole = min(call.computed // (cache.span * self.block), len(prefix))
        while call.shared < whole:
            id_ = prefix[call.shared]
            if not cache.put(id_):
                self.free += cache.span - cache.use((id_,))
            call.blocks -= cache.span
            call.shared += 1

    def take(self, blocks: int) -> None:
        """Blocks from the free ones; unused prefixes are given up where it must be."""
        self.free -= blocks
        if self.free < self.cache.idle:
            self.cache.give_up(self.cache.idle - self.free)

    def _token(self, call: Call, now: int) -> None:
        """The token that the end of a prefill gives."""
        call.generated += 1
        if call.first < 0:
            call.first = now
        else:
            call.worst = max(call.worst, now - call.last)
        call.last = now

    def _join(self, call: Call) -> None:
        call.state, call.joined = DECODE, self.step
        call.finish = self.step + call.request.output - call.generated
        self.decoding[call.number] = call
        self.kv += call.length
        self._residues[(call.joined - call.length) % self.block] += 1
        heappush(self._leaving, (call.finish, call.number, call.joined))

    def release(self, call: Call) -> None:
        """All blocks that a call holds are free again."""
        self.free += call.blocks
        call.blocks = 0
        if call.shared:
            self.free += self.cache.release(call.request.prefix[: call.shared])
            call.shared = 0

    def _next_leaving(self) -> int:
        """The step at which the next call ends."""
        leaving = self._leaving
        while True:
            finish, number, joined = leaving[0]
            call = self.decoding.get(number)
            if call is not None and call.joined == joined:
                return finish
            heappop(leaving)

    def _taken(self, start: int, stop: int) -> int:
        """Blocks that decode iterations ``start`` … ``stop - 1`` from now take."""
        size, residues, step = self.block, self._residues, self.step
        rounds, rest = divmod(stop - start, size)
        taken = rounds * len(self.decoding) if rounds else 0
        for k in range(step + start, step + start + rest):
            taken += residues[k % size]
        return taken

    def _affordable(self, count: int) -> int:
        """How many of ``count`` decode iterations the free blocks allow, at least one."""
        size, decodes = self.block, len(self.decoding)
        rounds = min(count // size, self.free // decodes)
        done, left = rounds * size, self.free - rounds * decodes
        residues, step = self._residues, self.step
        while done < count:
            left -= residues[(step + done) % size]
            if left < 0:
                break
            done += 1
        return max(1, done)
