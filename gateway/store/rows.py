"""The columns of messages and segments: named here, once. INSERT, SELECT, UPDATE and parsing are made from it.

A column has the name of the field that it keeps. Those of a message's first segment stand in the message's row and
begin with ``part_``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
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
        null: what the field is where the column is null.
    """

    put: Callable[[Any], Any] | None = None
    take: Callable[[Any], Any] | None = None
    null: Any = None


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
    "tags": _Column(_put_tags, _take_tags, null=()),
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

_CLASS_AT: Final = len(_MESSAGE)
_STATE_AT: Final = _CLASS_AT + 1
_BODY_AT: Final = _STATE_AT + len(_STATE)
_FURTHER_STATE_AT: Final = 2
_PAYLOAD_AT: Final = _FURTHER_STATE_AT + len(_STATE)
_NAMES: Final[dict[str, Any]] = {"Message": Message, "Segment": Segment}
"""What the functions call that are made below."""


def _function(arguments: str, expression: str) -> Any:
    """A function from its text: one expression over all columns takes a third of the time of a loop over them."""
    return eval(f"lambda {arguments}: {expression}", _NAMES)  # noqa: S307 - the text is made of our own constants


def _name(value: Any) -> str:
    """The name by which such a function knows a value."""
    name = f"value_{len(_NAMES)}"
    _NAMES[name] = value
    return name


def _as_fields(columns: Mapping[str, _Column], start: int) -> str:
    """Text of a call's arguments: the fields that are kept in ``row`` from a place on."""
    arguments = []
    for place, (name, column) in enumerate(columns.items(), start):
        field = f"row[{place}]"
        if column.take is not None:
            field = f"{column.null} if (kept := {field}) is None else {_name(column.take)}(kept)"
        arguments.append(f"{name}=({field})")
    return ", ".join(arguments)


def _as_columns(columns: Mapping[str, _Column]) -> str:
    """Text of a list: the columns that keep the fields of ``it``."""
    items = []
    for name, column in columns.items():
        item = f"it.{name}"
        if column.put is not None:
            item = f"None if (field := {item}) is None else {_name(column.put)}(field)"
        items.append(f"({item})")
    return f"[{', '.join(items)}]"


_message_columns: Final = _function("it", _as_columns(_MESSAGE))
_state_columns: Final = _function("it", _as_columns(_STATE))
_same_fields: Final = ", ".join(f"{name}=body.{name}" for name in SAME_FIELDS)
_message: Final = _function(
    "row, body, category, text",
    f"Message(category=category, text=text, {_same_fields}, {_as_fields(_MESSAGE, 0)})",
)
_first: Final = _function(
    "row, payload", f"Segment(part=1, payload=payload, {_as_fields(_STATE, _STATE_AT)})"
)
_further: Final = _function(
    "row", f"Segment(part=row[1], payload=row[{_PAYLOAD_AT}], {_as_fields(_STATE, _FURTHER_STATE_AT)})"
)


def message_params(message: Message, first: Segment) -> list[Any]:
    """A new message as a row of ``MESSAGE_COLUMNS``, with its first segment."""
    return [
        *_message_columns(message),
        CLASSES.index(message.category),
        *_state_columns(first),
        encode_body(message, first.payload),
    ]


def segment_params(message_id: str, segment: Segment) -> list[Any]:
    """A further segment as a row of ``SEGMENT_COLUMNS``."""
    return [message_id, segment.part, *_state_columns(segment), segment.payload]


def parse_message(row: Row) -> Message:
    """A row of ``MESSAGE_COLUMNS`` (more columns may follow) as a value."""
    return parse_whole(row)[0]


def parse_whole(row: Row) -> tuple[Message, Segment]:
    """The same, with the first segment."""
    body = decode_body(row[_BODY_AT])
    message = _message(row, body, CLASSES[row[_CLASS_AT]], read_text(body))
    return message, _first(row, body.payload)


def parse_segment(row: Row) -> Segment:
    """A row of ``SEGMENT_COLUMNS`` (more columns may follow) as a value; the first column is the message's id."""
    segment: Segment = _further(row)
    return segment


_MESSAGE_CHANGES: Final = [(name, _MESSAGE[name].put) for name in _CHANGING]
_STATE_CHANGES: Final = [(name, column.put) for name, column in _STATE.items()]
_FIRST_CHANGES: Final = [(f"part_{name}", column.put) for name, column in _STATE.items()]
_get_changing: Final = attrgetter(*_CHANGING)
_get_state: Final = attrgetter(*_STATE)


def message_changes(before: Message, after: Message) -> dict[str, Any]:
    """Column -> value, of a message's columns that are not as before."""
    return {} if before is after else _changes(_MESSAGE_CHANGES, _get_changing(before), _get_changing(after))


def segment_changes(before: Segment, after: Segment) -> dict[str, Any]:
    """The same of a segment's state, in the columns where it stands."""
    columns = _FIRST_CHANGES if before.part == 1 else _STATE_CHANGES
    return _changes(columns, _get_state(before), _get_state(after))


def _changes(columns: Sequence[_Changing], before: Sequence[Any], after: Sequence[Any]) -> dict[str, Any]:
    # Values that are kept are kept as they are: what is another object has been changed.
    return {
        name: new if put is None or new is None else put(new)
        for (name, put), old, new in zip(columns, before, after, strict=True)
        if new is not old
    }
