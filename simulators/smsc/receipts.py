"""Delivery receipts as SMSCs write them: a line of text, and the same again as parameters. Pure.

Written apart from `drivers.smpp.wire.receipt`, which reads them, so that one mistake is not on both sides.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from drivers.base import Encoding, ReceiptState
from drivers.codec.gsm7 import encode_gsm7
from drivers.smpp.wire.constants import DATA_CODING_UCS2, ESM_TYPE_RECEIPT, MessageState, Tag
from simulators.dialects import ReceiptFacts, read_dialect, spell_id, spell_octets, spell_receipt
from simulators.smsc.translate import address_deliver

if TYPE_CHECKING:
    from drivers.smpp.wire.pdus import DeliverSm
    from simulators.traffic import NetworkReceipt

_STATES: Final = {
    ReceiptState.DELIVERED: ("DELIVRD", MessageState.DELIVERED),
    ReceiptState.ENROUTE: ("ENROUTE", MessageState.ENROUTE),
    ReceiptState.EXPIRED: ("EXPIRED", MessageState.EXPIRED),
    ReceiptState.REJECTED: ("REJECTD", MessageState.REJECTED),
    ReceiptState.UNDELIVERABLE: ("UNDELIV", MessageState.UNDELIVERABLE),
    ReceiptState.DELETED: ("DELETED", MessageState.DELETED),
    ReceiptState.UNKNOWN: ("UNKNOWN", MessageState.UNKNOWN),
}
_GSM_NETWORK: Final = 3
"""Network type in ``network_error_code`` (SMPP 3.4 5.3.2.31)."""
_ABSENT_SUBSCRIBER: Final = 27
_WITHOUT_ERROR: Final = {ReceiptState.DELIVERED, ReceiptState.ENROUTE, ReceiptState.DELETED}
_TEXT_CHARS: Final = 20


class MessageIds(StrEnum):
    """How an SMSC spells one message id in submit_sm_resp and in the receipt."""

    DECIMAL = "decimal"
    HEX = "hex"
    MIXED = "mixed"
    """Hexadecimal in the response, decimal in the receipt: the old custom that breaks matching."""

    def in_response(self, reference: str) -> str:
        """The network's reference as submit_sm_resp names it."""
        return reference if self is MessageIds.DECIMAL else f"{int(reference):x}"

    def in_receipt(self, reference: str) -> str:
        """The network's reference as the receipt names it."""
        return f"{int(reference):x}" if self is MessageIds.HEX else reference


def message_state_of(state: ReceiptState) -> MessageState:
    """The state as parameters and query_sm_resp name it. Spec: SMPP 3.4 5.2.28."""
    return _STATES[state][1]


def error_of(state: ReceiptState) -> int:
    """The network's error: that the subscriber is absent, where the segment was to be delivered and was not."""
    return 0 if state in _WITHOUT_ERROR else _ABSENT_SUBSCRIBER


def write_receipt(receipt: NetworkReceipt, message_ids: MessageIds, dialect: str = "") -> DeliverSm:
    """The deliver_sm that tells the ESME what became of its segment.

    Args:
        receipt: the facts.
        message_ids: how ids are spelled, unless the dialect says.
        dialect: words of `simulators.dialects.WORDS`, joined by ``+``.

    Raises:
        UnknownWord: nobody speaks that dialect.

    Spec: SMPP 3.4 appendix B; parameters 5.3.2.12, 5.3.2.31, 5.3.2.35.
    """
    words = read_dialect(dialect)
    message_id = spell_id(receipt.reference, words) or message_ids.in_receipt(receipt.reference)
    word, state = _STATES[receipt.state]
    error = error_of(receipt.state)
    delivered = 1 if receipt.state is ReceiptState.DELIVERED else 0
    message = receipt.message
    shown = message.text[:_TEXT_CHARS] if message.encoding is Encoding.GSM7 else ""
    text = spell_receipt(
        ReceiptFacts(message_id, message.at, receipt.done_at, word, error, delivered, shown), words
    )
    tlvs = [(Tag.RECEIPTED_MESSAGE_ID, f"{message_id}\0".encode()), (Tag.MESSAGE_STATE, bytes((state,)))]
    if error:
        tlvs.append((Tag.NETWORK_ERROR_CODE, bytes((_GSM_NETWORK, 0, error))))
    octets = spell_octets(encode_gsm7(text), words)
    if "in_payload" in words:
        tlvs.append((Tag.MESSAGE_PAYLOAD, octets))
        octets = b""
    dropped = _NAMES if "no_tlv" in words else frozenset[int]()
    handset, sender = message.recipient, message.sender
    if "masked" in words:
        handset = f"{handset[:-8].lstrip('+')}****{handset[-4:]}"
    if "unturned" in words:
        handset, sender = sender, handset
    return address_deliver(
        handset,
        sender,
        esm_class=0 if "no_label" in words else ESM_TYPE_RECEIPT,
        data_coding=DATA_CODING_UCS2 if "says_ucs2" in words else 0,
        short_message=octets,
        tlvs=tuple((tag, value) for tag, value in tlvs if tag not in dropped),
    )


_NAMES: Final = frozenset(
    {int(Tag.RECEIPTED_MESSAGE_ID), int(Tag.MESSAGE_STATE), int(Tag.NETWORK_ERROR_CODE)}
)
