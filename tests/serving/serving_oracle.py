"""A slow, obvious engine: every iteration by itself, every call counted one by one, every block a list entry.

It shares no code with the simulator but the requests and the decisions of the policy that it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import Costs
from evaluators.serving.core.energy import Work


@dataclass
class Job:
    request: Request
    need: int
    have: int = 0
    made: int = 0
    place: str = "queue"
    tokens: list[int] = field(default_factory=list)
    admitted: int = -1
    began: int = -1
    lost: int = 0


@dataclass
class Moment:
    """What the oracle's policy sees: lists of jobs."""

    now: int
    started: list[Job]
    waiting: list[Job]
    decoding: list[Job]
    free: int
    places: int
    budget: int


Policy = Callable[[Moment], tuple[list[tuple[int, int]], list[int]]]


def iteration_time(costs: Costs, decodes: list[Job], chunks: list[tuple[Job, int]]) -> int:
    tokens = len(decodes) + sum(n for _, n in chunks)
    table = costs.tokens
    time = (
        table[tokens]
        if tokens < len(table)
        else table[-1] + (tokens - len(table) + 1) * (table[-1] - table[-2])
    )
    attention, halves = 0, 0
    if chunks:
        fixed, chunk, token, pair, context = costs.prefill
        attention = fixed
        for job, n in chunks:
            attention += chunk + n * token + job.have * context
            halves += n * (2 * job.have + n) * pair
        attention += halves // 2
        if decodes:
            each, read, spread, crowd, start, serial = costs.mixed
            kv = sum(job.have + 1 for job in decodes)
            attention += sum(
                each + spread * max(n for _, n in chunks) + read * (job.have + 1) for job in decodes
            )
            attention += crowd * max(0, kv - start)
            attention = max(attention, fixed + serial * kv // len(decodes))
    else:
        fixed, each, read = costs.decode
        attention = fixed + sum(each + read * (job.have + 1) for job in decodes)
    return time + attention + costs.engine[0] + (len(decodes) + len(chunks)) * costs.engine[1]


def serve(
    costs: Costs, requests: tuple[Request, ...], policy: Policy, *, blocks: int, block: int, cap: int, budget: int,
    poll: int, until: int,
) -> tuple[list[Job], list[tuple[int, int, int]], Work]:  # fmt: skip
    """The jobs, with the moment of every token, the iterations as (start, end, decoding jobs), and what they did."""

    def held(job: Job) -> int:
        return -(-job.have // block)

    jobs = [Job(r, r.prompt) for r in requests]
    fit = [j for j in jobs if j.request.prompt + j.request.output <= blocks * block]
    started: list[Job] = []
    waiting: list[Job] = []
    decoding: list[Job] = []
    log, order, now, coming = [], 0, 0, list(fit)
    work = Work(0, 0, 0, 0, 0, 0)
    while coming or started or waiting or decoding:
        if now > requests[-1].arrival + until:
            break
        while coming and coming[0].request.arrival <= now:
            waiting.append(coming.pop(0))
        if not (started or waiting or decoding):
            now = coming[0].request.arrival
            continue

        def free() -> int:
            return blocks - sum(map(held, started + decoding))

        def growing() -> int:
            return sum(j.have % block == 0 for j in decoding)

        chunks: list[tuple[Job, int]] = []
        if started or waiting or growing() > free():
            seen = Moment(
                now, list(started), list(waiting), list(decoding), free() - growing(),
                cap - len(started) - len(decoding), budget - len(decoding),
            )  # fmt: skip
            parts, gone = policy(seen)
            queue = started + waiting
            chunks = [(queue[place], n) for place, n in parts]
            for job in [(decoding + started)[place] for place in gone]:
                (decoding if job in decoding else started).remove(job)
                job.need, job.have, job.place = job.request.prompt + job.made, 0, "queue"
                job.lost += 1
                waiting.insert(0, job)

        def wanted(parts: list[tuple[Job, int]]) -> int:
            return growing() + sum(-(-(j.have + n) // block) - held(j) for j, n in parts)

        while decoding and wanted(chunks) > free():
            if chunks:
                chunks.pop()
                continue
            victim = started[-1] if started else max(decoding, key=lambda j: (j.admitted, jobs.index(j)))
            (started if started else decoding).remove(victim)
            victim.need, victim.have = victim.request.prompt + victim.made, 0
            victim.lost += 1
            waiting.insert(0, victim)
        if not chunks and not decoding:
            now = min(now + poll, coming[0].request.arrival if coming else now + poll)
            continue
        for job, _ in chunks:
            if job in waiting:
                waiting.remove(job)
                started.append(job)
                job.admitted = now
        end = now + iteration_time(costs, decoding, chunks)
        if end > requests[-1].arrival + until:
            break
        log.append((now, end, len(decoding)))
        work = Work(
            work.busy + end - now, work.iterations + 1, work.computed + sum(n for _, n in chunks),
            work.decoded + len(decoding), work.read + sum(job.have + 1 for job in decoding),
            work.pairs + sum(n * (2 * job.have + n) for job, n in chunks),
        )  # fmt: skip
        now = end
        for job in list(decoding):
            job.have += 1
            job.made += 1
            job.tokens.append(now)
            if job.made == job.request.output:
                decoding.remove(job)
                job.place = "done"
        for job, n in chunks:
            job.have += n
            if job.have == job.need:
                started.remove(job)
                job.made += 1
                job.tokens.append(now)
                if job.made == job.request.output:
                    job.place = "done"
                else:
                    order += 1
                    job.began = order
                    decoding.append(job)
    return jobs, log, work
