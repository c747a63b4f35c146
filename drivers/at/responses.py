"""Pure parsers of information lines. Each takes the lines of an answer and finds its own among them.

What is absent or malformed is None or left out: a stick that answers oddly is not a reason to stop.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Lines = tuple[str, ...]

_MEMORIES = re.compile(r"\(([^()]*)\)|([A-Z][A-Z_]{1,3})")
_MEMORY = re.compile(r"[A-Z][A-Z_]{1,3}")
_QUOTED_FIELD = re.compile(r'\s*"((?:(?!,\s*").)*?)"\s*(,|$)', re.DOTALL)
"""What looks like the start of the next field is not part of this one, so its own quote was not closed."""
_BARE_FIELD = re.compile(r"([^,]*)(,|$)")
_HEX_FIELD = re.compile(r"[0-9A-Fa-f]+")
_DIGITS = re.compile(r"[0-9]{14,22}F?", re.IGNORECASE)

HOME, SEARCHING, DENIED, ROAMING = 1, 2, 3, 5
REGISTRATION_NAMES = {
    0: "not_searching",
    HOME: "home",
    SEARCHING: "searching",
    DENIED: "denied",
    4: "unknown",
    ROAMING: "roaming",
    6: "home_sms_only",
    7: "roaming_sms_only",
    8: "emergency_only",
    9: "home_csfb_not_preferred",
    10: "roaming_csfb_not_preferred",
    11: "emergency_only",  # attached for restricted local services; SIMCom's manuals: only emergency services
}
"""``<stat>`` of ``+CREG`` (3GPP TS 27.007 7.2)."""
_NUMERIC = "2"
"""``<format>`` of ``+COPS``: the operator's number."""
REGISTERED = frozenset({HOME, ROAMING, 6, 7, 9, 10})
ROAMING_STATES = frozenset({ROAMING, 7, 10})

NO_STATUS = -1
"""Of a stored message whose status the stick leaves out (SIM5320 in its memory for reports)."""
_STATUS_WORDS = {"REC UNREAD": 0, "REC READ": 1, "STO UNSENT": 2, "STO SENT": 3}
"""Text mode's spelling; some sticks have it in PDU mode, too."""
_HEX_BODY = re.compile(r"(?:[0-9A-Fa-f]{2}){10,}")
"""What may stand behind a header in the same line: no PDU is shorter, and no other field is longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPdu:
    """One message in the stick's storage, as octets.

    Args:
        index: its place; -1 when it was read by its index (``+CMGR``).
        status: 0 received unread, 1 received read, 2 stored unsent, 3 stored sent; `NO_STATUS` when it is not told.
        n_octets: length of the TPDU as the stick says it, or else as it is; the service centre comes on top.
        pdu: service centre and TPDU; None when the stick sent something that is not hex.
        line: what it sent.
    """

    index: int
    status: int
    n_octets: int
    pdu: bytes | None
    line: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageUse:
    """How full a storage is."""

    name: str
    n_used: int
    n_total: int


def split_fields(text: str) -> list[str]:
    """Split comma-separated fields, at least one; commas within quotes stay, the quotes go.

    A quote that is never closed, or never opened, is none: its field ends at the next comma.

    >>> split_fields('0,0,"China, Mobile",7')
    ['0', '0', 'China, Mobile', '7']
    >>> split_fields('0,0,"China Mobile,7')
    ['0', '0', 'China Mobile', '7']
    """
    fields, at = [], 0
    while True:
        match = _QUOTED_FIELD.match(text, at) or _BARE_FIELD.match(text, at)
        assert match is not None
        fields.append(match[1].replace('"', "").strip())
        at = match.end()
        if not match[2]:
            return fields


def read_te_text(text: str) -> str:
    """A field that the stick may have spelled in UCS2, because another program left AT+CSCS so; total.

    >>> read_te_text("002B0038003600310033")
    '+8613'
    """
    if len(text) < 8 or len(text) % 4 or not _HEX_FIELD.fullmatch(text):
        return text
    told = bytes.fromhex(text).decode("utf-16-be", "replace")
    return told if told.isprintable() and "\ufffd" not in told else text


def find_fields(lines: Iterable[str], prefix: str) -> list[str] | None:
    """The fields of the first line with ``prefix`` (such as ``+CSQ:``); None when there is none."""
    return next(
        (split_fields(line[len(prefix) :].strip()) for line in lines if line.startswith(prefix)), None
    )


def parse_int(text: str) -> int | None:
    """A decimal number, perhaps signed; None for anything else."""
    text = text.strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else None


def parse_hex(text: str) -> bytes | None:
    """Octets from hex digits; None when they are not whole octets in hex."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        return None


def parse_cmgs(lines: Lines) -> int | None:
    """TP-MR from ``+CMGS: <mr>[,...]``; None when the stick gave none (3GPP TS 27.005 4.3)."""
    fields = find_fields(lines, "+CMGS:")
    mr = parse_int(fields[0]) if fields else None
    return mr if mr is not None and 0 <= mr <= 255 else None


def parse_cmgl(lines: Lines) -> list[StoredPdu]:
    """All messages of a ``+CMGL: <index>,<stat>,[<alpha>],<length>`` listing (3GPP TS 27.005 4.1)."""
    entries = []
    for fields, body in _pair_with_bodies(lines, "+CMGL:"):
        index = parse_int(fields[0])
        if index is not None:
            entries.append(_read_stored(index, fields[1:], body))
    return entries


def parse_cmgr(lines: Lines) -> StoredPdu | None:
    """The message of ``+CMGR: <stat>,[<alpha>],<length>``; None when the place is empty (3GPP TS 27.005 4.2)."""
    for fields, body in _pair_with_bodies(lines, "+CMGR:"):
        if body:
            return _read_stored(-1, fields, body)
    return None


def parse_cmti(line: str) -> tuple[str, int] | None:
    """Storage and index from ``+CMTI: "ME",3`` or ``+CDSI:``; None when malformed."""
    fields = split_fields(line.partition(":")[2])
    index = parse_int(fields[1]) if len(fields) >= 2 else None
    # A restarted stick shows messages as text, and somebody may have sent what looks like this line: the name
    # goes into a command.
    is_name = fields[0].replace("_", "").isalnum()
    return (fields[0], index) if index is not None and is_name else None


def parse_direct_length(line: str) -> int | None:
    """TPDU length from ``+CMT: [<alpha>],<length>`` or ``+CDS: <length>``."""
    return parse_int(split_fields(line.partition(":")[2])[-1])


def parse_csq(lines: Lines) -> int | None:
    """Signal in dBm from ``+CSQ: <rssi>,<ber>``; None when unknown (3GPP TS 27.007 8.5)."""
    fields = find_fields(lines, "+CSQ:")
    rssi = parse_int(fields[0]) if fields else None
    return -113 + 2 * rssi if rssi is not None and 0 <= rssi <= 31 else None


def parse_registration(lines: Lines) -> int | None:
    """``<stat>`` from the answer to ``AT+CREG?``, ``+CGREG?`` or ``+CEREG?``.

    The answer is ``<n>,<stat>[,...]``. News begin with ``<stat>``, alone or with an area code behind it: in quotes,
    in hex, or in more digits than a state has. News may come ahead of the answer; they count only without one.
    """
    news = None
    for line in lines:
        head, _, rest = line.partition(":")
        if head not in {"+CREG", "+CGREG", "+CEREG"}:
            continue
        first, _, others = rest.partition(",")
        second = others.partition(",")[0].strip()
        if re.fullmatch(r"[0-9]{1,2}", second):
            return int(second)
        news = parse_int(first) if news is None else news
    return news


def parse_cops(lines: Lines) -> str | None:
    """The operator's name, or its number, from ``+COPS: <mode>,<format>,<oper>``; None when there is none."""
    fields = find_fields(lines, "+COPS:")
    if not fields or len(fields) < 3 or not fields[2]:
        return None
    return fields[2] if fields[1] == _NUMERIC else read_te_text(fields[2])


def parse_cpin(lines: Lines) -> str | None:
    """What the SIM waits for: ``READY``, ``SIM PIN``, ``SIM PUK`` ... (3GPP TS 27.007 8.3)."""
    fields = find_fields(lines, "+CPIN:")
    return fields[0].upper() if fields else None


def parse_cmee(lines: Lines) -> int | None:
    """How errors are told, from ``+CMEE: <n>``: 0 bare, 1 numbers, 2 words (3GPP TS 27.007 9.1)."""
    fields = find_fields(lines, "+CMEE:")
    return parse_int(fields[0]) if fields else None


def parse_cfun(lines: Lines) -> int | None:
    """Functionality from ``+CFUN: <fun>``: 1 full, 0 minimum, 4 radio off (3GPP TS 27.007 8.2)."""
    fields = find_fields(lines, "+CFUN:")
    return parse_int(fields[0]) if fields else None


def parse_csca(lines: Lines) -> str | None:
    """The service centre's number from ``+CSCA: <sca>,<tosca>``; None when the SIM has none (27.005 3.3.1)."""
    fields = find_fields(lines, "+CSCA:")
    number = _read_number(fields[0]) if fields else ""
    if not fields or not number.strip("+"):
        return None
    international = len(fields) > 1 and fields[1] == "145" and not number.startswith("+")
    return f"+{number}" if international else number


def parse_cnum(lines: Lines) -> str | None:
    """The SIM's own number from ``+CNUM: [<alpha>],<number>,<type>``; most SIMs don't know it."""
    for line in lines:
        fields = find_fields((line,), "+CNUM:")
        if fields and len(fields) >= 2 and fields[1]:
            return _read_number(fields[1])
    return None


def parse_storage_choices(lines: Lines) -> list[frozenset[str]]:
    """Storages per memory (read, write, receive) from ``+CPMS: ("ME","SM"),(...),(...)``.

    Some sticks leave out the brackets around a single choice, or around all of them; some the quotes.
    """
    line = next((line for line in lines if line.startswith("+CPMS:")), "")
    groups = [match[1] or match[2] or "" for match in _MEMORIES.finditer(line.removeprefix("+CPMS:"))]
    return [frozenset(_MEMORY.findall(group)) for group in groups[:3]]


def parse_cpms(lines: Lines, place: int = 0) -> StorageUse | None:
    """Use of a storage, from ``AT+CPMS?`` (with names) or ``AT+CPMS=`` (numbers only).

    Args:
        place: 0 for reading, 1 for writing, 2 for what comes in; the last that is told if there are fewer.
    """
    fields = find_fields(lines, "+CPMS:")
    if not fields:
        return None
    width = 2 if parse_int(fields[0]) is not None else 3
    fields = fields[width * min(place, max(0, len(fields) // width - 1)) :]
    name = fields[0] if width == 3 else ""
    numbers = [parse_int(field) for field in fields[width - 2 :][:2]]
    if len(numbers) < 2 or numbers[0] is None or numbers[1] is None:
        return None
    return StorageUse(name=name, n_used=numbers[0], n_total=numbers[1])


def parse_digits(lines: Lines) -> str | None:
    """The IMEI or ICCID in an answer, with or without a prefix and quotes; None when there is none."""
    for line in lines:
        match = _DIGITS.search(line.rpartition(":")[2])
        if match:
            return match[0].upper().rstrip("F")
    return None


def parse_text(lines: Lines) -> str | None:
    """The first line of a free-text answer (``AT+CGMM``), without prefix and quotes."""
    if not lines:
        return None
    head, colon, rest = lines[0].partition(":")
    text = rest if colon and head.startswith("+") else lines[0]
    return text.strip().strip('"') or None


def _read_number(text: str) -> str:
    told = read_te_text(text)
    return told if told.removeprefix("+").isdecimal() and told.isascii() else text


def _read_stored(index: int, fields: list[str], body: str) -> StoredPdu:
    """One stored message, from the fields of its header behind the index and the line behind that.

    An empty ``<alpha>`` makes no number; status and length keep their order, and either may be missing.
    """
    pdu = parse_hex(body)
    numbers = [number for number in map(parse_int, fields) if number is not None]
    status = next((_STATUS_WORDS[field.upper()] for field in fields if field.upper() in _STATUS_WORDS), None)
    if status is None and (len(numbers) > 1 or (numbers and numbers[0] in _STATUS_WORDS.values())):
        status = numbers.pop(0)
    actual = max(0, len(pdu) - 1 - pdu[0]) if pdu else 0
    return StoredPdu(
        index=index,
        status=NO_STATUS if status is None else status,
        n_octets=numbers[-1] if numbers else actual,
        pdu=pdu,
        line=body,
    )


def _pair_with_bodies(lines: Lines, prefix: str) -> Iterable[tuple[list[str], str]]:
    """The fields of each header, with the line behind it (empty when another header follows) or in it."""
    for at, line in enumerate(lines):
        if not line.startswith(prefix):
            continue
        fields = split_fields(line[len(prefix) :].strip())
        body = lines[at + 1] if at + 1 < len(lines) else ""
        if body.startswith(prefix):
            body = ""
        if not body and len(fields) > 1 and _HEX_BODY.fullmatch(fields[-1]):
            body = fields.pop()
        yield fields, body
