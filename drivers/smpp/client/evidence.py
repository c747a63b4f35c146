"""What tells a delivery report from a person's text: the signs, and what they come to, in order. Pure.

One bit of esm_class is not enough. SMSCs of SMPP 3.3 and careless ones leave it out of reports, others set it on all
that they deliver. So what is in the delivery is looked at, too. Where that does not decide, the gateway does, which
knows the messages that wait for a report.

Spec: SMPP 3.4 4.6.1, 4.7.1, 5.2.12, 5.3.2.12, 5.3.2.35, appendix B.
"""

from __future__ import annotations

import re
from enum import Enum, Flag, auto
from functools import cache
from typing import Final, NamedTuple

from drivers.smpp.wire import constants as c
from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import Tlv, find_tlv
from drivers.smpp.wire.receipt import DeliveryReceipt
from drivers.smpp.wire.states import find_state


class Sign(Flag):
    """What can be seen in a delivery."""

    LABEL = auto()
    """esm_class says that it is a report, or one on the way."""
    ID = auto()
    """The parameter receipted_message_id is there."""
    STATE = auto()
    """The parameter message_state is there."""
    BODY = auto()
    """The text names an id and a state, by keys or by their places."""
    TRACE = auto()
    """The text names an id, or a state that is known, or is nothing but the word for a state."""
    WORDS = auto()
    """The text speaks of deliveries."""
    MASKED = auto()
    """The source address has digits hidden: no person can be answered there."""
    EMPTY = auto()
    """There is no text."""


class Verdict(Enum):
    """What a delivery is."""

    REPORT = auto()
    PERHAPS = auto()
    """A report, if a message of ours is what it speaks of; else a person's text."""
    TEXT = auto()


class _Rule(NamedTuple):
    """A row of the table: it holds where all of ``all_of`` and one of ``one_of`` are seen."""

    all_of: Sign
    one_of: Sign
    verdict: Verdict


_NONE: Final = Sign(0)
_PARAMETER: Final = Sign.ID | Sign.STATE
_ORDER: Final = (
    # esm_class says so, and something else bears it out.
    _Rule(Sign.LABEL, _PARAMETER | Sign.BODY | Sign.TRACE | Sign.EMPTY, Verdict.REPORT),
    # esm_class may stand on all that this SMSC delivers: without more than words beside it, it decides nothing.
    _Rule(Sign.LABEL | Sign.WORDS, _NONE, Verdict.PERHAPS),
    # esm_class does not say so, and two other things do.
    _Rule(Sign.BODY, _PARAMETER | Sign.MASKED, Verdict.REPORT),
    _Rule(Sign.STATE | Sign.EMPTY, _NONE, Verdict.REPORT),
    # One thing alone says so. A person can write the text of a receipt.
    _Rule(_PARAMETER, _NONE, Verdict.PERHAPS),
    _Rule(Sign.ID | Sign.EMPTY, _NONE, Verdict.PERHAPS),
    _Rule(Sign.BODY, _NONE, Verdict.PERHAPS),
)
"""The first row that holds decides; where none holds it is a person's text."""

_REPORT_BITS: Final = frozenset(
    {c.ESM_TYPE_RECEIPT, c.ESM_TYPE_INTERMEDIATE, c.ESM_TYPE_RECEIPT | c.ESM_TYPE_INTERMEDIATE}
)


def is_labelled(esm_class: int) -> bool:
    """Whether esm_class says that it is a report."""
    return esm_class & c.ESM_TYPE_MASK in _REPORT_BITS


def is_on_the_way(esm_class: int) -> bool:
    """Whether esm_class says that it is an intermediate notification."""
    return bool(esm_class & c.ESM_TYPE_INTERMEDIATE) and is_labelled(esm_class)


def may_be_report(esm_class: int, tlvs: tuple[Tlv, ...], content: bytes) -> bool:
    """A quick look, for most deliveries are plain texts: whether the signs are worth looking for.

    Without the label and a parameter a report needs a text of an id and a state.
    """
    if is_labelled(esm_class) or any(tag in _PARAMETER_TAGS for tag, _ in tlvs):
        return True
    plain = content.replace(b"\0", b"").lower()
    return (b"id" in plain and b"stat" in plain) or plain.count(b",") >= _LEAST_COMMAS


_PARAMETER_TAGS: Final = frozenset({int(Tag.RECEIPTED_MESSAGE_ID), int(Tag.MESSAGE_STATE)})
_LEAST_COMMAS: Final = 6
"""Of a report whose values have no keys."""


def find_signs(
    esm_class: int, source_addr: str, tlvs: tuple[Tlv, ...], content: bytes, text: DeliveryReceipt
) -> Sign:
    """What is seen in a delivery.

    Args:
        content: its text as it came.
        text: the same, read as a receipt.
    """
    if text.message_id and is_labelled(esm_class):
        return _USUAL  # nearly all are: the first row holds
    known = find_state(text.stat) is not None
    signs = Sign.LABEL if is_labelled(esm_class) else _NONE
    signs |= Sign.ID if (find_tlv(tlvs, Tag.RECEIPTED_MESSAGE_ID) or b"").strip(b"\0 ") else _NONE
    signs |= Sign.STATE if find_tlv(tlvs, Tag.MESSAGE_STATE) else _NONE
    signs |= Sign.BODY if text.message_id and text.stat else _NONE
    signs |= Sign.TRACE if text.message_id or known or _is_state(content) else _NONE
    signs |= Sign.WORDS if text.stat or _WORDS.search(content) else _NONE
    signs |= Sign.MASKED if _MASK.search(source_addr) else _NONE
    return signs | (_NONE if content.strip(b"\0 \r\n\t") else Sign.EMPTY)


_USUAL: Final = Sign.LABEL | Sign.TRACE
_WORDS: Final = re.compile(
    rb"deliver|message|\bsms|\bdlr|status|report|fail|expired|reject|\bn?ack\b|submitted|handset|recipient"
    rb"|subscriber|network|\berror",
    re.IGNORECASE,
)
_MASK: Final = re.compile(r"[*#]{2}|[xX]{3}")


@cache
def decide(signs: Sign) -> Verdict:
    """What the signs come to."""
    for rule in _ORDER:
        if rule.all_of in signs and (not rule.one_of or rule.one_of & signs):
            return rule.verdict
    return Verdict.TEXT


def _is_state(content: bytes) -> bool:
    return len(content) <= 40 and find_state(content.decode("latin-1").strip()) is not None
