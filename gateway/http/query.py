"""Query strings as typed values, and the cursors that walk through long lists."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.errors import FieldError, InvalidRequest
from gateway.http.explain import explain
from gateway.ids import is_id
from gateway.model.message import MessageStatus
from gateway.model.msisdn import Reading, read_number, spell_own
from gateway.store.messages import MessageFilter

Q = TypeVar("Q", bound=msgspec.Struct)
Item = TypeVar("Item")

Instant = Annotated[datetime, Meta(tz=True)]
Limit = Annotated[int, Meta(ge=1, le=1_000)]
Word = Annotated[str, Meta(max_length=64)]
"""As long as what it is compared with can be; an index, or LIKE, is asked for no more."""
Reference = Annotated[str, Meta(max_length=200)]
Cursor = Annotated[str, Meta(max_length=200)]
_LOST_PLUS = re.compile(r" (?=\d\d:?\d\d$)|^ ")
_SEQ_DIGITS = 19
_INTEGER = re.compile(r"-?[0-9]{1,18}")


class NoQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call without parameters."""


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every list takes.

    Args:
        limit: items in one answer.
        cursor: the ``next`` of the answer before.
    """

    limit: Limit = 50
    cursor: Cursor | None = None


class MessageQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages.

    Args:
        to: the recipient; a number that may belong to several persons finds the messages to each of them.
        tag: one of the message's tags.
        channel: the channel that sent the message or has it now.
        reference: the message's ``reference``, whole.
        batch: the ``batch_id``.
        since: created at this time or later.
        until: created at this time or earlier.
    """

    status: MessageStatus | None = None
    to: Word | None = None
    tag: Word | None = None
    channel: Word | None = None
    reference: Reference | None = None
    batch: Word | None = None
    since: Instant | None = None
    until: Instant | None = None


class InboundQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which inbound messages.

    Args:
        from: who wrote; a number that may belong to several persons finds the messages of each of them.
        to: our number that the message came to.
        since: received at this time or later.
        flag: `near_opt_out`: only those that sound like no to marketing and are for a person to look at.
    """

    flag: Literal["near_opt_out"] | None = None
    sender: Word | None = msgspec.field(default=None, name="from")
    to: Word | None = None
    since: Instant | None = None


class ScopeQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which entry of the opt-out list, where a number has several; all of its entries where nothing is said.

    Args:
        brand: the one from marketing in the name of this brand.
        sender: the one from marketing that comes from this number of yours.
    """

    brand: Word | None = None
    sender: Word | None = None


class EventQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events.

    Args:
        type: types of events, joined by commas.
        last_event_id: as the header Last-Event-ID, for clients that can't send headers.
        last: so many of the newest past events come first.
    """

    status: MessageStatus | None = None
    to: Word | None = None
    tag: Word | None = None
    channel: Word | None = None
    reference: Reference | None = None
    batch: Word | None = None
    type: Annotated[str, Meta(max_length=1_000)] | None = None
    last_event_id: Annotated[int, Meta(ge=0)] | None = None
    last: Annotated[int, Meta(ge=0, le=1000)] = 0


def read_query(request: web.Request, shape: type[Q]) -> Q:
    """The query string as a value of ``shape``.

    Raises:
        InvalidRequest: a parameter is unknown, given twice, or of the wrong form.
    """
    values: dict[str, str | int] = {}
    for name, value in request.query.items():
        if name in values:
            raise InvalidRequest(FieldError(name, "given_twice", f"give `{name}` once"))
        values[name] = _read_value(name, value)
    return convert_query(values, shape)


def convert_query(values: Mapping[str, str | int], shape: type[Q]) -> Q:
    """Parameters that were read already, as a value of ``shape``.

    Raises:
        InvalidRequest: one is unknown or of the wrong form.
    """
    try:
        return msgspec.convert(values, shape)
    except msgspec.ValidationError as error:
        fault = explain(error, shape)
        raise InvalidRequest(fault._replace(pointer=fault.pointer.removeprefix("/"))) from error


def _read_value(name: str, value: str) -> str | int:
    if name in {"limit", "last", "last_event_id", "failures"}:
        return int(value) if _INTEGER.fullmatch(value) else value
    # A plus sign that was not written as %2B arrives as a space: in numbers in front, in times before the zone.
    return _LOST_PLUS.sub("+", value) if name in {"to", "from", "number", "since", "until"} else value


def read_person(text: str, region: str, pointer: str) -> Reading:
    """Whom a look-up means: a number, or one of those that a doubtful number may be.

    Raises:
        InvalidRequest: it is nobody's; ``pointer`` is named.
    """
    reading = read_number(text, region)
    if not reading.people:
        raise InvalidRequest(FieldError(pointer, "invalid_number", reading.fault))
    return reading


def spell_sought(address: str, region: str) -> tuple[str, ...]:
    """How an address may stand in the store: as it was written, in any reading of it, or doubtful, as it came."""
    reading = read_number(address, region)
    came = (spelling for person in reading.people for spelling in spell_own(person))
    return tuple(dict.fromkeys((address, *reading.spellings, *came)))


def spell_subject(text: str, region: str) -> str:
    """What a deed was done to, as the trail has it: a number may be given in any spelling."""
    if text.startswith(" "):
        text = f"+{text[1:]}"  # a plus sign that was not written as %2B
    reading = read_number(text, region)
    return reading.spelling if reading.people else text


def filter_of(query: MessageQuery, region: str) -> MessageFilter:
    """The messages that a query is for.

    Raises:
        InvalidRequest: its number is nobody's.
    """
    return MessageFilter(
        status=query.status,
        to=None if query.to is None else read_person(query.to, region, "to").spellings,
        tag=query.tag,
        channel=query.channel,
        reference=query.reference,
        batch=query.batch,
        since=query.since,
        until=query.until,
    )


def make_page(
    rows: Sequence[Item], limit: int, name: Callable[[Item], str]
) -> tuple[Sequence[Item], str | None]:
    """One page out of up to ``limit + 1`` rows, and the cursor for the next.

    Args:
        name: what a row is ordered by.
    """
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    return page, urlsafe_b64encode(name(page[-1]).encode()).decode().rstrip("=")


def read_seq(place: str | None) -> int | None:
    """The place of a list that is ordered by numbers; see `read_cursor`.

    Raises:
        InvalidRequest: it is none.
    """
    if place is None:
        return None
    if not (place.isascii() and place.isdecimal() and len(place) < _SEQ_DIGITS):
        raise _wrong_cursor()
    return int(place)


def _wrong_cursor() -> InvalidRequest:
    detail = "give the `next` of the answer before, unchanged, or leave it out"
    return InvalidRequest(FieldError("cursor", "invalid_cursor", detail))


def read_cursor(cursor: str | None, *, ids: bool = True) -> str | None:
    """Where the page before ended.

    Args:
        ids: the list is ordered by ids, so a cursor must hold one.

    Raises:
        InvalidRequest: no answer of ours contained this cursor.
    """
    if cursor is None:
        return None
    try:
        name = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (Base64Error, ValueError):
        name = ""
    if not name or (ids and not is_id(name)):
        raise _wrong_cursor()
    return name
