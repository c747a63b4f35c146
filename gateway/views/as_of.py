"""A message as it was when something happened to it: what receivers are told of that.

The store keeps a message as it is. Who reads what happened comes a moment later, or after an outage hours later, when
the message may have gone further. What came after is taken back here as far as the times tell it. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from gateway.model.events import Event, MessageEvent
from gateway.model.message import MessageError, MessageStatus, SegmentStatus
from gateway.store.messages import Whole
from gateway.views.shapes import MessageOut, SegmentOut, show_message

_OVER = frozenset({MessageStatus.DELIVERED, MessageStatus.UNDELIVERED, MessageStatus.FAILED})
_ENDED_BY_RECEIPT = frozenset({SegmentStatus.DELIVERED, SegmentStatus.UNDELIVERED})
_decode = msgspec.json.Decoder(MessageEvent).decode


def show_as_of(whole: Whole, timeline: Sequence[Event], event: Event) -> MessageOut:
    """A message as it was at an event.

    Args:
        whole: as it is now.
        timeline: its events, oldest first; later ones may follow, and the event itself may be missing.
        event: one of its ``message.*`` events.
    """
    until = [one for one in timeline if one.seq <= event.seq]
    shown = show_message(*whole, until)
    if not any(later.type.startswith("message.") for later in timeline[len(until) :]):
        return shown
    then = _Then(_decode(event.data), event.at, any(one.type == "message.sent" for one in until))
    return msgspec.structs.replace(shown, **_rewind(shown, then))


class _Then(NamedTuple):
    """What is known of the moment of an event.

    Args:
        told: what the event says.
        was_sent: all segments had been with the network by then.
    """

    told: MessageEvent
    at: datetime
    was_sent: bool


def _rewind(shown: MessageOut, then: _Then) -> dict[str, Any]:
    told, is_single = then.told, len(shown.segments) == 1
    is_delivered = told.status == MessageStatus.DELIVERED
    return {
        "status": MessageStatus(told.status),
        "channel": told.channel,
        "error": _read_error(told.error),
        "updated_at": then.at,
        "sent_at": _by(shown.sent_at, then.at) if then.was_sent else None,
        "delivered_at": _by(shown.delivered_at, then.at) if is_delivered else None,
        "segments": [
            msgspec.structs.replace(segment, **_rewind_segment(segment, then, is_single=is_single))
            for segment in shown.segments
        ],
    }


def _rewind_segment(segment: SegmentOut, then: _Then, *, is_single: bool) -> dict[str, Any]:
    """A single one goes with its message; of several each has only its times to tell."""
    told = then.told
    is_over = told.status in _OVER if is_single else _by(segment.delivered_at, then.at) is not None
    is_out = then.was_sent if is_single else _by(segment.sent_at, then.at) is not None
    if is_over:
        return {}
    if is_out:
        if segment.status not in _ENDED_BY_RECEIPT:
            return {}
        return {"status": SegmentStatus.SENT, "delivered_at": None, "error": None}
    is_uncertain = told.status == MessageStatus.UNCERTAIN
    return {
        "status": SegmentStatus.UNCERTAIN if is_uncertain else SegmentStatus.QUEUED,
        "channel": None,
        "ref": None,
        "attempts": (told.attempt or 0) if told.part in {None, segment.part} else 0,
        "sent_at": None,
        "delivered_at": None,
        "error": None,
    }


def _by(instant: datetime | None, at: datetime) -> datetime | None:
    """An instant, where it was not after another."""
    return instant if instant is not None and instant <= at else None


def _read_error(text: str | None) -> MessageError | None:
    if text is None:
        return None
    code, _, detail = text.partition(": ")
    return MessageError(code=code, detail=detail)
