"""Inbound: parts stored and joined, keywords obeyed, the message stored; only then may the network forget it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import msgspec

from drivers.base import Encoding, InboundPart
from drivers.codec.reassembly import Joined, Moment, OpenSet, Part, choose_set, join_parts
from drivers.paced_log import PacedLog
from gateway.clock import Clock, truncate_ms
from gateway.errors import InvalidRequest
from gateway.ids import InboundId, make_id
from gateway.model.consent import Evidence
from gateway.model.events import make_event
from gateway.model.message import InboundMessage, Keyword, Suppression
from gateway.model.msisdn import Reading, parse_address, read_number
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafts import save_draft
from gateway.pipeline.operator.suppress import is_opted_out, record_opt_in, record_opt_out
from gateway.pipeline.sending.lane import Lane
from gateway.policy.optout import (
    MAX_REPLIES_PER_HOUR,
    Keywords,
    find_keyword,
    find_mislabelled,
    read_mislabelled,
)
from gateway.store.inbound import (
    PartSet,
    StoredPart,
    find_inbound,
    find_open_sets,
    find_repeated,
    find_stale_sets,
    finish_part,
    load_set,
    save_inbound,
    save_part,
    update_inbound,
)
from gateway.store.keyword_replies import count_replies, save_reply, was_replied
from gateway.store.messages import find_latest_sent
from gateway.store.ports import Store, Tx
from gateway.telemetry.metrics import Metrics, labeled

_log = PacedLog(__name__, most=100)

PART_WAIT = timedelta(hours=1)
"""How long a message waits for its missing parts; then it is given out as it is, and late parts still join it."""


REPLY_WITHIN = timedelta(days=3)
"""What is older is obeyed, but nobody waits for an answer to it: a SIM that was in a phone for years is full of it."""
STALE_SETS = 100
"""Sets of parts that are given out at a tick."""
STALE_AT_ONCE = 10
"""Sets of parts that are given out in one transaction; each has up to 255 parts."""
REPLY_AGAIN = timedelta(days=1)
"""A number gets one confirmation of a kind in so long."""
_HOUR = timedelta(hours=1)


class KeywordPolicy(NamedTuple):
    """What the keywords are and what is said back.

    Args:
        opt_out_reply, opt_in_reply, help_reply: empty for silence.
        replies_per_hour: that one channel may send, of all kinds together.
    """

    keywords: Keywords
    opt_out_reply: str = ""
    opt_in_reply: str = ""
    help_reply: str = ""
    replies_per_hour: int = MAX_REPLIES_PER_HOUR


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
        self._warned: dict[str, datetime] = {}

    def adopt(self, policy: KeywordPolicy) -> None:
        """Go by other keywords and replies from now on."""
        self._policy = policy

    async def handle(self, lane: Lane, part: InboundPart) -> None:
        """Store one part and what it completes. Returns after the commit.

        Raises:
            StoreError: nothing was stored; the network must keep the part.
        """
        now = truncate_ms(self._clock.now())
        stored = self._stored(lane, part, now)
        n_messages = await self._store.write(lambda tx: self._take(tx, stored))
        lane.received += n_messages
        labeled(self._metrics.inbound, lane.name).inc(n_messages)

    def is_keyword(self, lane: Lane, part: InboundPart) -> bool:
        """Whether a part is a whole text that asks something of us."""
        stored = self._stored(lane, part, self._clock.now())
        return part.concat is None and self._read([stored], complete=True)[1] is not None

    async def give_out_stale(self) -> int:
        """Give out messages whose missing parts did not come in time; how many."""
        before = self._clock.now() - PART_WAIT
        # Looked for beside the writers: all that waits is read for it, and a flood leaves much waiting.
        stale = await self._store.read(lambda tx: find_stale_sets(tx, before, STALE_SETS))
        n_given_out = 0
        for start in range(0, len(stale), STALE_AT_ONCE):
            some = partial(self._give_out_sets, set_ids=stale[start : start + STALE_AT_ONCE])
            n_given_out += await self._store.write(some)
        return n_given_out

    async def _take(self, tx: Tx, part: StoredPart) -> int:
        """Messages that were given out because of it, for the first time."""
        if part.concat_key is None:
            return await self._finish(tx, [part]) if await save_part(tx, part) else 0
        sets = await find_open_sets(tx, part.concat_key, part.part)
        chosen = _choose(part, sets)
        part = part._replace(set_id=chosen.set_id if chosen else part.id)
        if not await save_part(tx, part):
            return 0  # the same part again: it is ours already
        n_given_out = 0 if chosen else await self._give_out(tx, part.concat_key)
        parts = await load_set(tx, part.set_id or "")
        if chosen and chosen.inbound_id is not None:
            return await self._amend(tx, chosen.inbound_id, parts)
        return n_given_out + (await self._finish(tx, parts) if len(parts) == part.total else 0)

    async def _give_out(self, tx: Tx, concat_key: str | None) -> int:
        """Give out what has waited long enough under a key; how many messages."""
        before = self._clock.now() - PART_WAIT
        return await self._give_out_sets(tx, await find_stale_sets(tx, before, STALE_AT_ONCE, concat_key))

    async def _give_out_sets(self, tx: Tx, set_ids: Sequence[str]) -> int:
        n = 0
        for set_id in set_ids:
            parts = await load_set(tx, set_id, waiting=True)
            if not parts:
                continue  # its last part came meanwhile
            repeated = await find_repeated(tx, parts)
            if repeated is None:
                await self._finish(tx, parts)
                n += 1
            else:
                # The network repeated a piece of a message that we have. (Had all of it come twice, it would be two.)
                await finish_part(tx, parts[0], repeated)
        return n

    def _stored(self, lane: Lane, part: InboundPart, now: datetime) -> StoredPart:
        concat = part.concat
        recipient = parse_address(part.recipient, self._region) if part.recipient else lane.number
        key = None
        if concat is not None:
            sender, to = parse_address(part.sender, self._region), part.recipient or lane.number or ""
            key = f"{lane.name}|{sender}|{to}|{concat.width}|{concat.reference}|{concat.total}"
        return StoredPart(
            id=make_id(),
            channel=lane.name,
            sender=part.sender,  # as it came: what else it may mean can't be told from its one spelling
            recipient=recipient,
            encoding=part.encoding.value,
            payload=part.payload,
            concat_key=key,
            part=concat.part if concat else 1,
            total=concat.total if concat else 1,
            network_time=part.network_time,
            received_at=now,
            dedupe_key=part.dedupe_key,
            kind=part.kind,
        )

    async def _finish(self, tx: Tx, parts: Sequence[StoredPart]) -> int:
        """Give out the message that parts make, whole or not."""
        first = parts[0]
        complete = len(parts) == first.total
        joined, found = self._read(parts, complete=complete)
        reading = read_number(first.sender, self._region)
        answered = None
        if not first.kind and not _is_old(first.network_time, first.received_at):
            answered = await find_latest_sent(tx, reading.spellings, first.channel)
        message = InboundMessage(
            id=InboundId(make_id()),
            sender=reading.number or first.sender,
            recipient=first.recipient,
            channel=first.channel,
            text=joined.text,
            data=joined.data,
            encoding=joined.encoding.value,
            parts=first.total,
            complete=complete,
            received_at=truncate_ms(self._clock.now()),
            network_time=first.network_time,
            keyword=found[0] if found else None,
            in_reply_to=answered.id if answered else None,
            kind=first.kind,
        )
        await save_inbound(tx, message)
        await finish_part(tx, first, message.id)
        tx.record(make_event("inbound.received", message.received_at, message.id, message))
        await self._answer(tx, message, reading, found)
        return 1

    async def _amend(self, tx: Tx, inbound_id: str, parts: Sequence[StoredPart]) -> int:
        """Put a late part into the message that was given out without it."""
        message = await find_inbound(tx, inbound_id)
        if message is None:  # it was removed; what is known is news again
            return await self._finish(tx, parts)
        complete = len(parts) == message.parts
        joined, found = self._read(parts, complete=complete)
        message = msgspec.structs.replace(
            message,
            text=joined.text,
            data=joined.data,
            encoding=joined.encoding.value,
            complete=complete,
            keyword=found[0] if found else None,
        )
        await update_inbound(tx, message)
        await finish_part(tx, parts[0], message.id)
        tx.record(make_event("inbound.updated", truncate_ms(self._clock.now()), message.id, message))
        reading = read_number(parts[0].sender, self._region)
        await self._answer(tx, message, reading, found)
        return 0

    def _read(
        self, parts: Sequence[StoredPart], *, complete: bool
    ) -> tuple[Joined, tuple[Keyword, str] | None]:
        """The text that parts make, and what it asks if it is whole: a piece may look like a keyword by chance."""
        joined = _join(parts)
        if not joined.text or not complete:
            return joined, None
        found = find_keyword(joined.text, self._policy.keywords)
        if found is None and joined.encoding is Encoding.UCS2:
            found = find_mislabelled(joined.text, self._policy.keywords)
            if found is not None:
                joined = joined._replace(text=read_mislabelled(joined.text))
        return joined, found

    async def _obey(
        self, tx: Tx, message: InboundMessage, reading: Reading, found: tuple[Keyword, str]
    ) -> str:
        """Do what a keyword asks; the text to send back, empty for none (also when nothing changed)."""
        keyword, word = found
        match keyword:
            case Keyword.OPT_OUT:
                if await is_opted_out(tx, reading):
                    return ""
                suppression = Suppression(
                    number=reading.spelling,
                    source="inbound",
                    keyword=word,
                    created_at=message.received_at,
                )
                await record_opt_out(tx, suppression, reading, by=None, evidence=_evidence(message, word))
                return self._policy.opt_out_reply
            case Keyword.OPT_IN if _is_old(message.network_time, message.received_at):
                return ""  # they may have opted out since
            case Keyword.OPT_IN:
                evidence = _evidence(message, word)
                changed = await record_opt_in(tx, self._clock, reading, "inbound", by=None, evidence=evidence)
                return self._policy.opt_in_reply if changed else ""
            case Keyword.HELP:
                return self._policy.help_reply

    async def _may_reply(self, tx: Tx, message: InboundMessage, number: str, keyword: Keyword) -> bool:
        """Whether a confirmation may be sent: what it confirms holds without it, too."""
        now = message.received_at
        if await was_replied(tx, number, keyword, now - REPLY_AGAIN):
            return False
        most = self._policy.replies_per_hour
        if await count_replies(tx, message.channel, now - _HOUR, most) < most:
            return True
        if now - self._warned.get(message.channel, now - _HOUR) >= _HOUR:
            self._warned[message.channel] = now
            _log.warning(
                "%s has sent %d confirmations of keywords in an hour; no more for now", message.channel, most
            )
        return False

    async def _answer(
        self, tx: Tx, message: InboundMessage, reading: Reading, found: tuple[Keyword, str] | None
    ) -> None:
        """Obey a keyword, and answer it.

        It goes by the channel that the keyword came by; by the default group where that one is a receiver. A sender
        whose number is doubtful is answered if we wrote to one of the numbers that it may be.
        """
        text = await self._obey(tx, message, reading, found) if found else ""
        if not text or message.kind or _is_old(message.network_time, message.received_at):
            return
        number = reading.number or message.sender
        if not text or found is None or not await self._may_reply(tx, message, number, found[0]):
            return
        recipient = reading.number
        if recipient is None and message.in_reply_to is not None:
            replied = await find_latest_sent(tx, reading.people, message.channel)
            recipient = replied.recipient if replied else None
        for channel in (message.channel, None):
            try:
                draft = self._intake.draft_own(recipient or message.sender, text, channel=channel)
            except InvalidRequest:
                continue
            await save_draft(tx, draft)
            await save_reply(tx, number, found[0], message.channel, message.received_at)
            return
        # An alphanumeric sender, or none of the default group can send.
        _log.info(
            "no answer to a keyword on %s: its sender can't receive, or no channel sends", message.channel
        )


def _evidence(message: InboundMessage, word: str) -> Evidence:
    """What a keyword leaves with a consent: the message may be gone long before it."""
    return Evidence(inbound=message.id, keyword=word)


def _is_old(network_time: datetime | None, now: datetime) -> bool:
    """Whether the network took it so long ago that an answer would come out of nowhere."""
    return network_time is not None and now - network_time > REPLY_WITHIN


def _choose(part: StoredPart, sets: Sequence[PartSet]) -> PartSet | None:
    open_sets = [OpenSet(s.set_id, Moment(s.network_time, s.received_at)) for s in sets]
    set_id = choose_set(Moment(part.network_time, part.received_at), open_sets)
    return next((s for s in sets if s.set_id == set_id), None)


def _join(parts: Sequence[StoredPart]) -> Joined:
    return join_parts([Part(p.part, Encoding(p.encoding), p.payload) for p in parts], parts[0].total)
