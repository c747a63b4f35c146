"""What one stick was seen to do with its storages: kept as long as the driver, so that no session learns it anew."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

DEAF = 2
"""So often in a row a command silenced the stick, and it is not used any more."""
LIST, READ = "AT+CMGL", "AT+CMGR"


@dataclass(slots=True)
class Habits:
    """See the module.

    Args:
        homes: see `drivers.modem.messages.announced.Announced`.
        unlisted: memories of which a listing was refused; they are read place by place.
        partial: memories whose listing once left something out: nothing there is deleted unseen.
        silenced: by command, how often in a row it was the last thing that the stick heard.
        unreadable: memories that new messages must not go to.
        reports_unreadable: stored reports can't be read; they are to be handed over directly.
        hidden: by memory, how many messages it counts and does not show.
        imei: of the stick.
    """

    homes: dict[tuple[str, str], str] = field(default_factory=dict)
    unlisted: set[str | None] = field(default_factory=set)
    partial: set[str | None] = field(default_factory=set)
    silenced: Counter[str] = field(default_factory=Counter)
    unreadable: set[str] = field(default_factory=set)
    reports_unreadable: bool = False
    hidden: dict[str | None, int] = field(default_factory=dict)
    imei: str | None = None

    def may_use(self, command: str) -> bool:
        """Whether the stick survives `LIST` or `READ`."""
        return self.silenced[command] < DEAF

    @property
    def reads_nothing(self) -> bool:
        """Whatever reads a storage silences the stick."""
        return not self.may_use(LIST) and not self.may_use(READ)

    def note_stick(self, imei: str | None) -> None:
        """Another stick has other habits."""
        if imei is None or imei == self.imei:
            return
        if self.imei is not None:
            for learnt in (
                self.homes,
                self.unlisted,
                self.partial,
                self.silenced,
                self.unreadable,
                self.hidden,
            ):
                learnt.clear()
            self.reports_unreadable = False
        self.imei = imei
