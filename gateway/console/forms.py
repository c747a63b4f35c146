"""What was posted: fields by name, bounded, and what is wrong with them."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.errors import InvalidRequest, RequestError
from gateway.http.body import read_body

MOST_OCTETS: Final = 1 << 20
_MOST_FIELDS: Final = 2_000
_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"


class WrongForm(RequestError):
    """What was posted is no form of ours."""

    code = "wrong_form"


class Form:
    """A posted form.

    Attributes:
        faults: field -> what is wrong with it, in words for the visitor.
    """

    def __init__(self, pairs: list[tuple[str, str]] | None = None) -> None:
        self._pairs = pairs or []
        self.faults: dict[str, str] = {}

    def __contains__(self, name: str) -> bool:
        return any(one == name for one, _ in self._pairs)

    def text(self, name: str, otherwise: str = "") -> str:
        """A field, without spaces around it; the last one of that name."""
        return next((value.strip() for one, value in reversed(self._pairs) if one == name), otherwise)

    def raw(self, name: str) -> str:
        """A field as it was typed, such as a password or a text with spaces around it."""
        return next((value for one, value in reversed(self._pairs) if one == name), "")

    def texts(self, name: str) -> list[str]:
        """All fields of that name, such as boxes that were ticked."""
        return [value.strip() for one, value in self._pairs if one == name]

    def flag(self, name: str) -> bool:
        """Whether a box was ticked."""
        return bool(self.text(name))

    def blame(self, error: InvalidRequest) -> None:
        """Put faults of a request to the fields that they are about."""
        for one in error.errors:
            self.faults[one.pointer.strip("/").split("/")[0] or "form"] = one.detail


async def read_form(request: web.Request) -> Form:
    """The body of a POST.

    Raises:
        WrongForm: it is not what our forms send.
        PayloadTooLarge, TooSlow, Overloaded: see `gateway.http.body.read_body`.
    """
    body = await read_body(request, MOST_OCTETS)
    if body and request.content_type != _MEDIA_TYPE:
        raise WrongForm("send what the page's form sends")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise WrongForm("the form can't be read; open the page again") from error
    return Form([(name, value.replace("\r\n", "\n")) for name, value in pairs])
