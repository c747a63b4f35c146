"""What travels through the simulated operator, and who may take part. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol, TypeVar

from drivers.base import Encoding
from drivers.codec.segment import decode_payload
from drivers.codec.udh import decode_udh
from drivers.errors import DecodeError

if TYPE_CHECKING:
    from drivers.base import Concat, ReceiptState

T = TypeVar("T")


class RefusalCause(IntEnum):
    """Why the network does not take a message (3GPP TS 24.011 annex E-2).

    A SIM sees the same numbers in ``+CMS ERROR``.
    """

    UNASSIGNED_NUMBER = 1
    OPERATOR_BARRING = 8
    NETWORK_OUT_OF_ORDER = 38
    CONGESTION = 42


class NetworkRefusal(Exception):
    """The network did not take a message.

    Args:
        code: why.
    """

    def __init__(self, code: RefusalCause) -> None:
        super().__init__(f"network refused: cause {code}")
        self.code = code


class NotNow(Exception):
    """An endpoint can't take a message or receipt now; it calls `Network.retry` when it can."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkMessage:
    """One segment as the network carries it.

    Args:
        sender: number of the SIM or handset, or the source address of an ESME.
        recipient: as the submitter spelled it.
        encoding: of ``payload``, see `Encoding`.
        payload: without the user data header.
        udh: user data header with its leading length octet; empty for none.
        flash: message class 0.
        for_sim: message class 2.
        report: the submitter wants a receipt.
        via: name of the SIM, bind or handset it entered by.
        at: when the network took it: the service centre's timestamp.
    """

    sender: str
    recipient: str
    encoding: Encoding
    payload: bytes
    udh: bytes = b""
    flash: bool = False
    for_sim: bool = False
    report: bool = False
    via: str = ""
    at: datetime = field(default_factory=_now)

    @property
    def text(self) -> str:
        """What a person would read in this segment; binary content as hex."""
        return read_parts((self,))

    @property
    def concat(self) -> Concat | None:
        """Place of this segment in a concatenated message; None when it stands alone."""
        if not self.udh:
            return None
        try:
            return decode_udh(self.udh).concat
        except DecodeError:
            return None


def read_parts(parts: tuple[NetworkMessage, ...]) -> str:
    """The text of parts in their order, or hex when they are binary.

    Joined before they are decoded, so that a surrogate pair cut by a careless sender is whole again.
    """
    payload = b"".join(part.payload for part in parts)
    encoding = parts[0].encoding
    return payload.hex() if encoding is Encoding.BINARY else decode_payload(encoding, payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkReceipt:
    """What became of one segment.

    Args:
        reference: what `Network.submit` returned for it.
        message: the segment itself.
        state: DELIVERED or UNDELIVERABLE.
        done_at: when that was decided.
    """

    reference: str
    message: NetworkMessage
    state: ReceiptState
    done_at: datetime = field(default_factory=_now)


class Endpoint(Protocol):
    """A device or account that the network hands things to. Calls start in order and may overlap."""

    async def deliver(self, message: NetworkMessage) -> None:
        """Take one inbound segment; raise `NotNow` to leave it in the network."""
        ...

    async def report(self, receipt: NetworkReceipt) -> None:
        """Take the receipt of an own submit; raise `NotNow` to leave it in the network."""
        ...


def keep_newest(entries: list[T], keep: int | None) -> None:
    """Cut a list that only grows, now and then, so that between ``keep`` and twice as many entries stay."""
    if keep is not None and len(entries) >= 2 * keep:
        del entries[:-keep]
