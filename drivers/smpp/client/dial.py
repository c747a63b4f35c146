"""Opening a connection to an SMSC: names, both address families, TLS, and a path that is watched."""

from __future__ import annotations

import asyncio
import errno
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
    peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            transport, connection = await loop.create_connection(
                factory, host, port, ssl=tls, server_hostname=tls_name if tls is not None else None
            )
    except TimeoutError:
        raise WireTimeout(f"connect to {peer}", timeout_s) from None
    except (OSError, UnicodeError) as error:
        raise WireLost(f"connect to {peer}: {_reason(error, tls=tls is not None)}", by_peer=True) from error
    _keep_alive(transport)
    return connection


_CAUSES: Final = {
    errno.ECONNREFUSED: "connection refused: nothing listens there; check host and port, or ask the carrier",
    errno.ENETUNREACH: "there is no way to that network; check this machine's network, routes and VPN",
    errno.EHOSTUNREACH: "there is no way to that host; check this machine's network, routes and VPN",
    errno.ETIMEDOUT: "no answer; a firewall may be between, or the carrier does not know this machine's address",
    errno.ECONNRESET: "the peer closed the connection at once; it may not know this machine's address",
}
_NO_TLS: Final = "the peer does not speak TLS on this port; write its TLS port, or tls = false"


def _reason(error: OSError | UnicodeError, *, tls: bool) -> str:
    """The cause and what to do, in words."""
    match error:
        case UnicodeError():
            return "that can be no host's name; correct host"
        case ssl.SSLCertVerificationError():
            return (
                f"the certificate can't be trusted: {error.verify_message}; "
                "tls_ca names who is trusted, tls_name the name in the certificate"
            )
        case ssl.SSLError(
            reason="WRONG_VERSION_NUMBER" | "UNEXPECTED_EOF_WHILE_READING" | "RECORD_LAYER_FAILURE"
        ):
            return _NO_TLS
        case ssl.SSLError():
            return f"TLS failed: {(error.reason or 'unknown').lower().replace('_', ' ')}"
        case ConnectionError() if tls and error.errno != errno.ECONNREFUSED:
            return f"the peer closed the connection during the TLS handshake; {_NO_TLS}"
        case socket.gaierror():
            return "no address is known for that host; check its spelling, and this machine's DNS"
        case _:
            return _CAUSES.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__


def _keep_alive(transport: asyncio.BaseTransport) -> None:
    """Have the kernel notice a path that is dead, also where no enquire_link is sent."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):  # not every platform has them
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
