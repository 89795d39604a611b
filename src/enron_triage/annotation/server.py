"""The server of the page: this machine only, a few requests, JSON."""

from __future__ import annotations

import contextlib
import logging
import secrets
import socket
from collections.abc import Callable
from importlib import resources
from typing import TypeVar

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from enron_triage.annotation.exchange import Answer
from enron_triage.annotation.guard import Guard
from enron_triage.annotation.messages import Key
from enron_triage.annotation.session import RefusedError, Session
from enron_triage.errors import TriageError, UsageError, cause_of

logger = logging.getLogger(__name__)

HOST = "127.0.0.1"
_MOST_BYTES = 64 * 1024  # of a request
_FILES = {
    "/": ("index.html", "text/html"),
    "/annotate.js": ("annotate.js", "text/javascript"),
    "/annotate.css": ("annotate.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}

Request_ = TypeVar("Request_")


class _ByPerson(msgspec.Struct, forbid_unknown_fields=True):
    annotator: str


class _ByMessage(_ByPerson, forbid_unknown_fields=True):
    user: str
    fingerprint: str


class _Setup(msgspec.Struct):
    kind: str
    annotator: str
    known: list[str]


def application(session: Session, port: int, token: str) -> Guard:
    """The page as an ASGI application.

    Parameters
    ----------
    session : Session
        What it shows.
    port : int
        Where it listens, for the check of addresses.
    token : str
        The secret of this run.
    """

    async def setup(request: Request) -> Response:
        settings = session.settings
        return _json(_Setup(settings.kind, settings.annotator, session.annotators()))

    actions = {
        "/api/state": _answering(_ByPerson, lambda given: session.state(given.annotator)),
        "/api/context": _answering(
            _ByMessage, lambda given: session.context(given.annotator, Key(given.user, given.fingerprint))
        ),
        "/api/judge": _answering(Answer, session.judge),
        "/api/undo": _answering(_ByPerson, lambda given: session.undo(given.annotator)),
    }
    routes = [Route(path, _file(*file)) for path, file in _FILES.items()]
    routes.append(Route("/api/setup", setup))
    routes += [Route(path, action, methods=["POST"]) for path, action in actions.items()]
    return Guard(Starlette(routes=routes), port, token)


def listen(port: int) -> socket.socket:
    """A socket that listens on this machine alone.

    Parameters
    ----------
    port : int
        The port; 0 takes any that is free.

    Raises
    ------
    UsageError
        If the port is taken, or may not be used.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # or the port would be taken after a kill
        listener.bind((HOST, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UsageError(f"--port {port}: {cause_of(error)}; choose another one, or 0 for any free port") from None
    return listener


def serve(session: Session, listener: socket.socket, announce: Callable[[str], None]) -> None:
    """Serve the page until the process is interrupted.

    Parameters
    ----------
    session : Session
        What the page shows.
    listener : socket
        Where it listens.
    announce : callable
        Gets the address, with the token of this run.
    """
    port, token = listener.getsockname()[1], secrets.token_urlsafe(32)
    server = uvicorn.Server(
        uvicorn.Config(
            application(session, port, token),
            access_log=False,  # addresses hold the token
            log_config=None,
            lifespan="off",
            ws="none",
            http="h11",
            loop="asyncio",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )
    announce(f"http://{HOST}:{port}/?token={token}")
    with listener, contextlib.suppress(KeyboardInterrupt):  # the usual end, on which uvicorn has closed all by then
        server.run(sockets=[listener])


def _answering(schema: type[Request_], work: Callable[[Request_], msgspec.Struct]) -> Callable[[Request], object]:
    """What answers requests of a kind; the work is done in a thread, as it waits for the disk."""
    decode = msgspec.json.Decoder(schema).decode

    async def answer(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise HTTPException(415, "send JSON")
        try:
            given = decode(await _body(request))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _problem(400, f"Not a request of this page ({error}).")
        try:
            return _json(await run_in_threadpool(work, given))
        except RefusedError as error:
            return _problem(422, str(error))
        except TriageError as error:
            logger.warning("%s", error)
            return _problem(500, str(error))

    return answer


async def _body(request: Request) -> bytes:
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, "too large")
    return body


def _file(name: str, media_type: str) -> Callable[[Request], object]:
    content = (resources.files("enron_triage.annotation") / "static" / name).read_bytes()

    async def send_file(request: Request) -> Response:
        return Response(content, media_type=media_type)

    return send_file


def _json(value: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


class _Problem(msgspec.Struct):
    problem: str


def _problem(status: int, problem: str) -> Response:
    return Response(msgspec.json.encode(_Problem(problem)), status_code=status, media_type="application/json")
