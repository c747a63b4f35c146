"""A pcap writer just large enough to let tshark judge our octets. It writes; it does not read.

Two kinds of file: TCP conversations rebuilt from recorded octets (tshark finds PDU boundaries by
itself, as on a real wire), and single PDUs handed straight to a dissector by name.

Format: https://www.tcpdump.org/ of libpcap 2.4; link types 101 (raw IP) and 252 (Wireshark's
exported PDU, whose tags are those of wsutil/exported_pdu_tlvs.h).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

LINKTYPE_RAW_IP = 101
LINKTYPE_EXPORTED_PDU = 252

_SNAP_LENGTH = 262_144
_MAX_SEGMENT = 1_400
_FIN, _SYN, _PSH, _ACK = 0x01, 0x02, 0x08, 0x10

_TAG_END = 0
_TAG_DISSECTOR_NAME = 12
_TAG_P2P_DIRECTION = 35


class Side(IntEnum):
    """Who wrote the octets of a recorded conversation."""

    CLIENT = 0
    SERVER = 1


class Chunk(NamedTuple):
    """Octets as they were written, in order of time."""

    side: Side
    octets: bytes


class Direction(IntEnum):
    """P2P direction of an exported PDU, which for gsm_sms decides how TP-MTI is read."""

    TO_MOBILE = 0
    FROM_MOBILE = 1


def write_tcp_capture(path: Path, conversations: Sequence[Iterable[Chunk]], server_port: int) -> None:
    """Write recorded conversations as TCP over IPv4, each with handshake and close.

    Args:
        conversations: one per connection; the n-th gets client port 40000 + n.
        server_port: the port to name to tshark (``-d tcp.port==N,smpp``).
    """
    packets: list[bytes] = []
    for index, chunks in enumerate(conversations):
        packets += _tcp_packets(chunks, (40_000 + index, server_port))
    _write(path, LINKTYPE_RAW_IP, packets)


def write_pdu_capture(path: Path, dissector: str, pdus: Sequence[tuple[Direction, bytes]]) -> None:
    """Write PDUs that tshark hands to ``dissector`` without any layer below."""
    packets = [
        _tag(_TAG_DISSECTOR_NAME, dissector.encode())
        + _tag(_TAG_P2P_DIRECTION, struct.pack(">I", direction))
        + _tag(_TAG_END, b"")
        + octets
        for direction, octets in pdus
    ]
    _write(path, LINKTYPE_EXPORTED_PDU, packets)


def _write(path: Path, link_type: int, packets: Iterable[bytes]) -> None:
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, _SNAP_LENGTH, link_type))
        for index, packet in enumerate(packets):
            # A millisecond apart, so that order in time is order in the file.
            seconds, milliseconds = divmod(index, 1000)
            file.write(struct.pack("<IIII", seconds, milliseconds * 1000, len(packet), len(packet)))
            file.write(packet)


def _tag(number: int, value: bytes) -> bytes:
    """One exported-PDU tag: number, length, value padded to a multiple of four octets."""
    padded = value + bytes(-len(value) % 4)
    return struct.pack(">HH", number, len(padded)) + padded


def _tcp_packets(chunks: Iterable[Chunk], ports: tuple[int, int]) -> list[bytes]:
    sequence = [1_000, 9_000]
    packets = []

    def send(side: Side, flags: int, octets: bytes = b"") -> None:
        acknowledged = sequence[1 - side] if flags & _ACK else 0
        packets.append(_ip_tcp(side, ports, _Tcp(sequence[side], acknowledged, flags), octets))
        sequence[side] += len(octets) + (1 if flags & (_SYN | _FIN) else 0)

    send(Side.CLIENT, _SYN)
    send(Side.SERVER, _SYN | _ACK)
    send(Side.CLIENT, _ACK)
    for side, octets in chunks:
        for start in range(0, len(octets), _MAX_SEGMENT):
            send(side, _PSH | _ACK, octets[start : start + _MAX_SEGMENT])
    send(Side.CLIENT, _FIN | _ACK)
    send(Side.SERVER, _FIN | _ACK)
    send(Side.CLIENT, _ACK)
    return packets


class _Tcp(NamedTuple):
    sequence: int
    acknowledged: int
    flags: int


def _ip_tcp(side: Side, ports: tuple[int, int], header: _Tcp, octets: bytes) -> bytes:
    addresses = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
    source, target = addresses[side], addresses[1 - side]
    tcp = struct.pack(
        ">HHIIBBHHH", ports[side], ports[1 - side], *header[:2], 5 << 4, header.flags, 65_535, 0, 0
    )
    pseudo_header = source + target + struct.pack(">BBH", 0, 6, len(tcp) + len(octets))
    checksum = _checksum(pseudo_header + tcp + octets)
    tcp = tcp[:16] + struct.pack(">H", checksum) + tcp[18:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp) + len(octets), 0, 0, 64, 6, 0) + source + target
    ip = ip[:10] + struct.pack(">H", _checksum(ip)) + ip[12:]
    return ip + tcp + octets


def _checksum(octets: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    padded = octets + bytes(len(octets) % 2)
    total = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
