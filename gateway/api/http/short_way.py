"""The short way of the plainest request there is: one whole POST of one message, in HTTP/1.1, with a key that is known.

Nearly all of a gateway's requests are of this kind, and what aiohttp does for each costs several times what the
gateway itself does before the store. So a connection reads them here. Whatever is not as plain as this goes on
to aiohttp, octet by octet as it came: other calls, other headers that mean something, heads that are odd, bodies that
come slowly, keys that are not remembered, bodies that are refused.

Nothing is answered here that aiohttp would answer otherwise: a test compares the two.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from time import time
from typing import Any, Final, NamedTuple, Protocol

from aiohttp import web

_START: Final = b"POST /v1/messages HTTP/1.1\r\n"
_MOST_HEAD_OCTETS: Final = 4_096
_MOST_BODY_OCTETS: Final = 32 << 10
_MOST_BEHIND_OCTETS: Final = 64 << 10
"""Of what comes before its turn; more stays in the socket."""
_FIELD: Final = re.compile(rb"([A-Za-z0-9-]+):[ \t]*([\x20-\x7e\t]*)")
_LONG_WAY: Final = {
    b"transfer-encoding",
    b"content-encoding",
    b"expect",
    b"upgrade",
    b"te",
    b"trailer",
    b"idempotency-key",
    b"http2-settings",
}
"""Headers that ask for more than is done here."""
_NO_PLAIN_LENGTH: Final = re.compile(rb"(?i)\r\n(?:transfer-encoding|upgrade|expect)[ \t]*:")
_LENGTH: Final = re.compile(rb"(?i)\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*(?=\r\n|$)")


class Head(NamedTuple):
    """What a plain head says.

    Args:
        authorization: the header's value.
        n_octets: of the body.
    """

    authorization: str
    n_octets: int


def read_head(head: bytes) -> Head | None:
    """A head without its blank line; None where it is not plain.

    Args:
        head: begins as a POST of a message does.
    """
    found: dict[bytes, bytes] = {}
    for line in head.split(b"\r\n")[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            return None
        name = field[1].lower()
        if name in _LONG_WAY:
            return None
        if name in _READ:
            if name in found:
                return None
            found[name] = field[2].strip()
    length = found.get(b"content-length", b"")
    if not (length.isdigit() and len(length) <= len(b"99999") and found.get(b"host")):
        return None
    if found.get(b"connection", b"keep-alive").lower() != b"keep-alive" or b"authorization" not in found:
        return None
    return Head(found[b"authorization"].decode("ascii"), int(length))


_READ: Final = {b"host", b"connection", b"content-length", b"authorization"}


def is_whole(octets: bytes) -> bool:
    """Whether these octets are one request, no less and no more; False where that can't be told at once."""
    head, blank, body = octets.partition(b"\r\n\r\n")
    if not blank or _NO_PLAIN_LENGTH.search(head):
        return False
    lengths = _LENGTH.findall(head)
    return len(body) == (int(lengths[0]) if lengths else 0) and len(lengths) <= 1


class Answers:
    """Makes answers of octets.

    Args:
        headers: that every answer has.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers
        self._json = _lines({"Content-Type": "application/json", **headers})
        self._second = 0
        self._date = b""

    def accepted(self, body: bytes) -> bytes:
        """202 with JSON."""
        return b"HTTP/1.1 202 Accepted\r\n%bContent-Length: %d\r\nDate: %b\r\n\r\n%b" % (
            self._json,
            len(body),
            self._now(),
            body,
        )

    def render(self, response: web.Response) -> bytes:
        """What was made for aiohttp."""
        body = response.body
        assert isinstance(body, bytes)
        status = HTTPStatus(response.status)
        return b"HTTP/1.1 %d %b\r\n%bContent-Length: %d\r\nDate: %b\r\n\r\n%b" % (
            status,
            status.phrase.encode(),
            _lines({**response.headers, **self._headers}),
            len(body),
            self._now(),
            body,
        )

    def _now(self) -> bytes:
        second = int(time())
        if second != self._second:
            self._second, self._date = second, formatdate(second, usegmt=True).encode()
        return self._date


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


class Door(Protocol):
    """Who takes plain requests."""

    def take(self, connection: ShortWay, authorization: str, body: bytes) -> Awaitable[bytes] | None:
        """The answer, in the making; None where the request must go the long way. Nothing has happened then."""
        ...


class ShortWay(web.RequestHandler):
    """A connection that has one.

    Args:
        door: who takes plain requests; None for the long way alone.
    """

    __slots__ = ("_answering", "_behind", "_boundary", "_door", "_last_head", "_partial")

    def __init__(self, manager: web.Server, door: Door | None, **options: Any) -> None:
        super().__init__(manager, **options)
        self._door = door
        self._boundary = True
        """Whether what aiohttp got ended where a request ends."""
        self._partial = b""
        """The beginning of what may be a plain request."""
        self._behind = b""
        """What came while one was being answered."""
        self._answering: asyncio.Task[None] | None = None
        self._last_head: tuple[bytes, Head] = b"", Head("", 0)

    def begin(self) -> None:
        """The head of a request is whole."""

    def end(self) -> None:
        """Its answer is made."""

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if not data:  # aiohttp's way to have what it keeps looked at again
            super().data_received(data)
        elif self._answering is not None:
            self._keep_behind(data)
        elif self._door is None or not self._is_between_requests():
            self._go_long_way(data)
        elif not self._force_close and not self._close:
            self._take(self._partial + data if self._partial else data, self._door)

    def hand_over(self) -> None:
        """Let aiohttp wait for the rest of what has not come at once: it has deadlines for that."""
        if self._partial and self._answering is None:
            self._go_long_way(self._partial)

    def connection_lost(self, exc: BaseException | None) -> None:
        """See `asyncio.Protocol`."""
        self._partial = self._behind = b""
        super().connection_lost(exc)

    async def shutdown(self, timeout: float | None = 15.0) -> None:
        """See `web.RequestHandler`: what is being answered gets its answer."""
        if self._answering is not None:
            self._force_close = True  # nothing new is taken
            await asyncio.wait([self._answering], timeout=timeout)
        await super().shutdown(timeout)

    def _process_keepalive(self) -> None:
        # It would take a connection for idle that is being answered here.
        if self._answering is not None:
            self._note_use()
        super()._process_keepalive()

    def _note_use(self) -> None:
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout

    def _is_between_requests(self) -> bool:
        """Whether aiohttp has nothing to do, and has seen no part of the next request."""
        waiter = self._waiter
        idle = self._request_count == 0 or (waiter is not None and not waiter.done() and not self._messages)
        return idle and self._boundary and not self._paused  # a client that reads nothing waits there

    def _go_long_way(self, octets: bytes) -> None:
        self._partial = b""
        self._boundary = self._boundary and is_whole(octets)
        super().data_received(octets)

    def _take(self, octets: bytes, door: Door) -> None:
        end = octets.find(b"\r\n\r\n", 0, _MOST_HEAD_OCTETS)
        self._partial = b""
        if not octets.startswith(_START[: len(octets)]) or (end < 0 and len(octets) >= _MOST_HEAD_OCTETS):
            self._go_long_way(octets)
            return
        if end < 0:
            self._partial = octets
            return
        head = octets[:end]
        known, plain = self._last_head
        if known != head:
            read = read_head(head)
            if read is None or read.n_octets > _MOST_BODY_OCTETS:
                self._go_long_way(octets)
                return
            plain = read
            self._last_head = head, read
        whole = end + 4 + plain.n_octets
        if len(octets) < whole:
            self._partial = octets
            return
        answer = (
            door.take(self, plain.authorization, octets[end + 4 : whole]) if len(octets) == whole else None
        )
        if answer is None:
            self._go_long_way(octets)
            return
        self.begin()
        self._answering = self._loop.create_task(self._answer(answer))

    async def _answer(self, made: Awaitable[bytes]) -> None:
        try:
            octets = await made
        except BaseException:
            self.force_close()
            raise
        else:
            if self.transport is not None:
                self.transport.write(octets)
                if self._close:  # meanwhile no more requests are taken
                    self.transport.close()
        finally:
            self.end()
            self._note_use()
            self._answering = None
            self._go_on()

    def _keep_behind(self, octets: bytes) -> None:
        self._behind += octets
        if len(self._behind) > _MOST_BEHIND_OCTETS and self.transport is not None:
            self.transport.pause_reading()

    def _go_on(self) -> None:
        if self._behind:
            octets, self._behind = self._behind, b""
            if self.transport is not None:
                self.transport.resume_reading()
                self.data_received(octets)
