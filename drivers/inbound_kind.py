"""What comes in and is no message of a person (3GPP TS 23.040 9.2.3.9, 23.038 4)."""

from __future__ import annotations

from enum import StrEnum


class InboundKind(StrEnum):
    """What is no message of a person, and not to be answered as one."""

    MESSAGE_WAITING = "message_waiting"
    """It switches the lamp for voicemail, fax or e-mail."""
    SILENT = "silent"
    """Type 0: phones acknowledge it and show nothing; somebody looked whether this SIM is there."""
