"""Serves the pages on one address of this machine until it is told to end."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable

import uvicorn

from discovery.errors import EnvironmentProblem
from discovery.review import opened
from discovery.web.app import application
from discovery.web.site import Site

BUSY_TIMEOUT = 5.0
"""Seconds that a page waits for a locked ledger before it says so."""
GRACE = 2
"""Seconds that open streams get to end."""


def serve(db: str, *, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` is told the address, token included, once it can be opened.

    Raises LedgerError for a ledger that cannot be read, EnvironmentProblem for an address that cannot be bound."""
    with opened(db, readonly=True, busy_timeout=BUSY_TIMEOUT) as ledger:
        ledger.runs()  # a locked ledger is said now
        bound = listen(host, port)
        token = secrets.token_urlsafe(18)
        server: uvicorn.Server
        site = Site(ledger, db, token, stopping=lambda: server.should_exit)
        config = uvicorn.Config(
            application(site, host),
            lifespan="off",
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE,
        )
        server = uvicorn.Server(config)
        announce(address(bound, host, token))
        try:
            server.run(sockets=[bound])
        except KeyboardInterrupt:
            pass  # uvicorn has ended everything and passes the signal on
        finally:
            bound.close()


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises EnvironmentProblem."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
    except OSError as error:
        raise EnvironmentProblem(f"there is no address {host!r} on this machine: {error.strerror}") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(where)
        made.listen()
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise EnvironmentProblem(
                f"port {port} of {host} is in use; end what uses it, or name another with --port (0 = any free one)"
            ) from None
        raise EnvironmentProblem(f"port {port} of {host} cannot be used: {error.strerror}") from None
    return made


def address(bound: socket.socket, host: str, token: str) -> str:
    """The address to open. The token stands behind the ``#``, so no browser ever sends it on its own."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{bound.getsockname()[1]}/#token={token}"
