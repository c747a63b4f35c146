"""What must not be read in a log: numbers lose their middle, texts and secrets are left out.

Pure. The program's log always passes through here; the delivery log only masks numbers, where the config asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

HIDDEN_KEYS = frozenset(
    {
        "text",
        "body",
        "payload",
        "data",
        "udh",
        "reply",
        "password",
        "pin",
        "secret",
        "token",
        "authorization",
        "api_key",
    }
)
"""Left out of every log line, wherever in it they stand."""

_NUMBER = re.compile(r"(?<![0-9A-Za-z_.-])\+?\d{7,20}(?![0-9A-Za-z_-])")
_SECRET = re.compile(r"\bhy_[0-9A-Za-z]{8,}")


def mask_number(number: str) -> str:
    """A number of which people can tell whose it may be, but which nobody can call.

    >>> mask_number("+8613800138000")
    '+861******8000'
    """
    head, tail = number[:4], number[-4:]
    hidden = len(number) - 8
    if hidden < 3:
        head, tail, hidden = number[:2], number[-1:], len(number) - 3
    return head + "*" * max(hidden, 0) + tail


def redact_text(text: str) -> str:
    """Free text with every number masked and every API key cut."""
    return _NUMBER.sub(lambda match: mask_number(match[0]), _SECRET.sub("hy_***", text))


def redact_value(value: Any) -> Any:
    """A value of a log line, whatever is in it; octets become their count."""
    match value:
        case str():
            return redact_text(value)
        case bytes() | bytearray() | memoryview():
            return f"{len(value)} octets"
        case Mapping():
            return {key: redact_value(inner) for key, inner in value.items() if key not in HIDDEN_KEYS}
        case list() | tuple() | set() | frozenset():
            return [redact_value(inner) for inner in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return redact_text(str(value))


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor."""
    for key in list(event):
        if key in HIDDEN_KEYS:
            del event[key]
        elif not key.startswith("_"):  # those with an underscore are structlog's own and never rendered
            event[key] = redact_value(event[key])
    return event
