"""The words for what can be made to go wrong in a simulator; the misbehaviour itself is not here.

Scenario files, the control interface and tests name faults by these values, so that one word means
the same thing everywhere. A simulator takes the ones of its own kind.
"""

from __future__ import annotations

from enum import StrEnum


class ModemFault(StrEnum):
    """What a stick does to people who run it for months."""

    HANG = "hang"
    """Takes bytes and answers nothing more, echo included."""
    DISAPPEAR = "disappear"
    """The port goes away, as if the stick was pulled out."""
    REENUMERATE = "reenumerate"
    """The port goes away and comes back under another name."""
    NO_PROMPT = "no_prompt"
    """``AT+CMGS`` is taken, the prompt never comes."""
    NO_ANSWER = "no_answer"
    """The PDU is taken and sent, the final answer never comes."""
    INTERLEAVE = "interleave"
    """Unsolicited lines arrive in the middle of an answer."""
    STORAGE_FULL = "storage_full"
    """No free slot for inbound messages."""
    NETWORK_LOST = "network_lost"
    """Registration is gone; sending ends in an error."""
    GARBLE = "garble"
    """Some bytes to the program are wrong."""


class SmscFault(StrEnum):
    """What carriers do to those who bind to them."""

    THROTTLE = "throttle"
    """Some submits are answered with ESME_RTHROTTLED."""
    DELAY = "delay"
    """Responses come late."""
    REORDER = "reorder"
    """Responses come in another order than the requests."""
    DROP_RESPONSE = "drop_response"
    """A submit is taken and never answered."""
    DISCONNECT = "disconnect"
    """The connection is closed without unbind."""
    EARLY_RECEIPT = "early_receipt"
    """The receipt comes before the response that names the message."""
    FOREIGN_ID = "foreign_id"
    """The receipt spells the message id in another base than the response."""
    REFUSE_BIND = "refuse_bind"
    """Binds are answered with an error."""
