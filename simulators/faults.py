"""The words for what can be made to go wrong in a simulator; the misbehaviour itself is not here.

Python, scenario files and the control port name faults by the same values, so that one word means the same
everywhere. A fault strikes at a *point*, on some of the *occasions* that come by there, and may last.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from simulators.dialects import UnknownWord, read_dialect


class Point(StrEnum):
    """Where a fault can strike; each passing is an occasion."""

    SECOND = "second"
    """By itself: once when it is injected, then once a second."""
    # modems
    COMMAND = "command"
    """A command line is complete and not yet looked at."""
    PROMPT = "prompt"
    """``AT+CMGS`` is taken, the prompt is due."""
    PDU = "pdu"
    """Ctrl-Z came, the network has not been asked."""
    ANSWER = "answer"
    """The network has taken the segment, the program does not know it yet."""
    FINAL = "final"
    """A final result code is due."""
    TRANSMIT = "transmit"
    """Anything at all is said."""
    # SMSCs
    BIND = "bind"
    SUBMIT = "submit"
    """A submit_sm came, the network has not been asked."""
    RESPONSE = "response"
    """A submit_sm_resp is due: what it answers was taken or refused."""
    PUSH = "push"
    """A deliver_sm is due."""
    # both
    DELIVER = "deliver"
    """The network brings an inbound message."""
    REPORT = "report"
    """The network brings a receipt."""


class ModemFault(StrEnum):
    """What a stick does to people who run it for months."""

    ECHO_STUCK = "echo_stuck"
    """ATE0 is answered with OK and changes nothing."""
    SPLIT = "split"
    """Answers come one byte at a time."""
    INTERLEAVE = "interleave"
    """An unsolicited line (``text``) stands inside an answer, before its final result code."""
    NO_PROMPT = "no_prompt"
    """The prompt never comes; the stick waits for the text all the same."""
    BARE_PROMPT = "bare_prompt"
    """The prompt comes without its blank."""
    LATE_OK = "late_ok"
    """The answer to a segment comes ``delay_s`` late."""
    TWO_FINALS = "two_finals"
    """The final result code comes twice."""
    CMS_ERROR = "cms_error"
    """A segment is refused with ``+CMS ERROR: code``; the network does not get it."""
    CME_ERROR = "cme_error"
    """A command line is refused with ``+CME ERROR: code``."""
    BUSY = "busy"
    """For ``lasts_s`` every command is refused: SIM busy."""
    PIN_LOCK = "pin_lock"
    """The SIM asks for its PIN (``text``) in mid-work."""
    DEREGISTERED = "deregistered"
    """No network for ``lasts_s``."""
    STORAGE_FULL = "storage_full"
    """No free slot for what comes in, for ``lasts_s``."""
    STORAGE_FILLED = "storage_filled"
    """Old messages of the operator's fill all slots; whoever deletes them makes room."""
    MESSAGE_TWICE = "message_twice"
    """The network delivers an inbound message again, for it missed the acknowledgement."""
    PARTS_SWAPPED = "parts_swapped"
    """A part of an inbound message waits until the next one has come, ``delay_s`` at most."""
    RECEIPT_LOST = "receipt_lost"
    """A status report is lost on its way."""
    RECEIPT_TWICE = "receipt_twice"
    """A status report comes twice."""
    RECEIPT_LATE = "receipt_late"
    """A status report comes ``delay_s`` late."""
    HANG = "hang"
    """Takes bytes and answers nothing more, echo included, for ``lasts_s``; without that, for ever."""
    REBOOT = "reboot"
    """Deaf for ``lasts_s``, then the boot banner; all that was set is forgotten."""
    DISAPPEAR = "disappear"
    """The port goes away for ``lasts_s``, as if the stick was pulled out."""
    REENUMERATE = "reenumerate"
    """The port goes away and comes back as another terminal; ``text`` names the link anew, if given."""
    GARBAGE = "garbage"
    """``count`` bytes that mean nothing stand before what is said."""
    GARBLE = "garble"
    """A byte of what is said is wrong."""
    SLOW_LINE = "slow_line"
    """A line of ``count`` baud, in both directions, for ``lasts_s``."""
    LATENCY = "latency"
    """The network takes ``delay_s`` longer for a segment, for ``lasts_s``."""
    MR_JUMP = "mr_jump"
    """The next message reference is ``code``: 255 is the last before it starts at 0 again."""


class SmscFault(StrEnum):
    """What carriers do to those who bind to them."""

    REFUSE_BIND = "refuse_bind"
    """A bind is answered with the status ``code``."""
    THROTTLE = "throttle"
    """A submit_sm is answered with ESME_RTHROTTLED (or ``code``) and not taken."""
    SUBMIT_ERROR = "submit_error"
    """A submit_sm is answered with the status ``code`` and not taken."""
    SMALL_WINDOW = "small_window"
    """For ``lasts_s``, more than ``count`` unanswered submit_sm are throttled, whatever was promised."""
    RESPONSE_LATE = "response_late"
    """A submit_sm_resp comes ``delay_s`` late; those behind it don't wait."""
    RESPONSE_LOST = "response_lost"
    """A submit_sm is taken and never answered."""
    RESPONSE_TWICE = "response_twice"
    """A submit_sm_resp comes twice."""
    WRONG_SEQUENCE = "wrong_sequence"
    """A submit_sm_resp names a request that was never made."""
    REORDER = "reorder"
    """A submit_sm_resp comes after the next one, ``delay_s`` later at most."""
    RECEIPT_EARLY = "receipt_early"
    """A submit_sm_resp comes after the next receipt, ``delay_s`` later at most."""
    RECEIPT_LATE = "receipt_late"
    """A receipt comes ``delay_s`` late."""
    RECEIPT_TWICE = "receipt_twice"
    """A receipt comes twice."""
    RECEIPT_LOST = "receipt_lost"
    """A receipt never comes."""
    RECEIPT_DIALECT = "receipt_dialect"
    """A receipt is spelled as ``text`` says: words of `simulators.dialects.WORDS` joined by ``+``."""
    UNKNOWN_TLV = "unknown_tlv"
    """A PDU carries a parameter that no specification knows."""
    OVERSIZE = "oversize"
    """A PDU claims to be longer than any PDU is."""
    GARBAGE = "garbage"
    """``count`` bytes that are no PDU stand before one."""
    ENQUIRE_IGNORED = "enquire_ignored"
    """For ``lasts_s`` no enquire_link is answered."""
    HALF_OPEN = "half_open"
    """For ``lasts_s`` nothing is read and nothing sent; the connection stays open, then it is closed."""
    DISCONNECT = "disconnect"
    """The connection is closed without unbind."""
    UNBIND = "unbind"
    """The SMSC unbinds, whatever is in flight."""
    MO_FLOOD = "mo_flood"
    """``count`` messages from phones come at once."""


_Seconds = Annotated[float, Meta(ge=0, le=86_400)]
_Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One thing that goes wrong, where, and when.

    Without a condition it strikes the very next occasion, once; with one, as often as that allows.

    Args:
        kind: a `ModemFault` or `SmscFault`.
        target: names of the modems or SMSCs it is for, as a shell pattern.
        at: where it strikes; by default where `POINTS` says.
        match: only occasions whose text (a command line, a recipient) holds this count.
        nth: strikes the n-th occasion only.
        every: strikes each n-th occasion.
        burst: ... and so many occasions in a row, the last of them the n-th.
        probability: strikes with this probability, drawn from the plan's seed.
        times: strikes no more often than this.
        after_s: sleeps so long from its injection.
        for_s: is over so long after that.
        delay_s: by how much something is late.
        lasts_s: how long its effect stays; None for the kind's own default, 0 for ever.
        code: an error code, or a message reference.
        count: how many of something, or baud.
        text: a line, a PIN, a name or a spelling.
    """

    kind: Annotated[str, Meta(min_length=1, max_length=40)]
    target: Annotated[str, Meta(min_length=1, max_length=64)] = "*"
    at: Point | None = None
    match: str = ""
    nth: _Count | None = None
    every: _Count | None = None
    burst: _Count = 1
    probability: Annotated[float, Meta(ge=0, le=1)] | None = None
    times: _Count | None = None
    after_s: _Seconds = 0.0
    for_s: _Seconds | None = None
    delay_s: _Seconds = 1.0
    lasts_s: _Seconds | None = None
    code: Annotated[int, Meta(ge=0, le=0xFFFF)] | None = None
    count: _Count | None = None
    text: str = ""

    @property
    def point(self) -> Point:
        """Where it strikes."""
        return self.at or POINTS[self.kind]

    @property
    def conditional(self) -> bool:
        """A condition says which occasions it strikes."""
        return bool(self.nth or self.every or self.times or self.for_s) or self.probability is not None

    def problems(self) -> Iterator[str]:
        """What is wrong with it, in sentences for people."""
        if self.kind not in POINTS:
            yield f'"{self.kind}" is no fault; write one of {", ".join(sorted(POINTS))}'
        if sum(value is not None for value in (self.nth, self.every, self.probability)) > 1:
            yield "nth, every and probability exclude each other; write one of them"
        if self.burst > (self.every or 1):
            yield "burst is longer than every; write a shorter one"
        if self.kind == SmscFault.RECEIPT_DIALECT:
            try:
                read_dialect(self.text)
            except UnknownWord as error:
                yield str(error)


POINTS: dict[str, Point] = {
    **dict.fromkeys(
        (
            ModemFault.ECHO_STUCK, ModemFault.SPLIT, ModemFault.BUSY, ModemFault.PIN_LOCK,
            ModemFault.DEREGISTERED, ModemFault.STORAGE_FULL, ModemFault.STORAGE_FILLED, ModemFault.HANG,
            ModemFault.REBOOT, ModemFault.DISAPPEAR, ModemFault.REENUMERATE, ModemFault.SLOW_LINE,
            ModemFault.LATENCY, ModemFault.MR_JUMP, SmscFault.SMALL_WINDOW, SmscFault.ENQUIRE_IGNORED,
            SmscFault.HALF_OPEN, SmscFault.DISCONNECT, SmscFault.UNBIND, SmscFault.MO_FLOOD,
        ),
        Point.SECOND,
    ),
    **dict.fromkeys((ModemFault.NO_PROMPT, ModemFault.BARE_PROMPT), Point.PROMPT),
    **dict.fromkeys((ModemFault.INTERLEAVE, ModemFault.TWO_FINALS), Point.FINAL),
    **dict.fromkeys((ModemFault.GARBAGE, ModemFault.GARBLE), Point.TRANSMIT),
    **dict.fromkeys((ModemFault.MESSAGE_TWICE, ModemFault.PARTS_SWAPPED), Point.DELIVER),
    **dict.fromkeys(
        (
            ModemFault.RECEIPT_LOST, ModemFault.RECEIPT_TWICE, ModemFault.RECEIPT_LATE,
            SmscFault.RECEIPT_DIALECT,
        ),
        Point.REPORT,
    ),
    ModemFault.LATE_OK: Point.ANSWER,
    ModemFault.CMS_ERROR: Point.PDU,
    ModemFault.CME_ERROR: Point.COMMAND,
    SmscFault.REFUSE_BIND: Point.BIND,
    **dict.fromkeys((SmscFault.THROTTLE, SmscFault.SUBMIT_ERROR), Point.SUBMIT),
    **dict.fromkeys(
        (
            SmscFault.RESPONSE_LATE, SmscFault.RESPONSE_LOST, SmscFault.RESPONSE_TWICE, SmscFault.REORDER,
            SmscFault.WRONG_SEQUENCE, SmscFault.RECEIPT_EARLY, SmscFault.UNKNOWN_TLV, SmscFault.OVERSIZE,
        ),
        Point.RESPONSE,
    ),
}  # fmt: skip
"""Where a kind strikes unless the fault says where. The few kinds that both sides know strike at one point:
SMSC's garbage, too, comes with whatever is said next (see `simulators.smsc.misbehaviour`)."""

DEFAULT_LASTS_S: dict[str, float] = {
    ModemFault.HANG: 0.0,
    ModemFault.REBOOT: 2.0,
    ModemFault.DISAPPEAR: 3.0,
    ModemFault.REENUMERATE: 1.0,
    **dict.fromkeys(
        (
            ModemFault.SPLIT, ModemFault.BUSY, ModemFault.DEREGISTERED, ModemFault.STORAGE_FULL,
            ModemFault.SLOW_LINE, ModemFault.LATENCY, SmscFault.SMALL_WINDOW, SmscFault.ENQUIRE_IGNORED,
            SmscFault.HALF_OPEN,
        ),
        10.0,
    ),
    ModemFault.ECHO_STUCK: 0.0,
}  # fmt: skip
"""Kinds whose effect stays, and for how long unless the fault says it; 0 for ever. All others are over at once."""
