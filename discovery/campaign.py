"""One run as memos over the ledger: each question (what is slot 17? how did it do? its tuned child?) is answered from
the ledger where the answer is there, and answered once where it is not.

The graph only says when to ask what. Batch g is proposed from S(g−2), and stopped and tuned against S(g−1); at the
moment both are asked, that is the newest snapshot there is, because batch g+1 is proposed while batch g is evaluated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from db.ledger import Ledger
from db.records import (
    EntryKey,
    EntryRecord,
    Integration,
    Leave,
    NewEntry,
    NewLook,
    NewPromotion,
)
from discovery.budget import Allowance, Budget, Load
from discovery.candidate import check
from discovery.entries import Entries
from discovery.evaluation import Evaluated, Evaluation
from discovery.gate import Gate
from discovery.known import Known
from discovery.members import as_new, look_as_new, member_of, parent_scores, quarantine
from discovery.population.archive import Archive, Member, Snapshot
from discovery.population.behaviour import SAME_BEHAVIOUR, Behaviours, of_scores
from discovery.population.memory import Memory, repaired
from discovery.population.novelty import Novelty
from discovery.proposers.base import EDITS, Message, ProposerWaiting, Request
from discovery.shape import InFlight, Shape
from discovery.slots import Slot, Slots, View
from discovery.submissions import Inbox
from discovery.tuning import Tuned, Tuning
from evaluators.task import Task

ORDER = ("own", "tuned", "submitted")
"""Kinds of entries, in the order in which a batch takes them in."""


class Campaign:
    """The state of a run in memory, rebuilt from the ledger when it is resumed."""

    def __init__(
        self,
        run: str,
        shape: Shape,
        *,
        task: Task,
        ledger: Ledger,
        evaluation: Evaluation,
        slots: Slots,
        tuning: Tuning,
        gate: Gate,
        novelty: Novelty,
        seeds: tuple[Member, ...],
        changed: Callable[[], None],
        recorded: Mapping[int, int] | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        """``recorded`` are the slots of each batch of the run that is replayed; ``inbox`` holds what others hand in."""
        self.run, self.shape, self.task, self.ledger = run, shape, task, ledger
        self.evaluation, self.gate = evaluation, gate
        self._slots, self._tuning, self._changed = slots, tuning, changed
        self._archive = Archive(
            seeds,
            islands=shape.islands,
            capacity=shape.archive,
            direction=task.direction,
            cells=shape.cells,
            migration=shape.migration,
        )
        first = self._archive.snapshot()
        self._snapshots: dict[int, Snapshot] = {-2: first, -1: first}
        self._memory = Memory((m.key, m.hash) for m in seeds)
        self._behaviours = Behaviours((m.behaviour, m.hash) for m in seeds)
        self._novelty = novelty
        novelty.start(seeds)
        self._known = Known(
            shape.batch,
            self._memory,
            novelty,
            slot=self.slot,
            batch=lambda g: self.batch(g) if g > self.done else (),
        )
        self._entries = Entries(
            run,
            shape.islands,
            task=task,
            ledger=ledger,
            evaluation=evaluation,
            known=self._known,
            slot=self.slot,
            evaluated=self.evaluated,
            tuned=self.tuned,
        )
        self._slot_memo: dict[int, Slot] = {}
        self._evaluated_memo: dict[int, Evaluated] = {}
        self._tuned_memo: dict[int, Tuned | None] = {}
        self._allowed: dict[int, Allowance] = {}
        self._recorded = recorded
        self._inbox = inbox or Inbox(run, task.interface, ledger)
        self.done = -1
        """The newest integrated batch."""
        self.champion = first.seeds[0]
        self.looks: list[NewLook] = []
        self._looked = {m.key: m.hash for m in seeds}
        self._views = (-2, self._make_view(-2))
        self._busy = {"slot": 0, "evaluated": 0, "tuned": 0}
        self._lock = threading.Lock()

    # -- how far it goes ----------------------------------------------------------------------------------------------

    def allow(self, g: int, budget: Budget) -> Allowance:
        """What the budget lets batch ``g`` do. Asked once, when batch g−1 is proposed and batch g−2 is integrated."""
        view = self._view(g - 2)
        first = g * self.shape.batch
        return budget.allow(
            self.shape.width(g) if self._recorded is None else self._recorded.get(g, 0),
            lambda slots: self._slots.reserve(range(first, first + slots), view),
            self._slots.most_tokens,
            Load() if budget.limits.evaluations is None else self._load(g),
        )

    def _load(self, g: int) -> Load:
        """The evaluations that batch ``g``−1 may still need, and what tuning takes of any batch."""
        runs, most = self._tuning.runs, self.shape.tuned_a_batch if self.shape.tune else 0
        run = [k for k in self.batch(g - 1) if not self._known.owner(k) and not self._known.near_copy(k)]
        owned = [c for k in run if (c := self.slot(k).candidate)]
        studies = min(self._studies(g - 1), sum(self._tuning.tunable(c) for c in owned))
        return Load(len(owned) + studies * runs, most, runs)

    def _studies(self, g: int) -> int:
        """How many candidates of batch ``g`` may be tuned."""
        allowance = self._allowed.get(g)
        return allowance.tuned(self.shape.tuned_a_batch) if allowance and self.shape.tune else 0

    def first_prompt(self) -> tuple[tuple[Message, ...], int]:
        """The prompt of slot 0 and the tokens to reserve for it: what requests of this run are like."""
        return self._slots.prompt(0, self._view(-2)), self._slots.reserve((0,), self._view(-2))[0]

    def permit(self, g: int, allowance: Allowance) -> None:
        """Batch ``g`` has these slots."""
        self._allowed[g] = allowance

    def batch(self, g: int) -> range:
        """Slot numbers of batch ``g``."""
        allowance = self._allowed.get(g)
        return range(g * self.shape.batch, g * self.shape.batch + allowance.slots) if allowance else range(0)

    def open_slots(self, g: int) -> tuple[int, ...]:
        """The slots of batch ``g`` that wait for a person or an agent to answer."""
        return tuple(k for k in self.batch(g) if not self._filled(k))

    def _filled(self, k: int) -> bool:
        try:
            self.slot(k)
        except ProposerWaiting:
            return False
        return True

    # -- questions, each asked by one branch of the graph -------------------------------------------------------------

    def slot(self, k: int) -> Slot:
        """Slot ``k``, proposed from the snapshot two batches back."""
        if k not in self._slot_memo:
            with self._doing("slot"):
                g = k // self.shape.batch
                repair = g in self._allowed and k - g * self.shape.batch < self._allowed[g].repairs
                self._slot_memo[k] = self._slots.fill(k, self._view(g - 2), repair=repair)
        return self._slot_memo[k]

    def newest_request(self, k: int) -> Request:
        """The request that a slot of this number would make now: for a candidate from outside the slots."""
        return self._slots.request(k, self._view(self.done), EDITS)

    def answered(self, k: int, r: int) -> Slot:
        """What the reply to request (k, r) is by itself; for slots of the batches that are under way."""
        return self._slots.answered(k, r, self._view(k // self.shape.batch - 2))

    def evaluated(self, k: int) -> Evaluated | None:
        """Slot ``k``'s candidate on screen and search; None when it has none of its own."""
        slot = self.slot(k)
        if slot.candidate is None or self._known.owner(k) or self._known.near_copy(k):
            return None
        if k not in self._evaluated_memo:
            rival = self._snapshot(k // self.shape.batch - 1).median(k % self.shape.islands)
            with self._doing("evaluated"):
                self._evaluated_memo[k] = self.evaluation.search(slot.candidate, rival.scores)
        return self._evaluated_memo[k]

    def tuned(self, k: int) -> Tuned | None:
        """Slot ``k``'s tuned child, when it has one that is better."""
        if k not in self._tuned_memo:
            slot, evaluated = self.slot(k), self.evaluated(k)
            if slot.candidate is None or evaluated is None:
                raise ValueError(f"slot {k} has nothing to tune")
            with self._doing("tuned"):
                self._tuned_memo[k] = self._tuning.tune(k, slot.candidate, evaluated)
        return self._tuned_memo[k]

    def to_tune(self, g: int) -> tuple[int, ...]:
        """The slots of batch ``g`` whose numbers are tuned: the best quarter of those that were scored in full, have
        numbers to tune, and beat the median of their island in S(g−1)."""
        if not self._studies(g):
            return ()
        sign = 1 if self.task.direction == "minimize" else -1
        ranked = []
        for k in self.batch(g):
            slot, evaluated = self.slot(k), self.evaluated(k)
            if (
                slot.candidate is None
                or evaluated is None
                or evaluated.score is None
                or not self._tuning.tunable(slot.candidate)
            ):
                continue
            bar = self._snapshot(g - 1).median(k % self.shape.islands).score
            if sign * evaluated.score < sign * bar:
                ranked.append((sign * evaluated.score, k, evaluated.behaviour, tuple(slot.candidate.space)))
        new = self._behaviours.untuned(r[1:] for r in sorted(ranked))
        return tuple(new[: self._studies(g)])

    def in_flight(self) -> InFlight:
        """What is being done right now, for the progress report."""
        g = self.done + 1
        filled = sum(k in self._slot_memo for k in (*self.batch(g), *self.batch(g + 1)))
        return InFlight(filled, *(self._busy[name] for name in ("slot", "evaluated", "tuned")))

    def hash_of(self, key: EntryKey) -> str:
        """The code hash of a seed or of an entry that had a look."""
        return self._looked[key]

    # -- integration --------------------------------------------------------------------------------------------------

    def integrate(self, g: int, seconds: float, cpu: float = 0.0) -> None:
        """Enter batch ``g`` into the ledger in one transaction, slots in order, then tuned children, then at most one
        gate look. Elites are run again first; a difference quarantines them. ``seconds`` and
        ``cpu``: wall time, and processor time of candidates, used so far."""
        if g <= self.done:
            return
        to_tune = sorted(self.to_tune(g))
        batch = self._entries.batch(self.batch(g), to_tune, self._inbox.batch(g))
        quarantined = self._confirm(batch.members)
        entries = [quarantine(e, quarantined) for e in batch.entries]
        members = [m for m in batch.members if m.key not in quarantined]
        entries = self._mark(entries, members, to_tune)
        entered, left = self._archive.admit(members, g)
        same = {e.key for e in entries if SAME_BEHAVIOUR in e.marks}
        look = self._look([m for m in members if m.key not in same])
        promotions: tuple[NewPromotion, ...] = ()
        if look is not None and look[1].passed:
            self.champion = look[0]
            promotions = (NewPromotion(look[0].key, look[1].k),)
        spent = {"seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3)}
        self.ledger.integrate(
            self.run,
            g,
            Integration(
                entries=tuple(entries),
                parents=tuple(batch.edges),
                enter=entered,
                leave=tuple(Leave(key) for key in left),
                looks=(look[1],) if look is not None else (),
                promotions=promotions,
                events=(("time", spent), *batch.events),
            ),
        )
        scores = {EntryKey(k, "own"): [p.score for p in self.slot(k).plan.parents] for k in self.batch(g)}
        origins = {e.child: e.parent for e in batch.edges if e.position == 0}
        self._remember(g, entries, repaired(entries, origins), scores)
        self._changed()

    def take_in(self, seconds: float) -> None:
        """Integrate what others handed in since the last batch, once the slots are used up. ``seconds`` as above."""
        while self._inbox.waits(self.done):
            self.integrate(self.done + 1, seconds)

    def restore(self) -> None:
        """Rebuild the state from the ledger, batch by batch, as :meth:`integrate` made it."""
        looks, promotions = self.ledger.looks(self.run), self.ledger.promotions(self.run)
        looked = {look.entry for look in looks}
        by_batch: dict[int, list[EntryRecord]] = {}
        keys = {}
        for entry in self.ledger.entries(self.run):
            keys[entry.id] = entry.key
            if entry.id in looked and entry.candidate is not None:
                self._looked[entry.key] = entry.candidate
            if entry.batch >= 0:
                by_batch.setdefault(entry.batch, []).append(entry)
        promoted = {keys[p.entry] for p in promotions}
        members = {m.key: m for m in self.newest.seeds}
        origins = {keys[child]: keys[found[0]] for child, found in self.ledger.parents(self.run).items()}
        above = parent_scores(self.ledger, self.run) if self._novelty.on else {}
        studied = {s.k for s in self.ledger.studies(self.run)}
        for g in sorted(by_batch):
            rows = sorted(by_batch[g], key=lambda e: (ORDER.index(e.kind), e.k))
            full = self._stored([e for e in rows if e.outcome == "scored" and e.duplicate_of is None])
            members.update({m.key: m for m in full if m.key in promoted})
            self._archive.admit(full, g)
            entries = [as_new(e) for e in rows]
            found = {m.key: m.behaviour for m in full}
            for e in entries:
                if e.outcome == "stopped" and e.duplicate_of is None and e.candidate is not None:
                    record = self.evaluation.stored(e.candidate, self.task.instances("search"))
                    found[e.key] = of_scores(record.scores[: e.m]) if record is not None else ""
                if e.kind == "own" and e.k in studied and e.key in found and e.candidate is not None:
                    space = check(self.ledger.candidate_code(e.candidate), self.task.interface).space
                    if space:
                        self._behaviours.tune(found[e.key], space)
            self._behaviours.marked(entries, found)
            scores = {e.key: above.get(e.id, ()) for e in rows}
            self._remember(g, entries, repaired(entries, origins), scores)
        self.looks += [look_as_new(look, keys) for look in looks]
        for promotion in promotions:
            self.champion = members[keys[promotion.entry]]

    def _stored(self, entries: Sequence[EntryRecord]) -> list[Member]:
        """The members of integrated entries that were scored in full, from the ledger: read, not checked again."""
        if not entries:
            return []
        texts = self.ledger.candidates([e.candidate for e in entries if e.candidate is not None])
        found = self.evaluation.found(texts, self.task.instances("search"))
        members = [member_of(self.task, as_new(e), texts[h], found[h]) for e in entries if (h := e.candidate)]
        return [m for m in members if m is not None]

    def _remember(
        self,
        g: int,
        entries: Sequence[NewEntry],
        repaired: Sequence[EntryKey],
        parents: Mapping[EntryKey, Sequence[float]],
    ) -> None:
        """Take batch ``g`` into the state; ``parents`` are the scores of each entry's."""
        worse = self._novelty.remember(g, entries, parents)
        self._memory.remember(g, entries, repaired, worse)
        self._slots.learn(g)
        self._snapshots[g] = self._archive.snapshot()
        self._snapshots.pop(g - 3, None)
        self.done = g
        for k in self.batch(g - 1):
            self._known.forget(k)
            self._slot_memo.pop(k, None)
            self._evaluated_memo.pop(k, None)
            self._tuned_memo.pop(k, None)
        self._allowed.pop(g - 2, None)

    def _mark(
        self, entries: list[NewEntry], members: Sequence[Member], tuned: Sequence[int]
    ) -> list[NewEntry]:
        """The entries with marks for behaviours that were there before; what was tuned is noted."""
        found = {m.key: m.behaviour for m in members}
        for entry in entries:
            evaluated = self._evaluated_memo.get(entry.k) if entry.outcome == "stopped" else None
            if evaluated is not None and entry.kind == "own" and entry.duplicate_of is None:
                found[entry.key] = evaluated.behaviour
        for k in tuned:
            candidate, behaviour = self.slot(k).candidate, found.get(EntryKey(k, "own"))
            if candidate is not None and candidate.space and behaviour is not None:
                self._behaviours.tune(behaviour, candidate.space)
        return self._behaviours.marked(entries, found)

    def _confirm(self, members: list[Member]) -> dict[EntryKey, str]:
        """Members that would enter the archive, run again; those that differ, with the difference."""
        quarantined: dict[EntryKey, str] = {}
        for member in members:
            if self._archive.would_enter(member):
                difference = self.evaluation.confirm(check(member.code, self.task.interface))
                if difference is not None:
                    quarantined[member.key] = difference
        return quarantined

    def _look(self, members: list[Member]) -> tuple[Member, NewLook] | None:
        if not members:
            return None
        best = min(members, key=lambda m: (m.score if self.task.direction == "minimize" else -m.score, m.key))
        if not self.gate.worth_a_look(best, self.champion):
            return None
        sides = [check(m.code, self.task.interface) for m in (best, self.champion)]
        result = self.gate.look(len(self.looks) + 1, sides[0], sides[1])
        self._looked[best.key] = best.hash
        self.looks.append(result.row(best.key, self.champion.key))
        return best, self.looks[-1]

    @contextmanager
    def _doing(self, what: str) -> Iterator[None]:
        with self._lock:
            self._busy[what] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[what] -= 1
            self._changed()

    # -- snapshots ----------------------------------------------------------------------------------------------------

    def _snapshot(self, g: int) -> Snapshot:
        return self._snapshots[max(g, -2)]

    @property
    def newest(self) -> Snapshot:
        return self._snapshots[self.done]

    def _view(self, g: int) -> View:
        """What batch g+2 may know; made once for its slots."""
        if self._views[0] != g:
            self._views = (g, self._make_view(g))
        return self._views[1]

    def _make_view(self, g: int) -> View:
        memory = self._memory
        known, rejected, broken = memory.known(g), memory.rejected(g), memory.broken(g)
        return View(self._snapshot(g), known, rejected, broken, memory.notes(g), self._slots.models(g))
