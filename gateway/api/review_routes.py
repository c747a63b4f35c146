"""The calls on reviews: a part of the table of `gateway.api.routes`."""

from __future__ import annotations

from functools import partial
from typing import Final

from gateway.api.calls import reviews
from gateway.api.route import IDEMPOTENCY, Route
from gateway.model.message import Scope
from gateway.views import reviews as shapes

_read = partial(Route, method="GET", group="reviews", scope=Scope.READ)
_decide = partial(
    Route,
    method="POST",
    group="reviews",
    scope=Scope.MANAGE,
    answers={200: shapes.DecisionOut},
    problems=(404, 409),
    headers=IDEMPOTENCY,
)

REVIEW_ROUTES: Final[tuple[Route, ...]] = (
    _read(
        path="/v1/reviews",
        handler=reviews.get_reviews,
        query=reviews.ReviewQuery,
        answers={200: shapes.ReviewPage},
    ),
    _read(
        path="/v1/reviews/{id}",
        handler=reviews.get_review,
        answers={200: shapes.ReviewOut},
        problems=(404,),
    ),
    _decide(
        path="/v1/reviews/{id}/approve",
        handler=reviews.approve_review,
        bodies=(shapes.ApprovalRequest,),
        body_required=False,
    ),
    _decide(
        path="/v1/reviews/{id}/reject",
        handler=reviews.reject_review,
        bodies=(shapes.RejectionRequest,),
    ),
)
