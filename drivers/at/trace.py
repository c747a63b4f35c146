r"""The AT trace: every octet of a port with time and direction, numbers and texts masked, fit to be read and replayed.

One line of the file for each line on the wire, in a form that `read_trace` takes back::

    12.031 sim-1 > AT+CSQ\r
    12.043 sim-1 < \r\n+CSQ: 20,99\r\n

Masked characters keep their number and their kind: a digit of a number is 0, a letter of a text is x. So lengths
stay true and parsers find the same forms.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

MAX_LINE = 8192
"""Octets without a line end that are kept waiting for one."""
MAX_FILE = 200_000_000
"""A trace that was forgotten must not fill the disk."""

_CHUNK = re.compile(rb"[\r\n\x1a]*[^\r\n\x1a]+(?:\x1a|[\r\n]+)")
_TEXT_HEADS = ("+CMT:", "+CMGR:", "+CMGL:", "+CDS:", "+CBM:", "+CUSD:")
"""What follows these may be what somebody wrote."""
_LONG_HEX = re.compile(r"[0-9A-Fa-f]{16,}")
_NUMBER = re.compile(r"(?<![0-9])([0-9]{3})([0-9]{3,})")
_QUOTED = re.compile(r'"([^"]*)("?)')
_NO_TEXT = re.compile(r"[+^*][A-Z]{2}|OK$|ERROR$|AT(?:[+^*&$%#!]|[DEHIVZ][0-9]?$|$)")
"""So begins what ends a text; a text may have lines that are nearly like it."""
_SHOWN = 60
_SECRETS = re.compile(r"AT\+(?:CPIN|CLCK|CPWD|CUSD)\b", re.IGNORECASE)


class Trace(Protocol):
    """Hears both directions; called on the event loop, must not block for long and must not raise."""

    def heard(self, octets: bytes) -> None:
        """Octets came from the stick."""
        ...

    def said(self, octets: bytes) -> None:
        """Octets go to the stick."""
        ...


class TraceSwitch:
    """A trace that can be put in and taken out while the port is open.

    Attributes:
        inner: who listens now; None for nobody.
    """

    def __init__(self) -> None:
        self.inner: Trace | None = None

    def heard(self, octets: bytes) -> None:
        """See `Trace`."""
        if self.inner is not None:
            self.inner.heard(octets)

    def said(self, octets: bytes) -> None:
        """See `Trace`."""
        if self.inner is not None:
            self.inner.said(octets)


class Mask:
    """Hides numbers and texts of one direction, line by line."""

    def __init__(self) -> None:
        self._in_text = False

    def hide(self, line: str) -> str:
        """The line without what is nobody's business; as long as it was."""
        bare = line.strip("\r\n\x1a\x1b ")
        if not bare:
            return line
        if bare.startswith(_TEXT_HEADS):
            self._in_text = True
        elif _NO_TEXT.match(bare):
            self._in_text = False
        elif self._in_text:
            return _hide_all(line)
        if bare.startswith("+CUSD:") or _SECRETS.match(bare):
            line = _QUOTED.sub(lambda match: f'"{_hide_all(match[1])}{match[2]}', line)
        line = _LONG_HEX.sub(lambda match: "0" * len(match[0]), line)
        return _NUMBER.sub(lambda match: match[1] + "0" * len(match[2]), line)


def mask_words(words: str) -> str:
    """What a stick says, fit for a log and for people: in one line, short, without numbers and quoted texts.

    >>> mask_words('SIM "Bob" of 13800138000 is busy')
    'SIM "xxx" of 00000000000 is busy'
    """
    words = _QUOTED.sub(lambda match: f'"{_hide_all(match[1])}{match[2]}', words)
    words = _LONG_HEX.sub(lambda match: "0" * len(match[0]), words)
    words = re.sub(r"[0-9]{4,}", lambda match: "0" * len(match[0]), words)
    words = "".join(char if char.isprintable() else "?" for char in words)
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]}..."


def _hide_all(text: str) -> str:
    return "".join("0" if c.isdigit() else "x" if c.isprintable() and c not in ' ",' else c for c in text)


class LineTrace:
    """The trace of one port, cut into lines.

    Args:
        write: takes one line of the file.
        now: seconds, for the first column.
        channel: for the second.
    """

    def __init__(self, write: Callable[[str], None], now: Callable[[], float], channel: str) -> None:
        self._write = write
        self._now = now
        self._channel = channel
        self._waiting = {"<": bytearray(), ">": bytearray()}
        self._masks = {"<": Mask(), ">": Mask()}

    def heard(self, octets: bytes) -> None:
        """See `Trace`."""
        self._flush(">")
        self._take("<", octets)

    def said(self, octets: bytes) -> None:
        """See `Trace`."""
        # What waits without a line end is the prompt.
        self._flush("<")
        self._take(">", octets)

    def _take(self, direction: str, octets: bytes) -> None:
        waiting = self._waiting[direction]
        waiting += octets
        end = 0
        for match in _CHUNK.finditer(waiting):
            end = match.end()
            self._put(direction, match[0])
        del waiting[:end]
        if len(waiting) > MAX_LINE:
            self._flush(direction)

    def _flush(self, direction: str) -> None:
        waiting = self._waiting[direction]
        if waiting:
            self._put(direction, bytes(waiting))
            waiting.clear()

    def _put(self, direction: str, octets: bytes) -> None:
        text = self._masks[direction].hide(octets.decode("latin-1"))
        shown = text.encode("unicode_escape").decode("ascii")
        self._write(f"{self._now():.3f} {self._channel} {direction} {shown}\n")


class TraceFile:
    """A file that the traces of several ports go to, for our user's eyes only.

    Args:
        path: it is made anew.
        now: seconds, for the first column.
        max_octets: of the file; what comes later is lost.

    Raises:
        OSError: it can't be written.
    """

    def __init__(self, path: Path, now: Callable[[], float], *, max_octets: int = MAX_FILE) -> None:
        self._now = now
        self._max_octets = max_octets
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(handle, "w", encoding="ascii", buffering=1)
        self._n_written = 0

    def tap(self, channel: str) -> LineTrace:
        """The trace of one channel."""
        return LineTrace(self._write, self._now, channel)

    def close(self) -> None:
        """What comes later is lost."""
        with suppress(OSError):  # what the disk had no room for
            self._file.close()

    def _write(self, line: str) -> None:
        self._n_written += len(line)
        if self._file.closed or self._n_written > self._max_octets:
            return
        try:
            self._file.write(line)
        except OSError:  # a full disk must not stop a modem
            self._n_written = self._max_octets


class Traced(NamedTuple):
    """One line of a trace file."""

    at_s: float
    channel: str
    is_said: bool
    octets: bytes


def read_trace(lines: Iterable[str]) -> Iterator[Traced]:
    """Read a trace file back, to replay it. Raises ValueError on a line of another form."""
    for line in lines:
        at, channel, direction, shown = line.rstrip("\n").split(" ", 3)
        octets = shown.encode("ascii").decode("unicode_escape").encode("latin-1")
        yield Traced(float(at), channel, direction == ">", octets)
