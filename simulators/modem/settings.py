"""What AT commands set in a stick and AT&F sets back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.modem.dialect import Dialect


@dataclass(slots=True, kw_only=True)
class Settings:
    """The state behind the commands of the same names.

    Args:
        echo: ATE.
        cmee: 0 bare ERROR, 1 numbers, 2 words.
        text_mode: AT+CMGF=1.
        charset: AT+CSCS.
        csms: message service; 1 makes routed messages wait for AT+CNMA.
        csdh: show the header values in text mode.
        csmp: first octet, validity, protocol and data coding for text mode.
        cnmi: mode, mt, bm, ds, bfr.
        memories: for reading and deleting, for writing and sending, for receiving.
        noise: the stick says how it is without being asked (AT^CURC).
        reports: which of +CREG, +CGREG, +CEREG, +CLIP ... were switched to what.
    """

    echo: bool
    cmee: int = 0
    text_mode: bool = False
    charset: str = "IRA"
    csms: int = 0
    csdh: int = 0
    csmp: tuple[int, int, int, int] = (17, 167, 0, 0)
    cnmi: tuple[int, ...] = (0, 0, 0, 0, 0)
    memories: list[str]
    noise: bool = True
    reports: dict[str, int] = field(default_factory=dict)

    @property
    def mt(self) -> int:
        """What happens to inbound messages: 0 store, 1 store and tell, 2 and 3 hand over; mode 0 says nothing."""
        return self.cnmi[1] if self.cnmi[0] else 0

    @property
    def ds(self) -> int:
        """What happens to status reports: 0 nothing, 1 hand over, 2 store and tell; mode 0 says nothing."""
        return self.cnmi[3] if self.cnmi[0] else 0


def factory_settings(dialect: Dialect) -> Settings:
    """The settings of a stick that was just switched on."""
    preferred = dialect.memories[0][0]
    return Settings(echo=dialect.echo, charset=dialect.charsets[0], memories=[preferred] * 3)
