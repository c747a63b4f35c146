"""The settings of ``[http]``: who may connect to us."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import msgspec

from gateway.settings.forms import Address, Duration, File, Form, Listen, whole_number

_MOST_CONNECTIONS = 100_000


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[http]``: the API.

    Args:
        listen: address and port of the API; port 0 takes a free one.
        tls_cert: certificate chain in PEM; makes it HTTPS, together with ``tls_key``.
        tls_key: the certificate's private key in PEM.
        max_connections: how many may be open at once. For one more, the one that keeps us waiting longest is closed.
        max_connections_per_address: how many of those one address may have; of IPv6, one network of 64 bits.
        header_timeout_s: how long the head of a request may take to come.
        body_timeout_s: how long a body may take to come; one second more for each 32 KiB.
        max_streams_per_key: how many event streams one API key may have open.
    """

    listen: Address = Listen("127.0.0.1", 8080)
    tls_cert: File | None = None
    tls_key: File | None = None
    max_connections: Annotated[int, Form(whole_number(10, _MOST_CONNECTIONS))] = 1_000
    max_connections_per_address: Annotated[int, Form(whole_number(1, _MOST_CONNECTIONS))] = 200
    header_timeout_s: Duration = msgspec.field(default=10.0, name="header_timeout")
    body_timeout_s: Duration = msgspec.field(default=30.0, name="body_timeout")
    max_streams_per_key: Annotated[int, Form(whole_number(1, 200))] = 20

    def faults(self) -> Iterator[tuple[str, str]]:
        """A certificate and its key come together."""
        if self.tls_cert and not self.tls_key:
            yield "tls_key", "is missing; write the private key that belongs to tls_cert"
        if self.tls_key and not self.tls_cert:
            yield "tls_cert", "is missing; write the certificate that belongs to tls_key"
