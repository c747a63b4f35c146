"""Makes the calls that Kannel's clients are owed; the answer to an inbound message is sent back."""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from datetime import datetime

import msgspec

from gateway.clock import Clock
from gateway.errors import InvalidRequest
from gateway.kannel.follow import DOOR, owner_of_route
from gateway.kannel.inbound_routes import InboundRoute, read_reply
from gateway.model.message import InboundMessage
from gateway.model.request import MessageRequest
from gateway.outbox.call import Answer, Sessions
from gateway.outbox.deliver import Deliverer, Missed, Taken
from gateway.outbox.outcall import OutCall
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafts import Draft, save_drafts
from gateway.store.inbound import find_inbound
from gateway.store.messages import find_message
from gateway.store.outbox import Owed
from gateway.store.ports import Store

_decode = msgspec.json.Decoder(OutCall).decode
_log = logging.getLogger(__name__)


class Caller:
    """Makes the calls that the outbox holds.

    Args:
        sessions: owned by the caller of this.
        routes: by them answers are read.
        rng: spreads repeats.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        intake: Intake,
        sessions: Sessions,
        routes: Sequence[InboundRoute],
        rng: random.Random | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._sessions = sessions
        self._routes = {owner_of_route(route.name): route for route in routes}
        self._deliverer = Deliverer(store, clock, DOOR, self._make, rng=rng)

    def adopt(self, routes: Sequence[InboundRoute]) -> None:
        """Read answers by other routes from now on."""
        self._routes = {owner_of_route(route.name): route for route in routes}

    def wake(self) -> None:
        """There are new calls, or time has passed."""
        self._deliverer.wake()

    async def run(self) -> None:
        """Call for ever. Cancel: calls under way are made again at the next start."""
        await self._deliverer.run()

    async def _make(self, together: Sequence[Owed]) -> Taken | Missed:
        (owed,) = together
        answer = await self._sessions.ask(_decode(owed.payload))
        if answer.fault:
            return Missed(answer.fault)
        draft = await self._draft_reply(owed, answer)
        if draft is None:
            return Taken()
        return Taken(lambda tx: save_drafts(tx, [draft]))

    async def _draft_reply(self, owed: Owed, answer: Answer) -> Draft | None:
        route = self._routes.get(owed.lane.owner)
        if route is None or not route.reply:
            return None
        text = read_reply(
            answer.content_type, answer.body, min(route.max_segments, self._intake.max_segments)
        )
        message = await self._store.read(lambda tx: find_inbound(tx, owed.subject)) if text else None
        if message is None:
            return None
        people = [message.sender]
        if (replied := message.in_reply_to) is not None:  # whose number is doubtful is whom we wrote to
            sent = await self._store.read(lambda tx: find_message(tx, replied))
            people += [sent.recipient] if sent is not None else []
        return self._draft(message, people, text, self._clock.now())

    def _draft(
        self, message: InboundMessage, people: Sequence[str], text: str, now: datetime
    ) -> Draft | None:
        """The answer by the channel that the question came by; by the default group where that one can't send.

        Args:
            people: to the first of them that can be sent to.
        """
        for recipient in people:
            for channel in (message.channel, None):
                try:
                    request = MessageRequest(to=recipient, text=text, channel=channel)
                    return self._intake.draft(request, key=None, now=now)
                except InvalidRequest:
                    continue
        _log.info("no answer to an inbound message on %s: its sender can't receive", message.channel)
        return None
