"""Replies: keywords of inbound messages are obeyed and answered, and what sounds like no is flagged for a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from drivers.base import Encoding
from drivers.codec.reassembly import Joined
from drivers.paced_log import PacedLog
from gateway.clock import Clock
from gateway.errors import InvalidRequest
from gateway.model.consent import Evidence
from gateway.model.message import NEAR_OPT_OUT, Category, InboundMessage, Keyword, Suppression
from gateway.model.msisdn import Reading
from gateway.model.opt_out import EVERYTHING, brand_scope, sender_scope
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafts import save_draft
from gateway.pipeline.operator.suppress import is_opted_out, record_opt_in, record_opt_out
from gateway.pipeline.sending.waiting_for import Seek
from gateway.policy.optout import (
    MAX_REPLIES_PER_HOUR,
    Keywords,
    find_keyword,
    find_mislabelled,
    find_near,
    read_mislabelled,
)
from gateway.policy.rules.numbers import may_be_written_to
from gateway.policy.rules.order import opt_out_of
from gateway.store.keyword_replies import count_replies, save_reply, was_replied
from gateway.store.messages import find_latest_sent, find_message
from gateway.store.ports import Tx

_log = PacedLog(__name__, most=100)

REPLY_WITHIN = timedelta(days=3)
"""What is older is obeyed, but nobody waits for an answer to it: a SIM that was in a phone for years is full of it."""
REPLY_AGAIN = timedelta(days=1)
"""A number gets one confirmation of a kind in so long."""
_HOUR = timedelta(hours=1)


class KeywordPolicy(NamedTuple):
    """What the keywords are and what is said back.

    Args:
        opt_out_reply, opt_in_reply, help_reply: empty for silence.
        replies_per_hour: that one channel may send, of all kinds together.
        near_misses: what becomes of a text that is no keyword and sounds like no: ``flag``, ``opt_out`` or ``ignore``.
        scope: what a keyword stops or allows: ``everything``, the ``brand`` of the message that it answers, or what
            comes from the number that it was sent to (``sender``).
        numbers: ours; a keyword that came to none of them is about everything.
    """

    keywords: Keywords
    opt_out_reply: str = ""
    opt_in_reply: str = ""
    help_reply: str = ""
    replies_per_hour: int = MAX_REPLIES_PER_HOUR
    near_misses: str = "flag"
    scope: str = "everything"
    numbers: frozenset[str] = frozenset()


class Said(NamedTuple):
    """What a text is.

    Args:
        found: what it asks for, and by which word; None for any other text.
        flag: see `gateway.model.message.InboundMessage`.
    """

    joined: Joined
    found: tuple[Keyword, str] | None = None
    flag: str | None = None


class Replies:
    """Reads, obeys and answers.

    Attributes:
        policy: by which it goes; may be replaced.
    """

    def __init__(self, clock: Clock, intake: Intake, policy: KeywordPolicy) -> None:
        self._clock = clock
        self._intake = intake
        self.policy = policy
        self._warned: dict[str, datetime] = {}

    def read(self, joined: Joined, *, complete: bool, kind: str | None = None) -> Said:
        """What a text asks if it is whole: a piece may look like a keyword by chance.

        Args:
            kind: what it is when it is no message of a person.
        """
        policy = self.policy
        if not joined.text or not complete:
            return Said(joined)
        found = find_keyword(joined.text, policy.keywords)
        if found is None and joined.encoding is Encoding.UCS2:
            found = find_mislabelled(joined.text, policy.keywords)
            if found is not None:
                joined = joined._replace(text=read_mislabelled(joined.text))
        if found is not None or policy.near_misses == "ignore" or kind:
            return Said(joined, found)
        near = find_near(joined.text or "", policy.keywords)
        if near is None:
            return Said(joined)
        counts = policy.near_misses == "opt_out"
        return Said(joined, (Keyword.OPT_OUT, near) if counts else None, NEAR_OPT_OUT)

    async def answer(
        self,
        tx: Tx,
        message: InboundMessage,
        reading: Reading,
        found: tuple[Keyword, str] | None,
        left: list[Seek],
    ) -> None:
        """Obey a keyword, and answer it.

        It goes by the channel that the keyword came by; by the default group where that one is a receiver. A sender
        whose number is doubtful is answered if we wrote to one of the numbers that it may be.
        """
        text = await self._obey(tx, message, reading, found, left) if found else ""
        if not text or message.kind or is_old(message.network_time, message.received_at):
            return
        number = reading.number or message.sender
        if not text or found is None or not await self._may_reply(tx, message, number, found[0]):
            return
        recipient = reading.number
        if recipient is None and message.in_reply_to is not None:
            replied = await find_latest_sent(tx, reading.people, message.channel)
            recipient = replied.recipient if replied else None
        if not may_be_written_to(
            self._intake.settings.chain, recipient or message.sender, message.received_at
        ):
            _log.info(
                "no answer to a keyword on %s: [numbers] lets nothing go to its sender", message.channel
            )
            return
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

    async def _scope(self, tx: Tx, message: InboundMessage, reading: Reading) -> str:
        """What a keyword is about; everything where that can't be told.

        It is the brand of the latest marketing, where there was some: a code of another brand, or an answer of ours to
        a keyword, may have come in between.
        """
        if self.policy.scope == "brand" and message.in_reply_to is not None:
            sold = await find_latest_sent(tx, reading.spellings, message.channel, Category.MARKETING)
            answered = await find_message(tx, message.in_reply_to if sold is None else sold.id)
            return EVERYTHING if answered is None else brand_scope(answered.brand)
        if self.policy.scope == "sender" and message.recipient in self.policy.numbers:
            return sender_scope(message.recipient)
        return EVERYTHING

    async def _obey(
        self,
        tx: Tx,
        message: InboundMessage,
        reading: Reading,
        found: tuple[Keyword, str],
        left: list[Seek],
    ) -> str:
        """Do what a keyword asks; the text to send back, empty for none (also when nothing changed)."""
        keyword, word = found
        evidence = Evidence(
            inbound=message.id, keyword=word
        )  # the message may be gone long before the consent
        match keyword:
            case Keyword.OPT_OUT:
                scope = await self._scope(tx, message, reading)
                if await is_opted_out(tx, reading, scope):
                    return ""
                suppression = Suppression(
                    number=reading.spelling,
                    scope=scope,
                    source="inbound",
                    keyword=word,
                    created_at=message.received_at,
                )
                rule = opt_out_of(self._intake.settings.chain)
                done = await record_opt_out(
                    tx, self._clock, suppression, reading, by=None, rule=rule, evidence=evidence
                )
                left += [done.left] if done.left is not None else []
                return self.policy.opt_out_reply
            case Keyword.OPT_IN if is_old(message.network_time, message.received_at):
                return ""  # they may have opted out since
            case Keyword.OPT_IN:
                scope = await self._scope(tx, message, reading)
                changed = await record_opt_in(
                    tx,
                    self._clock,
                    reading,
                    "inbound",
                    by=None,
                    evidence=evidence,
                    scope=None if self.policy.scope == EVERYTHING else scope,
                )
                return self.policy.opt_in_reply if changed else ""
            case Keyword.HELP:
                return self.policy.help_reply

    async def _may_reply(self, tx: Tx, message: InboundMessage, number: str, keyword: Keyword) -> bool:
        """Whether a confirmation may be sent: what it confirms holds without it, too."""
        now = message.received_at
        if await was_replied(tx, number, keyword, now - REPLY_AGAIN):
            return False
        most = self.policy.replies_per_hour
        if await count_replies(tx, message.channel, now - _HOUR, most) < most:
            return True
        if now - self._warned.get(message.channel, now - _HOUR) >= _HOUR:
            self._warned[message.channel] = now
            _log.warning(
                "%s has sent %d confirmations of keywords in an hour; no more for now", message.channel, most
            )
        return False


def is_old(network_time: datetime | None, now: datetime) -> bool:
    """Whether the network took it so long ago that an answer would come out of nowhere."""
    return network_time is not None and now - network_time > REPLY_WITHIN
