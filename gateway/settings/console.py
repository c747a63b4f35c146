"""The settings of ``[console]``: the pages for people."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from gateway.settings.forms import Duration, Flag, Text


class ConsoleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[console]``: the pages under ``/console``.

    Args:
        enabled: serve them.
        public_url: where people reach the gateway, such as ``https://sms.example.com``, where a proxy stands before it.
        idle_s: a session ends when it was not used for so long.
        session_s: a session ends after so long, however much it is used.
        develops: also show what developers of pages need, such as the page of components.
    """

    enabled: Flag = True
    public_url: Text = ""
    idle_s: Duration = msgspec.field(default=2 * 3_600.0, name="idle")
    session_s: Duration = msgspec.field(default=12 * 3_600.0, name="session")
    develops: Flag = False

    def faults(self) -> Iterator[tuple[str, str]]:
        """An address is one of the web, without a path."""
        parts = urlsplit(self.public_url)
        if self.public_url and (
            parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/")
        ):
            yield "public_url", "write where people reach the gateway, such as https://sms.example.com"
        if self.session_s < self.idle_s:
            yield "session", "is shorter than idle; a session holds at least that long"
