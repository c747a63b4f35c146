"""What went to a number and what came from it, in one line of turns."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from gateway.model.message import InboundMessage, Message, MessageStatus
from gateway.store.inbound import list_inbound
from gateway.store.messages import MessageFilter, list_whole
from gateway.store.ports import Tx


class Turn(NamedTuple):
    """One message of a conversation.

    Args:
        id: of the message or the inbound message; later ones have greater ones.
        status: of what we sent; None for what came in.
        text: of a binary message its octets in hex; None where it is not kept any more.
    """

    id: str
    at: datetime
    status: MessageStatus | None
    text: str | None
    channel: str | None


async def load_conversation(
    tx: Tx, spellings: Collection[str], *, limit: int, before: str | None
) -> list[Turn]:
    """Up to ``limit`` turns with a number, newest first: those with a smaller id than ``before``.

    Args:
        spellings: how the number may stand in the store.
    """
    asked = MessageFilter(to=tuple(spellings))
    sent = await list_whole(tx, asked, limit=limit, before=before)
    came = await list_inbound(tx, senders=spellings, limit=limit, before=before)
    turns = [*(_sent(one.message) for one in sent), *(_came(one) for one in came)]
    return sorted(turns, key=lambda turn: turn.id, reverse=True)[:limit]


def _sent(message: Message) -> Turn:
    text = _text(message.text, message.data)
    return Turn(message.id, message.created_at, message.status, text, message.channel)


def _came(inbound: InboundMessage) -> Turn:
    return Turn(inbound.id, inbound.received_at, None, _text(inbound.text, inbound.data), inbound.channel)


def _text(text: str | None, data: bytes | None) -> str | None:
    return data.hex() if text is None and data is not None else text
