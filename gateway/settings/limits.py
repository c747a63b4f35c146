"""``[[limits]]``: how much of a sender may wait for the network, and how fast he may come."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated

import msgspec

from gateway.pipeline.intake.limits import LimitSettings, OwnerLimits, Pace
from gateway.routing.load import Bounds
from gateway.settings.forms import BadValue, Filled, Form, Rate, parse_duration, parse_rate, whole_number

MostMessages = Annotated[int, Form(whole_number(1, 1_000_000_000))]
MostMegabytes = Annotated[int, Form(whole_number(1, 1_000_000))]
NEVER_S = 0.0


def parse_age(value: object) -> float:
    """A duration, or ``"never"`` for `NEVER_S`."""
    if value == "never":
        return NEVER_S
    try:
        return parse_duration(value)
    except BadValue as error:
        raise BadValue(f'{error}; "never" for no limit') from None


MostAge = Annotated[float, Form(parse_age)]
PaceOfCalls = Annotated[Rate, Form(parse_rate)]
OTHERS = "*"
_ACCOUNTS = ("smpp:", "kannel:")


class SenderLimits(msgspec.Struct, frozen=True, kw_only=True):
    """``[[limits]]``: those of one sender.

    Args:
        key: an API key's name, ``*`` for all keys that are not named, ``smpp:`` or ``kannel:`` and an account's name.
        rate: the most messages that it may send in so much time.
        requests: the most calls of the HTTP API that it may make.
        max_messages: that may wait for the network.
        max_megabytes: that these may take in the store.
        max_age_s: while one has waited longer, nothing more is taken; `NEVER_S` for no limit.
    """

    key: Filled
    rate: PaceOfCalls | None = None
    requests: PaceOfCalls | None = None
    max_messages: MostMessages | None = None
    max_megabytes: MostMegabytes | None = None
    max_age_s: MostAge = msgspec.field(default=NEVER_S, name="max_age")

    def faults(self) -> Iterator[tuple[str, str]]:
        """It limits something; accounts make no calls with a key."""
        if not (self.rate or self.requests or self.max_messages or self.max_megabytes or self.max_age_s):
            yield "key", "has no limit; write rate, requests, max_messages, max_megabytes or max_age"
        if self.key.startswith(_ACCOUNTS) and self.requests is not None:
            yield "requests", "is for API keys, and this is an account; write rate"

    def limits(self) -> OwnerLimits:
        """The same as the doors take it."""
        return OwnerLimits(
            bounds_of(self.max_messages, self.max_megabytes, self.max_age_s),
            _pace(self.rate),
            _pace(self.requests),
        )


def bounds_of(messages: int | None, megabytes: int | None, age_s: float) -> Bounds:
    """Bounds as a table writes them."""
    return Bounds(messages, None if megabytes is None else megabytes * 1_000_000, age_s or None)


def _pace(rate: Rate | None) -> Pace | None:
    return None if rate is None else Pace(rate.count, rate.per_s)


def gather_limits(in_all: Bounds, senders: Sequence[SenderLimits]) -> LimitSettings:
    """All limits together."""
    named = {_name(one.key): one.limits() for one in senders if one.key != OTHERS}
    others = next((one.limits() for one in senders if one.key == OTHERS), OwnerLimits())
    return LimitSettings(in_all, named, others)


def _name(key: str) -> str:
    return key if key.startswith(_ACCOUNTS) else f"key:{key}"


def limit_faults(
    senders: Sequence[SenderLimits], smpp: Collection[str], kannel: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Somebody named twice, or an account that there is not.

    Args:
        smpp, kannel: names of accounts.
    """
    known = {f"smpp:{name}" for name in smpp} | {f"kannel:{name}" for name in kannel}
    first: dict[str, int] = {}
    for i, one in enumerate(senders):
        if first.setdefault(one.key, i) != i:
            yield f"limits[{i}].key", f"has limits in limits[{first[one.key]}] already; write each once"
        if one.key.startswith(_ACCOUNTS) and one.key not in known:
            yield f"limits[{i}].key", "names an account that there is not; write the name as its table has it"
