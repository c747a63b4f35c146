"""The audit trail: who did what, when and from where."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from gateway.http.body import answer_value
from gateway.http.product import Call
from gateway.http.query import (
    Instant,
    PageQuery,
    make_page,
    read_cursor,
    read_query,
    read_seq,
    spell_subject,
)
from gateway.store.audit import AuditQuery, list_audit
from gateway.views.audit import AuditPage, show_entries

Name = Annotated[str, Meta(max_length=300)]


class AuditFilter(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deeds.

    Args:
        since: at this time or later.
        until: before this time.
        actor: who, whole: `key:billing`.
        action: what: `channel.paused`, or `channel.*`.
        subject: what it was done to: an id, a name or a number.
    """

    since: Instant | None = None
    until: Instant | None = None
    actor: Name | None = None
    action: Name | None = None
    subject: Name | None = None


async def get_audit(call: Call) -> web.Response:
    """Who did what, when and from where; the newest first.

    Entries are links of one chain of hashes; `hongyan audit verify` says whether one was changed or is missing.
    """
    query = read_query(call.request, AuditFilter)
    before = read_seq(read_cursor(query.cursor, ids=False))
    subject = None if query.subject is None else spell_subject(query.subject, call.context.region)
    wanted = AuditQuery(query.since, query.until, query.actor, query.action, subject)
    found = await call.context.store.read(lambda tx: list_audit(tx, wanted, query.limit + 1, before))
    page, following = make_page(found, query.limit, lambda entry: str(entry.seq))
    return answer_value(AuditPage(items=show_entries(page), next=following))
