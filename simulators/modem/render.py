"""Messages as a stick prints them, in PDU mode and in text mode. Pure.

Everywhere ``settings`` are the stick's and ``centre`` is the address of its service centre.

Spec: 3GPP TS 27.005 3.1, 3.4 (text mode parameters and result codes), 4.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from drivers.base import Encoding
from drivers.codec.address import encode_sca
from drivers.codec.dcs import encode_dcs
from drivers.codec.segment import decode_payload
from drivers.codec.tpdu import decode_deliver, decode_status_report, decode_submit
from simulators.modem.sim_card import SlotStatus
from simulators.modem.tpdus import OPERATOR_ZONE

if TYPE_CHECKING:
    from datetime import datetime

    from simulators.modem.settings import Settings
    from simulators.modem.sim_card import StoredMessage

STATUS_NAMES = {
    SlotStatus.REC_UNREAD: "REC UNREAD",
    SlotStatus.REC_READ: "REC READ",
    SlotStatus.STO_UNSENT: "STO UNSENT",
    SlotStatus.STO_SENT: "STO SENT",
}
_MTI_STATUS_REPORT = 0b10


def format_inbound(settings: Settings, centre: str, tpdu: bytes) -> list[str]:
    """The ``+CMT`` that hands a message over."""
    if not settings.text_mode:
        return [f"+CMT: ,{len(tpdu)}", _pdu(centre, tpdu)]
    head, text = _deliver_text(settings, centre, tpdu)
    return [f"+CMT: {head}", text]


def format_report(settings: Settings, centre: str, tpdu: bytes) -> list[str]:
    """The ``+CDS`` that hands a status report over."""
    if not settings.text_mode:
        return [f"+CDS: {len(tpdu)}", _pdu(centre, tpdu)]
    return [f"+CDS: {_report_text(settings, tpdu)}"]


def format_listed(settings: Settings, centre: str, index: int, stored: StoredMessage) -> list[str]:
    """One entry of AT+CMGL."""
    if not settings.text_mode:
        return [f"+CMGL: {index},{stored.status.value},,{len(stored.tpdu)}", _pdu(centre, stored.tpdu)]
    return _stored_text(settings, centre, f"+CMGL: {index},", stored)


def format_read(settings: Settings, centre: str, stored: StoredMessage) -> list[str]:
    """The answer to AT+CMGR."""
    if not settings.text_mode:
        return [f"+CMGR: {stored.status.value},,{len(stored.tpdu)}", _pdu(centre, stored.tpdu)]
    return _stored_text(settings, centre, "+CMGR: ", stored)


def format_string(settings: Settings, text: str) -> str:
    """A quoted string in the charset of AT+CSCS."""
    return f'"{_in_ucs2(text) if settings.charset == "UCS2" else text}"'


def address_type(number: str) -> int:
    """Type-of-address octet in decimal: 145 international, 129 unknown, 208 alphanumeric."""
    if number.startswith("+"):
        return 145
    return 129 if all(char in "0123456789*#" for char in number) else 208


def _pdu(centre: str, tpdu: bytes) -> str:
    return (encode_sca(centre) + tpdu).hex().upper()


def _stored_text(settings: Settings, centre: str, prefix: str, stored: StoredMessage) -> list[str]:
    status = f'"{STATUS_NAMES[stored.status]}"'
    if stored.status in (SlotStatus.STO_UNSENT, SlotStatus.STO_SENT):
        submit = decode_submit(stored.tpdu)
        number = format_string(settings, submit.tp_da)
        return [f"{prefix}{status},{number},", _text(settings, submit.encoding, submit.payload)]
    if stored.tpdu[0] & 0b11 == _MTI_STATUS_REPORT:
        return [f"{prefix}{status},{_report_text(settings, stored.tpdu)}"]
    head, text = _deliver_text(settings, centre, stored.tpdu)
    return [f"{prefix}{status},{head}", text]


def _deliver_text(settings: Settings, centre: str, tpdu: bytes) -> tuple[str, str]:
    deliver = decode_deliver(tpdu)
    head = f'{format_string(settings, deliver.tp_oa)},,"{_scts(deliver.tp_scts)}"'
    text = _text(settings, deliver.encoding, deliver.payload)
    if settings.csdh:
        dcs = encode_dcs(deliver.encoding, flash=deliver.flash)
        head += (
            f",{address_type(deliver.tp_oa)},{tpdu[0]},{deliver.tp_pid},{dcs},"
            f"{format_string(settings, centre)},{address_type(centre)},{len(text)}"
        )
    return head, text


def _report_text(settings: Settings, tpdu: bytes) -> str:
    report = decode_status_report(tpdu)
    return (
        f"{tpdu[0]},{report.tp_mr},{format_string(settings, report.tp_ra)},{address_type(report.tp_ra)},"
        f'"{_scts(report.tp_scts)}","{_scts(report.tp_dt)}",{report.tp_st}'
    )


def _text(settings: Settings, encoding: Encoding, payload: bytes) -> str:
    if encoding is not Encoding.GSM7:
        return payload.hex().upper()
    charset = settings.charset
    if charset == "GSM":
        return payload.decode("latin-1")  # the codes themselves, one byte each
    text = decode_payload(encoding, payload)
    return _in_ucs2(text) if charset == "UCS2" else text.encode("ascii", "replace").decode("ascii")


def _in_ucs2(text: str) -> str:
    return text.encode("utf-16-be").hex().upper()


def _scts(at: datetime | None) -> str:
    if at is None:
        return ""
    local = at.astimezone(OPERATOR_ZONE)
    quarters = OPERATOR_ZONE.utcoffset(None) // timedelta(minutes=15)
    return f"{local:%y/%m/%d,%H:%M:%S}{quarters:+03d}"
