"""The audit trail: who did what, when and from where."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from gateway.errors import FieldError, InvalidRequest
from gateway.http.body import answer_value
from gateway.http.product import Call
from gateway.http.query import Instant, PageQuery, make_page, read_cursor, read_query
from gateway.model.msisdn import read_number
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
    before = _read_seq(query.cursor)
    wanted = AuditQuery(
        query.since, query.until, query.actor, query.action, _read_subject(query.subject, call.context.region)
    )
    found = await call.context.store.read(lambda tx: list_audit(tx, wanted, query.limit + 1, before))
    page, following = make_page(found, query.limit, lambda entry: str(entry.seq))
    return answer_value(AuditPage(items=show_entries(page), next=following))


def _read_subject(text: str | None, region: str) -> str | None:
    """A number may be given in any spelling; whatever is none is what it is."""
    if text is None:
        return None
    if text.startswith(" "):
        text = f"+{text[1:]}"  # a plus sign that was not written as %2B
    reading = read_number(text, region)
    return reading.spelling if reading.people else text


def _read_seq(cursor: str | None) -> int | None:
    text = read_cursor(cursor, ids=False)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        detail = "give the `next` of the answer before, unchanged, or leave it out"
        raise InvalidRequest(FieldError("cursor", "invalid_cursor", detail))
    return int(text)
