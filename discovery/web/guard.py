"""What stands before every request: whom the pages answer, and what a browser may do with them.

A page on this machine can be reached by any page that the same browser has open. So requests under a foreign host name
are refused (a name that a stranger's server points at 127.0.0.1 would make the pages its own), nothing may be framed,
and a page loads and runs nothing but the files of this package.
"""

from __future__ import annotations

import ipaddress

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses foreign host names and adds :data:`HEADERS` to every answer."""

    def __init__(self, app: ASGIApp, host: str) -> None:
        """``host`` is the name or address that the server is bound to."""
        self._app, self._host = app, host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no other protocol is spoken here

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        asked = Headers(scope=scope).get("host", "")
        if not self._ours(name_of(asked)):
            refusal = "this address is not served here; open the one that `discover ui` printed\n"
            await PlainTextResponse(refusal, 421)(scope, receive, answer)
            return
        await self._app(scope, receive, answer)

    def _ours(self, name: str) -> bool:
        return name in ("localhost", self._host) or _is_address(name)


def name_of(host: str) -> str:
    """The name in a Host header, without its port and the brackets of an IPv6 address."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") and ":" in host else host
    return name.strip("[]").lower()


def _is_address(name: str) -> bool:
    """An address can be no stranger's name."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
