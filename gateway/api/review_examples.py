"""Examples of the calls on reviews: a part of `gateway.api.examples`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_REVIEW: Final = {
    "id": "01m8p1q32wbkgbe83qx7vqh8gj",
    "state": "open",
    "rule": "words",
    "code": "listed_word",
    "detail": 'The text has a word of the list "cn-absolute-terms" (review).',
    "messages": 5000,
    "to": "+8613800138000",
    "text": "【鸿雁】全国最佳的价格，回T退订",
    "category": "marketing",
    "brand": "default",
    "reference": None,
    "batch_id": "01m8p1q32wbkgbe83qx7vqh8gk",
    "tags": ["autumn"],
    "policy": [
        {"rule": "words", "outcome": "review", "code": "listed_word", "detail": "The text has a word."}
    ],
    "status": "queued",
    "asked_at": "2026-11-30T09:21:52Z",
    "expires_at": "2026-12-02T09:21:52Z",
    "decided_by": None,
    "reason": None,
    "decided_at": None,
}

REVIEW_REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "approve_review": {"all that wait with its text": {"all_of": "text", "reason": "checked with legal"}},
    "reject_review": {"it alone": {"reason": "no absolute terms, please"}},
}
REVIEW_ANSWERS: Final[Mapping[str, Any]] = {
    "get_reviews": {"items": [_REVIEW], "next": None},
    "get_review": _REVIEW,
    "approve_review": {"decided": 5000, "review": _REVIEW | {"state": "approved", "decided_by": "key:ann"}},
    "reject_review": {"decided": 1, "review": _REVIEW | {"state": "rejected", "decided_by": "key:ann"}},
}
