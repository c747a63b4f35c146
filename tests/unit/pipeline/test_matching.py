"""Which spellings of a number are one handset."""

from __future__ import annotations

import pytest

from gateway.pipeline.receipts.match import same_handset

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("recipient", "reported"),
    [
        ("+8613820050002", "8613820050002"),
        ("+8613820050002", "008613820050002"),
        ("+8613820050002", "13820050002"),
        ("+8613820050002", "013820050002"),
        ("+447700900123", "07700900123"),
        ("+4520123456", "20123456"),
        ("+3546112345", "6112345"),
        ("+5491123456789", "541123456789"),
        ("+525512345678", "+5215512345678"),
        ("10086", "10086"),
    ],
)
def test_prefixes_come_and_go(recipient: str, reported: str):
    assert same_handset(recipient, reported, strict=True)


@pytest.mark.parametrize(
    ("recipient", "reported"),
    [
        ("+8613720050002", "8613820050002"),
        ("+8613720050002", "13820050002"),
        ("+4520123456", "+4720123456"),
        ("+8613820050002", "50002"),
        ("10086", "+8613820010086"),
    ],
)
def test_numbers_that_only_end_alike_are_two_people(recipient: str, reported: str):
    assert not same_handset(recipient, reported, strict=False)


def test_what_is_not_reported_agrees_with_all_unless_it_must_be_known():
    assert same_handset("+8613820050002", None, strict=False)
    assert not same_handset("+8613820050002", None, strict=True)
