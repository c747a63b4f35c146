"""The text of a delivery receipt, and the spellings under which its message may be known.

The specification gives the text only as an example, so SMSCs vary it: order, case, fields left out, dates
with or without seconds. Parsing takes what is there. Hex in the response and decimal in the receipt (or
the reverse), lost zeros and changed case are all found in the field.

Spec: SMPP 3.4 appendix B; 5.3.2.12 (receipted_message_id), 5.3.2.35 (message_state).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from drivers.smpp.wire.constants import MessageState, Tag
from drivers.smpp.wire.fields import Tlv, find_int_tlv, find_text_tlv

_KEYS: Final = re.compile(r"\b(id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|err|text)\s*:", re.IGNORECASE)

_USUAL: Final = re.compile(
    rb"id:([a-z0-9-]+) sub:([a-z0-9]*) dlvrd:([a-z0-9]*) submit date:([0-9]*) done date:([0-9]*) "
    rb"stat:([a-z0-9]*) err:([a-z0-9]*) text:(.*)",
    re.IGNORECASE | re.DOTALL,
)
"""The specification's own form, which most receipts have; read in one step."""

_STATE_BY_STAT: Final = {
    "SCHEDLD": MessageState.SCHEDULED,
    "SCHEDUL": MessageState.SCHEDULED,
    "ENROUTE": MessageState.ENROUTE,
    "DELIVRD": MessageState.DELIVERED,
    "EXPIRED": MessageState.EXPIRED,
    "DELETED": MessageState.DELETED,
    "UNDELIV": MessageState.UNDELIVERABLE,
    "ACCEPTD": MessageState.ACCEPTED,
    "UNKNOWN": MessageState.UNKNOWN,
    "REJECTD": MessageState.REJECTED,
    "SKIPPED": MessageState.SKIPPED,
    # Not in any specification, and sent all the same.
    "DELIVERED": MessageState.DELIVERED,
    "ACCEPTED": MessageState.ACCEPTED,
    "REJECTED": MessageState.REJECTED,
    "UNDELIVERABLE": MessageState.UNDELIVERABLE,
    "FAILED": MessageState.UNDELIVERABLE,
}
_STAT_BY_STATE: Final = {state: stat for stat, state in reversed(_STATE_BY_STAT.items())}
_STATES: Final = frozenset(map(int, MessageState))
_HEX_PADDED: Final = 8
_DECIMAL_PADDED: Final = 10
_LONGEST_NUMBER: Final = 40
"""Digits; a longer id is a name, and has no other base."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReceipt:
    """What a receipt says; None or empty for what it leaves out.

    Args:
        message_id: as spelled in the text.
        submitted, delivered: ``sub`` and ``dlvrd``.
        submit_date, done_date: digits as spelled, in the SMSC's own time.
        stat: as spelled.
        err: as spelled; network-specific.
        text: the first octets of the message; not part of the repr.
    """

    message_id: str = ""
    submitted: str = ""
    delivered: str = ""
    submit_date: str = ""
    done_date: str = ""
    stat: str = ""
    err: str = ""
    text: str = ""

    def __repr__(self) -> str:
        return f"DeliveryReceipt(message_id={self.message_id!r}, stat={self.stat!r}, err={self.err!r})"


_BETWEEN: Final = " ,;\0\r\n"
_FIELD_BY_KEY: Final = {
    "id": "message_id",
    "sub": "submitted",
    "dlvrd": "delivered",
    "submitdate": "submit_date",
    "donedate": "done_date",
    "stat": "stat",
    "err": "err",
    "text": "text",
}


def parse_receipt(content: bytes) -> DeliveryReceipt:
    """Read the receipt text; total: what can't be found stays empty.

    Keys are found in any order and case; ``text`` takes everything to the end, keys inside it included.
    """
    usual = _USUAL.fullmatch(content)
    if usual is None:
        return parse_receipt_by_keys(content)
    message_id, submitted, delivered, submit_date, done_date, stat, err, text = usual.groups()
    return DeliveryReceipt(
        message_id=message_id.decode("ascii"),
        submitted=submitted.decode("ascii"),
        delivered=delivered.decode("ascii"),
        submit_date=submit_date.decode("ascii"),
        done_date=done_date.decode("ascii"),
        stat=stat.decode("ascii"),
        err=err.decode("ascii"),
        text=text.decode("latin-1").strip(_BETWEEN),
    )


def parse_receipt_by_keys(content: bytes) -> DeliveryReceipt:
    """The same key by key, whatever the form."""
    text = content.decode("latin-1")
    values: dict[str, str] = {}
    matches = list(_KEYS.finditer(text))
    for position, match in enumerate(matches):
        name = _FIELD_BY_KEY[re.sub(r"[ _]", "", match[1].lower())]
        is_last = name == "text" or position + 1 == len(matches)
        end = len(text) if is_last else matches[position + 1].start()
        value = text[match.end() : end].strip(_BETWEEN)
        if name == "text":
            values.setdefault(name, value)
            break
        # One word: what follows it belongs to a key that was cut off.
        values.setdefault(name, value.partition(" ")[0].rstrip(_BETWEEN))
    return DeliveryReceipt(**values)


def format_receipt(receipt: DeliveryReceipt) -> bytes:
    """The text in the form of the specification's appendix B."""
    return (
        f"id:{receipt.message_id} sub:{receipt.submitted or '001'} dlvrd:{receipt.delivered or '000'} "
        f"submit date:{receipt.submit_date} done date:{receipt.done_date} "
        f"stat:{receipt.stat} err:{receipt.err or '000'} text:{receipt.text}"
    ).encode("latin-1", "replace")


def stat_of(state: MessageState) -> str:
    """``DELIVRD`` for DELIVERED and so on. Spec: SMPP 3.4 appendix B, table B-2."""
    return _STAT_BY_STATE[state]


def state_of(receipt: DeliveryReceipt, tlvs: tuple[Tlv, ...]) -> MessageState | None:
    """The message's state: by the parameter message_state if it is there and known, else by ``stat``."""
    number = find_int_tlv(tlvs, Tag.MESSAGE_STATE)
    if number is not None and number in _STATES:
        return MessageState(number)
    return _STATE_BY_STAT.get(receipt.stat.upper())


def parse_receipt_date(digits: str, zone: tzinfo) -> datetime | None:
    """``YYMMDDhhmm`` with or without seconds, in the SMSC's zone; None when it is no date."""
    if len(digits) in {10, 12}:
        digits = f"20{digits}"
    if len(digits) not in {12, 14} or not (digits.isascii() and digits.isdecimal()):
        return None
    month, day, hour, minute = int(digits[4:6]), int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    try:
        return datetime(int(digits[:4]), month, day, hour, minute, int(digits[12:] or 0), tzinfo=zone)
    except ValueError:
        return None


def reference_candidates(receipt: DeliveryReceipt, tlvs: tuple[Tlv, ...]) -> tuple[str, ...]:
    """Spellings under which the message may be known, best first; empty when the receipt names none.

    The parameter receipted_message_id comes before the text's ``id``, both as given before any variant:
    a variant is a guess and may hit another message.
    """
    given = [find_text_tlv(tlvs, Tag.RECEIPTED_MESSAGE_ID), receipt.message_id or None]
    candidates = dict.fromkeys(spelling for spelling in given if spelling)
    for spelling in list(candidates):
        candidates.update(dict.fromkeys(_variants(spelling.strip())))
    candidates.pop("", None)
    return tuple(candidates)


def _variants(spelling: str) -> list[str]:
    stripped = spelling.lstrip("0")
    variants = [spelling, spelling.upper(), spelling.lower(), stripped, stripped.upper(), stripped.lower()]
    if len(spelling) <= _LONGEST_NUMBER and spelling.isascii() and spelling.isalnum():
        if spelling.isdecimal():
            variants += _hex_spellings(int(spelling))
        with suppress(ValueError):  # of a name, which has no other base
            variants += _decimal_spellings(int(spelling, 16))
    return variants


def _hex_spellings(number: int) -> list[str]:
    plain = f"{number:x}"
    padded = plain.zfill(_HEX_PADDED)
    return [plain, plain.upper(), padded, padded.upper()]


def _decimal_spellings(number: int) -> list[str]:
    plain = str(number)
    return [plain, plain.zfill(_DECIMAL_PADDED)]
