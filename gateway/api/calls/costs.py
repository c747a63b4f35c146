"""What was spent: sums by day, key, tag and channel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.errors import FieldError, InvalidRequest
from gateway.http.body import answer_value
from gateway.http.product import Call
from gateway.http.query import read_query
from gateway.store.costs import DIMENSIONS, Sum, sum_costs
from gateway.store.keys import list_keys
from gateway.store.ports import Tx
from gateway.views.shapes import CostOut, figures_of

MOST_SUMS: Final = 5_000
"""Of one answer."""


class CostQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sums.

    Args:
        since: the first day, `2026-11-01`; left out for all there are.
        until: the last day.
        by: what to sum by: some of `day`, `key`, `tag` and `channel`, joined by commas; left out for one sum in all.
            Each currency has sums of its own.
    """

    since: date | None = None
    until: date | None = None
    by: Annotated[str, Meta(max_length=100)] = ""


class CostSum(CostOut, frozen=True, kw_only=True):
    """One sum.

    Args:
        day: by the gateway's own clock on the wall: when the segments were handed to their channel.
        key: who sent: `key:` and a key's name, `smpp:` or `kannel:` and an account's, or `system`.
        tag: null for messages without one. A message of several tags is in the sum of each.
    """

    day: str | msgspec.UnsetType = msgspec.UNSET
    key: str | msgspec.UnsetType = msgspec.UNSET
    tag: str | msgspec.UnsetType | None = msgspec.UNSET
    channel: str | msgspec.UnsetType = msgspec.UNSET


class CostPage(msgspec.Struct, frozen=True, kw_only=True):
    """Sums, in the order of what they are by; ``next`` is always null."""

    items: list[CostSum]
    next: str | None = None


async def get_costs(call: Call) -> web.Response:
    """What was spent, summed up.

    What the network has taken counts, at the price of that moment; what may or may not have gone out is counted apart.
    Messages for which there was no price are not in it.
    """
    query = read_query(call.request, CostQuery)
    by = _read_by(query.by)

    async def load(tx: Tx) -> list[CostSum]:
        sums = await sum_costs(tx, by, query.since, query.until, MOST_SUMS)
        if sums is None:
            detail = f"these are more than {MOST_SUMS} sums; ask for fewer days, or sum by less"
            raise InvalidRequest(FieldError("by", "too_many_sums", detail))
        names = await _names_of_keys(tx) if "key" in by else {}
        return [_show(one, by, names) for one in sums]

    return answer_value(CostPage(items=await call.context.store.read(load)))


def _read_by(text: str) -> frozenset[str]:
    names = text.split(",") if text else []
    if unknown := next((name for name in names if name not in DIMENSIONS), None):
        detail = f"`{unknown[:20]}` is not known; write some of {', '.join(DIMENSIONS)}, joined by commas"
        raise InvalidRequest(FieldError("by", "invalid", detail))
    return frozenset(names)


async def _names_of_keys(tx: Tx) -> dict[str, str]:
    return {"": "system"} | {key.id: f"key:{key.name}" for key in await list_keys(tx)}


def _show(one: Sum, by: frozenset[str], names: Mapping[str, str]) -> CostSum:
    key = one.key_id or ""
    return CostSum(
        currency=one.currency,
        **figures_of(one.spent),
        day=one.day if "day" in by and one.day else msgspec.UNSET,
        key=names.get(key, key) if "key" in by else msgspec.UNSET,
        tag=(one.tag or None) if "tag" in by else msgspec.UNSET,
        channel=one.channel if "channel" in by and one.channel is not None else msgspec.UNSET,
    )
