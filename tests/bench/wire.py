"""What passed between the daemon and the simulated modems, as the modems saw it: a file, and what it says.

One line of the file for each piece of the wire: seconds of the machine's monotonic clock, which all processes share,
the modem, ``<`` (heard from the daemon) or ``>`` (said to it), and the octets.
"""

from __future__ import annotations

import ast
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

_LINE = re.compile(rb"[^\r\x1a]*[\r\x1a]")
_SEND = "AT+CMGS="


def wire_log(path: Path) -> Callable[[str, str, bytes], None]:
    """A listener for all modems of a process: ``(modem, direction, octets)``; it writes each piece at once."""
    file = path.open("w", encoding="ascii", buffering=1)

    def note(modem: str, direction: str, octets: bytes) -> None:
        file.write(f"{time.monotonic():.6f} {modem} {direction} {octets!r}\n")

    return note


class Said(NamedTuple):
    """A whole line that the daemon wrote: a command, or a PDU with its Ctrl-Z."""

    at: float
    modem: str
    line: str


class Exchange(NamedTuple):
    """One segment on the wire, all by the modem's clock: command, prompt, Ctrl-Z, answer; None for what never came."""

    modem: str
    asked_at: float
    prompted_at: float | None = None
    payload_at: float | None = None
    answered_at: float | None = None


class Wire:
    """What a file of `wire_log` holds.

    Attributes:
        said: all that the daemon wrote, in order.
        exchanges: segments by modem, in order.
    """

    def __init__(self, path: Path) -> None:
        self.said: list[Said] = []
        self.exchanges: defaultdict[str, list[Exchange]] = defaultdict(list)
        self._half_lines: defaultdict[str, bytes] = defaultdict(bytes)
        for at, modem, direction, octets in _pieces(path):
            if direction == "<":
                self._hear(at, modem, octets)
            else:
                self._say(at, modem, octets)

    @property
    def n_segments(self) -> int:
        """Segments that were answered."""
        return sum(e.answered_at is not None for e in self._all())

    @property
    def commands(self) -> list[Said]:
        """Without the PDUs."""
        return [said for said in self.said if said.line.startswith("AT")]

    @property
    def whole_s(self) -> float:
        """From the first segment that any modem was asked to send to the last answer of any."""
        return max(e.answered_at or 0.0 for e in self._all()) - min(e.asked_at for e in self._all())

    def utilisation(self, network_time_s: float) -> float:
        """Share of the modems' time in which the network worked, beginning and end of the run counted."""
        return self.n_segments * network_time_s / (len(self.exchanges) * self.whole_s)

    def steady_utilisation(self, network_time_s: float) -> float:
        """The same, for each modem from the answer to its first segment to that to its last."""
        spans = [_answers(exchanges) for exchanges in self.exchanges.values()]
        busy = sum((len(answers) - 1) * network_time_s for answers in spans)
        return busy / sum(answers[-1] - answers[0] for answers in spans)

    @property
    def busy(self) -> float:
        """As `steady_utilisation`, with each segment's time as it was: from Ctrl-Z to the answer."""
        busy = whole = 0.0
        for exchanges in self.exchanges.values():
            later = [e for e in exchanges[1:] if e.answered_at is not None and e.payload_at is not None]
            busy += sum((e.answered_at or 0.0) - (e.payload_at or 0.0) for e in later)
            answers = _answers(exchanges)
            whole += answers[-1] - answers[0]
        return busy / whole

    def gaps_to_next(self) -> list[float]:
        """Seconds from an answer to the next ``AT+CMGS`` on the same modem, whatever else was said between them."""
        return [
            later.asked_at - earlier.answered_at
            for exchanges in self.exchanges.values()
            for earlier, later in pairwise(exchanges)
            if earlier.answered_at is not None
        ]

    def gaps_to_payload(self) -> list[float]:
        """Seconds from the prompt to Ctrl-Z."""
        return [
            e.payload_at - e.prompted_at
            for e in self._all()
            if e.prompted_at is not None and e.payload_at is not None
        ]

    def _all(self) -> Iterable[Exchange]:
        return (exchange for exchanges in self.exchanges.values() for exchange in exchanges)

    def _hear(self, at: float, modem: str, octets: bytes) -> None:
        octets = self._half_lines[modem] + octets
        end = 0
        for match in _LINE.finditer(octets):
            end = match.end()
            self._take(Said(at, modem, match[0].decode("latin-1").strip("\x1b\r\n")))
        self._half_lines[modem] = octets[end:]

    def _take(self, said: Said) -> None:
        self.said.append(said)
        exchanges = self.exchanges[said.modem]
        if said.line.startswith(_SEND):
            exchanges.append(Exchange(said.modem, said.at))
        elif said.line.endswith("\x1a") and exchanges:
            exchanges[-1] = exchanges[-1]._replace(payload_at=said.at)

    def _say(self, at: float, modem: str, octets: bytes) -> None:
        if not self.exchanges[modem]:
            return
        last = self.exchanges[modem][-1]
        if last.prompted_at is None and b">" in octets:
            self.exchanges[modem][-1] = last._replace(prompted_at=at)
        elif last.payload_at is not None and last.answered_at is None and b"+CMGS:" in octets:
            self.exchanges[modem][-1] = last._replace(answered_at=at)


def _answers(exchanges: list[Exchange]) -> list[float]:
    return [e.answered_at for e in exchanges if e.answered_at is not None]


def _pieces(path: Path) -> Iterator[tuple[float, str, str, bytes]]:
    with path.open(encoding="ascii") as file:
        for line in file:
            if not line.endswith("\n"):
                return  # being written
            at, modem, direction, octets = line.rstrip("\n").split(" ", 3)
            yield float(at), modem, direction, ast.literal_eval(octets)
