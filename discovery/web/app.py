"""The application: its routes, its files, its failures."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from db.errors import LedgerError
from discovery.errors import DiscoverError
from discovery.sandbox.base import SandboxUnavailable
from discovery.web import data, events, exporting, pages
from discovery.web.guard import Guard
from discovery.web.site import HERE, Site
from evaluators.task import TaskError


def application(site: Site, host: str = "127.0.0.1") -> Guard:
    """The pages as an ASGI application, answering under ``host``, addresses and ``localhost``."""
    made = Starlette(
        routes=[
            *pages.routes(site),
            *events.routes(site),
            *data.routes(site),
            *exporting.routes(site),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers=dict.fromkeys(
            (HTTPException, LedgerError, DiscoverError, TaskError, SandboxUnavailable, Exception), site.failed
        ),
    )
    # Outermost, so that the page of a defect keeps the policy too.
    return Guard(made, host)
