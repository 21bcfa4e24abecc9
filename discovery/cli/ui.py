"""``ui``: the review pages in a browser."""

from __future__ import annotations

import ipaddress
import sys
from typing import Annotated

import typer

from discovery.cli.options import Db, settings
from discovery.cli.output import note, say
from discovery.errors import EnvironmentProblem

NEEDED = ("starlette", "uvicorn")


def register(app: typer.Typer) -> None:
    app.command("ui")(ui)


def ui(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 = any free port.")] = 8765,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The address to bind; others may read what it serves.")
    ] = "127.0.0.1",
    db: Db = None,
) -> None:
    """Look at runs in a browser.

    Live runs, lineage, candidates, comparisons and leaderboards, read from the ledger. Ctrl-C ends it."""
    try:
        from discovery.web.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in NEEDED:
            raise
        raise EnvironmentProblem(
            "the review pages need the extra `ui`: pip install 'discover-heuristics[ui]'"
        ) from None
    loaded = settings({"db": db})

    def announce(url: str) -> None:
        if not local(host):
            note(f"note: whoever reaches {host} can read this ledger; only the address below lets one write")
        say(f"review pages at {url}")
        sys.stdout.flush()

    serve(loaded.settings.db, host=host, port=port, announce=announce)


def local(host: str) -> bool:
    """Whether only this machine reaches the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
