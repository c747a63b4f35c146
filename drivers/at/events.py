"""What goes into the dialogue and what comes out of it: commands and events, as values; and its phases."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from drivers.at.result_codes import FinalResult
from drivers.at.unsolicited import Urc


class Phase(StrEnum):
    """See the theory of operation in `drivers.at.transaction`."""

    RESYNC = "resync"
    SETTLE = "settle"
    IDLE = "idle"
    COMMAND = "command"
    PROMPT = "prompt"
    PAYLOAD = "payload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command line.

    Args:
        text: without line end.
        payload: octets for the prompt, without Ctrl-Z; None when the command has no prompt.
        timeout_s: from the start, or the last line of a listing, to the final; with a payload, from the
            payload to the final.
        prompt_timeout_s: from the start to the prompt.
        owner: whoever started it; comes back with `Late`.
    """

    text: str
    payload: bytes | None = None
    timeout_s: float = 10.0
    prompt_timeout_s: float = 10.0
    owner: object = field(default=None, compare=False, repr=False)

    @property
    def label(self) -> str:
        """The command without its parameters: fit for logs and errors."""
        return self.text.partition("=")[0]


@dataclass(frozen=True, slots=True)
class Answered:
    """The command in flight ended with a final result code."""

    lines: tuple[str, ...]
    final: FinalResult


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The command in flight got no final; the dialogue resyncs by itself. ``lines`` came before."""

    after_s: float
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Overdue:
    """The payload in flight got no final in time. The dialogue resyncs; `Answered` or `TimedOut` follows."""


@dataclass(frozen=True, slots=True)
class Late:
    """A final for a command that had ended without it: by `TimedOut`, or with an OK that was taken back."""

    command: Command
    lines: tuple[str, ...]
    final: FinalResult


@dataclass(frozen=True, slots=True)
class PayloadDue:
    """The prompt came; the next output is the payload."""


@dataclass(frozen=True, slots=True)
class EchoBack:
    """The stick repeats commands, which it did not do before; the payload was held back, the dialogue resyncs.

    It may have restarted and forgotten in which mode it is to be.
    """


@dataclass(frozen=True, slots=True)
class Stray:
    """A line that belongs to nothing, such as a late answer."""

    line: str


@dataclass(frozen=True, slots=True)
class Hung:
    """The stick does not answer at all: the port should be opened anew."""


AtEvent = Answered | Overdue | TimedOut | Late | PayloadDue | EchoBack | Urc | Stray | Hung
