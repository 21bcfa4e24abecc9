"""The one thing that a page can write: a winner as a package, for whoever holds the token.

The token comes in a header of its own, which no page of another origin can send without being asked first, and nobody
answers that question. The package goes into a folder beside the ledger.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from db.engine import address, file_of
from discovery import plugins, review
from discovery.errors import UsageError
from discovery.web.data import Ascii
from discovery.web.site import Site

FOLDER = "exports"
LONGEST = 4_096
"""Bytes of a request at most."""


def routes(site: Site) -> list[Route]:
    async def export(request: Request) -> Response:
        allow(request, site.token)
        name, licence = _asked(await _body(request))
        return Ascii(await run_in_threadpool(_exported, site.db, name, licence))

    return [Route("/api/export", export, methods=["POST"])]


def allow(request: Request, token: str) -> None:
    """Raises HTTPException unless the request carries the token and comes from our own pages."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not secrets.compare_digest(given.encode(), token.encode()):
        raise HTTPException(403, "writing needs the token: open the address that `discover ui` printed last")
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.headers.get("host"):
        raise HTTPException(403, "another page may not write here")


async def _body(request: Request) -> Mapping[str, object]:
    text = b""
    async for piece in request.stream():
        text += piece
        if len(text) > LONGEST:
            raise HTTPException(413, f"a request has at most {LONGEST} bytes")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise HTTPException(400, "the request is no JSON object")
    return found


def _asked(body: Mapping[str, object]) -> tuple[str, str | None]:
    """The run or candidate to export, and the licence."""
    name, licence = body.get("name"), body.get("licence") or None
    if not isinstance(name, str) or not (licence is None or isinstance(licence, str)):
        raise HTTPException(400, "expected {name, licence}: texts, the licence may be null")
    return name, licence


def _exported(db: str, name: str, licence: str | None) -> dict[str, object]:
    if not review.is_candidate(name):
        raise UsageError(f"{name!r} is no candidate")
    choices = plugins.naming(None, licence, None, "")
    with review.opened(db) as ledger:
        entry = review.candidate_entry(ledger, name)
        task = ledger.run(entry.run).task
        out = folder(db) / "-".join(filter(None, (task, (entry.candidate or "")[:8], choices.licence)))
        return plugins.export(ledger, entry.candidate or "", out, wheel=True, choices=choices).to_json()


def folder(db: str) -> Path:
    """Where packages go: beside the ledger's file, or below the current folder for a database elsewhere."""
    file = file_of(address(db))
    return (file.parent if file is not None else Path(".discover")) / FOLDER
