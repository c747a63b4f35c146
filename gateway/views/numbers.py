"""The shapes in which people and programs are shown which numbers nobody has."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.policy.rules.numbers import DeadNumbers
from gateway.store.numbers import DeadNumber


class DeadNumberOut(msgspec.Struct, frozen=True, kw_only=True):
    """A number of which networks said that nobody has it.

    Args:
        number: in its one spelling.
        failures: messages that failed for that, without one that arrived in between.
        code: what the network said last.
        channel: which channel it was told.
        message_id: of which message.
        last_at: when.
        tried_at: when a message was last let through to try the number once again; null if none was since.
        dead_until: nothing goes to it until then; null where it has failed too seldom for that, or where `[numbers]
            dead_after` is not set.
    """

    number: str
    failures: int
    code: str
    channel: str | None
    message_id: str
    first_at: Annotated[datetime, Meta(tz=True)]
    last_at: Annotated[datetime, Meta(tz=True)]
    tried_at: Annotated[datetime, Meta(tz=True)] | None
    dead_until: Annotated[datetime, Meta(tz=True)] | None


class DeadNumberPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some numbers, in order.

    Args:
        next: the cursor of the next page; null at the end.
    """

    items: list[DeadNumberOut]
    next: str | None


def show_dead_number(row: DeadNumber, rule: DeadNumbers | None) -> DeadNumberOut:
    """One number for the outside.

    Args:
        rule: by which numbers are left alone; None where it is not configured.
    """
    return DeadNumberOut(
        number=row.number,
        failures=row.n_failures,
        code=row.code,
        channel=row.channel,
        message_id=row.message_id,
        first_at=row.first_at,
        last_at=row.last_at,
        tried_at=row.tried_at,
        dead_until=None if rule is None else rule.dead_until(row.failures),
    )
