"""The stream of server-sent events of a run: its face whenever that changes, until the run or the server ends.

The ledger is asked once a second whether anything changed, which costs it about a millisecond; nothing is held between
two questions, so any number of runs may write meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from db.errors import LedgerLocked
from discovery import review
from discovery.web.face import face
from discovery.web.site import Site

EVERY = 1.0
"""Seconds between two looks at the ledger."""
ALIVE = 15
"""Looks without a change after which a comment is sent, so that a browser that went away is noticed."""
ENDED = ("done", "failed")
RETRY = "retry: 2000\n\n"


def routes(site: Site) -> list[Route]:
    async def events(request: Request) -> Response:
        run: str = request.path_params["run"]
        await run_in_threadpool(review.stamp, site.ledger, run)  # an unknown run is a 404, not a stream
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(stream(site, run), media_type="text/event-stream", headers=headers)

    return [Route("/api/runs/{run}/events", events)]


async def stream(site: Site, run: str) -> AsyncIterator[str]:
    """The text of the stream. Whoever reads it may stop at any time."""
    yield RETRY
    seen, idle = "", 0
    while not site.stopping():
        try:
            stamp = await run_in_threadpool(review.stamp, site.ledger, run)
            if stamp != seen:
                made = await run_in_threadpool(review.live, site.ledger, run)
                seen, idle = made.stamp, 0
                yield f"data: {json.dumps(face(made))}\n\n"
                if made.status in ENDED:
                    yield "event: end\ndata: {}\n\n"
                    return
        except LedgerLocked:
            pass  # asked again in a second
        idle += 1
        if idle % ALIVE == 0:
            yield ": alive\n\n"
        await asyncio.sleep(EVERY)
