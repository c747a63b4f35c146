"""The SIM: identity, PIN and message slots. Knows no AT command."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

PIN_ATTEMPTS = 3
PUK_ATTEMPTS = 10


class Lock(StrEnum):
    """What the card waits for, spelled as in ``+CPIN:``."""

    READY = "READY"
    PIN = "SIM PIN"
    PUK = "SIM PUK"
    DEAD = "SIM FAILURE"
    """The PUK was wrong too often: nothing opens this card again."""


class SlotStatus(IntEnum):
    """Status of a stored message (3GPP TS 27.005 3.1, the numbers of PDU mode)."""

    REC_UNREAD = 0
    REC_READ = 1
    STO_UNSENT = 2
    STO_SENT = 3


@dataclass(slots=True)
class StoredMessage:
    """One occupied slot.

    Args:
        status: of the message; reading turns unread into read.
        tpdu: without service centre.
    """

    status: SlotStatus
    tpdu: bytes


@dataclass(slots=True)
class Storage:
    """One message memory with numbered slots.

    Args:
        name: as in AT+CPMS.
        capacity: number of slots.
        first_index: of the lowest slot.
    """

    name: str
    capacity: int
    first_index: int
    slots: dict[int, StoredMessage] = field(default_factory=dict)

    @property
    def full(self) -> bool:
        """No slot is free."""
        return len(self.slots) >= self.capacity

    def add(self, message: StoredMessage) -> int | None:
        """Put a message into the lowest free slot; None when there is none."""
        for index in range(self.first_index, self.first_index + self.capacity):
            if index not in self.slots:
                self.slots[index] = message
                return index
        return None


class SimCard:
    """The card.

    Args:
        number: its own, E.164.
        pin: None when the card asks for none.
        puk: opens the card after three wrong PINs.
        service_centre: address of the operator's SMSC.
    """

    def __init__(
        self,
        number: str,
        *,
        pin: str | None = None,
        puk: str = "12345678",
        service_centre: str = "+8613800210500",
    ) -> None:
        digits = number.lstrip("+")
        self.number = number
        self.service_centre = service_centre
        self.iccid = with_check_digit("898600" + digits[-13:].zfill(13))
        self.imsi = "46000" + digits[-10:].zfill(10)
        self.pin_attempts_left = PIN_ATTEMPTS
        self.puk_attempts_left = PUK_ATTEMPTS
        self._pin = pin
        self._puk = puk
        self._verified = pin is None

    @property
    def lock(self) -> Lock:
        """What the card waits for now."""
        if self._verified:
            return Lock.READY
        if self.pin_attempts_left:
            return Lock.PIN
        return Lock.PUK if self.puk_attempts_left else Lock.DEAD

    def power_cycle(self) -> None:
        """The card forgets that it was opened; it never forgets wrong attempts."""
        self._verified = self._pin is None and self.pin_attempts_left > 0

    def relock(self, pin: str) -> None:
        """The contact was lost for a moment: the card asks for its PIN, or for this one from now on."""
        self._pin = pin or self._pin
        self._verified = self._pin is None

    def enter_pin(self, pin: str) -> bool:
        """Try a PIN; only where `lock` says so."""
        if pin == self._pin:
            self.pin_attempts_left = PIN_ATTEMPTS
            self._verified = True
        else:
            self.pin_attempts_left -= 1
        return self._verified

    def enter_puk(self, puk: str, new_pin: str) -> bool:
        """Try the PUK and set a new PIN; only where `lock` says so."""
        if puk == self._puk:
            self.puk_attempts_left = PUK_ATTEMPTS
            self._pin = new_pin
            return self.enter_pin(new_pin)
        self.puk_attempts_left -= 1
        return False


def with_check_digit(digits: str) -> str:
    """Append the Luhn digit that ends every IMEI and ICCID.

    >>> with_check_digit("49015420323751")
    '490154203237518'
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)
