"""A call over HTTP as a value; `call` makes it."""

from __future__ import annotations

import msgspec


class OutCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call to an application, ready to be made.

    Args:
        ours: where it goes our own config says, and nobody else.
    """

    method: str
    url: str
    headers: dict[str, str] = {}
    body: bytes = b""
    ours: bool = False
