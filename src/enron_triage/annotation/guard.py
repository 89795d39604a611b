"""Access control for the page: only the browser that was given its address, no other program or site.

Every request has to name this machine (``Host``, against DNS rebinding), come from the page itself (``Origin`` and
``Sec-Fetch-Site``, against other sites that the browser has open) and hold the token of this run. The token comes with
the address once and then with a cookie. Every answer says what the browser may do with it: the OWASP HTTP Headers
Cheat Sheet, with a Content-Security-Policy (W3C, Level 3) that allows this page's own files and nothing else.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-robots-tag": "noindex",
}
_READING = ("GET", "HEAD")


class Guard:
    """An ASGI application before another: it refuses what may not come in, and adds the headers.

    Parameters
    ----------
    app : ASGIApp
        The application behind it.
    port : int
        Where it listens, on 127.0.0.1.
    token : str
        The secret of this run.
    """

    def __init__(self, app: ASGIApp, port: int, token: str) -> None:
        self._app = app
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}
        if port == 80:
            self._hosts |= {"127.0.0.1", "localhost"}
        self._origins = {f"http://{host}" for host in self._hosts}
        self._token = token
        self._cookie = f"triage_annotate_{port}"  # cookies do not tell ports apart

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return  # no other protocol is spoken
        headers = Headers(scope=scope)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        refusal = self._refusal(scope, headers) or self._wrong_token(HTTPConnection(scope).cookies, given)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    added[name] = value
                if given and not refusal:
                    added["set-cookie"] = f"{self._cookie}={self._token}; HttpOnly; SameSite=Strict; Path=/"
            await send(message)

        answer = PlainTextResponse(refusal, status_code=403) if refusal else self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        """Why a request is not this page's; empty if it may be."""
        if headers.getlist("host") not in [[host] for host in self._hosts]:
            return "Refused: open the page under the address that `triage annotate` printed."
        origin = headers.get("origin")
        if origin is not None and origin not in self._origins:
            return "Refused: another site sent this."
        if origin is None and scope["method"] not in _READING:
            return "Refused: the page itself has to send this (no Origin)."
        is_own = headers.get("sec-fetch-site", "none") in ("none", "same-origin")
        if not is_own and scope["path"] != "/":  # a link to the page may be followed, and needs the token
            return "Refused: another site asked for this."
        return ""

    def _wrong_token(self, cookies: dict[str, str], given: list[str]) -> str:
        tokens = given or [value for name, value in cookies.items() if name == self._cookie]
        if not tokens or not all(hmac.compare_digest(token.encode(), self._token.encode()) for token in tokens):
            return "Refused: the token is not that of this run; open the address that `triage annotate` printed last."
        return ""
