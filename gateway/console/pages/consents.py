"""Consents: who agreed to what, when, by which words, and what shows it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Code, Lines
from gateway.console.listing import Column, Filter, Listing, show_list
from gateway.console.numbers import show_number
from gateway.console.page import Page, Visit
from gateway.errors import InvalidRequest
from gateway.http.query import read_person
from gateway.model.consent import ConsentState
from gateway.store.consents import ConsentFilter, list_consents, list_history, load_wordings
from gateway.views.consents import ConsentOut, show_consents

_SEPARATOR: Final = "\n"
_TONES: Final = {
    ConsentState.GIVEN: "good",
    ConsentState.REFUSED: "bad",
    ConsentState.WITHDRAWN: "bad",
    ConsentState.PENDING: "busy",
}


async def show_consents_page(visit: Visit) -> web.StreamResponse:
    """What holds, by number; of one number all that it ever said, with its evidence."""
    store, wanted, fault = visit.product.store, visit.query.get("number", "").strip(), ""
    numbers: tuple[str, ...] | None = None
    if wanted:
        try:
            numbers = read_person(wanted, visit.product.region, "number").readings
        except InvalidRequest as error:
            fault, numbers = error.errors[0].detail, ()

    async def load(limit: int, after: str | None) -> Sequence[ConsentOut]:
        if numbers is not None:
            history = partial(list_history, numbers=numbers, limit=limit, after=after or "")
            rows = await store.read(history) if numbers else []
        else:
            parts = (after or "").split(_SEPARATOR)
            key = (parts[0], parts[1], parts[2]) if len(parts) == 3 else None
            rows = await store.read(partial(list_consents, wanted=ConsentFilter(), limit=limit, after=key))
        hashes = {one.wording for one in rows if one.wording is not None}
        wordings = await store.read(partial(load_wordings, hashes=hashes)) if hashes else {}
        return show_consents(rows, wordings)

    listing = Listing[ConsentOut](
        name="consents",
        columns=(
            Column("number", "Number", lambda c: Code(show_number(visit, c.number)), main=True),
            Column("state", "State", lambda c: Badge(c.state.value, _TONES[c.state])),
            Column("brand", "Brand and purpose", lambda c: Lines((c.brand, c.purpose))),
            Column("at", "Said at", lambda c: c.at),
            Column("source", "How", lambda c: c.source),
            Column("wording", "In which words", lambda c: c.wording or c.evidence.keyword),
            Column("evidence", "Evidence", _evidence),
            Column("by", "Recorded by", lambda c: c.by or visit.t("the person")),
            Column("expires_at", "Holds until", lambda c: c.expires_at),
        ),
        load=load,
        key=(lambda one: one.id) if wanted else _key,
        by_id=bool(wanted),
        filters=(Filter("number", "Number", "search"),),
        empty="No consent is on record. Import them with `hongyan consent import`.",
    )
    return await show_list(visit, listing, "consents.html", fault=fault, asked=wanted)


def _key(one: ConsentOut) -> str:
    return _SEPARATOR.join((one.number, one.brand, one.purpose))


def _evidence(one: ConsentOut) -> Lines | None:
    evidence = one.evidence
    file = f"{one.file[:12]}:{one.line}" if one.file else None
    parts = (evidence.reference, evidence.form, evidence.document, evidence.inbound, evidence.note, file)
    said = tuple(part for part in parts if part)
    return Lines(said) if said else None


PAGES: Final = (
    Page(path="/consents", handler=show_consents_page, permission=Permission.CONSENTS_READ, menu="consents"),
)
