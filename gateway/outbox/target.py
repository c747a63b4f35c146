"""Addresses that clients ask us to call: what is wrong with one is said when it comes, not when it is called.

What a name means is not looked up here: that is checked at each connection, by `gateway.outbox.egress`.
"""

from __future__ import annotations

import re
import socket
from typing import Final

from yarl import URL

from gateway.model.webhook import MAX_URL_CHARS
from gateway.outbox.egress import Egress, TargetRefused

_FORM: Final = re.compile(r"(?i:https?)://(?![/?#])[!-~]+")
_LOCAL: Final = "localhost"
"""Always this machine, whoever is asked (RFC 6761 section 6.3)."""


def find_url_fault(url: str, egress: Egress) -> str:
    """What is wrong with an address, and what to write; empty when it may be called. Nothing of it is quoted.

    Args:
        egress: where calls may go.
    """
    if len(url) > MAX_URL_CHARS:
        return f"is longer than {MAX_URL_CHARS} characters; write a shorter address"
    if not _FORM.fullmatch(url):
        return (
            "is no address that can be called; write http://HOST/PATH or https, in ASCII and without spaces"
        )
    read = _split(url)
    if read is None:
        return "has no host, or a port that is none; write http://HOST:PORT/PATH or https"
    host, has_user = read
    if has_user:
        return "has a user or password; leave them out, calls are signed instead"
    if "#" in url:
        return "has a part behind #, which is never sent; leave it out"
    return _find_literal_fault(host, egress)


def _split(url: str) -> tuple[str, bool] | None:
    """The host, and whether there is a user; None where there is no host that can be called."""
    try:
        read = URL(url, encoded=True)
        host, port, user = read.host, read.port, read.user or read.password
    except ValueError:
        return None
    return (host.rstrip("."), user is not None) if host and port is not None else None


def _find_literal_fault(host: str, egress: Egress) -> str:
    address = _read_literal(host)
    if address is None:
        return ""
    try:
        egress.check(address)
    except TargetRefused as refused:
        return f"leads to {refused}"
    return ""


def _read_literal(host: str) -> str | None:
    """The address that a host is, in any spelling; None for a name."""
    if ":" in host:
        return host
    if host == _LOCAL or host.endswith(f".{_LOCAL}"):
        return "127.0.0.1"
    try:
        return socket.inet_ntoa(socket.inet_aton(host))
    except (OSError, ValueError):
        return None
