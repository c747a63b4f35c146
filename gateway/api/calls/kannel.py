"""Kannel's `sendsms`: the octets of a request to parameters, and Kannel's words back."""

from __future__ import annotations

import binascii
from collections.abc import Mapping

import msgspec
from aiohttp import hdrs, web

from gateway.http.body import SINGLE_MAX_OCTETS, read_body
from gateway.http.problem import PayloadTooLarge
from gateway.http.product import Call
from gateway.kannel.accounts import KannelAccount
from gateway.kannel.door import UNAUTHORIZED, Answer
from gateway.kannel.parameters import parse_query, pick

MEDIA_TYPE = "text/html"
"""Kannel's; its answers are plain words all the same, and none repeats what came."""
_FORM = "application/x-www-form-urlencoded"
_PLAIN, _OCTETS, _PAGES = "text/plain", "application/octet-stream", {"text/html", "text/vnd.wap.wml"}
_HEADER = "x-kannel-"
_INVALID_TYPE = Answer(400, "Invalid content-type")
_UNSUPPORTED_TYPE = Answer(415, "Unsupported content-type, rejected")
_TOO_LARGE = Answer(413, "Charset or body misformed, rejected")


class SendsmsQuery(msgspec.Struct, kw_only=True, rename=lambda name: name.replace("_", "-")):
    """The parameters of ``sendsms``, as strings; octets outside ASCII are percent-encoded.

    Args:
        username: or ``user``.
        password: or ``pass``.
        to: receivers, separated by spaces.
        charset: of ``text``; UTF-8, or UTF-16BE with coding 2.
        coding: 0 text, 1 binary, 2 UCS-2.
        udh: user data header, with its length octet.
        mclass: message class; 0 shows at once.
        validity: minutes.
        deferred: minutes.
        priority: 0 to 3, 3 first.
        dlr_mask: 1 delivered, 2 not delivered, 4 buffered, 8 accepted by the SMSC, 16 refused, 32 on its way; added.
        dlr_url: what to call for those, with escape codes.
        smsc: a channel or group.
        account: becomes a tag.
        binfo: becomes the reference.
    """

    username: str | None = None
    password: str | None = None
    to: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    text: str | None = None
    charset: str | None = None
    coding: str | None = None
    udh: str | None = None
    mclass: str | None = None
    validity: str | None = None
    deferred: str | None = None
    priority: str | None = None
    dlr_mask: str | None = None
    dlr_url: str | None = None
    smsc: str | None = None
    account: str | None = None
    binfo: str | None = None


async def send_by_kannel(call: Call) -> web.Response:
    """Kannel's call: send one text to one or many.

    Answers are Kannel's, word for word: 202 with `0: Accepted for delivery` (or `3: Queued for later delivery` while
    no channel is up) once the messages are on disk. Accounts are those of `[[kannel_accounts]]`.
    """
    return await _answer(call, _read_query(call.request))


async def post_by_kannel(call: Call) -> web.Response:
    """Kannel's call as a POST: a form, or the text as the body with the other parameters in `X-Kannel-` headers."""
    request = call.request
    if hdrs.CONTENT_ENCODING in request.headers:
        return _say(
            _UNSUPPORTED_TYPE
        )  # Kannel undoes none; and a stranger's would have to be, to read his name
    kind = request.content_type if hdrs.CONTENT_TYPE in request.headers else ""
    before = _read_query(request) if kind in {"", _FORM} else _read_headers(request)
    account = None
    if pick(before, "username") is not None:
        account = await _authorize(call, before)
        if account is None:
            return _say(UNAUTHORIZED)  # without reading more of a stranger's
    try:
        body = await read_body(request, SINGLE_MAX_OCTETS)
    except PayloadTooLarge:
        return _say(_TOO_LARGE)
    if kind == _FORM or (not kind and not body):
        return await _answer(call, parse_query(body) | before, account)
    if kind not in {_PLAIN, _OCTETS, *_PAGES}:
        return _say(_INVALID_TYPE)
    given = _read_headers(request) | {"text": body}
    given.setdefault("coding", b"1" if kind == _OCTETS else b"0")
    if request.charset:
        given["charset"] = request.charset.encode("ascii", "replace")
    return await _answer(call, given, account, refusal=_UNSUPPORTED_TYPE if kind in _PAGES else None)


async def _authorize(call: Call, given: Mapping[str, bytes]) -> KannelAccount | None:
    door = call.context.kannel
    return await door.authorize(given, call.request.remote) if door is not None else None


async def _answer(
    call: Call,
    given: Mapping[str, bytes],
    account: KannelAccount | None = None,
    refusal: Answer | None = None,
) -> web.Response:
    door = call.context.kannel
    account = account or await _authorize(call, given)
    if door is None or account is None:
        return _say(UNAUTHORIZED)
    return _say(refusal or await door.send(account, given))


def _read_query(request: web.Request) -> dict[str, bytes]:
    # Raw: what is percent-encoded need not be UTF-8.
    return parse_query(request.rel_url.raw_query_string.encode("utf-8", "surrogateescape"))


def _read_headers(request: web.Request) -> dict[str, bytes]:
    given = {
        name.lower().removeprefix(_HEADER): value.encode("utf-8", "surrogateescape")
        for name, value in request.headers.items()
        if name.lower().startswith(_HEADER)
    }
    if "udh" in given:
        try:
            given["udh"] = binascii.unhexlify(given["udh"].strip())
        except ValueError:
            given["udh"] = b"\xff"  # refused like every header that is none
    return given


def _say(answer: Answer) -> web.Response:
    headers = {"Pragma": "no-cache", "Cache-Control": "no-cache"}
    return web.Response(
        status=answer.status, text=answer.words, content_type=MEDIA_TYPE, charset="utf-8", headers=headers
    )
