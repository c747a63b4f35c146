"""Numbers in answers to those who only look: `log.mask_numbers` hides most digits of them.

Who only looks has a key that may read and nothing else. Programs that send, or act on what comes in, have other scopes
and need whole numbers.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.http.body import encode
from gateway.model.message import ApiKey, Scope
from gateway.telemetry.redact import mask_number

NUMBERS: Final = frozenset(
    {
        "about",
        "from",
        "number",
        "numbers",
        "readings",
        "recipient",
        "sender",
        "spelling",
        "subject",
        "to",
    }
)
"""Names under which answers have numbers: as a text, or as a list of them."""
_RAW: Final = "octets"
"""What came over the wire, in hex: there is a number in it, somewhere."""
_NUMBER: Final = re.compile(r"\+?\d{5,20}")
_JSON: Final = "application/json"
_decode = msgspec.json.Decoder().decode


class Masking:
    """Whether numbers are hidden from those who only look.

    Attributes:
        on: ``log.mask_numbers``.
    """

    def __init__(self, *, on: bool = False) -> None:
        self.on = on

    def hides_from(self, key: ApiKey | None) -> bool:
        """Whether this key sees numbers in part only."""
        return self.on and key is not None and key.scopes == {Scope.READ}

    def mask_answer(self, response: web.StreamResponse) -> None:
        """Hide the numbers of an answer in JSON that was not sent yet."""
        if isinstance(response, web.Response) and response.content_type == _JSON and response.body:
            body = response.body
            response.body = mask_json(body) if isinstance(body, bytes) else b""


def mask_json(octets: bytes) -> bytes:
    """JSON whose numbers of persons are shown in part.

    >>> mask_json(b'{"to":"+8613800138000","text":"call 13800138000","tags":["13800138000"]}')
    b'{"to":"+861******8000","text":"call 13800138000","tags":["13800138000"]}'
    """
    return encode(_mask(_decode(octets)))


def _mask(value: Any, name: str = "") -> Any:
    match value:
        case dict():
            return {inner: _mask(one, inner) for inner, one in value.items()}
        case list():
            return [_mask(one, name) for one in value]
        case str() if name in NUMBERS and _NUMBER.fullmatch(value):
            return mask_number(value)
        case str() if name == _RAW:
            return ""
        case _:
            return value
