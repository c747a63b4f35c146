"""The sentence about what was just done, brought to the page that is shown next in a cookie that lives a minute."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from typing import Final, NamedTuple

import msgspec
from aiohttp import web

COOKIE: Final = "hongyan_said"
_MOST_CHARS: Final = 600
_MOST_OCTETS: Final = 4_000
_LIVES_S: Final = 60


class Said(NamedTuple):
    """A sentence for the top of a page.

    Args:
        failed: it is about what was not done.
    """

    text: str
    failed: bool = False


_decode = msgspec.json.Decoder(Said).decode


def say_next(response: web.StreamResponse, said: Said, *, secure: bool) -> None:
    """Have the next page say something."""
    octets = msgspec.json.encode(said._replace(text=said.text[:_MOST_CHARS]))
    value = urlsafe_b64encode(octets).decode().rstrip("=")
    response.set_cookie(
        COOKIE, value, max_age=_LIVES_S, path="/console", httponly=True, samesite="Lax", secure=secure
    )


def take_said(request: web.Request) -> Said | None:
    """What this page is to say; None for nothing. Whoever shows it deletes the cookie."""
    value = request.cookies.get(COOKIE, "")
    if not value or len(value) > _MOST_OCTETS:
        return None
    try:
        return _decode(urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    except (Base64Error, ValueError):
        return None
