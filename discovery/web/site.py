"""What all pages share: the ledger, the templates, and how a failure becomes a page with a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from db.errors import LedgerError, LedgerLocked, LedgerUnknown
from db.ledger import Ledger
from discovery.errors import DiscoverError, NothingValid, UsageError
from discovery.sandbox.base import SandboxUnavailable
from discovery.web.shown import FILTERS, finalize
from evaluators.task import TaskError

HERE = Path(__file__).parent
SENTENCES = {
    404: "There is no such page; the list of runs has a way to all of them.",
    405: "This page cannot be asked in that way.",
}


def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(FILTERS)
    return found


@dataclass(frozen=True)
class Site:
    """``ledger`` is open to look at only; ``db`` is where it is; ``token`` allows to write; ``stopping`` says that the
    server is about to end."""

    ledger: Ledger
    db: str
    token: str
    stopping: Callable[[], bool] = lambda: False
    templates: Environment = field(default_factory=_environment)

    def page(self, template: str, data: Mapping[str, object], status: int = 200) -> HTMLResponse:
        text = self.templates.get_template(template).render(where=self.ledger.where, **data)
        return HTMLResponse(text, status)

    def failed(self, request: Request, error: Exception) -> Response:
        """The failure as a page, or as an object for a script."""
        status, sentence = told(error)
        headers = {"Retry-After": "2"} if status == 503 else None
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": sentence}, status, headers)
        made = self.page("failed.html", {"sentence": sentence, "status": status}, status)
        made.headers.update(headers or {})
        return made


def told(error: Exception) -> tuple[int, str]:
    """The status and the sentence of an error."""
    if isinstance(error, HTTPException):
        return error.status_code, SENTENCES.get(error.status_code, error.detail)
    if isinstance(error, LedgerUnknown | UsageError | TaskError):
        return 404, str(error)
    if isinstance(error, LedgerLocked):
        return 503, f"{error}; this page can be loaded again"
    if isinstance(error, NothingValid):
        return 409, str(error)
    if isinstance(error, LedgerError | DiscoverError | SandboxUnavailable):
        return 500, str(error)
    return (
        500,
        "This is a defect of discover, not a mistake of yours; the terminal that it runs in shows the details.",
    )
