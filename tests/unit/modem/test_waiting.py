"""Stored status reports wait for each other while segments go out, and not otherwise."""

from __future__ import annotations

import math

import pytest

from drivers.at.unsolicited import Urc
from drivers.modem.messages.waiting import AT_ONCE, LOOK_S, PAUSE_S, SPREAD, WAIT_S, WaitingReports

pytestmark = pytest.mark.unit

NOW = 100.0


def report(n: int) -> Urc:
    return Urc(f'+CDSI: "SM",{n}')


def waiting(n: int) -> WaitingReports:
    reports = WaitingReports()
    for i in range(n):
        reports.add(report(i), NOW)
    return reports


def test_without_any_there_is_nothing_to_wait_for():
    assert waiting(0).due(NOW, None) == math.inf


def test_a_stick_at_rest_is_read_at_once():
    assert waiting(1).due(NOW, -math.inf) <= NOW


def test_between_two_segments_the_next_one_is_waited_for():
    assert waiting(1).due(NOW, NOW - PAUSE_S / 2) == pytest.approx(NOW + PAUSE_S / 2)
    assert waiting(1).due(NOW, NOW - 2 * PAUSE_S) <= NOW


def test_while_segments_go_out_the_oldest_waits_only_so_long():
    reports = waiting(3)
    assert reports.due(NOW + 1, None) == NOW + 1 + LOOK_S
    assert reports.due(NOW + WAIT_S * (1 + SPREAD), None) <= NOW + WAIT_S * (1 + SPREAD)


def test_many_are_read_at_once():
    assert waiting(AT_ONCE - 1).due(NOW, None) > NOW
    assert waiting(AT_ONCE).due(NOW, None) == NOW


def test_a_small_storage_is_read_before_it_is_full():
    reports = waiting(5)
    assert reports.due(NOW, None) > NOW
    reports.note_room(10)
    assert reports.due(NOW, None) == NOW


def test_one_more_wakes_nobody_before_they_are_many():
    reports = WaitingReports()
    woken = [reports.add(report(i), NOW) for i in range(AT_ONCE)]
    assert woken == [True, *[False] * (AT_ONCE - 2), True]


def test_what_was_taken_or_read_otherwise_is_gone():
    reports = waiting(3)
    reports.drop(lambda urc: urc.line.endswith("1"))
    assert reports.take() == [report(0), report(2)]
    assert len(reports) == 0
