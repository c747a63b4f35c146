"""The audit trail: who did what, when and from where."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Final

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Code
from gateway.console.listing import Column, Filter, Listing, show_list
from gateway.console.numbers import show_number
from gateway.console.page import Page, Visit
from gateway.http.query import read_seq, spell_subject
from gateway.model.audit import AuditEntry
from gateway.store.audit import AuditQuery, list_audit

_MOST_CHARS: Final = 300
_NUMBER: Final = re.compile(r"\+\d{5,20}")


async def show_audit(visit: Visit) -> web.StreamResponse:
    """Entries, the newest first."""
    wanted = {
        name: visit.query.get(name, "").strip()[:_MOST_CHARS] or None
        for name in ("actor", "action", "subject")
    }
    if (subject := wanted["subject"]) is not None:
        wanted["subject"] = spell_subject(subject, visit.product.region)
    query = AuditQuery(actor=wanted["actor"], action=wanted["action"], subject=wanted["subject"])

    async def load(limit: int, after: str | None) -> Sequence[AuditEntry]:
        before = read_seq(after)
        return await visit.product.store.read(
            partial(list_audit, query=query, limit=limit, before_seq=before)
        )

    def shown(subject: str) -> Code | None:
        if not subject:
            return None
        return Code(show_number(visit, subject) if _NUMBER.fullmatch(subject) else subject)

    listing = Listing[AuditEntry](
        name="audit",
        columns=(
            Column("seq", "No.", lambda e: Code(str(e.seq))),
            Column("at", "Time", lambda e: e.at),
            Column("actor", "Who", lambda e: e.actor, main=True),
            Column("action", "Did what", lambda e: Code(e.action)),
            Column("subject", "To what", lambda e: shown(e.subject)),
            Column("details", "Details", _details),
            Column("origin", "From where", lambda e: e.origin),
        ),
        load=load,
        key=lambda one: str(one.seq),
        by_id=False,
        filters=(
            Filter("actor", "Who", "search"),
            Filter("action", "Did what"),
            Filter("subject", "To what"),
        ),
    )
    return await show_list(visit, listing, "audit.html")


def _details(entry: AuditEntry) -> str | None:
    text = bytes(entry.details).decode()
    return None if text == "{}" else text


PAGES: Final = (Page(path="/audit", handler=show_audit, permission=Permission.AUDIT_READ, menu="audit"),)
