"""Opt-outs: who wants no marketing, since when, by which words; and how a person puts a number on or takes it off."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec
from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Code, Step
from gateway.console.listing import Column, Filter, Listing, show_list
from gateway.console.numbers import show_number
from gateway.console.page import Page, Visit, make_deeds
from gateway.errors import FieldError, InvalidRequest
from gateway.http.query import read_person
from gateway.model.events import Event
from gateway.model.message import Suppression
from gateway.model.msisdn import Reading, read_number
from gateway.model.opt_out import EVERYTHING, brand_scope
from gateway.pipeline.operator.suppress import opt_in, opt_out
from gateway.policy.rules.order import opt_out_of
from gateway.store.events import load_timeline
from gateway.store.ports import Tx
from gateway.store.suppressions import find_bearing, find_covering, list_suppressions

_SOURCE: Final = "console"
_SEPARATOR: Final = "\n"
_MOST_OF_NUMBER: Final = 50
"""Of the entries of one number."""


class _Told(msgspec.Struct, frozen=True):
    source: str = ""
    keyword: str | None = None
    reason: str | None = None
    scope: str = EVERYTHING
    by: str | None = None


_decode_told = msgspec.json.Decoder(_Told).decode


async def show_suppressions(visit: Visit) -> web.StreamResponse:
    """The list; of one number with its evidence, where the address names one."""
    t, store = visit.t, visit.product.store
    wanted, fault = visit.query.get("number", "").strip(), ""
    reading: Reading | None = None
    steps: list[Step] = []
    if wanted:
        try:
            reading = _read(visit, wanted)
        except InvalidRequest as error:
            fault = error.errors[0].detail
        else:
            spelling = reading.spelling
            steps = [
                _step(one)
                for one in await store.read(lambda tx: load_timeline(tx, spelling))
                if _is_ours(one)
            ]

    async def load(limit: int, after: str | None) -> Sequence[Suppression]:
        if wanted:
            if reading is None or after is not None:
                return []
            return (await store.read(partial(_find_all, reading=reading)))[: min(limit, _MOST_OF_NUMBER)]
        number, _, scope = (after or "").partition(_SEPARATOR)
        return await store.read(partial(list_suppressions, limit=limit, after=(number, scope)))

    listing = Listing[Suppression](
        name="suppressions",
        columns=(
            Column("number", "Number", lambda s: Code(show_number(visit, s.number)), main=True),
            Column("scope", "Wants none of", lambda s: Badge(s.scope) if s.scope == EVERYTHING else s.scope),
            Column("created_at", "Since", lambda s: s.created_at),
            Column("source", "How", lambda s: s.source),
            Column("keyword", "In which words", lambda s: s.keyword),
            Column("reason", "Reason", lambda s: s.reason),
        ),
        load=load,
        key=lambda one: f"{one.number}{_SEPARATOR}{one.scope}",
        by_id=False,
        filters=(Filter("number", "Number", "search"),),
        empty="Nobody has opted out yet.",
    )
    return await show_list(
        visit,
        listing,
        "suppressions/list.html",
        steps=steps[::-1],
        fault=fault,
        asked=wanted,
        may_manage=visit.may(Permission.SUPPRESSIONS_MANAGE),
        brands=[
            ("", t("all marketing")),
            *((one, one) for one in sorted(visit.product.consents.terms.brands)),
        ],
    )


async def add(visit: Visit) -> web.StreamResponse:
    """Put a number on the list; what waits for it and must not go is blocked at once."""
    product, form = visit.product, visit.form
    brand = form.text("brand")
    try:
        reading = read_person(form.text("number"), product.region, "number")
        if brand and brand not in product.consents.terms.brands:
            raise InvalidRequest(FieldError("/brand", "unknown_brand", "no [[brands]] table has this name"))
    except InvalidRequest as error:
        return visit.go("/suppressions", error.errors[0].detail, failed=True)
    _, is_new = await opt_out(
        product.store,
        product.clock,
        reading,
        by=visit.actor,
        source=_SOURCE,
        reason=form.text("reason")[:200] or None,
        scope=brand_scope(brand) if brand else EVERYTHING,
        rule=opt_out_of(product.intake.settings.chain),
    )
    said = (
        visit.t("The number gets no marketing any more.")
        if is_new
        else visit.t("The number was on the list.")
    )
    return visit.go("/suppressions", said, number=reading.spelling)


async def remove(visit: Visit) -> web.StreamResponse:
    """Take one entry off the list."""
    product, form = visit.product, visit.form
    reading = _read(visit, form.text("number"))
    removed = await opt_in(
        product.store,
        product.clock,
        reading,
        by=visit.actor,
        source=_SOURCE,
        scope=form.text("scope") or None,
    )
    if removed:
        return visit.go("/suppressions", visit.t("The entry is taken off the list."), number=reading.spelling)
    return visit.go("/suppressions", visit.t("This number is not on the list."), failed=True)


def _read(visit: Visit, text: str) -> Reading:
    """A number, or whatever else wrote to us and stands on the list. Raises InvalidRequest."""
    region = visit.product.region
    reading = read_number(text, region)
    return reading if reading.people or any(map(str.isalpha, text)) else read_person(text, region, "number")


async def _find_all(tx: Tx, reading: Reading) -> list[Suppression]:
    """The entries that bear a number, and those that hold for it."""
    found = await find_bearing(tx, reading.spelling)
    for person in reading.people:
        found += await find_covering(tx, person)
    return list({(one.number, one.scope): one for one in found}.values())


def _is_ours(event: Event) -> bool:
    return event.type.startswith("subscription.")


def _step(event: Event) -> Step:
    told = _decode_told(event.data)
    notes = (told.source, told.keyword or "", told.scope, told.reason or "", told.by or "")
    tone = "bad" if event.type.endswith("opted_out") else "good"
    return Step(event.at, event.type.removeprefix("subscription."), tone, notes)


_P = Permission
PAGES: Final = (
    Page(
        path="/suppressions", handler=show_suppressions, permission=_P.SUPPRESSIONS_READ, menu="suppressions"
    ),
    *make_deeds(
        "/suppressions",
        {"add": add, "remove": remove},
        permission=_P.SUPPRESSIONS_MANAGE,
        menu="suppressions",
    ),
)
