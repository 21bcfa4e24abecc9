"""An engine instance: continuous batching over a paged cache. Decoding calls are a :class:`Batch`; this adds the queue,
chunks of prefill, the free blocks and the iteration or stretch of iterations under way."""

from __future__ import annotations

from evaluators.serving.core.batch import Batch
from evaluators.serving.core.cache import PrefixCache
from evaluators.serving.core.calls import DECODE, DONE, PREFILL, WAITING, Call
from evaluators.serving.core.costs import Costs, fitting, lasting
from evaluators.serving.core.energy import Work

Chunk = tuple[Call, int]
UnderWay = tuple[int, int, int, int, tuple[Chunk, ...]]
"""(start, first, growth, count, chunks) of an iteration or stretch: the i-th of ``count`` takes first + i · growth. A
count of 0 where nothing is under way."""
IDLE: UnderWay = (0, 0, 0, 0, ())


class Instance(Batch):
    """One engine. ``blocks`` of ``block`` tokens each are its cache, ``cap`` calls at most run at once, ``budget``
    tokens at most are computed in an iteration. ``span`` blocks make a span of the prefix cache; 0: there is none.
    ``free`` blocks can be taken; those of unused prefixes are among them. ``host`` blocks fit into the host's memory, a
    block has ``block_bytes``. An instance for ``prefill`` alone hands its calls over at their first token; ``expected``
    are those that wait elsewhere for room here."""

    __slots__ = (
        "_computed", "_late", "_pairs", "arriving", "block_bytes", "blocks", "budget",
        "busy", "cache", "cap", "chunks", "costs", "expected", "free", "handed", "host_free", "iterations", "number",
        "prefill", "prefilling", "ready", "standing", "stopping", "swapped", "under_way", "waiting",
    )  # fmt: skip

    def __init__(
        self, number: int, costs: Costs, *, blocks: int, block: int, cap: int, budget: int, span: int = 0,
        block_bytes: int = 0, host: int = 0, prefill: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(block, span)
        self.number, self.costs = number, costs
        self.blocks, self.cap, self.budget = blocks, cap, budget
        self.free = blocks
        self.cache = PrefixCache(span)
        self.block_bytes, self.host_free, self.prefill = block_bytes, host, prefill
        self.waiting: list[Call] = []
        self.swapped: list[Call] = []
        self.ready: list[Call] = []
        self.stopping: list[Call] = []
        self.handed: list[Call] = []
        self.expected: list[Call] = []
        self.arriving = 0
        self.prefilling: list[Call] = []
        self.busy = self.iterations = 0
        self._computed = self._pairs = 0
        """What :meth:`work` says of prompts, without those that are being computed."""
        self._late: list[Call] = []
        self.under_way = IDLE
        self.chunks: tuple[Chunk, ...] = ()
        self.standing = 0
        """How many more iterations are to do ``chunks``, as the last one did, should nothing happen before."""

    # -- what an iteration needs ---------------------------------------------------------------------------------------

    @property
    def sequences(self) -> int:
        """Calls that hold a place: decoding and partly prefilled ones, and those whose cache is here or on its way."""
        return len(self.decoding) + len(self.prefilling) + self.arriving

    def spare(self, now: int) -> int:
        """Free blocks beside what the decodes of the iteration under way and of the next one take."""
        if not self.under_way[3]:
            return self.free - self.needed
        return self.free - self.takes(1, self.progress(now) + 2)

    def has_room(self, blocks: int, now: int) -> bool:
        """Whether one more call with ``blocks`` blocks can come at ``now``."""
        return self.sequences < self.cap and blocks <= self.spare(now)

    def found(self, call: Call) -> int:
        """How many spans of a waiting call's prompt are in the cache; its last token is always computed."""
        span, prefix = self.span, call.request.prefix
        return self.cache.matching(prefix, (call.length - 1) // (span * self.block)) if span and prefix else 0

    def left(self, call: Call) -> int:
        """Tokens that a call of the queue still has to compute."""
        if self.span and call.state == WAITING:
            return call.length - self.found(call) * self.span * self.block
        return call.length - call.computed

    def wants(self, call: Call, tokens: int, locked: set[int]) -> int:
        """Free blocks that ``tokens`` more of a call's prompt take. A waiting call takes the unused spans that it finds
        as well, but for those in ``locked``, which an earlier call of the plan takes; they are added."""
        size = self.span
        if not size or call.state != WAITING:
            return -(-(call.computed + tokens) // self.block) - call.blocks - call.shared * size
        spans = self.found(call)
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
        return -(-(call.length + self.step - call.joined) // self.block) - call.shared * self.span

    def taken(self, chunks: tuple[Chunk, ...]) -> int:
        """Blocks that chunks of prefill take."""
        locked: set[int] = set()
        return sum(self.wants(call, tokens, locked) for call, tokens in chunks)

    # -- iterations ----------------------------------------------------------------------------------------------------

    def begin(self, now: int, chunks: tuple[Chunk, ...], steps: int) -> int:
        """Start the first of up to ``steps`` iterations with ``chunks`` of prefill, or a stretch of at most ``steps``
        decode iterations, cut where a call ends or blocks run out. Blocks must be there for the first. Returns when it
        ends."""
        decodes, taken = len(self.decoding), self.needed
        if chunks:
            size, span, parts = self.block, self.span, []
            for call, tokens in chunks:
                if call.state == WAITING:
                    self._admit(call, now)
                before = call.computed
                blocks = -(-(before + tokens) // size) - call.shared * span
                taken += blocks - call.blocks
                call.blocks = blocks
                parts.append((tokens, before))
            first = self.costs.mixture(decodes, self.kv, parts)
            self.under_way = now, first, 0, 1, chunks
            self.chunks, self.standing = chunks, steps - 1
            end = now + first
        else:
            first, growth = self.costs.stretch(decodes, self.kv)
            count = self.affords(steps, self.free) if steps > 1 else 1
            self.under_way = now, first, growth, count, chunks
            self.standing = 0
            end = now + (lasting(first, growth, count) if count > 1 else first)
        self.free -= taken
        if self.span:
            self.make_room()  # only now, when all spans are held
        if self._late:
            for call in self._late:
                call.worst = max(call.worst, now + first - call.last)
            self._late.clear()
        return end

    def cut(self, now: int) -> int | None:
        """Something happened at ``now``: let the stretch end with the iteration under way. Returns its new end, None
        when that is as it was."""
        start, first, growth, count, chunks = self.under_way
        if count == 1:
            return None
        passed = now - start
        done = fitting(first, growth, passed)
        end = lasting(first, growth, done)
        if end < passed or not done:
            end += first + done * growth
            done += 1
        if done >= count:
            return None
        self.under_way = start, first, growth, done, chunks
        return start + end

    def stop(self, now: int) -> int:
        """Of a stretch that goes on beyond ``now`` only the iterations that have ended by then count. Returns the end
        of the last; 0 when none has."""
        done = self.progress(now + 1)
        if not done:
            return 0
        start, first, growth, _, chunks = self.under_way
        self.under_way = start, first, growth, done, chunks
        return start + lasting(first, growth, done)

    def settle(self, now: int) -> None:
        """End the iteration or stretch, and the calls that end with it."""
        start, longest, growth, count, chunks = self.under_way
        self.under_way = IDLE
        self.busy += now - start
        self.iterations += count
        if self.decoding:
            if count > 1:
                longest += growth * (count - 1)
                self.take(self.takes(1, count))
            for call in self.advance(count, longest):
                self.standing = 0
                self.leave(call, now)
                call.state, call.ended = DONE, now
        for call, tokens in chunks:
            computed = call.computed = call.computed + tokens
            if self.span:
                self._share(call)
            left = call.length - computed
            if left < tokens:
                self.standing = 0
                if not left:
                    self._prefilled(call, now)

    def stands(self) -> bool:
        """Whether there is memory for the last chunks once more."""
        free = self.free - self.needed
        for call, tokens in self.chunks:
            free -= -(-(call.computed + tokens) // self.block) - call.blocks - call.shared * self.span
        return free >= 0

    def _prefilled(self, call: Call, now: int) -> None:
        """The end of a prompt gives a token."""
        self._dismiss(call)
        call.generated += 1
        if call.first < 0:
            call.first = now
        else:
            call.worst = max(call.worst, now - call.last)
        call.last = now
        if call.generated == call.request.output:
            self.release(call)
            call.state, call.ended = DONE, now
        elif self.prefill:
            self.handed.append(call)
        else:
            self.join(call)

    def peek(self, now: int) -> tuple[int, int]:
        """(KV tokens of decoding calls, free blocks) at ``now`` within a stretch, as if each iteration had ended
        by itself before anything else happened at that moment."""
        done = self.progress(now)
        if not done:
            return self.kv, self.free
        return self.kv + done * len(self.decoding), self.free - self.takes(1, done + 1)

    def progress(self, now: int) -> int:
        """How many iterations of a stretch have ended before ``now``."""
        start, first, growth, count, _ = self.under_way
        if count <= 1:
            return 0
        done = fitting(first, growth, now - start)
        if done and lasting(first, growth, done) == now - start:
            done -= 1
        return min(done, count - 1)

    def work(self) -> Work:
        """What it has done so far, without the iteration under way."""
        made, read, computed, pairs = self.made, self.read, self._computed, self._pairs
        for call in self.prefilling:
            computed += call.computed
            pairs += call.computed**2
        for call in self.decoding.values():
            steps = self.step - call.joined
            made += steps
            read += steps * (2 * call.length + steps + 1) // 2
        return Work(self.busy, self.iterations, computed, made, read, pairs)

    # -- calls come and go ---------------------------------------------------------------------------------------------

    def preempt(self, call: Call, now: int) -> None:
        """Take a running call's place and cache away; it waits again, first in the queue, and computes all
        anew."""
        if call.state == DECODE:
            self.leave(call, now)
        else:
            self._dismiss(call)
            self.release(call)
        call.length = call.request.prompt + call.generated
        call.computed = 0
        call.state = WAITING
        call.preempted += 1
        self.waiting.insert(0, call)

    def accept(self) -> None:
        """The calls whose cache has come join the batch."""
        for call in self.ready:
            self.join(call)
            self._late.append(call)
        self.arriving -= len(self.ready)
        self.ready.clear()

    def keep(self, call: Call) -> None:
        """A call whose prompt ended here, now or some time ago, decodes here."""
        self.join(call)
        self._late.append(call)

    def reserve(self, call: Call, blocks: int) -> None:
        """Blocks and a place for a call that comes back."""
        self.take(blocks)
        call.blocks = blocks
        self.arriving += 1

    def leave(self, call: Call, now: int) -> None:
        """A decoding call gives up its place and its blocks at the present step."""
        self.detach(call, now)
        self.release(call)

    def youngest(self) -> Call | None:
        """The call that was admitted last."""
        if self.prefilling:
            return self.prefilling[-1]
        return max(self.decoding.values(), key=lambda c: (c.entered, c.number), default=None)

    def _admit(self, call: Call, now: int) -> None:
        self.waiting.remove(call)
        self.prefilling.append(call)
        call.state, call.entered = PREFILL, now
        if self.span and call.request.prefix:
            call.shared = self.found(call)
            self.cache.lookups += len(call.request.prefix)
            self.cache.hits += call.shared
            self.free -= self.cache.use(call.request.prefix[: call.shared])
            call.computed = call.shared * self.span * self.block
            self._computed -= call.computed
            self._pairs -= call.computed**2

    def _dismiss(self, call: Call) -> None:
        """A call's prompt is no longer being computed. Chunks of c behind x make c · (2x + c) pairs each, together the
        square of all tokens but that of those which were found in the cache."""
        self.prefilling.remove(call)
        self._computed += call.computed
        self._pairs += call.computed**2

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
        if self.span:
            self.make_room()

    def make_room(self) -> None:
        """Give up unused prefixes where their blocks were taken."""
        if self.free < self.cache.idle:
            self.cache.give_up(self.cache.idle - self.free)

    def release(self, call: Call) -> None:
        """All blocks that a call holds are free again."""
        self.free += call.blocks
        call.blocks = 0
        if call.shared:
            self.free += self.cache.release(call.request.prefix[: call.shared])
            call.shared = 0
