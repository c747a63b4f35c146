"""Tests of a channel: marked messages that only it may send, and how long each step of them took."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime

from gateway.clock import Clock
from gateway.errors import FieldError, InvalidRequest
from gateway.model.channel_test import TEST_TAG, ChannelTest, TestedMessage
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import ApiKey, Message, MessageStatus
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.accept import Intake
from gateway.store.messages import find_message
from gateway.store.ports import Store, Tx
from gateway.store.suppressions import find_suppressed

FIRST_LOOK_S = 0.05
LONGEST_LOOK_S = 1.0
"""Between two looks whether something has become of the messages; they grow up to this."""
LEAST_VALID_S = 60


class ChannelTester:
    """Tests channels. Its messages obey limits, budgets and the opt-out list."""

    def __init__(self, store: Store, clock: Clock, intake: Intake) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake

    async def run(
        self, channel: str, to: Sequence[str], text: str, *, wait_s: float, key: ApiKey | None
    ) -> ChannelTest:
        """Send a test message to each recipient, and wait for what becomes of them.

        Args:
            wait_s: at most so long; a message that has not gone then is dropped soon, at the latest after a minute.
            key: who tests; None for the gateway itself.

        Raises:
            InvalidRequest: a recipient can't be sent to, or opted out; or the channel sends nothing.
            RequestError: a limit forbids it.
            StoreError: nothing more was sent.

        Cancel: what was sent goes on.
        """
        valid_for = max(LEAST_VALID_S, math.ceil(wait_s))
        requests = [
            MessageRequest(to=one, text=text, channel=channel, tags=(TEST_TAG,), valid_for=valid_for)
            for one in to
        ]
        await self._check(requests, key)
        sent: dict[str, float] = {}
        for request in requests:
            began = self._clock.monotonic()
            accepted = await self._intake.accept(request, key=key)
            assert not isinstance(accepted, bytes), "there is no Idempotency-Key"
            sent[accepted.message.id] = self._clock.monotonic() - began
        messages = await self._watch(list(sent), wait_s)
        shown = tuple(_show(message, sent[message.id]) for message in messages)
        n_delivered = sum(one.delivered_s is not None for one in shown)
        return ChannelTest(
            channel=channel,
            messages=shown,
            n_answered=sum(one.answered_s is not None for one in shown),
            n_delivered=n_delivered,
            delivery_rate=round(n_delivered / len(requests), 4),
        )

    async def _check(self, requests: Sequence[MessageRequest], key: ApiKey | None) -> None:
        """All of them may be sent, or none is. Raises InvalidRequest."""
        faults: list[FieldError] = []
        numbers: dict[str, int] = {}
        for i, request in enumerate(requests):
            try:
                numbers[self._intake.draft(request, key=key, joins=False).message.recipient] = i
            except InvalidRequest as error:
                faults += [e._replace(pointer=f"/to/{i}") if e.pointer == "/to" else e for e in error.errors]
        suppressed = await self._store.read(lambda tx: find_suppressed(tx, set(numbers)))
        faults += [
            FieldError(f"/to/{numbers[number]}", "opted_out", "this number opted out; test with another")
            for number in sorted(suppressed)
        ]
        if faults:
            raise InvalidRequest(*faults)

    async def _watch(self, ids: Sequence[str], wait_s: float) -> list[Message]:
        """The messages when all have ended, or when the time is over."""

        async def look(tx: Tx) -> list[Message]:
            return [message for one in ids if (message := await find_message(tx, one)) is not None]

        until, pause_s = self._clock.monotonic() + wait_s, FIRST_LOOK_S
        while True:
            messages = await self._store.read(look)
            left_s = until - self._clock.monotonic()
            if left_s <= 0 or all(message.status in TERMINAL for message in messages):
                return messages
            await asyncio.sleep(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, LONGEST_LOOK_S)


def _show(message: Message, accepted_s: float) -> TestedMessage:
    is_delivered = message.status is MessageStatus.DELIVERED
    error = message.error
    return TestedMessage(
        id=message.id,
        status=message.status.value,
        accepted_s=round(accepted_s, 3),
        answered_s=_between(message.created_at, message.sent_at),
        delivered_s=_between(message.sent_at, message.updated_at) if is_delivered else None,
        error=None if error is None else f"{error.code}: {error.detail}",
    )


def _between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds; never negative, though a clock may have been set between."""
    if start is None or end is None:
        return None
    return round(max(0.0, (end - start).total_seconds()), 3)
