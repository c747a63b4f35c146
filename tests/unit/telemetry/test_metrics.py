"""What Prometheus reads."""

from __future__ import annotations

import pytest

from gateway.telemetry.metrics import make_metrics

pytestmark = pytest.mark.unit


def test_counters_show_their_labels():
    metrics = make_metrics()
    metrics.messages.labels("sent", "otp").inc(3)
    assert b'hongyan_messages_total{category="otp",status="sent"} 3.0' in metrics.render()


def test_watched_gauge_is_read_at_every_look():
    metrics = make_metrics()
    depth = {"queued": 1.0}
    metrics.watch("hongyan_queue_messages", "Waiting.", "status", lambda: depth)
    assert b'hongyan_queue_messages{status="queued"} 1.0' in metrics.render()
    depth["queued"] = 5.0
    assert b'hongyan_queue_messages{status="queued"} 5.0' in metrics.render()


def test_two_daemons_in_one_process_do_not_share():
    one, other = make_metrics(), make_metrics()
    one.inbound.labels("sim-1").inc()
    assert b'hongyan_inbound_total{channel="sim-1"}' in one.render()
    assert b'hongyan_inbound_total{channel="sim-1"}' not in other.render()
