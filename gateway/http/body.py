"""Bodies in and out: bounded reading, strict decoding, ready-made answers."""

from __future__ import annotations

import asyncio
import re
from codecs import BOM_UTF8
from functools import partial
from typing import Any, TypeVar

import msgspec
from aiohttp import hdrs, web

from gateway.clock import Breath
from gateway.errors import FieldError, InvalidRequest, Overloaded
from gateway.http.bodies import BODIES, FREE_OCTETS, HELD
from gateway.http.connections import Connection
from gateway.http.explain import explain
from gateway.http.inflate import choose_inflater
from gateway.http.problem import BadEncoding, Malformed, PayloadTooLarge, TooSlow

T = TypeVar("T")

SINGLE_MAX_OCTETS = 1 << 20
BATCH_MAX_OCTETS = 32 << 20
SLOWEST_OCTETS_PER_S = 32 << 10
"""A body that comes more slowly, after the time that every body has, is given up."""

_ESCAPE = re.compile(rb"(?s)\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F]..)|.)")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPES_AT_ONCE = 1_000
_TEXT = re.compile(rb'"(?s:[^"\\]++|\\.){0,300000}+"?')
"""With more escapes it is no text that we take; so it is looked through in one go."""
_TEXTS_AT_ONCE = 1_000
_LONG_OCTETS = 10_000
_MOST_SEARCHED_OCTETS = 1 << 20
"""Of a body that is wrong anyway: the reason is not worth more."""
_NO_UTF8 = b"\xed\xa0\x80"
"""Such a half as it would be in UTF-8, which does not have it."""
_HALF = "a text holds half of a character (\\ud800 to \\udfff alone); write the whole of it, or leave it out"

encode = msgspec.json.Encoder().encode


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body. Its memory counts until the request ends.

    Args:
        limit: octets, after any transfer and content coding is undone.

    Raises:
        PayloadTooLarge: it is longer; at most ``limit`` octets and one buffer of the connection were kept.
        UnsupportedCoding: its content coding is none that we undo.
        TooSlow: it did not come in time.
        Overloaded: too many large bodies are on their way.
    """
    if (request.content_length or 0) > limit:
        raise PayloadTooLarge(limit)
    inflater = choose_inflater(",".join(request.headers.getall(hdrs.CONTENT_ENCODING, ())))
    if hdrs.EXPECT in request.headers:
        await _say_continue(request)
    held, connection = request[HELD], request.protocol
    assert isinstance(connection, Connection)
    is_small = (request.content_length or FREE_OCTETS) < FREE_OCTETS
    if is_small and inflater is None and request.content.is_eof():  # it came with its head, as most do
        body = request.content.read_nowait()
        held.grow(len(body))
        return body
    loop, time_s = asyncio.get_running_loop(), connection.limits.body_s
    started = loop.time()
    connection.reading_since = started
    chunks: list[bytes] = []

    def keep(chunk: bytes, deadline: asyncio.Timeout) -> None:
        held.grow(len(chunk))
        if held.n_octets > limit:
            raise PayloadTooLarge(limit)
        chunks.append(chunk)
        deadline.reschedule(started + time_s + held.n_octets / SLOWEST_OCTETS_PER_S)

    try:
        async with asyncio.timeout_at(started + time_s) as deadline:
            held.deadline = deadline
            while not request.content.at_eof():
                chunk = await request.content.readany()
                if inflater is None:
                    keep(chunk, deadline)
                else:
                    await request.app[BODIES].inflate(inflater, chunk, partial(keep, deadline=deadline))
    except TimeoutError:
        if held.given_way:
            raise Overloaded(
                "too many large bodies are on their way; this one was given up, send it again in a moment"
            ) from None
        raise TooSlow("the body did not come in time; send it again, whole") from None
    finally:
        held.deadline = connection.reading_since = None
    if inflater is not None:
        inflater.finish()
    return b"".join(chunks)


async def defer_continue(_request: web.Request) -> None:
    """Let a client that asks first (``Expect: 100-continue``) wait until its key and its length are checked."""


async def _say_continue(request: web.Request) -> None:
    if request.headers[hdrs.EXPECT].lower() != "100-continue":
        raise web.HTTPExpectationFailed
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # aiohttp takes a written octet for a begun answer


async def check_size(body: bytes, most_values: int) -> None:
    """Let pass what the decoder can take in a moment: it makes all values before it counts them.

    Raises:
        InvalidRequest: there are more values than any body that means something has.
    """
    n_commas = body.count(b",")  # each value but the first of its kind stands behind one
    if n_commas <= most_values:
        return
    breath = Breath()
    for n_texts, text in enumerate(_TEXT.finditer(body)):
        n_commas -= body.count(b",", *text.span())
        if n_commas <= most_values:
            return
        if n_texts > 2 * most_values:
            break
        if n_texts % _TEXTS_AT_ONCE == 0 or text.end() - text.start() > _LONG_OCTETS:
            await breath.take()
    raise InvalidRequest(FieldError("", "too_many_values", f"write at most {most_values} values in one body"))


def decode_body(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """A body as typed values.

    Raises:
        Malformed: no JSON, or half of a surrogate pair in it.
        BadEncoding: no UTF-8.
        InvalidRequest: JSON of another shape.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest(explain(error, decoder.type)) from error
    except msgspec.DecodeError as error:
        # The decoder takes such a half for the end of the body.
        if _has_half(bytes(body)):
            raise Malformed(_HALF) from error
        raise Malformed(_no_json(bytes(body), error)) from error
    except RecursionError as error:
        raise Malformed("the body is nested too deeply") from error
    except UnicodeDecodeError as error:
        what = f"the body is not UTF-8: wrong octet in a text, {error.reason}"
        raise BadEncoding(_HALF if _NO_UTF8 in bytes(body) else what) from error


def _no_json(body: bytes, error: msgspec.DecodeError) -> str:
    """What stands in place of JSON, as far as that can be told."""
    if not body.strip():
        return 'the body is empty; write a JSON object, such as {"to": "+8613900139000", "text": "hello"}'
    if body.startswith(BOM_UTF8):
        return "the body begins with a byte order mark; leave it out"
    return f"the body is not valid JSON: {error}"


async def spoil_halves(body: bytes) -> bytes:
    """The body with each half of a surrogate pair as octets that are no UTF-8.

    Those are the fault of the one text that holds them, where a half makes the decoder give up on all.
    """
    if not _SURROGATE.search(body):
        return body
    breath = Breath()
    spoilt = bytearray(body)
    # What takes the place of the six octets of a half has as many, so that nothing else moves.
    for n, escape in enumerate(_ESCAPE.finditer(body)):
        if escape["lone"]:
            spoilt[escape.start() : escape.end()] = _NO_UTF8 * 2
        if n % _ESCAPES_AT_ONCE == 0:
            await breath.take()
    return bytes(spoilt)


def _has_half(body: bytes) -> bool:
    """Whether half of a surrogate pair is in the beginning of the body; searched for in it alone."""
    beginning = body[:_MOST_SEARCHED_OCTETS]
    if not _SURROGATE.search(beginning):
        return False
    return any(escape["lone"] for escape in _ESCAPE.finditer(beginning))


async def read_empty_body(request: web.Request) -> bytes:
    """The body of a call that takes none: nothing, or ``{}``.

    Raises:
        InvalidRequest: there is something in it.
    """
    body = await read_body(request, SINGLE_MAX_OCTETS)
    if body.strip() not in {b"", b"{}"}:
        raise InvalidRequest(FieldError("", "unexpected_body", "this call takes no body"))
    return body


def answer(body: bytes, *, status: int = 200) -> web.Response:
    """An answer whose JSON is made already."""
    return web.Response(body=body, status=status, content_type="application/json")


def answer_value(value: Any, *, status: int = 200) -> web.Response:
    """An answer that is encoded here."""
    return answer(encode(value), status=status)
