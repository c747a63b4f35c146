"""From a payload and its header to text, national tables included.

Spec: 3GPP TS 23.038 6.2; TS 23.040 9.2.3.24.15, 9.2.3.24.16.
"""

from __future__ import annotations

from drivers.base import Encoding
from drivers.codec.gsm7 import decode_gsm7
from drivers.codec.segment import decode_payload
from drivers.codec.udh import Udh, decode_udh
from drivers.errors import DecodeError


def decode_text(encoding: Encoding, payload: bytes, udh: bytes = b"") -> str:
    """The text of one TPDU; total.

    Args:
        encoding: of ``payload``.
        payload: see `drivers.base.Encoding`.
        udh: the header of the same TPDU, with its leading length octet; it may announce national tables. A
            broken one says nothing.

    Returns:
        Text with no lone surrogate; see `drivers.codec.segment.decode_payload` for what can't be read.

    Spec: 3GPP TS 23.038 6.2; TS 23.040 9.2.3.24.15, 9.2.3.24.16.

    >>> decode_text(Encoding.GSM7, bytes.fromhex("071d076b"), bytes.fromhex("03250101"))
    'ışık'
    """
    header = _read_header(udh) if encoding is Encoding.GSM7 else None
    if header is None:
        return decode_payload(encoding, payload)
    return decode_gsm7(payload, locking=header.locking, single_shift=header.single_shift)


def to_plain(encoding: Encoding, payload: bytes, udh: bytes) -> tuple[Encoding, bytes]:
    r"""The same text in a form that can be read without its header: parts are joined without theirs.

    Returns:
        What came, unless the header announces national tables: then UCS2, which may exceed 140 octets.

    Spec: 3GPP TS 23.040 9.2.3.24.15: the tables hold for one part only.

    >>> to_plain(Encoding.GSM7, b"\x07", bytes.fromhex("03250101"))
    (<Encoding.UCS2: 'ucs2'>, b'\x011')
    """
    header = _read_header(udh) if encoding is Encoding.GSM7 else None
    if header is None or (header.locking is None and header.single_shift is None):
        return encoding, payload
    return Encoding.UCS2, decode_text(encoding, payload, udh).encode("utf-16-be")


def _read_header(udh: bytes) -> Udh | None:
    if not udh:
        return None
    try:
        return decode_udh(udh)
    except DecodeError:  # "the whole User Data Header shall be ignored" (9.2.3.24)
        return None
