"""Rehearse: where a message would go, and why; nothing is sent or stored.

The request is read as a message is, and decided by the same function with the same knowledge. So the next message of
that kind goes where the answer says, unless something changes in between.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from gateway.clock import Clock
from gateway.errors import Conflict
from gateway.model.message import ApiKey
from gateway.model.request import RouteRequest
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.route import names_of
from gateway.routing.channel import Standing
from gateway.routing.routes.conditions import Asked
from gateway.routing.routes.explain import RouteExplanation, explain_route
from gateway.routing.routes.table import NO_FACTS
from gateway.store.ports import Store
from gateway.store.routes import find_facts

_SHORT = "."
"""Stands for the text of a message that has none yet: one segment, GSM-7 unless another alphabet is asked for."""


async def rehearse(
    store: Store,
    clock: Clock,
    intake: Intake,
    standings: Sequence[Standing],
    request: RouteRequest,
    *,
    key: ApiKey | None,
) -> RouteExplanation:
    """Why a message would go where.

    Args:
        standings: all channels as they are.
        key: who asks; the message is one of his where the request names nobody else.

    Raises:
        InvalidRequest: a message like that would be refused.
        StoreError: the store can't be read.
    """
    if request.text is None and request.data is None:
        request = msgspec.structs.replace(request, text=_SHORT)
    message = intake.draft(request, key=key, joins=False).message
    asked = Asked(
        number=message.recipient,
        at=message.schedule_at or message.created_at,
        category=message.category,
        key=names_of(key) if request.key is None else (request.key,),
        tags=message.tags,
        sender=message.sender,
        channel=message.channel,
        encoding=message.encoding,
        n_segments=message.n_segments,
    )
    facts = await store.read(lambda tx: find_facts(tx, [asked.number], clock.now()))
    router = intake.router
    explained = explain_route(
        router.routes,
        asked,
        facts.get(asked.number, NO_FACTS),
        router.turns.peek,
        standings,
        now=clock.now(),
        has_options=bool(request.smpp_tlvs),
    )
    if explained is None:
        raise Conflict("no channel serves what the message asks for: it would be refused")
    return explained
