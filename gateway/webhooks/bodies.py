"""What receivers get: bodies, and the ids under which each of them is told of each event. Pure."""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final

import msgspec

from gateway.model.events import Event
from gateway.views.shapes import EventOut, MessageOut, show_event

JSON: Final = "application/json"
_ALPHABET: Final = b"0123456789abcdefghjkmnpqrstvwxyz"
_CHARS: Final = 13
"""Of 26: the first half is the event's place in the timeline, the second half tells receivers apart."""
_AS_OURS: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET)
_encode = msgspec.json.Encoder().encode


class Parcel(msgspec.Struct, frozen=True, array_like=True):
    """What the outbox keeps of an event for one receiver.

    Args:
        at: of the event.
        kind: the event's type.
        about: the id of the message, the name of the channel...
        body: JSON, see `make_body`.
        url: where it goes; empty for where the webhook says when it goes.
    """

    at: datetime
    kind: str
    about: str
    body: bytes
    url: str = ""


_encode_parcel = msgspec.msgpack.Encoder().encode
_decode_parcel = msgspec.msgpack.Decoder(Parcel).decode


def pack(parcel: Parcel) -> bytes:
    """A parcel as the outbox keeps it."""
    return _encode_parcel(parcel)


def unpack(payload: bytes) -> Parcel:
    """The other way round."""
    return _decode_parcel(payload)


class _MessageBody(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime
    data: MessageOut


class _BatchBody(msgspec.Struct, frozen=True):
    type: str
    timestamp: datetime
    data: list[msgspec.Raw]


def make_body(event: Event, messages: Mapping[int, MessageOut]) -> bytes:
    """The body of a call for one event.

    Args:
        messages: by the event's ``seq``, the message as it was then.
    """
    message = messages.get(event.seq)
    if message is not None:
        return _encode(_MessageBody(event.type, event.at, message))
    out: EventOut = show_event(event)
    return _encode(out)


def make_batch(ids: Sequence[str], parcels: Sequence[Parcel]) -> bytes:
    """The body of a call for several events: each has its own id in it, and the whole has the time of the newest."""
    items = [
        msgspec.Raw(b'{"id":"%b",%b' % (one.encode(), parcel.body[1:]))
        for one, parcel in zip(ids, parcels, strict=True)
    ]
    return _encode(_BatchBody("batch", max(parcel.at for parcel in parcels), items))


def event_id(event: Event, receiver: str) -> str:
    """The id under which a receiver is told of an event, the same however often that happens.

    Ids of one receiver are in the order of the timeline. A store that was put back to an older state gives other ids
    to other events.
    """
    seal = b"%b\n%b\n%b" % (receiver.encode(), event.type.encode(), event.at.isoformat().encode())
    return _number(event.seq) + _hash(seal)


def batch_id(ids: Sequence[str]) -> str:
    """The id of a call for several events; it begins as that of the first."""
    return ids[0][:_CHARS] + _hash("\n".join(ids).encode())


def _hash(octets: bytes) -> str:
    digest = blake2b(octets, digest_size=8, person=b"webhook-id").digest()
    return b32encode(digest)[:_CHARS].translate(_AS_OURS).decode()


def _number(seq: int) -> str:
    return "".join(chr(_ALPHABET[seq >> shift & 31]) for shift in range(5 * _CHARS - 5, -1, -5))
