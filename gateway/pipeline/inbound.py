"""Inbound: parts stored and joined, keywords obeyed, the message stored; only then may the network forget it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from drivers.base import Encoding, InboundPart
from drivers.codec.segment import decode_payload
from gateway.clock import Clock, truncate_ms
from gateway.errors import InvalidRequest
from gateway.ids import InboundId, make_id
from gateway.model.events import make_event
from gateway.model.message import InboundMessage, Keyword, Suppression
from gateway.model.msisdn import parse_address
from gateway.pipeline.accept import Intake, save_draft
from gateway.pipeline.lane import Lane
from gateway.pipeline.verbs import record_opt_in, record_opt_out
from gateway.policy.optout import Keywords, find_keyword
from gateway.store.inbound import (
    StoredPart,
    find_stale_keys,
    finish_parts,
    load_waiting_parts,
    reopen_part,
    save_inbound,
    save_part,
)
from gateway.store.messages import find_latest_sent
from gateway.store.ports import Store, Tx
from gateway.store.suppressions import find_suppression
from gateway.telemetry.metrics import Metrics

_log = logging.getLogger(__name__)

PART_WAIT = timedelta(hours=24)
"""How long a message waits for its missing parts; then it is given out as it is."""


class KeywordPolicy(NamedTuple):
    """What the keywords are and what is said back.

    Args:
        opt_out_reply, opt_in_reply, help_reply: empty for silence.
    """

    keywords: Keywords
    opt_out_reply: str = ""
    opt_in_reply: str = ""
    help_reply: str = ""


class Inbox:
    """Takes inbound parts of all channels.

    Args:
        region: how national numbers of senders are read.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        intake: Intake,
        policy: KeywordPolicy,
        region: str,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._policy = policy
        self._region = region
        self._metrics = metrics

    async def handle(self, lane: Lane, part: InboundPart) -> bool:
        """Store one part and what it completes; whether an answer was queued. Returns after the commit.

        Raises:
            StoreError: nothing was stored; the network must keep the part.
        """
        now = truncate_ms(self._clock.now())
        stored = self._stored(lane, part, now)

        async def op(tx: Tx) -> tuple[InboundMessage | None, bool]:
            if not await save_part(tx, stored):
                return None, False  # the same part again: it is ours already
            if stored.concat_key is None:
                return await self._finish(tx, [stored], complete=True)
            parts = await load_waiting_parts(tx, stored.concat_key)
            if any(p.part == stored.part and p.payload != stored.payload for p in parts):
                # The sender uses the reference again: what waited under it will never be whole.
                given_out = await self._finish(tx, parts, complete=False)
                await reopen_part(tx, stored.id)
                return given_out
            if len(parts) < stored.total:
                return None, False
            return await self._finish(tx, parts, complete=True)

        message, answered = await self._store.write(op)
        if message is not None:
            lane.received += 1
            self._metrics.inbound.labels(lane.name).inc()
        return answered

    async def give_out_stale(self) -> int:
        """Give out messages whose missing parts did not come in time; how many."""
        before = self._clock.now() - PART_WAIT

        async def op(tx: Tx) -> int:
            keys = await find_stale_keys(tx, before, 100)
            for key in keys:
                await self._finish(tx, await load_waiting_parts(tx, key), complete=False)
            return len(keys)

        return await self._store.write(op)

    def _stored(self, lane: Lane, part: InboundPart, now: datetime) -> StoredPart:
        sender = parse_address(part.sender, self._region)
        concat = part.concat
        key = f"{lane.name}|{sender}|{concat.width}|{concat.reference}|{concat.total}" if concat else None
        return StoredPart(
            id=make_id(),
            channel=lane.name,
            sender=sender,
            recipient=part.recipient or lane.number,
            encoding=part.encoding.value,
            payload=part.payload,
            concat_key=key,
            part=concat.part if concat else 1,
            total=concat.total if concat else 1,
            network_time=part.network_time,
            received_at=now,
            dedupe_key=part.dedupe_key,
        )

    async def _finish(
        self,
        tx: Tx,
        parts: Sequence[StoredPart],
        *,
        complete: bool,
    ) -> tuple[InboundMessage, bool]:
        first = parts[0]
        encoding = Encoding(first.encoding)
        text = None if encoding is Encoding.BINARY else _join_text(parts)
        found = find_keyword(text, self._policy.keywords) if text else None
        message = InboundMessage(
            id=InboundId(make_id()),
            sender=first.sender,
            recipient=first.recipient,
            channel=first.channel,
            text=text,
            data=b"".join(p.payload for p in parts) if text is None else None,
            encoding=encoding.value,
            parts=first.total,
            complete=complete,
            received_at=truncate_ms(self._clock.now()),
            network_time=first.network_time,
            keyword=found[0] if found else None,
            in_reply_to=await find_latest_sent(tx, first.sender, first.channel),
        )
        await save_inbound(tx, message)
        await finish_parts(tx, concat_key=first.concat_key, part_id=first.id, inbound_id=message.id)
        tx.record(make_event("inbound.received", message.received_at, message.id, message))
        reply = await self._obey(tx, message, found) if found else ""
        return message, bool(reply) and await self._answer(tx, message, reply)

    async def _obey(self, tx: Tx, message: InboundMessage, found: tuple[Keyword, str]) -> str:
        """Do what a keyword asks; the text to send back, empty for none (also when nothing changed)."""
        keyword, word = found
        match keyword:
            case Keyword.OPT_OUT:
                if await find_suppression(tx, message.sender):
                    return ""
                suppression = Suppression(
                    number=message.sender,
                    source="inbound",
                    keyword=word,
                    created_at=message.received_at,
                )
                await record_opt_out(tx, suppression)
                return self._policy.opt_out_reply
            case Keyword.OPT_IN:
                changed = await record_opt_in(tx, self._clock, message.sender, "inbound")
                return self._policy.opt_in_reply if changed else ""
            case Keyword.HELP:
                return self._policy.help_reply

    async def _answer(self, tx: Tx, message: InboundMessage, text: str) -> bool:
        try:
            await save_draft(tx, self._intake.draft_own(message.sender, text, channel=message.channel))
        except InvalidRequest:  # an alphanumeric sender can't be answered
            _log.info("no answer to a keyword on %s: its sender can't receive", message.channel)
            return False
        return True


def _join_text(parts: Sequence[StoredPart]) -> str:
    """The text of all parts, in order; runs of one encoding are decoded together.

    A sender may cut a surrogate pair between two parts, so octets are joined before they are read.
    """
    texts: list[str] = []
    run: list[bytes] = []
    for i, part in enumerate(parts):
        run.append(part.payload)
        if i + 1 == len(parts) or parts[i + 1].encoding != part.encoding:
            texts.append(decode_payload(Encoding(part.encoding), b"".join(run)))
            run = []
    return "".join(texts)
