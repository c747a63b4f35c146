"""The body of a message: what never changes after it was accepted, in one encoded value.

It is decoded only when somebody looks at the message, or sends it. A field that is added needs a default: older bodies
are read with it, and a field that equals its default takes no room.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from gateway.ids import KeyId
from gateway.model.message import DEFAULT_BRAND, Message

_IS_ASCII: Final = "a"
_IS_UTF16: Final = "u"
_CODECS: Final = {_IS_ASCII: "ascii", _IS_UTF16: "utf-16-be"}


class Body(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={
        "payload": "p", "text": "t", "text_is": "i", "data": "d", "udh": "u", "sender": "s", "encoding": "e",
        "flash": "f", "schedule_at": "at", "valid_for_s": "v", "callback_url": "cb", "concat_ref": "c",
        "key_id": "k", "source_address": "sa", "carrier_options": "o", "priority": "pr",
        "sequence": "sq", "brand": "b", "template": "tp", "policy": "po",
    },
):  # fmt: skip
    """See `gateway.model.message.Message` for the fields.

    Args:
        payload: of the first segment.
        text: None where ``text_is`` tells it, too.
        text_is: the text is the payload, read as this says.
    """

    payload: bytes = b""
    text: str | None = None
    text_is: str = ""
    data: bytes | None = None
    udh: bytes | None = None
    sender: str | None = None
    encoding: str = "gsm7"
    flash: bool = False
    schedule_at: datetime | None = None
    valid_for_s: int | None = None
    callback_url: str | None = None
    concat_ref: int | None = None
    key_id: KeyId | None = None
    source_address: str | None = None
    carrier_options: str | None = None
    priority: int = 5
    sequence: str | None = None
    brand: str = DEFAULT_BRAND
    template: str | None = None
    policy: bytes = b""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Body).decode
_TOLD_BY_PAYLOAD: Final = frozenset({"payload", "text", "text_is"})
SAME_FIELDS: Final = tuple(name for name in Body.__struct_fields__ if name not in _TOLD_BY_PAYLOAD)
"""Those that a message has under the same name."""


def encode_body(message: Message, payload: bytes) -> bytes:
    """The body of a message.

    Args:
        payload: of its first segment.
    """
    text_is = _read_as(message, payload)
    return _encode(
        Body(
            payload=payload,
            text=None if text_is else message.text,
            text_is=text_is,
            data=message.data,
            udh=message.udh,
            sender=message.sender,
            encoding=message.encoding,
            flash=message.flash,
            schedule_at=message.schedule_at,
            valid_for_s=message.valid_for_s,
            callback_url=message.callback_url,
            concat_ref=message.concat_ref,
            key_id=message.key_id,
            source_address=message.source_address,
            carrier_options=message.carrier_options,
            priority=message.priority,
            sequence=message.sequence,
            brand=message.brand,
            template=message.template,
            policy=message.policy,
        )
    )


def decode_body(octets: bytes) -> Body:
    """A body as it was encoded."""
    return _decode(octets)


EMPTY_BODY: Final = _encode(Body())


def is_readable(octets: bytes) -> bool:
    """Whether a body can be read at all."""
    try:
        read_text(_decode(octets))
    except (ValueError, LookupError, msgspec.MsgspecError):
        return False
    return True


def read_text(body: Body) -> str | None:
    """The text of a message; None for a binary one, and for one whose text was forgotten."""
    return body.payload.decode(_CODECS[body.text_is], "surrogatepass") if body.text_is else body.text


def without_content(octets: bytes) -> bytes:
    """A body without what was to be read or shown: text, data with its header, payload."""
    return _encode(
        msgspec.structs.replace(_decode(octets), payload=b"", text=None, text_is="", data=None, udh=None)
    )


def _read_as(message: Message, payload: bytes) -> str:
    """How the payload tells the text; empty where it does not, or tells but a part of it."""
    text = message.text
    if message.n_segments > 1 or not text:
        return ""
    if text.isascii():
        return _IS_ASCII if text.encode() == payload else ""
    return _IS_UTF16 if text.encode("utf-16-be", "surrogatepass") == payload else ""
