"""Bodies in and out: bounded reading, strict decoding, ready-made answers."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from typing import Any, TypeVar

import msgspec
from aiohttp import hdrs, web

from gateway.api.explain import explain
from gateway.api.problem import BadEncoding, Malformed, PayloadTooLarge
from gateway.errors import FieldError, InvalidRequest

T = TypeVar("T")

SINGLE_MAX_OCTETS = 1 << 20
BATCH_MAX_OCTETS = 32 << 20

_ESCAPE = re.compile(rb"(?s)\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F]..)|.)")
_NO_UTF8 = b"\xed\xa0\x80"
"""Such a half as it would be in UTF-8, which does not have it."""
_HALF = "a text holds half of a character (\\ud800 to \\udfff alone); write the whole of it, or leave it out"

encode = msgspec.json.Encoder().encode


async def read_body(request: web.Request, limit: int) -> bytes:
    """The whole body.

    Args:
        limit: octets, after any transfer and content coding is undone.

    Raises:
        PayloadTooLarge: it is longer; at most ``limit`` octets and one buffer of the connection were kept.
    """
    if (request.content_length or 0) > limit:
        raise PayloadTooLarge(limit)
    if hdrs.EXPECT in request.headers:
        await _say_continue(request)
    chunks: list[bytes] = []
    n_octets = 0
    while not request.content.at_eof():
        chunk = await request.content.readany()
        n_octets += len(chunk)
        if n_octets > limit:
            raise PayloadTooLarge(limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def defer_continue(_request: web.Request) -> None:
    """Let a client that asks first (``Expect: 100-continue``) wait until its key and its length are checked."""


async def _say_continue(request: web.Request) -> None:
    if request.headers[hdrs.EXPECT].lower() != "100-continue":
        raise web.HTTPExpectationFailed
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # aiohttp takes a written octet for a begun answer


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
        if any(escape["lone"] for escape in _ESCAPE.finditer(bytes(body))):
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


def spoil_halves(body: bytes) -> bytes:
    """The body with each half of a surrogate pair as octets that are no UTF-8.

    Those are the fault of the one text that holds them, where a half makes the decoder give up on all.
    """
    return _ESCAPE.sub(lambda escape: _NO_UTF8 if escape["lone"] else escape[0], body)


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
