"""A plain first-come-first-served engine with chunked prefill, as vLLM schedules, to compare timings with real runs.

One iteration after another, one request after another: slow and obvious. Decodes first (one token each), then running
prefills, then waiting requests, while tokens of the iteration are left and no more than ``cap`` run. The last chunk of
a prompt makes the first token.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.serving.timing import Timing


@dataclass
class Request:
    """One request; times in seconds."""

    arrival: float
    prompt: int
    output: int
    done: int = 0
    """Prompt tokens in the cache."""
    made: int = 0
    first: float = 0.0
    end: float = 0.0


def replay(requests: Sequence[Request], timing: Timing, cap: int = 128, budget: int = 2048) -> None:
    """Runs all requests (by arrival) to their end and sets ``first`` and ``end``. Memory is taken to suffice."""
    coming, waiting, running = deque(requests), deque[Request](), list[Request]()
    now = 0.0
    while coming or waiting or running:
        if not waiting and not running:
            now = max(now, coming[0].arrival)
        while coming and coming[0].arrival <= now:
            waiting.append(coming.popleft())
        left, chunks, served = budget, [], []
        decodes = [request for request in running if request.done == request.prompt]
        left -= len(decodes)
        for request in running:
            if request.done < request.prompt and left:
                served.append((request, min(left, request.prompt - request.done)))
                left -= served[-1][1]
        while waiting and left and len(running) < cap:
            request = waiting.popleft()
            running.append(request)
            served.append((request, min(left, request.prompt)))
            left -= served[-1][1]
        chunks = [(tokens, request.done) for request, tokens in served]
        now += timing.iteration(len(decodes), sum(r.prompt + r.made for r in decodes), chunks)
        for request, tokens in served:
            request.done += tokens
            if request.done == request.prompt:
                request.first = now
                decodes.append(request)
        for request in decodes:
            request.made += 1
            if request.made == request.output:
                request.end = now
        running = [request for request in running if request.made < request.output]
