"""Examples for the OpenAPI document: what to send, and what comes back.

They stand here by the operation's id (the handler's name), so that no call can be changed without its examples being
tried: each is held against the call's own schema in tests/unit/test_api_examples.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.api.consent_examples import CONSENT_ANSWERS, CONSENT_REQUESTS
from gateway.api.review_examples import REVIEW_ANSWERS, REVIEW_REQUESTS

_ALARM: Final = {
    "status": "firing",
    "labels": {"alertname": "InstanceDown", "instance": "web-1:9100", "severity": "critical"},
    "annotations": {"summary": "web-1 does not answer"},
    "startsAt": "2026-11-30T09:21:52Z",
    "fingerprint": "b4f2a1c09d3e7781",
}
_WEBHOOK: Final = {
    "id": "01m8p1m0hy97hc3n187fv53syp",
    "name": "orders",
    "url": "https://shop.example/sms",
    "types": ["message.*", "inbound.received"],
    "tags": [],
    "channels": [],
    "batch": 1,
    "enabled": True,
    "reason": None,
    "disabled_at": None,
    "failing_since": None,
    "pending": 0,
    "created_at": "2026-11-30T09:21:52Z",
    "updated_at": "2026-11-30T09:21:52Z",
}
_SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - an example, of nobody

REQUESTS: Final[Mapping[str, Mapping[str, Any]]] = {
    **CONSENT_REQUESTS,
    "send_message": {
        "a text": {"to": "+8613800138000", "text": "Your parcel comes today", "reference": "order-7"},
        "a code that is of no use after five minutes": {
            "to": "+8613800138000",
            "text": "您的验证码是 482910",
            "category": "otp",
            "valid_for": 300,
        },
        "later, and your application is called": {
            "to": "+8613800138000",
            "text": "See you at nine",
            "schedule_at": "2026-12-24T08:00:00+08:00",
            "callback_url": "https://shop.example/sms",
            "tags": ["reminder"],
        },
        "octets": {"to": "+8613800138000", "data": "00a1b2", "udh": "0605040b8423f0"},
    },
    "send_batch": {
        "one text to many": {"to": ["+8613800138000", "+8613900139000"], "text": "We open at nine"},
        "messages of any kind": {
            "messages": [
                {"to": "+8613800138000", "text": "Order 7 is on its way"},
                {"to": "+8613900139000", "text": "Order 8 is ready", "category": "transactional"},
            ]
        },
    },
    **REVIEW_REQUESTS,
    "preview_message": {"a text": {"text": "It’s ready", "smart": True}},
    "match_to_message": {
        "a receipt that was not understood": {
            "message_id": "01m8p1m40d9fyrzz5a49pw2k49",
            "part": 1,
            "state": "rejected",
        }
    },
    "send_ussd": {"the balance": {"code": "*100#"}, "a choice from the menu that came": {"code": "1"}},
    "run_channel_test": {"one phone": {"to": ["+8613800138000"], "wait": 30}},
    "trace_channel": {"begin": {"on": True}, "end": {"on": False}},
    "put_suppression": {"why": {"reason": "asked by telephone"}},
    "take_from_alertmanager": {
        "an alarm": {"version": "4", "status": "firing", "truncatedAlerts": 0, "alerts": [_ALARM]},
        "it is over": {"version": "4", "status": "resolved", "alerts": [_ALARM | {"status": "resolved"}]},
    },
    "take_from_grafana": {
        "an alarm": {"status": "firing", "alerts": [_ALARM | {"values": {"B": 22.4}}]},
    },
    "explain_a_route": {
        "a message without a text": {"to": "+8613800138000", "category": "marketing", "tags": ["vip"]},
        "another sender, another time": {
            "to": "+8613800138000",
            "text": "您的验证码是 482910",
            "category": "otp",
            "key": "smpp:crm",
            "schedule_at": "2026-12-24T08:00:00+08:00",
        },
    },
    "check_a_message": {
        "an offer": {
            "to": "+8613800138000",
            "text": "【鸿雁】周末满减",
            "category": "marketing",
            "brand": "default",
        },
        "of another sender, at night": {
            "to": "+8613800138000",
            "text": "周末满减",
            "category": "marketing",
            "key": "shop",
            "schedule_at": "2026-12-24T23:30:00+08:00",
        },
    },
    "put_number_carrier": {"a ported number": {"carrier": "unicom"}},
    "create_webhook": {
        "what becomes of messages, and what people write": {
            "name": "orders",
            "url": "https://shop.example/sms",
            "types": ["message.*", "inbound.received"],
        },
        "many events in one call": {
            "name": "statistics",
            "url": "https://statistics.example/events",
            "types": ["message.delivered", "message.undelivered"],
            "tags": ["campaign"],
            "batch": 100,
        },
    },
    "change_webhook": {
        "another address": {"url": "https://shop.example/sms-2"},
        "call it again after it was disabled": {"enabled": True},
    },
    "rotate_secret": {"both sign for an hour": {"overlap": 3600}},
}
"""By operation: what the example shows -> the body."""

_MESSAGE: Final = {
    "id": "01m8p1m40d9fyrzz5a49pw2k49",
    "status": "queued",
    "to": "+8613800138000",
    "text": "Your parcel comes today",
    "data": None,
    "udh": None,
    "category": "transactional",
    "sender": None,
    "channel": None,
    "priority": 5,
    "encoding": "gsm7",
    "flash": False,
    "schedule_at": None,
    "valid_for": None,
    "report": True,
    "callback_url": None,
    "reference": "order-7",
    "sequence": None,
    "tags": [],
    "segments": [
        {
            "part": 1,
            "status": "queued",
            "channel": None,
            "ref": None,
            "attempts": 0,
            "sent_at": None,
            "delivered_at": None,
            "error": None,
        }
    ],
    "error": None,
    "created_at": "2026-11-30T09:21:52Z",
    "updated_at": "2026-11-30T09:21:52Z",
    "sent_at": None,
    "delivered_at": None,
    "expires_at": "2026-12-03T09:21:52Z",
    "batch_id": None,
    "brand": "default",
    "template": None,
    "policy": [],
    "events": [],
}

_TOLD: Final = {
    "received": 3,
    "told": 2,
    "known": 1,
    "held": 0,
    "silent": 0,
    "unrouted": 0,
    "failed": 0,
    "messages": ["01m8p1p1qy7ydym9xyevt2vd5t"],
}
_DELIVERY: Final = {
    "id": "000000000000d30v74trg83wmw",
    "type": "message.delivered",
    "about": "01m8p1m40d9fyrzz5a49pw2k49",
    "status": "pending",
    "attempts": 2,
    "created_at": "2026-11-30T09:21:52Z",
    "next_at": "2026-11-30T09:22:12Z",
    "delivered_at": None,
    "dead_at": None,
    "fault": "status 503",
}
_OPEN_ALARM: Final = {
    "id": "01m8p1q32wbkgbe83qx7vqh8gj",
    "kind": "probe",
    "subject": "carrier-a",
    "detail": "A probe failed. It was not delivered within 120 s.",
    "raised_at": "2026-11-30T09:21:52Z",
}

ANSWERS: Final[Mapping[str, Any]] = {
    **CONSENT_ANSWERS,
    **REVIEW_ANSWERS,
    "send_message": _MESSAGE,
    "get_message": _MESSAGE,
    "get_messages": {"items": [_MESSAGE], "next": None},
    "cancel": _MESSAGE | {"status": "canceled"},
    "resend": _MESSAGE,
    "get_dead_numbers": {
        "items": [
            {
                "number": "+8613800138000",
                "failures": 3,
                "code": "MK:0001",
                "channel": "carrier-a",
                "message_id": "01m8p1m40d9fyrzz5a49pw2k49",
                "first_at": "2026-11-02T09:21:52Z",
                "last_at": "2026-11-30T09:21:52Z",
                "tried_at": None,
                "dead_until": "2026-12-30T09:21:52Z",
            }
        ],
        "next": None,
    },
    "get_alarms": {"items": [_OPEN_ALARM], "next": None},
    "clear_alarm": _OPEN_ALARM,
    "get_number_carrier": {
        "carrier": "unicom",
        "title": "中国联通",
        "kind": "mobile",
        "source": "api",
        "detail": "It was set by hand. Its range +86138 was given to cmcc.",
    },
    "retry_delivery": _DELIVERY | {"fault": None, "attempts": 0},
    "send_batch": {
        "batch_id": "01m8p1q32wbkgbe83qx7vqh8gj",
        "accepted": 1,
        "rejected": [{"index": 1, "code": "invalid_number", "detail": "This is no telephone number."}],
        "messages": [
            {
                "index": 0,
                "id": "01m8p1m40d9fyrzz5a49pw2k49",
                "to": "+8613800138000",
                "status": "queued",
                "segments": 1,
            }
        ],
    },
    "send_ussd": {"text": "1 Balance\n2 Data", "expects_reply": True},
    "trace_channel": {"on": True, "file": "/var/lib/hongyan/traces/sim-1.log"},
    "run_channel_test": {
        "channel": "carrier-a",
        "messages": [
            {
                "id": "01m8p1m40d9fyrzz5a49pw2k49",
                "status": "delivered",
                "accepted_s": 0.004,
                "answered_s": 0.131,
                "delivered_s": 2.48,
                "error": None,
            }
        ],
        "n_answered": 1,
        "n_delivered": 1,
        "delivery_rate": 1.0,
    },
    "get_audit": {
        "items": [
            {
                "seq": 1042,
                "at": "2026-11-30T09:21:52Z",
                "actor": "key:ops",
                "origin": "api 203.0.113.7",
                "action": "channel.paused",
                "subject": "carrier-a",
                "details": {},
                "salt": "9f4d2b1c8e7a60534c1d2e3f40516273",
                "seal": "9c1185a5c5e9fc54612808977ee8f548b2258d31a2f1c8a0d1c4d6a4a7a0c9d2",
                "hash": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
            }
        ],
        "next": None,
    },
    "take_from_alertmanager": _TOLD,
    "take_from_grafana": _TOLD,
    "get_costs": {
        "items": [
            {
                "day": "2026-11-30",
                "channel": "carrier-a",
                "currency": "CNY",
                "segments": 3,
                "amount": "0.135",
                "uncertain_segments": 0,
                "uncertain_amount": "0",
            }
        ],
        "next": None,
    },
    "explain_a_route": {
        "to": "+8613800138000",
        "at": "2026-11-30T09:21:52Z",
        "rule": "codes",
        "detail": "The rule codes takes it.",
        "way": ["direct", "backup"],
        "channel": "carrier-a",
        "channels": [
            {
                "channel": "carrier-a",
                "place": "group direct",
                "step": 1,
                "serves": True,
                "takes": True,
                "detail": "It takes the message now.",
                "cost": "0.045 CNY",
            }
        ],
        "waits_for": [],
        "rules": [{"rule": "codes", "matched": True, "detail": "Its category is otp."}],
        "rules_left": 1,
        "carrier": {
            "carrier": "cmcc",
            "title": "中国移动",
            "kind": "mobile",
            "source": "range",
            "detail": "Numbers with +86138 were given to it; whether this one was ported is not known.",
        },
        "sticky": None,
        "encoding": "ucs2",
        "segments": 1,
        "cost": "0.045 CNY",
    },
    "check_a_message": {
        "outcome": "refuse",
        "code": "opted_out",
        "detail": "The recipient opted out of marketing messages.",
        "until": None,
        "to": "+8613800138000",
        "category": "marketing",
        "brand": "default",
        "text": "周末满减",
        "encoding": "ucs2",
        "segments": 1,
        "rules": [
            {
                "rule": "opt_out",
                "outcome": "refuse",
                "code": "opted_out",
                "detail": "The recipient opted out of marketing messages.",
            }
        ],
    },
    "create_webhook": _WEBHOOK | {"secret": _SECRET},
    "get_webhook": _WEBHOOK,
    "change_webhook": _WEBHOOK,
    "rotate_secret": _WEBHOOK | {"secret": _SECRET},
    "get_webhooks": {"items": [_WEBHOOK], "next": None},
    "test_webhook": {"heard": False, "status": 503, "fault": "status 503", "seconds": 0.12},
    "get_deliveries": {"items": [_DELIVERY], "next": None},
    "reload_config": {
        "adopted": ["opt_out.keywords", "prices"],
        "channels": [{"name": "carrier-b", "change": "changed"}, {"name": "sim-4", "change": "added"}],
        "needs_restart": ["store.url"],
        "warnings": [],
    },
}
"""By operation: an answer to a call that succeeded."""
