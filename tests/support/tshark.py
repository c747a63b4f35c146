"""Wireshark's dissectors as an independent reader of our octets."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SEPARATOR, _AGGREGATOR = "\x1e", "\x1f"
_TROUBLE = ("_ws.malformed", "_ws.expert.severity", "_ws.expert.message")
_SEVERITY_WARN = 0x00600000
"""``PI_WARN`` of Wireshark's expert information; notes and chats about TCP are below it."""


def dissect(capture: Path, fields: Sequence[str], options: Sequence[str] = ()) -> list[dict[str, list[str]]]:
    """Read a capture; per packet, all occurrences of each field."""
    command = ["tshark", "-n", "-r", str(capture), *options, "-T", "fields"]
    command += ["-E", "occurrence=a", "-E", f"separator={_SEPARATOR}", "-E", f"aggregator={_AGGREGATOR}"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, check=True, capture_output=True, timeout=45)
    packets = []
    for line in _as_text(done.stdout).removesuffix("\n").split("\n"):
        columns = line.split(_SEPARATOR)
        packets.append(
            {
                field: column.split(_AGGREGATOR) if column else []
                for field, column in zip(fields, columns, strict=True)
            }
        )
    return packets


def _as_text(output: bytes) -> str:
    # Its smpp dissector prints the halves of a surrogate pair one by one.
    halves = output.decode("utf-8", "surrogatepass")
    return halves.encode("utf-16", "surrogatepass").decode("utf-16")


def find_complaints(capture: Path, options: Sequence[str] = ()) -> list[str]:
    """What tshark objects to: malformed packets and expert information from warning upwards."""
    complaints = []
    for number, packet in enumerate(dissect(capture, _TROUBLE, options), start=1):
        if packet["_ws.malformed"]:
            complaints.append(f"packet {number}: malformed")
        severities = [int(severity, 0) for severity in packet["_ws.expert.severity"]]
        complaints += [
            f"packet {number}: {message}"
            for severity, message in zip(severities, packet["_ws.expert.message"], strict=True)
            if severity >= _SEVERITY_WARN
        ]
    return complaints
