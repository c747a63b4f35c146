"""The text of a delivery receipt.

The specification gives the text only as an example, so SMSCs vary it: order, case, fields left out or added,
separators, dates with or without seconds, values alone, several receipts in one text. Parsing takes what is there;
``tests/vectors/receipts.toml`` has the bodies it was made for. What octets stand for is told in
`drivers.smpp.wire.receipt_octets`, what a state's word means in `drivers.smpp.wire.states`, and the spellings of
message ids are in `drivers.smpp.wire.spellings`.

Spec: SMPP 3.4 appendix B; 5.3.2.35 (message_state).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final

import msgspec

from drivers.smpp.wire.constants import MessageState, Tag
from drivers.smpp.wire.fields import Tlv, find_int_tlv
from drivers.smpp.wire.receipt_octets import read_octets
from drivers.smpp.wire.states import (
    BARE_WORDS,
    NO_TABLE,
    StateTable,
    find_state,
    fold_state,
    word_of,
)

_FIELD_BY_KEY: Final = {
    "id": "message_id",
    "msgid": "message_id",
    "messageid": "message_id",
    "smscid": "message_id",
    "sub": "submitted",
    "dlvrd": "delivered",
    "submitdate": "submit_date",
    "submittime": "submit_date",
    "donedate": "done_date",
    "donetime": "done_date",
    "finaldate": "done_date",
    "stat": "stat",
    "status": "stat",
    "state": "stat",
    "messagestate": "stat",
    "messagestatus": "stat",
    "msgstat": "stat",
    "msgstate": "stat",
    "msgstatus": "stat",
    "finalstatus": "stat",
    "err": "err",
    "error": "err",
    "errorcode": "err",
    "errcode": "err",
    "networkerror": "err",
    "text": "text",
    "txt": "text",
}
_KEY_SPACES: Final = re.compile(r"[ _-]")
_KEYS: Final = re.compile(
    r"(?<![^\W_])(msg[ _-]?id|message[ _-]?id|smsc[ _-]?id|(?<!stat:)(?<!stat: )(?<!status:)(?<!status: )id|sub|dlvrd"
    r"|submit[ _-]?(?:date|time)|done[ _-]?(?:date|time)|final[ _-]?date"
    r"|(?:message|msg)[ _-]?stat(?:us|e)?|final[ _-]?status|stat|status|state"
    r"|err(?:or)?[ _-]?code|network[ _-]?error|err|error|text|txt)"
    r"[\"']?\s*[:=]",
    re.IGNORECASE,
)

_USUAL: Final = re.compile(
    rb"id:([a-z0-9-]+) sub:([a-z0-9]*) dlvrd:([a-z0-9]*) submit date:([0-9]*) done date:([0-9]*) "
    rb"stat:([a-z0-9]*) err:([a-z0-9]*) text:(.*)",
    re.IGNORECASE | re.DOTALL,
)
"""The specification's own form, which most receipts have; read in one step."""

_STATES: Final = frozenset(map(int, MessageState))
_BARE_STATE: Final = re.compile(rf"\b({'|'.join(BARE_WORDS)})\b")
"""A state that stands alone, its key left out; in capitals, as words of the text may be any."""

_COMMAS: Final = re.compile(
    r"(?P<stat>\d{1,2}),(?P<done>\d{10,14}),(?P<submit>\d{10,14}),(?P<err>[^,]*),[^,]*,[^,]*,(?P<id>[^,\s]+)"
)
"""A carrier's own form: status, its time, time of acceptance, error, destination, origin, id (devel@kannel.org
msg02229)."""
_STAT_BY_COMMA_STATUS: Final = {0: "DELIVRD", 1: "ENROUTE", 2: "UNDELIV"}
"""The numbers of that form are those of UCP's operation 53: delivered, buffered, not delivered."""
_VALUES: Final = re.compile(
    r"(?P<id>[^\s,;|]+)[,;| ](?P<sub>\d{1,3})[,;| ](?P<dlvrd>\d{1,3})[,;| ](?P<submit>\d{10,14})[,;| ]"
    r"(?P<done>\d{10,14})[,;| ](?P<stat>[A-Za-z]+)[,;| ](?P<err>\w*)(?:[,;| ].*)?",
    re.DOTALL,
)
"""The specification's own form without its keys."""
_ABSOLUTE_TIME: Final = re.compile(r"(\d{12})\d(\d\d)([+-])")
"""A date in the form of the protocol's own times, with its offset in quarters of an hour."""
_MAX_QUARTERS: Final = 48
_DAY: Final = re.compile(r"\d{2,4}[-/.]\d\d[-/.]\d{2,4}|\d{6}|\d{8}")
_NOT_DIGITS: Final = re.compile(r"[-/:.T ]")


class DeliveryReceipt(msgspec.Struct, frozen=True, kw_only=True):
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


_BETWEEN: Final = " ,;|&\"'{}<>\0\t\r\n"
_DATES: Final = frozenset({"submit_date", "done_date"})
_MOST_WORDS: Final = 8
_LONGEST_WORD: Final = 40
"""Characters of a state that is spelled out."""


def parse_receipt(content: bytes) -> DeliveryReceipt:
    """Read the receipt text; total: what can't be found stays empty. Of several receipts, the first.

    Keys are found in any order and case; ``text`` takes everything to the end, keys inside it included, unless it
    is empty and the state comes after it.
    """
    return next(parse_receipts(content))


def parse_receipts(content: bytes) -> Iterator[DeliveryReceipt]:
    """Read all receipts of a text, at least one; total."""
    usual = _USUAL.fullmatch(content)
    if usual is None or b"id:" in usual[8].lower():
        yield from _parse_by_keys(content)
        return
    message_id, submitted, delivered, submit_date, done_date, stat, err, text = usual.groups()
    yield DeliveryReceipt(
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
    """The first of the same key by key, whatever the form."""
    return next(_parse_by_keys(content))


def _parse_by_keys(content: bytes) -> Iterator[DeliveryReceipt]:
    text = read_octets(content, _shows_receipt)
    if (values := _match_values(text)) is not None:
        yield _read_values(values)
        return
    for piece in _split(text):
        yield _read_keys(piece)


def _shows_receipt(text: str) -> bool:
    """Whether it has a key at all, or is of values alone."""
    return _KEYS.search(text) is not None or _match_values(text) is not None


def _match_values(text: str) -> re.Match[str] | None:
    """A receipt without keys."""
    bare = _AROUND_COMMAS.sub(",", text.strip(_BETWEEN).replace('"', ""))
    return _COMMAS.fullmatch(bare) or _VALUES.fullmatch(bare)


_AROUND_COMMAS: Final = re.compile(r" *, *")


def _split(text: str) -> list[str]:
    """Several receipts in one text, each with the keys of the first in the same order; else the text as it is.

    The last of three and more may be cut short, as short_message ends somewhere.

    So a receipt inside the text of the message that another one quotes is none: it would have to be there in full,
    and quotes are short.
    """
    found = [(match.start(), _name(match)) for match in _KEYS.finditer(text)]
    names = [name for _, name in found]
    if names.count("message_id") < 2:
        return [text]
    n = names.index(names[0], 1) if names[0] in names[1:] else len(names)
    shapes = {tuple(names[i : i + n]) for i in range(0, len(names), n)}
    if len(names) > 2 * n:
        shapes.discard(tuple(names[: len(names) % n]))
    if len(shapes) > 1 or len(names[:n]) < 2 or "stat" not in names[:n] or "message_id" not in names[:n]:
        return [text]
    starts = [found[i][0] for i in range(0, len(found), n)]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]


def _name(match: re.Match[str]) -> str:
    return _FIELD_BY_KEY[_KEY_SPACES.sub("", match[1].lower())]


def _read_keys(text: str) -> DeliveryReceipt:
    values: dict[str, str] = {}
    matches = list(_KEYS.finditer(text))
    before_text = len(text)
    for position, match in enumerate(matches):
        name = _name(match)
        is_last = position + 1 == len(matches)
        end = len(text) if is_last or name == "text" else matches[position + 1].start()
        value = text[match.end() : end]
        if name == "text":
            before_text = match.start()
            values.setdefault(name, value.strip(_BETWEEN))
            if not _is_empty_and_early(text, match, matches):
                break
            values["text"] = ""
        elif name in _DATES:
            values.setdefault(name, _first_date(value.strip(_BETWEEN)))
        elif name == "stat":
            values.setdefault(name, _first_state(value.strip(_BETWEEN)))
        else:
            values.setdefault(name, _first_word(value))
    if not values.get("stat") and (bare := _BARE_STATE.search(text, 0, before_text)):
        values["stat"] = bare[1]
    return DeliveryReceipt(**values)


def _first_word(value: str) -> str:
    """One word, or what stands in quotes; what follows it belongs to a key that was cut off."""
    value = value.lstrip(" \t\0")
    for quote in "\"'":
        if value.startswith(quote) and quote in value[1:]:
            return value[1 : value.index(quote, 1)].strip(_BETWEEN)
    return re.split(r"[ ,;|&\t\r\n]", value.strip(_BETWEEN), maxsplit=1)[0].rstrip(_BETWEEN)


def _first_state(value: str) -> str:
    """As many words as make a known state; where they make none, all of them, for people to read."""
    words = re.split(r"[ ,;|&\t\r\n]+", value, maxsplit=_MOST_WORDS)[:_MOST_WORDS]
    for n in range(len(words), 1, -1):
        if find_state(" ".join(words[:n])) is not None:
            return " ".join(words[:n])
    if find_state(words[0]) is not None or not value[:1].isalpha():
        return words[0].rstrip(_BETWEEN)
    return value[:_LONGEST_WORD].rstrip(_BETWEEN)


def _is_empty_and_early(text: str, match: re.Match[str], matches: list[re.Match[str]]) -> bool:
    """Whether ``text:`` is followed at once by ``stat:``, which nothing before it named: fields in any order."""
    following = next((m for m in matches if m.start() >= match.end()), None)
    if following is None or text[match.end() : following.start()].strip(_BETWEEN):
        return False
    return _name(following) == "stat" and all(
        _name(m) != "stat" for m in matches if m.start() < match.start()
    )


def _first_date(value: str) -> str:
    """The date at the start of ``value``; other words may follow it."""
    words = value.split(" ")
    # "2018-07-11 07:00:03" has a space inside; "1807110700 DELIVRD" has not.
    if len(words) > 1 and _DAY.fullmatch(words[0]) and words[1][:1].isdigit():
        return f"{words[0]} {words[1]}".rstrip(_BETWEEN)
    return words[0].rstrip(_BETWEEN)


def _read_values(match: re.Match[str]) -> DeliveryReceipt:
    stat = match["stat"]
    fields = match.groupdict()
    return DeliveryReceipt(
        message_id=fields["id"],
        submitted=fields.get("sub", ""),
        delivered=fields.get("dlvrd", ""),
        submit_date=fields["submit"],
        done_date=fields["done"],
        stat=_STAT_BY_COMMA_STATUS.get(int(stat), stat) if stat.isdecimal() else stat,
        err=fields["err"],
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
    return word_of(state)


def state_of(
    receipt: DeliveryReceipt, tlvs: tuple[Tlv, ...], table: StateTable = NO_TABLE
) -> MessageState | None:
    """The message's state; None when nothing says it in a way that is known.

    Who is asked first: what the operator said of the error's code, then of the word; the parameter message_state, if
    its number is known and says more than UNKNOWN; the word.
    """
    if table:
        for key in (fold_state(f"err:{receipt.err}"), fold_state(receipt.stat)):
            if (agreed := table.get(key)) is not None:
                return agreed
    number = find_int_tlv(tlvs, Tag.MESSAGE_STATE)
    told = MessageState(number) if number is not None and number in _STATES else None
    if told is not None and told is not MessageState.UNKNOWN:
        return told
    word = find_state(receipt.stat, receipt.err, arrived=_arrived(receipt)) if receipt.stat else None
    return told if word is None else word


def _arrived(receipt: DeliveryReceipt) -> bool | None:
    """What the counts say; None where they are left out, or of zeros as some carriers always write them."""
    counts = receipt.submitted, receipt.delivered
    if not all(count.isascii() and count.isdecimal() for count in counts):
        return None
    submitted, delivered = int(counts[0][:_MOST_DIGITS]), int(counts[1][:_MOST_DIGITS])
    if not submitted or 0 < delivered < submitted:
        return None
    return delivered > 0


_MOST_DIGITS: Final = 3


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
