"""``[[probes]]``: messages that test a channel again and again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated

import msgspec

from gateway.model.channel_test import DEFAULT_TEXT
from gateway.settings.forms import Duration, Filled, Form, Name, short_text

LEAST_EVERY_S = 60.0
LONGEST_WITHIN_S = 3_600.0


class ProbeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[probes]]``: the test of one channel.

    Args:
        channel: its name.
        to: a number of yours that a phone or modem answers for with delivery reports.
        every_s: from one probe to the next.
        within_s: how long it may take from being accepted to its delivery report; else there is an alarm.
        text: what is sent.
    """

    channel: Name
    to: Filled
    every_s: Duration = msgspec.field(default=3_600.0, name="every")
    within_s: Duration = msgspec.field(default=120.0, name="within")
    text: Annotated[str, Form(short_text(160))] = DEFAULT_TEXT

    def faults(self) -> Iterator[tuple[str, str]]:
        """Not too often, and one is over before the next begins."""
        if self.every_s < LEAST_EVERY_S:
            yield "every", 'is too short; write "60s" or more, each probe is a message that you pay for'
        if self.within_s > LONGEST_WITHIN_S:
            yield "within", 'is too long; write "1h" or less'
        if self.within_s >= self.every_s:
            yield "within", "is not shorter than every; write a shorter one, or probe less often"
        if not self.text:
            yield "text", "is empty; write some words, or leave it out"


def probe_faults(
    probes: Sequence[ProbeSettings], senders: Collection[str], region: str
) -> Iterator[tuple[str, str]]:
    """Probes of channels that are not there or send nothing, two of one channel, and numbers that are none.

    Args:
        senders: names of the channels that send.
    """
    if not probes:
        return
    from gateway.model.msisdn import InvalidNumber, parse_number  # noqa: PLC0415 - commands need not load it

    known: set[str] = set()
    for i, probe in enumerate(probes):
        if probe.channel not in senders:
            names = ", ".join(senders) or "none is configured"
            yield (
                f"probes[{i}].channel",
                f"no channel that sends is called {probe.channel}; write one of: {names}",
            )
        if probe.channel in known:
            yield f"probes[{i}].channel", f"{probe.channel} has a probe already; write one for each channel"
        known.add(probe.channel)
        try:
            parse_number(probe.to, region)
        except InvalidNumber as error:
            yield f"probes[{i}].to", str(error)
