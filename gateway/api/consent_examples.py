"""Examples of the calls on consents and on a person's data: a part of `gateway.api.examples`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_CONSENT: Final = {
    "id": "01m8p1m40d9fyrzz5a49pw2k49",
    "number": "+8613800138000",
    "brand": "default",
    "purpose": "marketing",
    "state": "given",
    "source": "form",
    "at": "2026-11-30T09:21:52Z",
    "recorded_at": "2026-11-30T09:21:53Z",
    "wording": "Send me offers by SMS, at most two a week",
    "wording_hash": "b0e1a2f0f1b8b6b66a2f4f5f10a3f1c5c8a6dfaf8f9f6cf1f4ff1cf7fc9d52a1",
    "evidence": {"reference": "order-7", "form": "https://shop.example/checkout"},
    "expires_at": None,
    "by": "key:shop",
    "file": None,
    "line": None,
}

CONSENT_REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "record_consents": {
        "one that came with an order": {
            "number": "+8613800138000",
            "source": "form",
            "at": "2026-11-30T09:21:52Z",
            "wording": "Send me offers by SMS, at most two a week",
            "evidence": {"reference": "order-7", "form": "https://shop.example/checkout"},
        },
        "the person is asked first": {"number": "+8613800138000", "ask": True},
        "a no": {"number": "+8613800138000", "state": "refused", "source": "phone"},
        "lines of a file, as a rehearsal": {
            "file": {
                "sha256": "3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7",
                "name": "may.csv",
                "statement": "Joined in our shops in May, on paper forms that we keep",
            },
            "consents": [
                {"number": "+8613800138000", "line": 2, "source": "paper"},
                {"number": "+8613900139000", "line": 3, "source": "paper", "brand": "outlet"},
            ],
            "dry_run": True,
        },
    },
    "prove_numbers": {"two numbers": {"numbers": ["+8613800138000", "+8613900139000"]}},
}

CONSENT_ANSWERS: Final[Mapping[str, Any]] = {
    "get_subject": {
        "number": "+8613800138000",
        "made_at": "2026-11-30T09:21:52Z",
        "messages": [],
        "inbound": [],
        "suppressions": [],
        "consents": [_CONSENT],
        "truncated": False,
    },
    "erase_data": {
        "messages": 3,
        "inbound": 1,
        "events": 12,
        "other": 2,
        "kept": [
            {
                "what": "consents",
                "count": 2,
                "why": "it proves what was sent by it, and that it was taken back",
            }
        ],
    },
    "record_consents": {
        "dry_run": False,
        "recorded": 1,
        "results": [{"index": 0, "number": "+8613800138000", "verdict": "new", "state": "given"}],
        "rejected": [{"index": 1, "code": "invalid_number", "detail": "This is no telephone number."}],
    },
    "get_consents": {"items": [_CONSENT], "next": None},
    "get_consent_history": {"items": [_CONSENT], "next": None},
    "get_proof_key": {
        "algorithm": "Ed25519",
        "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        "fingerprint": "21fe 31df a154 a261 626b f854 046f d227 1b7b ed4b 6abe 45aa 5887 7ef4 7f97 21b9",
        "created_at": "2026-11-30T09:21:52Z",
    },
}
