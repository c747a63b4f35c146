"""`hongyan check-message`: what people read of the gateway's answer."""

from __future__ import annotations

import pytest

from gateway.cli.check_message import describe

pytestmark = pytest.mark.unit


def test_a_warning_is_told_from_a_rule_that_has_nothing_to_say() -> None:
    warned = {
        "rule": "expiry_date",
        "outcome": "warn",
        "code": "no_expiry_date",
        "detail": "It has an offer.",
        "until": None,
    }
    lines = list(
        describe(
            {
                "to": "+8613800138000",
                "category": "marketing",
                "brand": "acme",
                "segments": 1,
                "text": "满300减50",
                "rules": [{"rule": "links", "outcome": "allow"}, warned],
                "outcome": "allow",
            }
        )
    )
    assert lines[2:] == [
        "may go   links",
        "warns    expiry_date: no_expiry_date: It has an offer.",
        "=> may go",
    ]
