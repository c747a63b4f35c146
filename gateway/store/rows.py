"""The columns of messages and segments: named here, once. INSERT, SELECT, UPDATE and parsing are made from it.

A column has the name of the field that it keeps. Those of a message's first segment stand in the message's row and
begin with ``part_``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from gateway.clock import format_ms, parse_instant
from gateway.model.message import Message, MessageError, MessageStatus, Segment, SegmentStatus
from gateway.routing.order import CLASSES
from gateway.store.body import SAME_FIELDS, decode_body, encode_body, read_text
from gateway.store.ports import Row

_Changing = tuple[str, Callable[[Any], Any] | None]


class _Column(NamedTuple):
    """How a field is kept.

    Args:
        put: field to column, where the field is not None; None for as it is.
        take: column to field, where the column is not null; None for as it is.
    """

    put: Callable[[Any], Any] | None = None
    take: Callable[[Any], Any] | None = None


def _put_error(error: MessageError) -> str:
    return f"{error.code}: {error.detail}"


def _take_error(text: str) -> MessageError:
    code, _, detail = text.partition(": ")
    return MessageError(code=code, detail=detail)


def _put_tags(tags: tuple[str, ...]) -> str | None:
    return json.dumps(tags, ensure_ascii=False) if tags else None


def _take_tags(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


_VALUE: Final = attrgetter("_value_")
"""Of a member of an enum, without the detour that ``value`` takes."""
_PLAIN: Final = _Column()
_INSTANT: Final = _Column(format_ms, parse_instant)
_FLAG: Final = _Column(int, bool)
_ERROR: Final = _Column(_put_error, _take_error)

_MESSAGE: Final = {
    "id": _PLAIN,
    "recipient": _PLAIN,
    "status": _Column(_VALUE, {status.value: status for status in MessageStatus}.__getitem__),
    "queue": _PLAIN,
    "n_segments": _PLAIN,
    "report": _FLAG,
    "channel": _PLAIN,
    "owner": _PLAIN,
    "epoch": _PLAIN,
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
    "expires_at": _INSTANT,
    "sent_at": _INSTANT,
    "delivered_at": _INSTANT,
    "error": _ERROR,
    "reference": _PLAIN,
    "batch_id": _PLAIN,
    "tags": _Column(_put_tags, _take_tags),
}
"""Of a message, by its fields; those that are not here are in its body."""
_STATE: Final = {
    "status": _Column(_VALUE, {status.value: status for status in SegmentStatus}.__getitem__),
    "channel": _PLAIN,
    "reference": _PLAIN,
    "attempts": _PLAIN,
    "submitted_at": _INSTANT,
    "sent_at": _INSTANT,
    "delivered_at": _INSTANT,
    "error": _ERROR,
}
"""Of a segment, by its fields: what changes."""

_CLASS: Final = "class"
_BODY: Final = "body"
MESSAGE_COLUMNS: Final = (*_MESSAGE, _CLASS, *(f"part_{name}" for name in _STATE), _BODY)
"""In the order of a row."""
SEGMENT_COLUMNS: Final = ("message_id", "part", *_STATE, "payload")
"""In the order of a row."""
_CHANGING: Final = (
    "status", "channel", "queue", "error", "updated_at", "sent_at", "delivered_at", "expires_at", "owner",
)  # fmt: skip
"""Fields of a message that change after it was accepted, beside the epoch, which only a claim changes."""

_N_MESSAGE: Final = len(_MESSAGE)
_CLASS_AT: Final = _N_MESSAGE
_STATE_AT: Final = _N_MESSAGE + 1
_TAKEN: Final = [
    (name, place, column.take) for place, (name, column) in enumerate(_MESSAGE.items()) if column.take
]
_STATE_TAKEN: Final = [
    (name, place, column.take) for place, (name, column) in enumerate(_STATE.items()) if column.take
]
_PUT_MESSAGE: Final = [(place, c.put) for place, c in enumerate(_MESSAGE.values()) if c.put]
_PUT_STATE: Final = [(place, c.put) for place, c in enumerate(_STATE.values()) if c.put]
_get_message: Final = attrgetter(*_MESSAGE)
_get_state: Final = attrgetter(*_STATE)
_get_same: Final = attrgetter(*SAME_FIELDS)
_BODY_AT: Final = _STATE_AT + len(_STATE)
_PAYLOAD_AT: Final = 2 + len(_STATE)


def message_params(message: Message, first: Segment) -> list[Any]:
    """A new message as a row of ``MESSAGE_COLUMNS``, with its first segment."""
    params = list(_get_message(message))
    for place, put in _PUT_MESSAGE:
        if (value := params[place]) is not None:
            params[place] = put(value)
    params.append(CLASSES.index(message.category))
    params += _state_params(first)
    params.append(encode_body(message, first.payload))
    return params


def segment_params(message_id: str, segment: Segment) -> list[Any]:
    """A further segment as a row of ``SEGMENT_COLUMNS``."""
    return [message_id, segment.part, *_state_params(segment), segment.payload]


def _state_params(segment: Segment) -> list[Any]:
    params = list(_get_state(segment))
    for place, put in _PUT_STATE:
        if (value := params[place]) is not None:
            params[place] = put(value)
    return params


def parse_message(row: Row) -> Message:
    """A row of ``MESSAGE_COLUMNS`` (more columns may follow) as a value."""
    return parse_whole(row)[0]


def parse_whole(row: Row) -> tuple[Message, Segment]:
    """The same, with the first segment."""
    fields = dict(zip(_MESSAGE, row, strict=False))
    for name, place, take in _TAKEN:
        if (value := row[place]) is not None:
            fields[name] = take(value)
    if fields["tags"] is None:
        fields["tags"] = ()
    body = decode_body(row[_BODY_AT])
    fields.update(zip(SAME_FIELDS, _get_same(body), strict=True))
    message = Message(category=CLASSES[row[_CLASS_AT]], text=read_text(body), **fields)
    return message, _segment(1, row, _STATE_AT, body.payload)


def parse_segment(row: Row) -> Segment:
    """A row of ``SEGMENT_COLUMNS`` (more columns may follow) as a value; the first column is the message's id."""
    return _segment(row[1], row, 2, row[_PAYLOAD_AT])


def _segment(part: int, row: Row, start: int, payload: bytes) -> Segment:
    fields = dict(zip(_STATE, row[start : start + len(_STATE)], strict=True))
    for name, place, take in _STATE_TAKEN:
        if (value := row[start + place]) is not None:
            fields[name] = take(value)
    return Segment(part=part, payload=payload, **fields)


_MESSAGE_CHANGES: Final = [(name, _MESSAGE[name].put) for name in _CHANGING]
_STATE_CHANGES: Final = [(name, column.put) for name, column in _STATE.items()]
_FIRST_CHANGES: Final = [(f"part_{name}", column.put) for name, column in _STATE.items()]
_get_changing: Final = attrgetter(*_CHANGING)


def message_changes(before: Message, after: Message) -> dict[str, Any]:
    """Column -> value, of a message's columns that are not as before."""
    return {} if before is after else _changes(_MESSAGE_CHANGES, _get_changing(before), _get_changing(after))


def segment_changes(before: Segment, after: Segment) -> dict[str, Any]:
    """The same of a segment's state, in the columns where it stands."""
    columns = _FIRST_CHANGES if before.part == 1 else _STATE_CHANGES
    return _changes(columns, _get_state(before), _get_state(after))


def _changes(columns: Sequence[_Changing], before: Sequence[Any], after: Sequence[Any]) -> dict[str, Any]:
    changed = {}
    for (name, put), old, new in zip(columns, before, after, strict=True):
        if new is not old and new != old:
            changed[name] = new if put is None or new is None else put(new)
    return changed
