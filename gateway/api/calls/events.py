"""Server-sent events: the store's timeline, followed live (WHATWG HTML 9.2).

A stream holds nothing but its place in the timeline. It reads what was committed after that, writes it, and waits
for the store: a slow reader slows only itself, and a reader that comes back names the last event that it saw.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import msgspec
from aiohttp import web

from gateway.api.auth import KeyRing
from gateway.errors import FieldError, InvalidRequest, StoreError
from gateway.http.body import encode
from gateway.http.masking import mask_json
from gateway.http.problem import Forbidden, TooManyStreams, Unauthorized
from gateway.http.product import Call
from gateway.http.query import EventQuery, read_person, read_query
from gateway.model.events import Event
from gateway.model.message import Scope
from gateway.store.events import Lines, last_seq, load_events_before, load_lines
from gateway.views.shapes import show_event

HEARTBEAT_S = 15.0
"""A comment is sent after this long without a wanted event: proxies keep the connection, and we learn who left."""
MAX_STREAMS = 200
_PAGE = 500
_RETRY_MS = 2_000
_STILL_HERE = b": still here\n\n"
_CAUGHT_UP = b": caught up\n\n"
"""Once, behind all that had happened when the stream was opened."""
_MAX_PAGES_BACK = 40
"""How far ``last`` looks for events that are wanted: 20,000 events."""
_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx would gather events otherwise
}
_MAX_DIGITS = 18

Keeps = Callable[[Event], bool]


class Streams:
    """The open streams of one application, so that they can be counted and ended.

    Args:
        keys: asked again and again, so that a revoked key ends its streams.
        heartbeat_s: see `HEARTBEAT_S`.
        most_of_key: that one API key may have open.
    """

    def __init__(self, keys: KeyRing, heartbeat_s: float = HEARTBEAT_S, *, most_of_key: int = 20) -> None:
        self.keys = keys
        self.heartbeat_s = heartbeat_s
        self.most_of_key = most_of_key
        self._open: Counter[str] = Counter()
        self._closing = asyncio.Event()

    @property
    def n_open(self) -> int:
        """That are open."""
        return self._open.total()

    @contextmanager
    def counted(self, key_id: str) -> Iterator[None]:
        """Count one.

        Raises:
            TooManyStreams: there are as many as may be.
        """
        if self.n_open >= MAX_STREAMS:
            raise TooManyStreams(f"{MAX_STREAMS} streams are open; close one, or come back later")
        if self._open[key_id] >= self.most_of_key:
            raise TooManyStreams(f"this key has {self.most_of_key} streams open; close one of them")
        self._open[key_id] += 1
        try:
            yield
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]

    @property
    def closing(self) -> bool:
        """Whether the daemon is stopping."""
        return self._closing.is_set()

    def close(self) -> None:
        """Let every stream end after the event it is writing."""
        self._closing.set()

    async def wait(self, news: asyncio.Task[int], patience_s: float) -> None:
        """Wait for ``news``, the end, or so long, whichever is first.

        Raises:
            StoreError: the store failed.
        """
        closing = asyncio.create_task(self._closing.wait())
        try:
            await asyncio.wait({news, closing}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            closing.cancel()
        if news.done():
            news.result()


STREAMS = web.AppKey("streams", Streams)


async def stream_events(call: Call) -> web.StreamResponse:
    """Every state change and every inbound message, as server-sent events.

    `id` is the event's place in the timeline, `event` its type, `data` a JSON object of `type`, `timestamp` and
    `data`. Without `Last-Event-ID` the stream begins now; with it, after that event. `last=N` begins with the N newest
    events that are wanted; a comment, `: caught up`, comes behind them.
    """
    query = read_query(call.request, EventQuery)
    keeps = make_filter(query, call.context.region)
    streams = call.request.app[STREAMS]
    after = await _read_start(call, query, keeps)
    response = web.StreamResponse(headers=_HEADERS)
    gauge = call.context.metrics.event_streams
    try:
        with streams.counted(call.key.id if call.key else ""):
            gauge.set(streams.n_open)
            await response.prepare(call.request)
            await response.write(f"retry: {_RETRY_MS}\n: events after {after}\n\n".encode())
            await _follow(call, streams, response, keeps, after, tell_present=query.last > 0)
    except (ConnectionError, StoreError, Unauthorized, Forbidden):
        # Too late for a problem: the stream ends, and the client comes back and learns why, or does not.
        pass
    finally:
        gauge.set(streams.n_open)
    return response


async def _follow(
    call: Call,
    streams: Streams,
    response: web.StreamResponse,
    keeps: Keeps | None,
    after: int,
    *,
    tell_present: bool,
) -> None:
    store, now = call.context.store, asyncio.get_running_loop().time
    written_at = now()
    while not streams.closing:
        await streams.keys.authorize(call.request, Scope.READ)
        lines = await store.read(partial(load_lines, after_seq=after, limit=_PAGE))
        masked = call.context.masking.hides_from(call.key)
        frames = b"" if lines is None else format_lines(lines, keeps, masked=masked)
        # Also while there is much that this reader does not want: only who is written to is seen to have left.
        if frames or now() - written_at >= streams.heartbeat_s:
            await response.write(frames or _STILL_HERE)
            written_at = now()
        if lines is not None:
            after = lines.last_seq
            continue
        if tell_present:
            tell_present = False
            await response.write(_CAUGHT_UP)
        news = asyncio.ensure_future(store.wait_events(after))
        try:
            await streams.wait(news, max(0.0, written_at + streams.heartbeat_s - now()))
        finally:
            news.cancel()


async def _read_start(call: Call, query: EventQuery, keeps: Keeps | None) -> int:
    """The ``seq`` after which the stream begins."""
    newest = await call.context.store.read(last_seq)
    header = call.request.headers.get("Last-Event-ID", "").strip()
    if header:
        if not (header.isascii() and header.isdigit() and len(header) <= _MAX_DIGITS):
            detail = "give the `id` of the last event that came, or leave the header out"
            raise InvalidRequest(FieldError("Last-Event-ID", "wrong_format", detail))
        return min(int(header), newest)
    if query.last and query.last_event_id is None:
        return await _find_start(call, keeps, newest + 1, query.last)
    # Greater than the newest only if the store was put back to an older state: begin now, not in some future.
    return newest if query.last_event_id is None else min(query.last_event_id, newest)


async def _find_start(call: Call, keeps: Keeps | None, before: int, n: int) -> int:
    """The ``seq`` after which there are the last ``n`` events that are wanted, or those that are found."""
    if keeps is None:
        return max(0, before - 1 - n)
    for _ in range(_MAX_PAGES_BACK):
        events = await call.context.store.read(partial(load_events_before, before_seq=before, limit=_PAGE))
        for event in events:
            n -= keeps(event)
            before = event.seq
            if n == 0:
                return before - 1
        if len(events) < _PAGE:
            break
    return max(0, before - 1)


def format_lines(lines: Lines, keeps: Keeps | None, *, masked: bool = False) -> bytes:
    """Some events as frames; those of messages, where all are wanted, without reading them.

    Args:
        keeps: which are wanted; None for all.
        masked: show numbers in part only.
    """
    if masked:
        wanted = (event for event in lines.events if keeps is None or keeps(event))
        return b"".join(_frame(event, mask_json(encode(show_event(event)))) for event in wanted)
    if keeps is not None or _OTHERS.search(lines.octets) is not None:
        return b"".join(format_event(event) for event in lines.events if keeps is None or keeps(event))
    return _LINE.sub(_FRAME, lines.octets)


_OTHERS = re.compile(rb'^\{"seq":\d+,"at":"[^"]*","type":"(?!message\.)', re.MULTILINE)
_LINE = re.compile(rb'\{"seq":(\d+),"at":("[^"]+"),"type":"([^"]+)",(.*)\n')
_FRAME = rb'id: \1\nevent: \3\ndata: {"type":"\3","timestamp":\2,"data":{\4}\n\n'


def format_event(event: Event) -> bytes:
    """One event as a frame; its data is JSON and so in one line."""
    return _frame(event, encode(show_event(event)))


def _frame(event: Event, shown: bytes) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (event.seq, event.type.encode(), shown)


class _Facts(msgspec.Struct):
    """What filters look at in an event's data, whatever kind of event it is."""

    status: str | None = None
    to: str | None = None
    channel: str | None = None
    reference: str | None = None
    batch_id: str | None = None
    tags: tuple[str, ...] = ()


_facts = msgspec.json.Decoder(_Facts)


def make_filter(query: EventQuery, region: str) -> Keeps | None:
    """Whether an event is wanted, as a function of it; None when all are."""
    types = frozenset(query.type.split(",")) if query.type else None
    wanted: dict[str, str] = {
        name: value
        for name, value in (
            ("status", query.status and query.status.value),
            ("channel", query.channel),
            ("reference", query.reference),
            ("batch_id", query.batch),
        )
        if value is not None
    }
    to = None if query.to is None else frozenset(read_person(query.to, region, "to").spellings)
    if not wanted and query.tag is None and to is None:
        return None if types is None else lambda event: event.type in types

    def keeps(event: Event) -> bool:
        if types is not None and event.type not in types:
            return False
        facts = _facts.decode(event.data)
        if event.type.startswith("channel."):
            facts.channel = event.subject
        return (
            (query.tag is None or query.tag in facts.tags)
            and (to is None or facts.to in to)
            and all(getattr(facts, name) == value for name, value in wanted.items())
        )

    return keeps
