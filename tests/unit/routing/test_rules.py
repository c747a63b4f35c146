"""Where a message waits, and what a channel serves."""

from __future__ import annotations

import pytest

from gateway.routing.rules import choose_queue, queues_of

pytestmark = pytest.mark.unit

CHANNELS = {"sim-1": ("default", "otp"), "carrier": ("default",), "spare": ()}


@pytest.mark.parametrize(
    ("channel", "sender", "queue"),
    [
        (None, None, "group:default"),
        (None, "otp", "group:otp"),
        ("sim-1", None, "channel:sim-1"),
        ("spare", "otp", "channel:spare"),
        (None, "spare", "channel:spare"),
        (None, "marketing", None),
        ("gone", None, None),
        ("gone", "otp", None),
    ],
)
def test_where_a_message_waits(channel: str | None, sender: str | None, queue: str | None):
    assert choose_queue(CHANNELS, channel=channel, sender=sender) == queue


def test_without_a_default_group_a_message_must_say_where_it_wants_to_go():
    assert choose_queue({"sim-1": ("otp",)}, channel=None, sender=None) is None
    assert choose_queue({}, channel=None, sender=None) is None


def test_every_queue_that_can_be_chosen_is_served():
    served = {queue for name, groups in CHANNELS.items() for queue in queues_of(name, groups)}
    for sender in (None, "otp", "spare", "carrier"):
        assert choose_queue(CHANNELS, channel=None, sender=sender) in served
