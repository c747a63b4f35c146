"""Opening a connection to an SMSC: names, both address families, TLS, and a path that is watched."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Final

from drivers.errors import WireLost, WireTimeout
from drivers.smpp.connection import SmppConnection

_KEEPALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


async def connect(
    factory: Callable[[], SmppConnection],
    *,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    tls_name: str | None = None,
    timeout_s: float,
) -> SmppConnection:
    """Open the connection.

    Args:
        tls_name: what the peer's certificate must name; None for ``host``.

    Raises:
        WireTimeout, WireLost: it can't be opened.

    Cancel: nothing stays open.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            transport, connection = await loop.create_connection(
                factory, host, port, ssl=tls, server_hostname=tls_name if tls is not None else None
            )
    except TimeoutError:
        raise WireTimeout("connect", timeout_s) from None
    except (OSError, UnicodeError) as error:
        raise WireLost(f"connect: {_reason(error)}", by_peer=True) from error
    _keep_alive(transport)
    return connection


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "the host's name can be none"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate can't be trusted: {error.verify_message}"
    return error.strerror or type(error).__name__


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    """Have the kernel notice a path that is dead, also where no enquire_link is sent."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):  # not every platform has them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
