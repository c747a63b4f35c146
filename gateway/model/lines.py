r"""Events as lines: the form in which the timeline is kept, and handed on without being read.

One line is one JSON object and ends with ``\n``. It begins with ``seq``, ``at`` and ``type``. The data of a message's
event follows as further fields, so that the line is what the delivery log shows; that of other events is a field
``data`` behind ``subject``. Lines of one commit are packed together: they resemble one another, and `_DICTIONARY`
makes also a single one short.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from typing import Final

import msgspec

from gateway.clock import truncate_ms
from gateway.model.events import Event

FORM: Final = 1
"""How groups are packed now: raw deflate with `_DICTIONARY`. Another form gets another number."""
_WINDOW: Final = -12
_MEMORY: Final = 5
"""4 kB of history and little to set up: a single event is packed in 5 us, one of a hundred in 0.5 us."""
_DICTIONARY: Final = (
    b'"message_waiting","channel.up","channel.down","receipt.unmatched","data":{"from":"+86138","channel":"in'
    b'bound.received","subject":"error":"expired: failed: undelivered: ","batch_id":"01k","reference":"","tags'
    b'":["otp","marketing","emergency","message.undelivered","message.failed","message.expired","message.cance'
    b'led","message.uncertain","part":1,"segments":2,{"seq":1,"at":"2026-11-30T02:52:52.123000Z","type":"messa'
    b'ge.queued","id":"01k","to":"+86138","status":"queued","category":"transactional"}\n{"seq":2,"at":"2026-1'
    b'1-30T02:52:52.123000Z","type":"message.sending","id":"01k","to":"+86138","status":"sending","category":"'
    b'transactional","channel":"carrier-a","attempt":1}\n{"seq":3,"at":"2026-11-30T02:52:52.123000Z","type":"m'
    b'essage.sent","id":"01k","to":"+86138","status":"sent","category":"transactional","channel":"carrier-a","'
    b'ref":"","attempt":1}\n{"seq":4,"at":"2026-11-30T02:52:52.123000Z","type":"message.delivered","id":"01k",'
    b'"to":"+86138","status":"delivered","category":"transactional","channel":"carrier-a","ref":"'
)
"""What events are likely to say; the likeliest last. It is part of the form: never change it."""

_ID_AT: Final = len(b'{"id":')
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_DIGITS: Final = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_ID: Final = re.compile(f"[{_ALPHABET}]{{26}}")
_LINE: Final = re.compile(
    rb'\{"seq":(\d+),"at":"([^"]+)","type":"([^"]+)",(?:"subject":("(?:[^"\\]|\\.)*"),"data":(.*)\}|("id":("(?:[^"\\]|\\.)*").*))\n'
)
_encode = msgspec.json.Encoder().encode
_decode_text = msgspec.json.Decoder(str).decode


def write_lines(events: Sequence[Event], first_seq: int) -> bytes:
    """Lines of events, numbered from ``first_seq``; their own ``seq`` is not looked at."""
    return b"".join([_write_line(event, seq) for seq, event in enumerate(events, first_seq)])


def _write_line(event: Event, seq: int) -> bytes:
    subject, data, kind, at = _encode(event.subject), event.data, event.type, _write_instant(event.at)
    if kind.startswith("message.") and data.startswith(b'{"id":') and data.startswith(subject, _ID_AT):
        return b'{"seq":%d,"at":%b,"type":"%b",%b\n' % (seq, at, kind.encode(), data[1:])
    return b'{"seq":%d,"at":%b,"type":"%b","subject":%b,"data":%b}\n' % (
        seq, at, kind.encode(), subject, data,
    )  # fmt: skip


@lru_cache(maxsize=1024)  # events of one commit have few
def _write_instant(at: datetime) -> bytes:
    return _encode(truncate_ms(at))


def read_lines(lines: bytes, subject: str | None = None) -> list[Event]:
    """The events in some lines.

    Args:
        subject: only those of this one.
    """
    if subject is not None and _encode(subject) not in lines:
        return []
    events = [_event(*line) for line in _LINE.findall(lines)]
    return events if subject is None else [event for event in events if event.subject == subject]


def _event(
    seq: bytes, at: bytes, kind: bytes, subject: bytes, data: bytes, fields: bytes, message_id: bytes
) -> Event:
    return Event(
        seq=int(seq),
        at=datetime.fromisoformat(at.decode()),
        type=kind.decode(),
        subject=_decode_text(subject or message_id),
        data=data or b"{" + fields,
    )


def skip_lines(lines: bytes, n: int) -> bytes:
    """What is behind the first ``n`` lines."""
    if n <= 0:
        return lines
    end = next(islice(re.finditer(b"\n", lines), n - 1, None), None)
    return b"" if end is None else lines[end.end() :]


def pack_lines(lines: bytes) -> bytes:
    """Make lines small, in the form `FORM`."""
    packer = zlib.compressobj(1, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, zdict=_DICTIONARY)
    return packer.compress(lines) + packer.flush()


def unpack_lines(packed: bytes, form: int) -> bytes:
    """The other way round.

    Raises:
        ValueError: nobody knows this form, or it is damaged.
    """
    if form != FORM:
        raise ValueError(f"events are kept in form {form}, which this program does not know")
    unpacker = zlib.decompressobj(_WINDOW, zdict=_DICTIONARY)
    try:
        lines = unpacker.decompress(packed)
    except zlib.error as exc:
        raise ValueError(f"a group of events is damaged: {exc}") from exc
    if not unpacker.eof:
        raise ValueError("a group of events is damaged: its end is missing")
    return lines


@lru_cache(maxsize=8192)  # a message's events come within seconds
def subject_key(subject: str) -> int:
    """A number below 2**60 by which a subject's events are found. Others may have the same, though hardly any.

    That of an id grows with its time, so that new entries of an index come side by side.
    """
    if _ID.fullmatch(subject):
        return int((subject[3:10] + subject[-5:]).translate(_DIGITS), 32)
    return int.from_bytes(blake2b(subject.encode(), digest_size=7).digest())
