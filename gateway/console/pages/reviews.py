"""The review queue: messages that a rule holds for a person, who lets them go or ends them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Lines, Link
from gateway.console.listing import Column, Filter, Listing, show_list
from gateway.console.numbers import show_number
from gateway.console.page import Page, Visit
from gateway.console.words import mark
from gateway.errors import Conflict, NotFound
from gateway.pipeline.operator.reviews import Verdict, decide_review
from gateway.store.ports import Tx
from gateway.store.reviews import Alike, Decision, ReviewFilter, list_decided, list_open
from gateway.views.reviews import ReviewOut, ReviewState, show_decided, show_open

_STATES: Final = (("approved", mark("let go")), ("rejected", mark("rejected")))
_TONES: Final = {ReviewState.OPEN: "busy", ReviewState.APPROVED: "good", ReviewState.REJECTED: "bad"}
_MOST_REASON_CHARS: Final = 200


async def show_reviews(visit: Visit) -> web.StreamResponse:
    """What waits, the oldest first, one line for all of the same text; or what was decided on, the newest first."""
    state = visit.query.get("state", "")
    wanted = ReviewFilter(rule=visit.query.get("rule") or None, batch=visit.query.get("batch") or None)

    async def load(limit: int, after: str | None) -> Sequence[ReviewOut]:
        async def op(tx: Tx) -> list[ReviewOut]:
            if state in {"approved", "rejected"}:
                return await show_decided(tx, await list_decided(tx, Decision(state), wanted, limit, after))
            return await show_open(tx, await list_open(tx, wanted, Alike.TEXT, limit, after))

        return await visit.product.store.read(op)

    listing = Listing[ReviewOut](
        name="reviews",
        columns=(
            Column("text", "Text", lambda r: r.text, main=True),
            Column("to", "To", lambda r: Link(show_number(visit, r.to), f"/console/messages/{r.id}")),
            Column("messages", "Messages", lambda r: r.messages),
            Column("rule", "Held by", lambda r: Lines((f"{r.rule}: {r.code}", r.detail))),
            Column("asked_at", "Since", lambda r: r.asked_at),
            Column("state", "State", lambda r: Badge(r.state.value, _TONES[r.state])),
            Column(
                "decided_by",
                "Decided by",
                lambda r: Lines((r.decided_by, r.reason or "")) if r.decided_by else None,
            ),
        ),
        load=load,
        key=lambda one: one.id,
        filters=(
            Filter("state", "State", "select", _STATES, otherwise=mark("open")),
            Filter("rule", "Rule", "search"),
            Filter("batch", "Batch"),
        ),
        empty="Nothing waits for a person.",
    )
    may_decide = visit.may(Permission.APPROVALS_DECIDE)
    return await show_list(visit, listing, "reviews.html", may_decide=may_decide, alike=_alike(visit))


async def decide(visit: Visit) -> web.StreamResponse:
    """Let a message go or end it; alone, with all of its text, or with its batch."""
    form, t, message_id = visit.form, visit.t, visit.request.match_info["id"]
    reason, all_of = form.text("reason")[:_MOST_REASON_CHARS], form.text("all_of")
    decision = Decision.APPROVED if form.text("decision") == "approved" else Decision.REJECTED
    if decision is Decision.REJECTED and not reason:
        return visit.go("/reviews", t("Say why it is rejected: its sender finds the reason."), failed=True)
    verdict = Verdict(decision, Alike(all_of) if all_of in set(Alike) else Alike.MESSAGE, reason)
    clock, by = visit.product.clock, visit.actor
    try:
        n = await visit.product.store.write(lambda tx: decide_review(tx, clock, message_id, verdict, by=by))
    except (Conflict, NotFound) as error:
        return visit.go("/reviews", str(error), failed=True)
    said = (
        t("{n} messages go now.", n=n)
        if decision is Decision.APPROVED
        else t("{n} messages are rejected.", n=n)
    )
    return visit.go("/reviews", said)


def _alike(visit: Visit) -> list[tuple[str, str]]:
    t = visit.t
    return [
        (Alike.TEXT.value, t("all with this text")),
        (Alike.MESSAGE.value, t("this message alone")),
        (Alike.BATCH.value, t("its whole batch")),
    ]


PAGES: Final = (
    Page(path="/reviews", handler=show_reviews, permission=Permission.REVIEWS_READ, menu="reviews"),
    Page(
        method="POST",
        path="/reviews/{id}",
        handler=decide,
        permission=Permission.APPROVALS_DECIDE,
        menu="reviews",
    ),
)
