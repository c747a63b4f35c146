"""Who may listen to every octet of a port: a protocol, so that the port knows nothing of files or masks."""

from __future__ import annotations

from typing import Protocol


class Trace(Protocol):
    """Hears both directions; called on the event loop, must not block for long and must not raise."""

    def heard(self, octets: bytes) -> None:
        """Octets came from the stick."""
        ...

    def said(self, octets: bytes) -> None:
        """Octets go to the stick."""
        ...
