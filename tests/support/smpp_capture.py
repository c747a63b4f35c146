"""SMPP conversations as tshark reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.pcap import Chunk, Side
from tests.support.tshark import dissect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PORT = 2775
AS_SMPP = ("-d", f"tcp.port=={PORT},smpp", "-o", "smpp.decode_sms_over_smpp:GSM 7-bit")


def n_pdus(conversation: Iterable[Chunk]) -> int:
    """PDUs by their lengths alone."""
    return sum(len(command_ids(conversation, side)) for side in Side)


def command_ids(conversation: Iterable[Chunk], side: Side) -> list[int]:
    """What this side said, by headers alone."""
    octets = b"".join(chunk.octets for chunk in conversation if chunk.side is side)
    found = []
    while octets:
        found.append(int.from_bytes(octets[4:8], "big"))
        octets = octets[int.from_bytes(octets[:4], "big") :]
    return found


def read_pdus(capture: Path, *fields: str) -> list[dict[str, list[str]]]:
    """The packets with SMPP in them."""
    packets = dissect(capture, ["smpp.command_id", "smpp.command_status", *fields], AS_SMPP)
    return [packet for packet in packets if packet["smpp.command_id"]]


def all_of(packets: list[dict[str, list[str]]], field: str) -> list[str]:
    return [value for packet in packets for value in packet[field]]
