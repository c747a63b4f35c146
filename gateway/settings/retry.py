"""``[[retry]]``: how hard messages of one category are tried, where that is not what hongyan does by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

from gateway.model.message import Category
from gateway.routing.retry import OnUncertain, Plan, RetryPolicy, plans_for
from gateway.settings.forms import Duration, Flag, Form, one_of, whole_number
from gateway.settings.queue import QueueSettings

_CATEGORIES = ("emergency", "otp", "transactional", "marketing")


class RetrySettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[retry]]``: a category that is tried otherwise; what is left out is as without the table.

    Args:
        category: of the messages.
        max_attempts: how often one segment is tried.
        first_s: the pause after the first failed attempt; each later pause is twice the one before.
        cap_s: the longest pause between two attempts.
        elsewhere: another channel that serves the message's queue is tried before any pause.
    """

    category: Annotated[Literal["emergency", "otp", "transactional", "marketing"], Form(one_of(*_CATEGORIES))]
    max_attempts: Annotated[int, Form(whole_number(1, 100))] | None = None
    first_s: Duration | None = msgspec.field(default=None, name="first")
    cap_s: Duration | None = msgspec.field(default=None, name="cap")
    elsewhere: Flag | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """The first pause is not longer than the longest."""
        if self.first_s is not None and self.cap_s is not None and self.first_s > self.cap_s:
            yield "first", "is longer than cap; write a shorter one"

    def plan(self, usual: Plan) -> Plan:
        """The plan of its category, from what that is without it."""
        first_s = usual.first_s if self.first_s is None else self.first_s
        return Plan(
            attempts=usual.attempts if self.max_attempts is None else self.max_attempts,
            first_s=first_s,
            cap_s=max(first_s, usual.cap_s) if self.cap_s is None else self.cap_s,
            elsewhere=usual.elsewhere if self.elsewhere is None else self.elsewhere,
        )


def make_policy(queue: QueueSettings, tables: Iterable[RetrySettings]) -> RetryPolicy:
    """What is done about failures: ``[queue]``, and what ``[[retry]]`` changes of it."""
    usual = plans_for(queue.max_attempts, queue.retry_first_s, queue.retry_cap_s)
    return RetryPolicy(
        on_uncertain=OnUncertain(queue.on_uncertain),
        max_attempts=queue.max_attempts,
        first_s=queue.retry_first_s,
        cap_s=queue.retry_cap_s,
        special={Category(t.category): t.plan(usual[Category(t.category)]) for t in tables},
    )


def twice_planned(tables: Iterable[RetrySettings]) -> Iterator[tuple[str, str]]:
    """A category has one table."""
    known: set[str] = set()
    for i, table in enumerate(tables):
        if table.category in known:
            yield f"retry[{i}].category", "has a table already; write one for each category"
        known.add(table.category)
