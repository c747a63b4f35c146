"""A peer may cause as many lines as it likes; the log takes some of each kind, and says how many it left out."""

from __future__ import annotations

import logging

import pytest

from drivers.paced_log import EVERY_S, MOST, LogQuota, PacedLog

pytestmark = pytest.mark.unit


def test_of_many_alike_some_are_logged_and_the_rest_is_counted(caplog: pytest.LogCaptureFixture):
    now = 0.0
    log = PacedLog("test", clock=lambda: now)
    with caplog.at_level(logging.INFO):
        for i in range(10_000):
            log.warning("refused %d", i)
        log.info("another kind")
        assert len(caplog.records) == MOST + 1
        now = EVERY_S
        log.warning("refused %d", 7)
    assert caplog.messages[0] == "refused 0"
    assert caplog.messages[-1] == f"refused 7 ({10_000 - MOST} more like this were not logged)"


def test_a_quiet_minute_is_not_spoken_of(caplog: pytest.LogCaptureFixture):
    now = 0.0
    log = PacedLog("test", clock=lambda: now)
    for _ in range(3):
        log.warning("refused")
        now += EVERY_S
    assert caplog.messages == ["refused"] * 3


def test_kinds_without_end_are_not_remembered_without_end():
    quota = LogQuota()
    for kind in range(100_000):
        quota.admit(kind)
    assert len(quota._kinds) <= 1_000
