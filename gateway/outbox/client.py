"""The HTTP client of what is called, with what it must never do: follow its environment, keep cookies, or inflate."""

from __future__ import annotations

import aiohttp

from gateway.outbox.egress import Egress


def make_session(
    egress: Egress | None, *, most_at_once: int, most_per_host: int, timeout: aiohttp.ClientTimeout
) -> aiohttp.ClientSession:
    """A client without cookies, and without proxies from the environment.

    Answers are taken as they come, for who says how many octets of one we read means those that are made of it, too.

    Args:
        egress: checks each connection; None where the operator's own config says where calls go.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=most_at_once,
            limit_per_host=most_per_host,
            socket_factory=egress.open_socket if egress is not None else None,
        ),
        timeout=timeout,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "hongyan", "Accept-Encoding": "identity"},
        auto_decompress=False,
    )
