"""How a carrier is reached and logged in to: the settings, and the same for the driver."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from typing import Annotated, Literal

from drivers.smpp.client.config import Peer
from gateway.settings.forms import (
    BadValue,
    File,
    Filled,
    Flag,
    Form,
    list_of,
    one_of,
    parse_filled,
    parse_listen,
    short_text,
    whole_number,
)
from gateway.settings.kinds.carrier_rules import CarrierRules

_NO_PARAMETERS = (
    "needs optional parameters, which SMPP 3.3 has not; leave it out or write another interface_version"
)


def _parse_host(value: object) -> str:
    text = parse_filled(value)
    try:
        parse_listen(text if ":" in text else f"{text}:1")
    except BadValue:
        raise BadValue(
            f'{text!r} is no host; write its name, with a port if it is another: "smsc2.example.com:2776"'
        ) from None
    return text


class CarrierLink(CarrierRules, frozen=True, kw_only=True):
    """The part of ``[[smpp]]`` that is about the connection and the login.

    Args:
        spare_hosts: tried in order when the host can't be reached or does not bind us.
        account: binds with the same account hear of each other's receipts; default: same host and system_id.
        interface_version: of SMPP: 3.3, 3.4 or 5.0.
        address_range: the numbers whose messages a receiver asks for, as agreed with the carrier.
        address_range_ton: the type of these numbers.
        address_range_npi: the numbering plan of these numbers.
        tls: speak TLS; the SMSC's certificate is verified.
        tls_ca: certificates that are trusted, in PEM, instead of the system's.
        tls_cert: our own certificate, in PEM, where the carrier asks for one.
        tls_key: the private key of tls_cert.
        tls_name: the name in the SMSC's certificate, when it is not the host's.
        tls_verify: false trusts any certificate; anybody on the way can then read and change everything.
    """

    spare_hosts: Annotated[tuple[str, ...], Form(list_of(_parse_host))] = ()
    account: Filled | None = None
    interface_version: Annotated[Literal["3.3", "3.4", "5.0"], Form(one_of("3.3", "3.4", "5.0"))] = "3.4"
    address_range: Annotated[str, Form(short_text(40))] = ""
    address_range_ton: Annotated[int, Form(whole_number(0, 255))] = 0
    address_range_npi: Annotated[int, Form(whole_number(0, 255))] = 0
    tls: Flag = False
    tls_ca: File | None = None
    tls_cert: File | None = None
    tls_key: File | None = None
    tls_name: Filled | None = None
    tls_verify: Flag = True

    @property
    def takes_parameters(self) -> bool:
        """Whether optional parameters can be sent: SMPP 3.3 has none."""
        return self.interface_version != "3.3"

    def faults(self) -> Iterator[tuple[str, str]]:
        """What belongs to TLS needs TLS; SMPP 3.3 has no parameters."""
        for key in ("tls_ca", "tls_cert", "tls_key", "tls_name"):
            if getattr(self, key) is not None and not self.tls:
                yield key, "needs tls = true"
        if (self.tls_cert is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_cert"
            yield missing, "is missing; certificate and key come together"
        if not self.takes_parameters:
            if self.long_text == "sar":
                yield "long_text", _NO_PARAMETERS
            if self.message_payload:
                yield "message_payload", _NO_PARAMETERS
            if self.smpp_tlvs:
                yield "smpp_tlvs", _NO_PARAMETERS


def make_spare_peers(link: CarrierLink, port: int) -> tuple[Peer, ...]:
    """Where else to connect; a host without a port has that of the first."""
    peers = []
    for host in link.spare_hosts:
        if ":" in host:
            peers.append(Peer(*parse_listen(host)))
        else:
            peers.append(Peer(host, port))
    return tuple(peers)


def make_client_tls(link: CarrierLink) -> ssl.SSLContext | None:
    """The context of the connection; None without TLS.

    Raises:
        ValueError: a file can't be used; the sentence says which.
    """
    if not link.tls:
        return None
    try:
        context = ssl.create_default_context(cafile=link.tls_ca)
    except (OSError, ValueError) as error:
        raise ValueError("tls_ca holds no certificate in PEM") from error
    if not link.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if link.tls_cert and link.tls_key:
        try:
            context.load_cert_chain(link.tls_cert, link.tls_key, password=lambda: b"")
        except (OSError, ValueError) as error:
            raise ValueError("tls_cert can't be used with tls_key") from error
    return context
