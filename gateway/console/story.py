"""What happened to a message, in words for whoever must explain it to somebody. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway.console.cells import Step
from gateway.console.words import Translator, mark
from gateway.model.message import MessageStatus as M
from gateway.views.shapes import EventOut


class _Told(msgspec.Struct, frozen=True):
    """What events of messages say, as far as it is shown."""

    channel: str | None = None
    segments: int = 1
    part: int | None = None
    ref: str | None = None
    attempt: int | None = None
    error: str | None = None
    word: str = ""
    by: str | None = None
    rule: str | None = None


_decode_told = msgspec.json.Decoder(_Told).decode

STATUSES: Final[Mapping[str, tuple[str, str]]] = {
    M.SCHEDULED: (mark("scheduled"), ""),
    M.QUEUED: (mark("queued"), ""),
    M.SENDING: (mark("sending"), "busy"),
    M.SENT: (mark("sent"), "busy"),
    M.DELIVERED: (mark("delivered"), "good"),
    M.UNDELIVERED: (mark("undelivered"), "bad"),
    M.FAILED: (mark("failed"), "bad"),
    M.EXPIRED: (mark("expired"), "bad"),
    M.CANCELED: (mark("canceled"), ""),
    M.BLOCKED: (mark("blocked"), "bad"),
    M.UNCERTAIN: (mark("uncertain"), "warn"),
}
"""Status -> its word and its tone."""
_SENTENCES: Final[Mapping[str, str]] = {
    M.SCHEDULED: mark("It waits for its time, or for a decision."),
    M.QUEUED: mark("It waits to be sent."),
    M.SENDING: mark("A channel sends it."),
    M.SENT: mark("The network has taken it."),
    M.DELIVERED: mark("The phone has it."),
    M.UNDELIVERED: mark("The network says that it did not arrive."),
    M.FAILED: mark("It was refused for good."),
    M.EXPIRED: mark("Its time was over before it was sent."),
    M.CANCELED: mark("It was taken back."),
    M.BLOCKED: mark("A rule or a person forbade it."),
    M.UNCERTAIN: mark("Nobody knows whether it went out: the answer of the network was lost."),
}


def tell_story(t: Translator, events: Iterable[EventOut]) -> list[Step]:
    """The steps of a message's timeline, in their order."""
    return [_step(t, event, is_first=i == 0) for i, event in enumerate(events)]


def _step(t: Translator, event: EventOut, *, is_first: bool) -> Step:
    status = event.type.removeprefix("message.")
    told = _decode_told(event.data)
    title = t(_SENTENCES.get(status, event.type))
    if is_first and status in _SENTENCES:
        title = f"{t('It was accepted.')} {title if status != M.QUEUED else ''}".strip()
    elif status == M.QUEUED:
        title = (
            t("It is to be sent again by a person's decision.")
            if told.by
            else t("It waits to be tried again.")
        )
    return Step(event.timestamp, title, STATUSES.get(status, ("", ""))[1], tuple(_notes(t, told)))


def _notes(t: Translator, told: _Told) -> list[str]:
    facts = (
        t("channel {channel}", channel=told.channel) if told.channel else "",
        t("part {part} of {n}", part=told.part, n=told.segments) if told.part else "",
        t("attempt {n}", n=told.attempt) if told.attempt else "",
        t("reference of the network {ref}", ref=told.ref) if told.ref else "",
        t("the network's word: {word}", word=told.word) if told.word else "",
        t("by the route {rule}", rule=told.rule) if told.rule else "",
        t("by {who}", who=told.by) if told.by else "",
    )
    return [" · ".join(one for one in facts if one), told.error or ""]
