"""Octets to lines and prompts. Sans-IO, total on any octets, bounded, indifferent to chunking.

Lines end with CR, LF or both; empty ones are dropped. The SMS prompt ``> `` has no line end at all, so
it is recognised only while `LineReader.awaiting_prompt` is set: anywhere else a line may begin with ``>``.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LINE = 4096
"""Octets of one line; the longest honest one is the answer to ``AT+COPS=?`` with some 2,000."""

_LINE_ENDS = b"\r\n"
_BLANK = b"\r\n \x00"
"""Dropped before a line: sticks send NULs while they boot, and a blank after the prompt."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its end and without blanks around it."""

    text: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The stick waits for what belongs behind the command."""


@dataclass(frozen=True, slots=True)
class Oversized:
    """A line above `MAX_LINE` was thrown away."""


ReaderEvent = Line | Prompt | Oversized


class LineReader:
    """Collects octets and hands out one event at a time.

    Pulling events one by one lets the caller change `awaiting_prompt` between two of them, so that the
    events are the same however the octets were cut.

    Attributes:
        awaiting_prompt: set by the caller; cleared by the prompt itself.
    """

    __slots__ = ("_buffer", "_skipping", "awaiting_prompt")

    def __init__(self) -> None:
        self.awaiting_prompt = False
        self._buffer = bytearray()
        self._skipping = False

    @property
    def n_buffered(self) -> int:
        """Octets kept for later; at most `MAX_LINE` once all events were pulled."""
        return len(self._buffer)

    def feed(self, octets: bytes) -> None:
        """Add what came from the wire; then pull events until there are none."""
        self._buffer += octets

    @property
    def ends_like_prompt(self) -> bool:
        """The line that has no end yet may be a prompt with something in front of it."""
        return self._buffer.rstrip(_BLANK).endswith(b">")

    def drop_line(self) -> str:
        """Throw away the line that has no end yet; what there was of it."""
        return self._take_text(len(self._buffer))

    def next_event(self) -> ReaderEvent | None:
        """The next line, prompt or mishap; None when more octets are needed."""
        while not self._skipping or self._skip_to_line_end():
            self._drop_blanks()
            if self.awaiting_prompt and self._buffer.startswith(b">"):
                del self._buffer[0]
                self.awaiting_prompt = False
                return Prompt()
            end = self._find_line_end()
            if end > MAX_LINE or (end < 0 and len(self._buffer) > MAX_LINE):
                self._skipping = True
                return Oversized()
            if end < 0:
                return None
            text = self._take_text(end)
            if text:
                return Line(text)
        return None

    def _take_text(self, end: int) -> str:
        octets = bytes(self._buffer[:end]).replace(b"\x00", b"")
        del self._buffer[:end]
        try:
            return octets.decode().strip()
        except UnicodeDecodeError:  # what is no UTF-8 is Latin-1, or noise
            return octets.decode("latin-1").strip()

    def _find_line_end(self) -> int:
        ends = [at for at in map(self._buffer.find, (b"\r", b"\n")) if at >= 0]
        return min(ends, default=-1)

    def _skip_to_line_end(self) -> bool:
        end = self._find_line_end()
        if end < 0:
            self._buffer.clear()
            return False
        del self._buffer[:end]
        self._skipping = False
        return True

    def _drop_blanks(self) -> None:
        n_blank = len(self._buffer) - len(self._buffer.lstrip(_BLANK))
        del self._buffer[:n_blank]
