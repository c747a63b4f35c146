"""A stored segment as drivers take it: with its header, and with what its message asks of the network. Pure."""

from __future__ import annotations

from datetime import datetime

from drivers.base import Concat, Encoding, OutboundSegment, SegmentId
from drivers.codec.udh import concat_element, decode_udh, encode_udh
from gateway.model.message import Category, Message, Segment, concat_width


def outbound_segment(message: Message, segment: Segment, now: datetime) -> OutboundSegment:
    """A segment on its way to a driver.

    Args:
        now: aware; what is left of the message's time counts from here.
    """
    n = message.n_segments
    udh = message.udh or b""
    if n > 1:
        reference = message.concat_ref or 0
        width = concat_width(reference)
        concat = concat_element(Concat(reference=reference, total=n, part=segment.part, width=width))
        udh = encode_udh((*(decode_udh(udh).elements if udh else ()), concat))
    # A code is of no use later, also where nobody said for how long: the network is not to bring it then, either.
    has_end = message.valid_for_s or message.category is Category.OTP
    left_s = (message.expires_at - now).total_seconds() if has_end and message.expires_at else None
    return OutboundSegment(
        segment_id=SegmentId(f"{message.id}:{segment.part}"),
        recipient=message.recipient,
        sender=message.source_address,
        encoding=Encoding(message.encoding),
        payload=segment.payload,
        udh=udh,
        flash=message.flash,
        report=message.report,
        valid_for_s=None if left_s is None else max(60.0, left_s),
        priority=message.priority,
        more_to_come=segment.part < n,
        attempt=segment.attempts,
        carrier_options=message.carrier_options,
    )
