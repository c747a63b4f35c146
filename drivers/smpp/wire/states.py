"""What a receipt's word for the state means: the specification's words, those that vendors use instead, and numbers.

Words are compared without regard to case, blanks and signs: ``DELIVERED_TO_HANDSET`` is ``Delivered to handset``. What
stands in no table is no state: nobody guesses. An operator who knows better adds to the table, see `StateTable`.

Spec: SMPP 3.4 appendix B table B-2, 5.2.28; SMPP 5.0 4.7.15.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from drivers.smpp.wire.constants import MessageState

_WORDS: Final = {
    MessageState.DELIVERED: (
        "DELIVRD DELIVERED DELIVERD DELIVRED DELIVED DELIVRRD DELIVERY DELIV DLVRD DLVD DELIVERED_TO_HANDSET"
        " DELIVERED_TO_HANDSET_SUCCESSFULLY DELIVERED_TO_TERMINAL DELIVERED_TO_PHONE DELIVERED_TO_MOBILE"
        " DELIVERED_TO_SUBSCRIBER DELIVERED_TO_RECIPIENT DELIVERED_TO_DESTINATION DELIVERED_SUCCESSFULLY"
        " SUCCESSFULLY_DELIVERED MESSAGE_DELIVERED MESSAGE_DELIVERED_TO_HANDSET DELIVERY_SUCCESS DELIVERY_SUCCESSFUL"
        " SUCCESS SUCCESSFUL SUCCES RECEIVED RECEIVED_BY_HANDSET RETRIEVED READ OK"
    ),
    MessageState.SCHEDULED: "SCHEDLD SCHEDUL SCHEDULED SCHEDULD",
    MessageState.ENROUTE: (
        "ENROUTE EN_ROUTE ENROUT BUFFERED BUFFRED BUFFERD BUFFRD QUEUED PEND PENDING PENDING_ENROUTE PENDING_ACCEPTED"
        " PENDING_WAITING_DELIVERY SENT SENT_TO_NETWORK SENT_TO_OPERATOR SENT_TO_SMSC SUBMITTED SUBMITD SUBMITED"
        " DELIVERED_TO_OPERATOR DELIVERED_TO_NETWORK DELIVERED_TO_SMSC DELIVERED_TO_GATEWAY DELIVERED_TO_CARRIER"
        " ROUTED TRANSIT IN_TRANSIT IN_PROGRESS PROCESSING RETRY RETRYING TRYING FORWARDED"
    ),
    MessageState.ACCEPTED: "ACCEPTD ACCEPTED ACCEPT ACCEPTED_BY_SMSC ACCEPTED_BY_OPERATOR ACKED",
    MessageState.EXPIRED: (
        "EXPIRED EXPIRD EXPIRE EXPRD EXPIRED_EXPIRED MESSAGE_EXPIRED VALIDITY_EXPIRED TIMEOUT TIMED_OUT TTL_EXPIRED"
    ),
    MessageState.DELETED: "DELETED DELETD DELTD CANCELED CANCELLED CANCELD CANCELLD CANCELED_BY_USER REMOVED",
    MessageState.UNDELIVERABLE: (
        "UNDELIV UNDVBL UNDELIVERABLE UNDELIVERED UNDELIVRD UNDELIVERD UNDELVD UNDELVRD UNDLVRD UNDELIVERY UNDELIVABLE"
        " UNDELIVERABLE_NOT_DELIVERED UNDELIVERABLE_REJECTED_OPERATOR NOT_DELIVERED NOT_DELIVRD NOTDELIV NON_DELIVERED"
        " NOT_DELIVERABLE COULD_NOT_BE_DELIVERED MESSAGE_NOT_DELIVERED DELIVERY_FAILED DELIVERY_FAILURE DELIVERY_ERROR"
        " DELIVERY_IMPOSSIBLE FAILED FAILD FAIL FAILURE ERROR UNREACHABLE ABSENT ABSENT_SUBSCRIBER UNKNOWN_SUBSCRIBER"
        " INVALID_NUMBER INVALID_DESTINATION SUBSCRIBER_ABSENT SUBSCRIBER_UNKNOWN NACK UNROUTABLE SYS_ERR SYSTEM_ERROR"
    ),
    MessageState.UNKNOWN: "UNKNOWN UNKNOWM UNKNOWN_STATUS UNKNOWN_STATE UNKN UNKWN",
    MessageState.REJECTED: (
        "REJECTD REJECTED REJECT REJCTD REJETED REJECTED_BY_SMSC REJECTED_BY_OPERATOR REJECTED_BY_NETWORK"
        " MESSAGE_REJECTED REFUSED DENIED BLOCKED BLACKLISTED BLACKLIST BARRED SPAM NO_ROUTE NOT_ALLOWED"
        " DND DNDNUM DND_NUMBER DND_REJECTED DTBLACK"
    ),
    MessageState.SKIPPED: "SKIPPED",
}
_NOT_IN_WORDS: Final = re.compile(r"[\W_]+", re.ASCII)
_STATE_BY_WORD: Final = {
    word.replace("_", ""): state for state, words in _WORDS.items() for word in words.split()
}
_OWN_WORD: Final = {state: words.split(maxsplit=1)[0] for state, words in _WORDS.items()}
_STATE_BY_OWN_WORD: Final = {word: state for state, word in _OWN_WORD.items()}
_NO_ERROR: Final = re.compile(r"0*")
_CARRIERS_CODE: Final = re.compile(r"[A-Z]{2}:(?!0+$)[0-9]{3,4}", re.IGNORECASE)
"""What the networks of China write where a message has failed, by the part that failed it: ``MK:0013`` the handset's
exchange, ``MB:1042`` the SMSC, ``ID:0076`` the gateway. 0 is left to the operator."""
_STATES: Final = frozenset(map(int, MessageState))
_MOST_DIGITS: Final = 3

BARE_WORDS: Final = tuple(
    sorted(
        (word for words in _WORDS.values() for word in words.split() if len(word) > 6), key=len, reverse=True
    )
)
"""Words long enough to be looked for where a receipt has left the key out."""

StateTable = Mapping[str, MessageState]
"""What an operator adds, by `fold_state`: a word (``HLRERR``), or an error's code as ``err:`` and the code. They come
before all that is known here, parameters included."""

NO_TABLE: Final[StateTable] = {}


def fold_state(word: str) -> str:
    """A word in the form in which words are compared.

    >>> fold_state("Delivered to handset")
    'DELIVEREDTOHANDSET'
    """
    kind, colon, code = word.partition(":")
    if colon and kind.strip().lower() == "err":
        return f"err:{code.strip().upper().lstrip('0') or '0'}"
    return _NOT_IN_WORDS.sub("", word).upper()


def word_of(state: MessageState) -> str:
    """``DELIVRD`` for DELIVERED and so on. Spec: SMPP 3.4 appendix B, table B-2."""
    return _OWN_WORD[state]


def is_own_word(word: str) -> bool:
    """Whether it is the specification's own spelling."""
    return word.upper() in _STATE_BY_OWN_WORD


def find_state(word: str, err: str = "", *, arrived: bool | None = None) -> MessageState | None:
    """The state that a word or a number of a receipt means; None for one that is in no table.

    Args:
        word: as spelled.
        err: the receipt's error, as spelled.
        arrived: what the receipt's counts say: all arrived, or none did; None where they say nothing.

    Numbers are those of ``message_state``, but for two of which carriers mean other things. 0 is none of SMPP 3.4's:
    it is success where neither an error nor the counts speak against it. 1 is success where the counts say so, too.

    >>> find_state("delivered"), find_state("2"), find_state("000", "027")
    (<MessageState.DELIVERED: 2>, <MessageState.DELIVERED: 2>, None)
    """
    usual = _STATE_BY_OWN_WORD.get(word)
    if usual is not None or not (word.isascii() and word.isdecimal()):
        if usual is None and _CARRIERS_CODE.fullmatch(word):
            return MessageState.UNDELIVERABLE
        return usual if usual is not None else _STATE_BY_WORD.get(fold_state(word))
    number = int(word) if len(word) <= _MOST_DIGITS else -1
    without_error = _NO_ERROR.fullmatch(err) is not None
    if number == 0:
        return MessageState.DELIVERED if without_error and arrived is not False else None
    if number == 1 and without_error and arrived:
        return MessageState.DELIVERED
    return MessageState(number) if number in _STATES else None
