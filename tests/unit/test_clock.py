"""Instants survive the store's spelling."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import format_ms, parse_ms, truncate_ms

pytestmark = pytest.mark.property

INSTANTS = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001 - hypothesis wants its bounds without a zone
    datetime(9999, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(INSTANTS)
def test_what_was_truncated_comes_back_from_the_store(at: datetime):
    assert parse_ms(format_ms(truncate_ms(at))) == truncate_ms(at)
