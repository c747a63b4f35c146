"""The text of a delivery receipt.

The specification gives the text only as an example, so SMSCs vary it: order, case, fields left out or added,
separators, dates with or without seconds, and one great carrier has no keys at all. Parsing takes what is there;
``tests/vectors/receipts.toml`` has the bodies it was made for. The spellings of message ids are in
`drivers.smpp.wire.spellings`.

Spec: SMPP 3.4 appendix B; 5.3.2.35 (message_state).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

from drivers.smpp.wire.constants import MessageState, Tag
from drivers.smpp.wire.fields import Tlv, find_int_tlv

_KEYS: Final = re.compile(
    r"\b(id|msgid|message[ _]?id|sub|dlvrd|submit[ _]?date|done[ _]?date|stat|status|state|err|error|text|txt)"
    r"\s*[:=]",
    re.IGNORECASE,
)

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
    "DELIVERD": MessageState.DELIVERED,
    "FAILED": MessageState.UNDELIVERABLE,
    "UNDELIVERED": MessageState.UNDELIVERABLE,
    "BUFFERED": MessageState.ENROUTE,
    "BUFFRED": MessageState.ENROUTE,
    "CANCELED": MessageState.DELETED,
}
_STAT_BY_STATE: Final = {state: stat for stat, state in reversed(_STATE_BY_STAT.items())}
_STATES: Final = frozenset(map(int, MessageState))
_BARE_STATE: Final = re.compile(rf"\b({'|'.join(sorted(_STATE_BY_STAT, key=len, reverse=True))})\b")
"""A state that stands alone, its key left out; in capitals, as words of the text may be any."""

_COMMAS: Final = re.compile(
    r"(?P<status>\d\d),(?P<done>\d{10,14}),(?P<accepted>\d{10,14}),(?P<err>[^,]*),[^,]*,[^,]*,(?P<id>[^,\s]+)\s*"
)
"""A carrier's own form: status, its time, time of acceptance, error, destination, origin, id (devel@kannel.org
msg02229)."""
_STAT_BY_COMMA_STATUS: Final = {"00": "DELIVRD", "01": "ENROUTE"}
_ABSOLUTE_TIME: Final = re.compile(r"(\d{12})\d(\d\d)([+-])")
"""A date in the form of the protocol's own times, with its offset in quarters of an hour."""
_MAX_QUARTERS: Final = 48
_NOT_DIGITS: Final = re.compile(r"[-/:.T ]")


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


_BETWEEN: Final = " ,;|\"'\0\t\r\n"
_DATES: Final = frozenset({"submit_date", "done_date"})
_FIELD_BY_KEY: Final = {
    "id": "message_id",
    "msgid": "message_id",
    "messageid": "message_id",
    "sub": "submitted",
    "dlvrd": "delivered",
    "submitdate": "submit_date",
    "donedate": "done_date",
    "stat": "stat",
    "status": "stat",
    "state": "stat",
    "err": "err",
    "error": "err",
    "text": "text",
    "txt": "text",
}


def parse_receipt(content: bytes) -> DeliveryReceipt:
    """Read the receipt text; total: what can't be found stays empty.

    Keys are found in any order and case; ``text`` takes everything to the end, keys inside it included, unless it
    is empty and the state comes after it.
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
    text = _decode(content)
    commas = _COMMAS.fullmatch(text)
    if commas is not None:
        return _read_commas(commas)
    values: dict[str, str] = {}
    matches = list(_KEYS.finditer(text))
    before_text = len(text)
    for position, match in enumerate(matches):
        name = _FIELD_BY_KEY[re.sub(r"[ _]", "", match[1].lower())]
        is_last = position + 1 == len(matches)
        end = len(text) if is_last or name == "text" else matches[position + 1].start()
        value = text[match.end() : end].strip(_BETWEEN)
        if name == "text":
            before_text = match.start()
            values.setdefault(name, value)
            if not _is_empty_and_early(text, match, matches):
                break
            values["text"] = ""
        elif name in _DATES:
            values.setdefault(name, _first_date(value))
        else:
            # One word: what follows it belongs to a key that was cut off.
            values.setdefault(name, re.split(r"[ ,;|\t\r\n]", value, maxsplit=1)[0].rstrip(_BETWEEN))
    if not values.get("stat") and (bare := _BARE_STATE.search(text, 0, before_text)):
        values["stat"] = bare[1]
    return DeliveryReceipt(**values)


def _decode(content: bytes) -> str:
    """Latin-1, or UCS-2 that did not say so: its keys have a NUL before each letter."""
    if content[:1] == b"\0" and content[2:3] == b"\0":
        return content.decode("utf-16-be", "replace")
    return content.decode("latin-1")


def _is_empty_and_early(text: str, match: re.Match[str], matches: list[re.Match[str]]) -> bool:
    """Whether ``text:`` is followed at once by ``stat:``, which nothing before it named: fields in any order."""
    following = next((m for m in matches if m.start() >= match.end()), None)
    if following is None or text[match.end() : following.start()].strip(_BETWEEN):
        return False
    earlier = {m[1].lower() for m in matches if m.start() < match.start()}
    return following[1].lower() == "stat" and "stat" not in earlier


def _first_date(value: str) -> str:
    """The date at the start of ``value``; other words may follow it."""
    words = value.split(" ")
    # "2018-07-11 07:00:03" has a space inside; "1807110700 DELIVRD" has not.
    if len(words) > 1 and words[0].count("-") == 2 and words[1][:1].isdigit():
        return f"{words[0]} {words[1]}".rstrip(_BETWEEN)
    return words[0].rstrip(_BETWEEN)


def _read_commas(match: re.Match[str]) -> DeliveryReceipt:
    return DeliveryReceipt(
        message_id=match["id"],
        submit_date=match["accepted"],
        done_date=match["done"],
        stat=_STAT_BY_COMMA_STATUS.get(match["status"], match["status"]),
        err=match["err"],
    )


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


def parse_receipt_date(text: str, zone: tzinfo) -> datetime | None:
    """A date of a receipt; None when it is no date.

    Args:
        text: ``YYMMDDhhmm``, with or without seconds and century, with or without separators, or one of the
            protocol's own absolute times.
        zone: the SMSC's, for what has no offset of its own.

    >>> parse_receipt_date("201907191552", timezone.utc)
    datetime.datetime(2019, 7, 19, 15, 52, tzinfo=datetime.timezone.utc)
    """
    absolute = _ABSOLUTE_TIME.fullmatch(text)
    if absolute is not None:
        quarters = int(absolute[2]) * (1 if absolute[3] == "+" else -1)
        if abs(quarters) > _MAX_QUARTERS:
            return None
        return _date_of(f"20{absolute[1]}", timezone(timedelta(minutes=15 * quarters)))
    digits = _NOT_DIGITS.sub("", text)
    if not (digits.isascii() and digits.isdecimal()):
        return None
    match len(digits):
        case 10:
            return _date_of(f"20{digits}", zone)
        case 12:  # with seconds, or with the century: 2019.. has no month 19
            return _date_of(f"20{digits}", zone) or _date_of(digits, zone)
        case 14:
            return _date_of(digits, zone)
        case _:
            return None


def _date_of(digits: str, zone: tzinfo) -> datetime | None:
    month, day, hour, minute = int(digits[4:6]), int(digits[6:8]), int(digits[8:10]), int(digits[10:12])
    try:
        return datetime(int(digits[:4]), month, day, hour, minute, int(digits[12:] or 0), tzinfo=zone)
    except ValueError:
        return None
