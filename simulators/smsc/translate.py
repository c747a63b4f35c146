"""Between SMPP's short messages and the segments that the network carries. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from drivers.base import Concat, Encoding
from drivers.codec.dcs import decode_dcs, encode_dcs
from drivers.codec.gsm7 import encode_gsm7, is_gsm7
from drivers.codec.udh import encode_concat_udh
from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import CommandStatus, Npi, Tag, Ton
from drivers.smpp.wire.fields import Tlv, find_int_tlv, find_tlv
from drivers.smpp.wire.pdus import DeliverSm
from simulators.traffic import NetworkMessage

if TYPE_CHECKING:
    from drivers.smpp.wire.pdus import SubmitSm

MAX_OCTETS: Final = 140
"""What TP-UD holds (TS 23.040 9.2.3.24), header included."""

_PLAIN_ENCODINGS: Final = {
    c.DATA_CODING_DEFAULT: Encoding.GSM7,
    c.DATA_CODING_OCTETS_2: Encoding.BINARY,
    c.DATA_CODING_OCTETS: Encoding.BINARY,
    c.DATA_CODING_UCS2: Encoding.UCS2,
}
"""This SMSC's default alphabet is GSM 7-bit, one code per octet, as on most of them."""

_CHARSETS: Final = {c.DATA_CODING_ASCII: "ascii", c.DATA_CODING_LATIN_1: "latin-1"}
_DISPLAY_SUBUNIT: Final = 1
"""``dest_addr_subunit`` of a message that is shown at once and not stored."""


class Unacceptable(Exception):
    """A submit_sm that this SMSC answers with an error.

    Args:
        command_status: the error.
    """

    def __init__(self, command_status: CommandStatus) -> None:
        super().__init__(command_status.name)
        self.command_status = command_status


def read_submit(body: SubmitSm, *, number: str, via: str) -> NetworkMessage:
    """A submit_sm as the network carries it.

    Args:
        body: of the submit_sm.
        number: the account's, for submits without a source address.
        via: the account's name.

    Raises:
        Unacceptable: no destination, an encoding we don't know, or too long for one segment.
    """
    if not body.destination_addr:
        raise Unacceptable(CommandStatus.RINVDSTADR)
    octets = body.short_message or find_tlv(body.tlvs, Tag.MESSAGE_PAYLOAD) or b""
    udh, octets = _split_udh(body, octets)
    encoding, payload, flash = _read_content(body.data_coding, octets)
    if not _fits(encoding, udh, payload):
        raise Unacceptable(CommandStatus.RINVMSGLEN)
    return NetworkMessage(
        sender=_read_address(body.source_addr_ton, body.source_addr) or number,
        recipient=_read_address(body.dest_addr_ton, body.destination_addr),
        encoding=encoding,
        payload=payload,
        udh=udh,
        flash=flash or find_int_tlv(body.tlvs, Tag.DEST_ADDR_SUBUNIT) == _DISPLAY_SUBUNIT,
        report=bool(body.registered_delivery & c.REGISTERED_FINAL),
        via=via,
    )


def write_deliver(message: NetworkMessage) -> DeliverSm:
    """A segment from the network as deliver_sm, with its user data header kept in front."""
    return address_deliver(
        message.sender,
        message.recipient,
        esm_class=c.ESM_UDHI if message.udh else 0,
        # TP-DCS and data_coding agree on 0, 4 and 8, and from 0x10 on (with a class) they are the same.
        data_coding=encode_dcs(message.encoding, flash=message.flash),
        short_message=message.udh + message.payload,
    )


def address_deliver(
    source: str,
    destination: str,
    *,
    esm_class: int,
    short_message: bytes,
    data_coding: int = c.DATA_CODING_DEFAULT,
    tlvs: tuple[Tlv, ...] = (),
) -> DeliverSm:
    """A deliver_sm between two addresses in the network's spelling."""
    source_ton, source_npi, source_addr = _write_address(source)
    dest_ton, dest_npi, destination_addr = _write_address(destination)
    return DeliverSm(
        source_addr_ton=source_ton,
        source_addr_npi=source_npi,
        source_addr=source_addr,
        dest_addr_ton=dest_ton,
        dest_addr_npi=dest_npi,
        destination_addr=destination_addr,
        esm_class=esm_class,
        data_coding=data_coding,
        short_message=short_message,
        tlvs=tlvs,
    )


def _read_address(ton: int, address: str) -> str:
    return f"+{address}" if ton == Ton.INTERNATIONAL and address.isdigit() else address


def _write_address(address: str) -> tuple[Ton, Npi, str]:
    if address.startswith("+"):
        return Ton.INTERNATIONAL, Npi.ISDN, address[1:]
    if address.isdigit():
        return Ton.UNKNOWN, Npi.ISDN, address
    return Ton.ALPHANUMERIC, Npi.UNKNOWN, address


def _split_udh(body: SubmitSm, octets: bytes) -> tuple[bytes, bytes]:
    """The user data header, whether it came as octets or as ``sar_*`` parameters, and the rest."""
    if body.esm_class & c.ESM_UDHI:
        end = octets[0] + 1 if octets else 0
        if not 0 < end <= len(octets):
            raise Unacceptable(CommandStatus.RINVMSGLEN)
        return octets[:end], octets[end:]
    total = find_int_tlv(body.tlvs, Tag.SAR_TOTAL_SEGMENTS)
    if not total or total == 1:
        return b"", octets
    reference = find_int_tlv(body.tlvs, Tag.SAR_MSG_REF_NUM) or 0
    part = find_int_tlv(body.tlvs, Tag.SAR_SEGMENT_SEQNUM) or 0
    if not 1 <= part <= total:
        raise Unacceptable(CommandStatus.RINVOPTPARAMVAL)
    return encode_concat_udh(Concat(reference=reference, total=total, part=part, width=16)), octets


def _read_content(data_coding: int, octets: bytes) -> tuple[Encoding, bytes, bool]:
    """Encoding, payload and whether it is of message class 0. Spec: SMPP 3.4 5.2.19."""
    if data_coding in _PLAIN_ENCODINGS:
        return _PLAIN_ENCODINGS[data_coding], octets, False
    if data_coding in _CHARSETS:
        text = octets.decode(_CHARSETS[data_coding], errors="replace")
        if is_gsm7(text):
            return Encoding.GSM7, encode_gsm7(text), False
        return Encoding.UCS2, text.encode("utf-16-be"), False
    if data_coding >= 0x10:
        dcs = decode_dcs(data_coding)
        return dcs.encoding, octets, dcs.flash
    raise Unacceptable(CommandStatus.RX_P_APPN)


def _fits(encoding: Encoding, udh: bytes, payload: bytes) -> bool:
    if encoding is Encoding.GSM7:
        return -(-len(udh) * 8 // 7) + len(payload) <= MAX_OCTETS * 8 // 7
    return len(udh) + len(payload) <= MAX_OCTETS
