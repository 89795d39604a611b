"""HTTP connections that do not wait forever for a server that sends its headers one byte at a time."""

from __future__ import annotations

import contextlib
import socket
import threading

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

HEADERS_WITHIN = 60.0  # seconds; a time-out of urllib3 begins again with every byte


class SlowHeadersError(Exception):
    """A server has not sent its whole headers in time."""


class _TimelyHTTPConnection(HTTPConnection):
    """A connection of urllib3, which reads the headers in `getresponse`, with the bound."""

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as the base class does
        """Read the status and the headers, as the base class does."""
        late = threading.Event()

        def hang_up() -> None:
            late.set()
            if self.sock is not None:
                with contextlib.suppress(OSError):  # it was closed meanwhile
                    # That of the class below TLS, whose own would wait for the other side.
                    socket.socket.shutdown(self.sock, socket.SHUT_RDWR)

        timer = threading.Timer(HEADERS_WITHIN, hang_up)
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
        except Exception:
            if late.is_set():
                raise SlowHeadersError(f"no whole answer within {HEADERS_WITHIN:.0f} s") from None
            raise
        finally:
            timer.cancel()
        if late.is_set():
            raise SlowHeadersError(f"no whole answer within {HEADERS_WITHIN:.0f} s")
        return response


class _TimelyHTTPSConnection(_TimelyHTTPConnection, HTTPSConnection):
    pass


class _TimelyHTTPConnectionPool(HTTPConnectionPool):
    ConnectionCls = _TimelyHTTPConnection


class _TimelyHTTPSConnectionPool(HTTPSConnectionPool):
    ConnectionCls = _TimelyHTTPSConnection


def pool_manager(timeout: urllib3.Timeout, retries: urllib3.Retry) -> urllib3.PoolManager:
    """A pool of connections whose headers must come in time.

    Parameters
    ----------
    timeout : urllib3.Timeout
        How long to wait for a connection, and for each byte.
    retries : urllib3.Retry
        What to try again.

    Returns
    -------
    urllib3.PoolManager
        Its requests raise `SlowHeadersError`, too.
    """
    pool = urllib3.PoolManager(timeout=timeout, retries=retries)
    pool.pool_classes_by_scheme = {"http": _TimelyHTTPConnectionPool, "https": _TimelyHTTPSConnectionPool}
    return pool
