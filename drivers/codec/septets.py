"""Septets in octets: 7-bit codes packed least significant bit first, and unpacked.

Codes are handled one per byte; what they mean is for `drivers.codec.gsm7` to say.

Spec: 3GPP TS 23.038 6.1.2.1 (SMS), 6.1.2.3 (USSD).
"""

from __future__ import annotations

from typing import Final

from drivers.errors import DecodeError, EncodeError

# Codes are moved not one by one but all at once, in a long integer: a group of 2k codes becomes two groups of
# k that stand k bits further apart, for k = 128, 64 ... 1; then each code has a byte of its own. Packing goes
# the other way. Eight steps for up to 256 codes, four for sixteen.
_MAX_CODES: Final = 256
_N_STEPS: Final = 8
_MAX_PACKED: Final = 7 * _MAX_CODES // 8


def _steps() -> tuple[tuple[int, int, int], ...]:
    """(k, mask of the lower half of every pair of groups, mask of its upper half as packed), widest first."""
    steps = []
    k = _MAX_CODES // 2
    while k:
        lower = sum((1 << 7 * k) - 1 << 16 * k * pair for pair in range(_MAX_CODES // (2 * k)))
        steps.append((k, lower, lower << 7 * k))
        k //= 2
    return tuple(steps)


_ALL_STEPS: Final = _steps()
# By the number of steps that a number of codes needs. Three at least: their masks drop up to seven bits behind
# the last code, those of fewer do not.
_MIN_STEPS: Final = 3
_UNPACKING: Final = tuple(_ALL_STEPS[_N_STEPS - max(_MIN_STEPS, n) :] for n in range(_N_STEPS + 1))
_PACKING: Final = tuple(
    tuple((k, lower, upper << k) for k, lower, upper in reversed(steps)) for steps in _UNPACKING
)

_CR: Final = 0x0D


def pack_septets(septets: bytes, fill_bits: int = 0) -> bytes:
    """Pack 7-bit codes into octets, least significant bit first.

    Args:
        septets: one code per byte, each 0..127 (an escaped character is two).
        fill_bits: zero bits before the first septet, 0..6; non-zero only after a UDH, so that text
            starts on a septet boundary.

    Returns:
        ``ceil((7 * len(septets) + fill_bits) / 8)`` octets, zero padded. The septet count is not
        recoverable from them; it travels in TP-UDL.

    Raises:
        EncodeError: a code is above 127 or ``fill_bits`` is out of range.

    Spec: 3GPP TS 23.038 6.1.2.1; fill bits TS 23.040 9.2.3.24.

    >>> pack_septets(b"hello").hex()
    'e8329bfd06'
    >>> pack_septets(b"hello", fill_bits=1).hex()
    'd06536fb0d'
    """
    if not 0 <= fill_bits <= 6:
        raise EncodeError("ud.fill_bits", "must be 0..6")
    if not septets.isascii():
        raise EncodeError("ud", "a septet is above 127")
    n_octets = (7 * len(septets) + fill_bits + 7) // 8
    if len(septets) <= _MAX_CODES:
        bits = _pack_block(septets)
    else:
        blocks = [septets[at : at + _MAX_CODES] for at in range(0, len(septets), _MAX_CODES)]
        packed = b"".join(_pack_block(block).to_bytes(_MAX_PACKED, "little") for block in blocks)
        bits = int.from_bytes(packed, "little")
    return (bits << fill_bits).to_bytes(n_octets, "little")


def _pack_block(septets: bytes) -> int:
    bits = int.from_bytes(septets, "little")
    for k, lower, upper in _PACKING[max(0, len(septets) - 1).bit_length()]:
        bits = bits & lower | (bits & upper) >> k
    return bits


def unpack_septets(octets: bytes, n_septets: int, fill_bits: int = 0) -> bytes:
    """Unpack 7-bit codes from octets.

    Args:
        octets: packed as by `pack_septets`; octets beyond the last septet are ignored.
        n_septets: how many codes to read, from TP-UDL.
        fill_bits: bits to skip before the first septet, 0..6.

    Returns:
        ``n_septets`` codes, one per byte, each 0..127.

    Raises:
        DecodeError: there are too few octets, or the counts make no sense.

    Spec: 3GPP TS 23.038 6.1.2.1; fill bits TS 23.040 9.2.3.24.

    >>> unpack_septets(bytes.fromhex("e8329bfd4697d9ec37"), 10)
    b'hellohello'
    """
    if not 0 <= fill_bits <= 6 or n_septets < 0:
        raise DecodeError("ud", 0, "septet count or fill bits out of range")
    n_octets = (7 * n_septets + fill_bits + 7) // 8
    if n_septets and n_octets > len(octets):
        raise DecodeError(
            "ud", len(octets), f"{n_septets} septets need {n_octets} octets, {len(octets)} are there"
        )
    bits = int.from_bytes(octets[:n_octets], "little") >> fill_bits
    if n_septets <= _MAX_CODES:
        return _unpack_block(bits, n_septets)[:n_septets]
    packed = bits.to_bytes(n_octets, "little")
    blocks = [packed[at : at + _MAX_PACKED] for at in range(0, n_octets, _MAX_PACKED)]
    return b"".join(_unpack_block(int.from_bytes(block, "little"), _MAX_CODES) for block in blocks)[
        :n_septets
    ]


def _unpack_block(bits: int, n_septets: int) -> bytes:
    """At least ``n_septets`` codes, up to 256."""
    n_steps = max(_MIN_STEPS, (n_septets - 1).bit_length())
    for k, lower, upper in _UNPACKING[n_steps]:
        bits = bits & lower | (bits & upper) << k
    return bits.to_bytes(1 << n_steps, "little")


def pack_ussd(septets: bytes) -> bytes:
    r"""Pack the codes of a USSD string, which carries no count: seven spare bits would read as ``@``.

    Args:
        septets: one code per byte, each 0..127.

    Returns:
        Octets; spare bits of a full septet hold a carriage return. A string that ends on an octet
        boundary with a carriage return of its own gets a second one.

    Raises:
        EncodeError: a code is above 127.

    Spec: 3GPP TS 23.038 6.1.2.3.1.

    >>> pack_ussd(b"*100*1#").hex()
    'aa180ca68a8d1a'
    """
    if len(septets) % 8 == 7 or (septets and len(septets) % 8 == 0 and septets[-1] == _CR):
        septets += bytes((_CR,))
    return pack_septets(septets)


def unpack_ussd(octets: bytes) -> bytes:
    r"""Unpack the codes of a USSD string; total.

    Args:
        octets: packed as by `pack_ussd`. The carriage return that ends on an octet boundary is padding and
            is left out; so is the zero with which careless senders fill seven spare bits.

    Returns:
        One code per byte. A string of eight, sixteen ... codes that truly ends in ``@`` or in one carriage
        return loses it, as the specification has it for the latter.

    Spec: 3GPP TS 23.038 6.1.2.3.1.

    >>> unpack_ussd(bytes.fromhex("aa180ca68a8d1a"))
    b'*100*1#'
    """
    septets = unpack_septets(octets, 8 * len(octets) // 7)
    if septets and len(septets) % 8 == 0 and septets[-1] in {_CR, 0}:
        return septets[:-1]
    return septets
