"""Joining: which received parts belong together, and the text that they make.

A reference is a poor name for a message: phones count from 0 after each start, and 8 bits are soon used up. So
parts are told apart by when they were sent, too: parts of one message are sent within minutes, and those of the
next message with the same reference seldom are.

Keeping parts, and waiting for the missing, is the caller's.

Spec: 3GPP TS 23.040 9.2.3.24.1, 9.2.3.24.8.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from drivers.base import Encoding
from drivers.codec.segment import decode_payload, make_even
from drivers.codec.ucs2 import turn_parts

HOLE: Final = "[…]"
"""Stands for the missing parts between two others, before the first, or behind the last."""

SENT_TOGETHER: Final = timedelta(hours=1)
"""Parts of one message are sent within this, by the network's clock: even over a slow modem with retries."""
CAME_TOGETHER: Final = timedelta(hours=6)
"""They arrive within this, by our clock, where the network's is not told."""
_FULL_OCTETS: Final = 127
"""A part that was cut because it was full has so many at least, whatever else its header holds."""
_SAME_MOMENT: Final = timedelta(minutes=1)
"""Of sets as near as this to each other, the first is filled first."""


class Part(NamedTuple):
    """One received part.

    Args:
        number: 1..total.
        payload: without header, as `drivers.base.Encoding` says.
    """

    number: int
    encoding: Encoding
    payload: bytes


class Moment(NamedTuple):
    """When a part was sent and came.

    Args:
        sent_at: by the network's clock; None if it was not told.
        came_at: by ours.
    """

    sent_at: datetime | None
    came_at: datetime


class OpenSet(NamedTuple):
    """Parts of one message, some of which are missing.

    Args:
        set_id: the caller's name for it.
        latest: moment of its part that came last.
    """

    set_id: str
    latest: Moment


class Joined(NamedTuple):
    """What parts come to.

    Args:
        encoding: BINARY if all parts are; else UCS2 if any part is, else GSM7.
        text: None for BINARY; missing parts are marked.
        data: octets for BINARY, of the parts that there are; else None.
    """

    encoding: Encoding
    text: str | None
    data: bytes | None


def choose_set(moment: Moment, sets: Iterable[OpenSet]) -> str | None:
    """Where a part belongs: the set that was sent nearest to it, if it was sent together with any.

    Args:
        moment: of the part.
        sets: that lack this very part, equal in all else that names a message (sender, receiver, channel,
            reference, its width, total); oldest first.

    Returns:
        The set's name; None when the part begins a new one.

    Spec: 3GPP TS 23.040 9.2.3.24.1.
    """
    near = [(gap, one.set_id) for one in sets if (gap := _gap(moment, one.latest)) is not None]
    if not near:
        return None
    nearest = min(gap for gap, _ in near)
    return next(set_id for gap, set_id in near if gap - nearest <= _SAME_MOMENT)


def join_parts(parts: Sequence[Part], total: int) -> Joined:
    """Put parts together; total.

    Neighbours of one encoding are read as one, see `decode_run`.

    Args:
        parts: one at least, in any order, no number twice.
        total: how many there should be.

    Spec: 3GPP TS 23.040 9.2.3.24.1.

    >>> join_parts([Part(3, Encoding.GSM7, b"c"), Part(1, Encoding.GSM7, b"a")], 3).text
    'a[…]c'
    """
    parts = sorted(parts)
    encodings = {part.encoding for part in parts}
    if encodings == {Encoding.BINARY}:
        return Joined(Encoding.BINARY, None, b"".join(part.payload for part in parts))
    encoding = Encoding.UCS2 if Encoding.UCS2 in encodings else Encoding.GSM7
    texts: list[str] = []
    before = 0
    for number, run in _runs(parts):
        texts += [HOLE] if number > before + 1 else []
        texts.append(decode_run(run[0].encoding, [part.payload for part in run]))
        before = run[-1].number
    texts += [HOLE] if before < total else []
    return Joined(encoding, "".join(texts), None)


def decode_run(encoding: Encoding, payloads: Sequence[bytes]) -> str:
    r"""The text of parts that follow each other; total.

    They are read as one, for senders cut surrogate pairs and escapes between two parts. A stray octet behind one of
    them does not shift the others; but where all were cut full at an odd octet, it is half of a character.

    Args:
        encoding: of all of them.

    Spec: 3GPP TS 23.040 9.2.3.24.1.

    >>> decode_run(Encoding.UCS2, [b"\x9e\x3f\r", b"\x96\xc1"])
    '鸿雁'
    """
    if encoding is Encoding.UCS2:
        if _halves_characters([len(payload) for payload in payloads]):
            payloads = [b"".join(payloads)]
        payloads = [make_even(payload) for payload in turn_parts(payloads)]
    return decode_payload(encoding, b"".join(payloads))


def _halves_characters(lengths: Sequence[int]) -> bool:
    *full, last = lengths
    return sum(lengths) % 2 == 0 and len(set(full)) == 1 and full[0] >= max(last, _FULL_OCTETS)


def _runs(parts: Sequence[Part]) -> Iterator[tuple[int, list[Part]]]:
    """Neighbours of one encoding, with the number of the first; from parts in order."""
    run: list[Part] = []
    for part in parts:
        if run and (part.number != run[-1].number + 1 or part.encoding is not run[-1].encoding):
            yield run[0].number, run
            run = []
        run.append(part)
    yield run[0].number, run


def _gap(one: Moment, other: Moment) -> timedelta | None:
    """How far apart two parts are; None if too far for one message."""
    if one.sent_at is not None and other.sent_at is not None:
        gap, most = abs(one.sent_at - other.sent_at), SENT_TOGETHER
    else:
        gap, most = abs(one.came_at - other.came_at), CAME_TOGETHER
    return gap if gap <= most else None
