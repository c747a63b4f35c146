"""What an ESME is told about one carrier: where it is, who we are, how it wants segments."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from drivers.smpp.alphabet import PLAIN, TextPlan
from drivers.smpp.client.inbound import USUAL_RECEIPTS, ReceiptRules
from drivers.smpp.client.submit_rules import DEFAULT_RULES, SubmitRules
from drivers.smpp.text import AddressPlan
from drivers.smpp.wire.constants import INTERFACE_VERSION_33, INTERFACE_VERSION_34, INTERFACE_VERSION_50
from drivers.smpp.wire.pdus import BindReceiver, BindTransceiver, BindTransmitter
from drivers.smpp.wire.spellings import RULES

PAIR: Final = "pair"
"""A transmitter and a receiver on two connections, as one channel."""

BINDS: Final = {"transmitter": BindTransmitter, "receiver": BindReceiver, "transceiver": BindTransceiver}
KINDS: Final = (*BINDS, PAIR)
VERSIONS: Final = {"3.3": INTERFACE_VERSION_33, "3.4": INTERFACE_VERSION_34, "5.0": INTERFACE_VERSION_50}


class Peer(NamedTuple):
    """An address of the SMSC."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppConfig:
    """One channel to an SMSC.

    Args:
        name: the channel's name.
        host, port: the SMSC.
        spare_peers: tried in order when that one can't be reached or does not bind us.
        bind: one of `KINDS`.
        interface_version: one of `VERSIONS`. 3.3 has no optional parameters: rules that need them are refused
            here, and a segment that brings some is refused by the driver.
        address_range: what a receiver asks to be given, as agreed with the carrier; with its type and plan.
        window: requests that may wait for their answers at once.
        source_address: sender of segments that ask for none.
        enquire_link_s: silence of the SMSC after which it is asked whether it lives.
        response_timeout_s: after which a submit without an answer is uncertain.
        bind_timeout_s: for the connection, and again for the answer to the bind.
        stop_grace_s: what a stop gives to segments and deliveries in flight.
        backoff_s: first and longest bound of the wait before the next try.
        addresses: type of number and numbering plan by form of address.
        texts: alphabet and ``data_coding`` of texts.
        submit: the rest of what the carrier wants in a submit_sm.
        receipts: what was agreed about receipts.
        tls: wrap the connection; None for plain TCP.
        tls_name: what the SMSC's certificate must name; None for the host.
    """

    name: str
    host: str
    port: int = 2775
    spare_peers: tuple[Peer, ...] = ()
    system_id: str
    password: str = field(repr=False)
    system_type: str = ""
    bind: str = "transceiver"
    interface_version: str = "3.4"
    address_range: str = ""
    address_range_ton: int = 0
    address_range_npi: int = 0
    window: int = 10
    source_address: str = ""
    enquire_link_s: float = 30.0
    response_timeout_s: float = 60.0
    bind_timeout_s: float = 30.0
    stop_grace_s: float = 5.0
    backoff_s: tuple[float, float] = (1.0, 60.0)
    addresses: AddressPlan = field(default_factory=AddressPlan)
    texts: TextPlan = PLAIN
    submit: SubmitRules = DEFAULT_RULES
    receipts: ReceiptRules = USUAL_RECEIPTS
    tls: ssl.SSLContext | None = None
    tls_name: str | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("bind", self.bind, KINDS),
            ("interface_version", self.interface_version, tuple(VERSIONS)),
            ("receipt_id", self.receipts.receipt_id, RULES),
        ):
            if value not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}")
        if self.submit.needs_parameters and not self.takes_parameters:
            raise ValueError("submit needs optional parameters, which SMPP 3.3 has not")
        if self.window < 1:
            raise ValueError("window must be at least 1")

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Where to connect, in order."""
        return (Peer(self.host, self.port), *self.spare_peers)

    @property
    def takes_parameters(self) -> bool:
        """Whether optional parameters may be sent: SMPP 3.3 has none."""
        return VERSIONS[self.interface_version] >= INTERFACE_VERSION_34
