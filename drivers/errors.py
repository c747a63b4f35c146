"""What can go wrong at a wire or in a codec: one class per reaction, not per place.

::

    DriverError
    ├── CodecError
    │   ├── EncodeError(field, reason)
    │   └── DecodeError(field, offset, reason)
    ├── ProtocolError
    │   ├── LocalProtocolError          our bug: we asked for something illegal
    │   └── RemoteProtocolError(recoverable)
    ├── WireError
    │   ├── WireLost(reason, by_peer)
    │   ├── WireTimeout(what, after_s)
    │   └── WireRefused(reason)         bind rejected, wrong PIN: trying again does harm
    └── DeviceError
        ├── AtError                     a bare ERROR
        ├── CmeError(code)
        ├── CmsError(code)
        └── SmppStatusError(command_status)

No error carries a message text, a PIN, a password or a full number.
"""


class DriverError(Exception):
    """Root of everything the drivers raise."""


class CodecError(DriverError):
    """Octets and values that don't fit each other."""


class EncodeError(CodecError):
    """A value can't be put on the wire.

    Args:
        field: dotted path in the spec's spelling, such as ``tp_da``.
        reason: what is wrong with it.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class DecodeError(CodecError):
    """Octets from outside can't be read.

    Args:
        field: dotted path in the spec's spelling, such as ``ud.udh.ie``.
        offset: octets from the start of the outermost unit.
        reason: what is wrong there.
    """

    def __init__(self, field: str, offset: int, reason: str) -> None:
        super().__init__(f"{field} at octet {offset}: {reason}")
        self.field = field
        self.offset = offset
        self.reason = reason

    def nested(self, field: str, offset: int) -> "DecodeError":
        """The same fault as seen from the unit that encloses it at ``offset``."""
        return DecodeError(f"{field}.{self.field}", offset + self.offset, self.reason)


class ProtocolError(DriverError):
    """A peer, or we, broke the rules of a session."""


class LocalProtocolError(ProtocolError):
    """We asked for something that the state of the session forbids: our bug."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the rules.

    Args:
        reason: what it did.
        recoverable: True when framing is intact, so that an answer can be sent and the link kept.
    """

    def __init__(self, reason: str, *, recoverable: bool) -> None:
        super().__init__(reason)
        self.recoverable = recoverable


class WireError(DriverError):
    """The link itself."""


class WireLost(WireError):
    """The link is gone.

    Args:
        reason: what was seen.
        by_peer: True when the other side closed it.
    """

    def __init__(self, reason: str, *, by_peer: bool) -> None:
        super().__init__(reason)
        self.by_peer = by_peer


class WireTimeout(WireError):
    """An answer did not come.

    Args:
        what: the command or PDU that was not answered.
        after_s: seconds waited.
        lines: what came of the answer; its end did not.
    """

    def __init__(self, what: str, after_s: float, lines: tuple[str, ...] = ()) -> None:
        super().__init__(f"no answer to {what} after {after_s:g} s")
        self.what = what
        self.after_s = after_s
        self.lines = lines


class WireRefused(WireError):
    """The peer does not want us (bind rejected, wrong PIN); trying again does harm."""


class DeviceError(DriverError):
    """The device or SMSC answered with an error code."""


class AtError(DeviceError):
    """A bare ``ERROR`` (or ``COMMAND NOT SUPPORT``) as final result."""


class CmeError(DeviceError):
    """``+CME ERROR: <code>`` (3GPP TS 27.007 9.2).

    Args:
        code: the number; -1 when the stick gave words that nobody knows.
        detail: the stick's words, fit to be shown.
    """

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(_numbered("+CME ERROR", code, detail))
        self.code = code
        self.detail = detail


class CmsError(DeviceError):
    """``+CMS ERROR: <code>`` (3GPP TS 27.005 3.2.5); ``code`` and ``detail`` as those of `CmeError`."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(_numbered("+CMS ERROR", code, detail))
        self.code = code
        self.detail = detail


class SmppStatusError(DeviceError):
    """A response PDU with a ``command_status`` other than 0 (SMPP 3.4 5.1.3)."""

    def __init__(self, command_status: int) -> None:
        super().__init__(f"command_status 0x{command_status:08x}")
        self.command_status = command_status


def _numbered(family: str, code: int, words: str) -> str:
    return f"{family}: {' '.join(filter(None, ('' if code < 0 else str(code), words)))}"
