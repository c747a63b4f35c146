"""The driver contract: what every channel implementation promises, and the values that cross it.

A driver's unit is one segment. The gateway plans and joins; a driver carries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NewType, Protocol

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

    from drivers.traits import Traits

SegmentId = NewType("SegmentId", str)
"""Names one segment in logs; opaque to drivers."""


class Encoding(StrEnum):
    """How ``payload`` octets are to be read.

    GSM7: one code of the GSM 7-bit alphabet per byte, 0..127, escapes as two; *not packed*.
    UCS2: UTF-16BE octets, surrogate pairs allowed.
    BINARY: octets as they are.
    """

    GSM7 = "gsm7"
    UCS2 = "ucs2"
    BINARY = "binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Concat:
    """Concatenation data of one part (3GPP TS 23.040 9.2.3.24.1, .8; SMPP ``sar_*``).

    Args:
        reference: 0..255 or 0..65535, by ``width``.
        total: number of parts, 1..255.
        part: this part, 1..total.
        width: bits of the reference, 8 or 16; equal numbers of unequal width are different references.
    """

    reference: int
    total: int
    part: int
    width: int = 8


class OutboundSegment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment to be put on the wire, exactly as it is.

    Args:
        segment_id: for logs.
        recipient: E.164 with ``+``, or digits without it for short codes.
        sender: source address asked for; None lets the channel use its own. SIMs ignore it.
        encoding: of ``payload``.
        payload: see `Encoding`; at most 140 octets (160 codes in GSM7) together with ``udh``.
        udh: user data header with its leading length octet; empty for none.
        flash: message class 0.
        report: ask for a delivery report.
        valid_for_s: seconds the network may keep trying; None for the network's default.
        priority: 0..9, 9 first; only a hint to the network.
        more_to_come: another segment of the same message follows at once.
        attempt: which attempt of this segment it is, from 1; only handed back in `LateResult`.
        carrier_options: what the message brings along for its carrier (`drivers.carrier_options`); SIMs ignore it.
    """

    segment_id: SegmentId
    recipient: str
    sender: str | None = None
    encoding: Encoding
    payload: bytes
    udh: bytes = b""
    flash: bool = False
    report: bool = True
    valid_for_s: float | None = None
    priority: int = 5
    more_to_come: bool = False
    attempt: int = 1
    carrier_options: str | None = None


class FaultKind(StrEnum):
    """What is to be done about a refusal."""

    TEMPORARY = "temporary"
    """The same channel may try again later."""
    THROTTLED = "throttled"
    """This channel must slow down; the segment is innocent."""
    CHANNEL = "channel"
    """This channel can't; another may, now. No octet of the segment has taken effect."""
    PERMANENT = "permanent"
    """The segment itself will never go."""
    CONFIG = "config"
    """Stop the channel and call a person: trying again does harm."""


class Blame(StrEnum):
    """Whose a failure is, as far as its code tells."""

    CHANNEL = "channel"
    """No other segment would fare better on this channel now."""
    SEGMENT = "segment"
    """The segment's own, or its recipient's: the network works, and has judged this one."""
    UNCLEAR = "unclear"
    """The code is in use for both. Failures of several recipients tell."""


_USUAL_BLAME = {
    FaultKind.TEMPORARY: Blame.UNCLEAR,
    FaultKind.THROTTLED: Blame.CHANNEL,
    FaultKind.CHANNEL: Blame.CHANNEL,
    FaultKind.PERMANENT: Blame.SEGMENT,
    FaultKind.CONFIG: Blame.CHANNEL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a segment was refused or a channel is down.

    Args:
        kind: the reaction asked for.
        code: stable snake-case code, such as ``cms_38`` or ``smpp_0x58`` or ``link_down``.
        detail: one sentence for people; no number, text or secret.
        retry_after_s: seconds the peer asked us to wait, if it did.
        blame: whose it is, where that is not what its kind says; see `whose`.
    """

    kind: FaultKind
    code: str
    detail: str
    retry_after_s: float | None = None
    blame: Blame | None = None

    @property
    def whose(self) -> Blame:
        """Whose failure it is."""
        return _USUAL_BLAME[self.kind] if self.blame is None else self.blame


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The network took the segment.

    Args:
        reference: what receipts will name: TP-MR in decimal for a SIM, ``message_id`` for an SMSC;
            None when the network gave none.
        congestion: how busy the peer says it is, 0 idle to 100 congested (SMPP 5.0); None when it says nothing.
    """

    reference: str | None
    congestion: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The segment is certainly not sent."""

    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """Octets may have left us and no answer came: nobody knows. Never resent unless the operator says so.

    Args:
        code: stable snake-case code, such as ``answer_timeout`` or ``link_lost``.
        detail: one sentence for people.
        blame: ``CHANNEL`` when the link died, which says nothing of the recipient.
    """

    code: str
    detail: str
    blame: Blame = Blame.UNCLEAR


SubmitResult = Accepted | Refused | Uncertain


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelUp:
    """The channel can take segments now.

    Args:
        ailment: what does not work all the same; told again when that changes.
    """

    ailment: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelDown:
    """The channel can't take segments; ``run`` goes on trying unless the fault is CONFIG."""

    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelInfo:
    """What operators see of a channel; sent whenever something in it changed.

    Args:
        facts: flat, JSON-ready: ``operator``, ``signal_dbm``, ``registration``, ``imei``, ``iccid``,
            ``model``, ``port``, ``system_id``, ``peer`` ...
    """

    facts: dict[str, str | int | float | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelNotice:
    """Something that operators should learn of; whether the channel takes segments does not follow from it.

    Args:
        code: stable snake-case code out of a small set, fit for a metric's label: ``recovery_radio_cycle``,
            ``sim_swapped``, ``storage_full`` ...
        detail: one sentence for people; no number, text or secret.
    """

    code: str
    detail: str


class ReceiptState(StrEnum):
    """What a delivery report says (TP-ST, SMPP ``message_state``)."""

    DELIVERED = "delivered"
    ENROUTE = "enroute"
    """Not an end: the network is still trying, or only took it over."""
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNDELIVERABLE = "undeliverable"
    DELETED = "deleted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A delivery report for one segment.

    Args:
        references: spellings under which the segment may be known, best first (as given, then hex
            against decimal, zeros stripped); none when the report only says which handset it is about.
        dialects: of each of ``references``, by what change of spelling it was made; opaque, and always the same
            for one channel's network; empty where there is nothing to choose.
        recipient: the handset as the report spells it, normalised to ``+`` form where it can be; None if absent.
        state: what happened.
        code: the network's own code for logs, such as ``tp_st_0x41`` or ``err:005``.
        done_at: when, by the network's clock; None if unreadable.
        accepted_at: when the network took the segment over (TP-SCTS), by its clock; None if unknown.
        agreed: the spelling of ids was agreed with the network: none of ``references`` is a guess.
        other: the report's other address; the handset's where a network leaves both as the message had them.
        whole: it speaks of all parts of its message, though it names one.
        word: the network's own word for the state; empty where it is the specification's, or not told.
        understood: False where nothing in it says the state in a way that is known.
        octets: the report as it came, cut to `MOST_OCTETS`; may have the message's text, so not part of the repr.
        otherwise: what it is where it names none of our segments; None where it is a report for certain.
        network: MCC and MNC of the network that the handset is in, digits; empty where it is not told.
    """

    references: tuple[str, ...]
    dialects: tuple[str, ...] = ()
    recipient: str | None
    state: ReceiptState
    code: str = ""
    done_at: datetime | None = None
    accepted_at: datetime | None = None
    agreed: bool = False
    other: str | None = None
    whole: bool = False
    word: str = ""
    understood: bool = True
    octets: bytes = field(default=b"", compare=False, repr=False)
    otherwise: InboundPart | None = field(default=None, repr=False)
    network: str = ""


MOST_OCTETS: Final = 512
"""Of a report that is kept as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundPart:
    """One received part, mobile-originated; the gateway joins parts.

    Args:
        sender: originating address: E.164 with ``+``, a short code, or alphanumeric.
        recipient: address it was sent to, if the wire says (SMPP); None on a SIM.
        encoding: of ``payload``.
        payload: see `Encoding`, without the user data header; UCS2 of a part of a longer text as it came, in either
            order and perhaps with a byte order mark, for the mark of the first part may hold for the others.
        concat: None for a message in one part.
        flash: message class 0.
        network_time: the SMSC's timestamp; None if unreadable.
        kind: see `drivers.inbound_kind`; None for a message of a person.
        dedupe_key: equal for the same part received again (SIM storage read twice, network repeat);
            None when the wire gives nothing to tell by.
    """

    sender: str
    recipient: str | None = None
    encoding: Encoding
    payload: bytes
    concat: Concat | None = None
    flash: bool = False
    network_time: datetime | None = None
    kind: str | None = None
    dedupe_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LateResult:
    """The network's answer to a segment whose `submit` is over without one.

    Reported once for each such segment at most; an answer that never comes is no event.

    Args:
        segment_id, attempt: of the segment, as they were handed over.
        result: what `submit` would have returned.
        abandoned: `submit` was cancelled, so nobody has been told ``Uncertain``.
    """

    segment_id: SegmentId
    attempt: int
    result: Accepted | Refused
    abandoned: bool = False


DriverEvent = ChannelUp | ChannelDown | ChannelInfo | ChannelNotice | Receipt | InboundPart | LateResult


class EventSink(Protocol):
    """Where a driver's events go."""

    async def handle(self, event: DriverEvent) -> None:
        """Take one event.

        Returns only after what must be durable is committed; then the driver acknowledges the network.
        Calls may run concurrently. Raises when the event could not be stored: the driver then MUST NOT
        acknowledge (SMPP: answer with a temporary error), so that the network keeps it.
        """
        ...


class Driver(Protocol):
    """One channel: one SIM in one modem, or one bind.

    MUST:
      * `submit` returns exactly one result per segment.
      * `run` owns the wire until cancelled and reconnects by itself with jittered backoff; it reports
        `ChannelUp` and `ChannelDown` on every change.
      * inbound events and receipts are awaited on the sink, and acknowledged to the network only after
        the sink has returned.
      * everything is cancellable at any await, except between the first octet of a PDU and its final
        result, which is shielded: a cancelled `submit` whose PDU is on the wire is still accounted for.
      * `Uncertain` when any octet of the PDU (after the ``>`` prompt, or of submit_sm) may have left
        and no final answer came; `Refused` with CHANNEL before that.

    MUST NOT:
      * split, reorder within a message, or change a payload;
      * raise from `submit` for what the network said: that is `Refused`;
      * keep messages of its own: what is not answered belongs to the gateway.
    """

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        ...

    @property
    def traits(self) -> Traits:
        """What the channel is like; always the same."""
        ...

    @property
    def capacity(self) -> int:
        """How many submits may be in flight: 1 for a modem, the window for a bind."""
        ...

    async def run(self, sink: EventSink) -> None:
        """Keep the channel alive until cancelled; returns by itself only after a CONFIG fault.

        Cancel: closes the wire (unbind, port closed); segments in flight get their result first or `Uncertain`.
        """
        ...

    async def submit(self, segment: OutboundSegment) -> SubmitResult:
        """Put one segment on the wire and wait for the network's answer.

        Cancel: before the first octet nothing has happened; after it the exchange goes on shielded.
        """
        ...

    async def drain(self, deadline: float) -> None:
        """Take no new submits and wait for those on the wire, until the loop's clock shows ``deadline``."""
        ...
