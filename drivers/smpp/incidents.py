"""What goes otherwise than asked on a link: counted all, so that nothing is dropped in silence, and logged in part.

A peer decides how often that happens, so of each kind only so much is logged (`drivers.paced_log`).
"""

from __future__ import annotations

import re
from typing import Final

from drivers.paced_log import PacedLog
from drivers.smpp.session.machine import (
    NotificationReceived,
    PduRejected,
    ResponseReceived,
    SessionFailed,
    UnknownResponse,
)
from drivers.smpp.wire.constants import command_name, status_name

_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_:-]{0,23}(?:[A-Za-z_:-]|\d{0,4})|\d{1,4}")
_MOST_WORDS: Final = 50
"""Words of one channel that are logged."""


class Incidents:
    """Counters of one channel, over all its connections.

    Args:
        channel: name for the log.

    Attributes:
        late_responses: answers after their request had been given up; the segment is uncertain.
        unclaimed_responses: answers whose asker had been cancelled.
        unknown_responses: answers to nothing we asked.
        rejected_pdus: PDUs of the peer that could not be read or were not allowed.
        failed_deliveries: deliveries that we could not store and left with the SMSC.
        nameless_receipts: receipts that name neither a message nor a handset.
        labelled_texts: texts of people that the SMSC says are receipts.
        odd_receipts: receipts whose state is said in no way that is known.
    """

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._log = PacedLog(__name__)
        self.late_responses = 0
        self.unclaimed_responses = 0
        self.unknown_responses = 0
        self.rejected_pdus = 0
        self.failed_deliveries = 0
        self.nameless_receipts = 0
        self.odd_receipts = 0
        self.labelled_texts = 0
        self._odd_words: set[str] = set()

    def note(self, event: UnknownResponse | PduRejected | NotificationReceived) -> None:
        """A PDU that nobody waits for."""
        match event:
            case UnknownResponse():
                self.unknown_responses += 1
                self._log.warning(
                    "%s: answer to nothing we asked: %s sequence=%d status=%s",
                    self._channel,
                    command_name(event.command_id),
                    event.sequence_number,
                    status_name(event.command_status),
                )
            case PduRejected():
                self.rejected_pdus += 1
                self._log.warning(
                    "%s: rejected %s sequence=%d with %s: %s",
                    self._channel,
                    command_name(event.command_id),
                    event.sequence_number,
                    status_name(event.command_status),
                    event.reason,
                )
            case NotificationReceived():
                self._log.info("%s: %s", self._channel, command_name(event.body.command_id))

    def note_late(self, answer: ResponseReceived) -> None:
        """An answer that came after its request was given up."""
        self.late_responses += 1
        self._log.warning("%s: late answer: %s", self._channel, _describe(answer))

    def note_unclaimed(self, answer: ResponseReceived) -> None:
        """An answer whose asker is gone."""
        self.unclaimed_responses += 1
        self._log.warning("%s: answer to a cancelled request: %s", self._channel, _describe(answer))

    def note_failure(self, event: SessionFailed) -> None:
        """The session ended itself."""
        self._log.warning("%s: session failed: %s: %s", self._channel, event.code, event.reason)

    def note_nameless_receipt(self) -> None:
        """A receipt without any id and number."""
        self.nameless_receipts += 1
        if self.nameless_receipts == 1:
            self._log.warning(
                "%s: a receipt names neither a message nor a handset; kept for an operator, as are those to come",
                self._channel,
            )

    def note_labelled_text(self) -> None:
        """A person's text whose esm_class says that it is a receipt."""
        self.labelled_texts += 1
        if self.labelled_texts == 1:
            self._log.warning(
                "%s: esm_class says receipt, and nothing in the text does: taken as a text, as are those to come",
                self._channel,
            )

    def note_odd_receipt(self, word: str) -> None:
        """A receipt whose state is said in a word, or a number, that is in no table; each word is logged once."""
        self.odd_receipts += 1
        # Something other than a word may be a text, or have a number in it.
        shown = word if _WORD.fullmatch(word) else "not a plain word" if word else "none at all"
        if shown in self._odd_words or len(self._odd_words) >= _MOST_WORDS:
            return
        self._odd_words.add(shown)
        self._log.warning(
            "%s: a receipt's word for the state is not known: %s; receipt_words in the config can tell what it means",
            self._channel,
            shown,
        )

    def note_failed_delivery(self, error: Exception) -> None:
        """The sink could not store a delivery."""
        self.failed_deliveries += 1
        self._log.error("%s: delivery left with the SMSC: %s", self._channel, type(error).__name__)


def _describe(answer: ResponseReceived) -> str:
    message_id = getattr(answer.body, "message_id", "")
    return (
        f"{command_name(answer.request_command_id)} sequence={answer.sequence_number} "
        f"status={status_name(answer.command_status)} message_id={message_id}"
    )
