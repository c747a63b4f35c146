"""What is fuzzed: each target takes any octets and raises only if the codec broke a promise.

The promises: a decoder gives a value or a `DecodeError` that points into the octets; what it gave can be
encoded, if at all, into something that decodes to the same; text can always be stored as UTF-8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from drivers.base import Encoding
from drivers.codec.address import decode_address, encode_address, split_sca
from drivers.codec.dcs import decode_dcs
from drivers.codec.direction import (
    FromMobile,
    ToMobile,
    decode_from_mobile,
    decode_to_mobile,
    encode_tpdu,
)
from drivers.codec.gsm7 import decode_gsm7, encode_gsm7
from drivers.codec.national_tables import LOCKING, Language
from drivers.codec.septets import pack_septets, pack_ussd, unpack_septets, unpack_ussd
from drivers.codec.text import decode_text, to_plain
from drivers.codec.times import decode_enhanced_vp, decode_scts, encode_scts
from drivers.codec.udh import decode_udh, encode_udh
from drivers.codec.user_data import decode_user_data, encode_user_data
from drivers.errors import DecodeError, EncodeError
from tests.fuzz.smpp_targets import fuzz_smpp_pdu, fuzz_smpp_receipt, fuzz_smpp_session

Tpdu = FromMobile | ToMobile
T = TypeVar("T")


def fuzz_to_mobile(octets: bytes) -> None:
    """SMS-DELIVER, SMS-SUBMIT-REPORT, SMS-STATUS-REPORT."""
    _fuzz_tpdu(decode_to_mobile, octets)


def fuzz_from_mobile(octets: bytes) -> None:
    """SMS-SUBMIT, SMS-DELIVER-REPORT, SMS-COMMAND."""
    _fuzz_tpdu(decode_from_mobile, octets)


def _fuzz_tpdu(decode: Callable[[bytes], Tpdu], octets: bytes) -> None:
    pdu = _decoded(decode, octets)
    if pdu is None:
        return
    _check_text(getattr(pdu, "text", ""))
    again = _recoded(decode, pdu)
    if again is not None:
        assert _recoded(decode, again) == again
        if not getattr(pdu, "udh_fault", "") and not _ends_in_at(pdu):
            assert again == pdu


def _ends_in_at(pdu: Tpdu) -> bool:
    # A name of eight septets that ends in @ loses it, for it may be padding.
    return any(getattr(pdu, field, "").endswith("@") for field in ("tp_da", "tp_oa", "tp_ra"))


def _recoded(decode: Callable[[bytes], Tpdu], pdu: Tpdu) -> Tpdu | None:
    try:
        octets = encode_tpdu(pdu)
    except EncodeError:  # more digits or user data than we would write
        return None
    return decode(octets)


def fuzz_address(octets: bytes) -> None:
    """Address fields, and the service centre's."""
    _decoded(split_sca, octets)
    decoded = _decoded(decode_address, octets)
    if decoded is None:
        return
    number, end = decoded
    _check_text(number)
    assert 2 <= end <= len(octets)
    try:
        encoded = encode_address(number, octets[1])
    except EncodeError:
        return
    assert number.endswith("@") or decode_address(encoded) == (number, len(encoded))


def fuzz_udh(octets: bytes) -> None:
    """User data headers."""
    header = _decoded(decode_udh, octets)
    if header is not None and len(octets) <= 140:
        assert encode_udh(header.elements) == (octets[: octets[0] + 1] if header.elements else b"")


def fuzz_user_data(octets: bytes) -> None:
    """TP-UDL and TP-UD in all encodings, and their text."""
    for encoding in Encoding:
        for udhi in (False, True):
            data = _decoded(lambda it: decode_user_data(it, 0, encoding, udhi=udhi), octets)  # noqa: B023
            if data is None:
                continue
            _check_text(decode_text(encoding, data.payload, data.udh))
            plain, payload = to_plain(encoding, data.payload, data.udh)
            assert decode_text(plain, payload) == decode_text(encoding, data.payload, data.udh)
            if not data.fault:
                encoded = encode_user_data(encoding, data.payload, data.udh, max_octets=255)
                assert decode_user_data(encoded, 0, encoding, udhi=bool(data.udh))[:2] == data[:2]


def fuzz_alphabet(octets: bytes) -> None:
    """Codes under every pair of tables; the first two octets choose one."""
    if len(octets) < 2:
        return
    languages = (None, *Language)
    locking, single_shift = languages[octets[0] % 14], languages[octets[1] % 14]
    text = decode_gsm7(octets[2:], locking=locking, single_shift=single_shift)
    _check_text(text)
    if locking is None or locking in LOCKING:
        try:
            codes = encode_gsm7(text, locking=locking, single_shift=single_shift)
        except EncodeError:
            assert "\ufffd" in text
        else:
            assert decode_gsm7(codes, locking=locking, single_shift=single_shift) == text


def fuzz_septets(octets: bytes) -> None:
    """Packing, with the first octet as fill bits and count."""
    if not octets:
        return
    fill_bits, packed = octets[0] % 7, octets[1:]
    n_septets = max(0, 8 * len(packed) - fill_bits) // 7
    codes = _decoded(lambda it: unpack_septets(it, n_septets, fill_bits), packed)
    assert codes is not None
    assert unpack_septets(pack_septets(codes, fill_bits), n_septets, fill_bits) == codes
    codes = unpack_ussd(packed)
    assert unpack_ussd(pack_ussd(codes)) in {codes, codes + b"\r", codes.removesuffix(b"\0")}


def fuzz_times(octets: bytes) -> None:
    """Time stamps, enhanced validity periods, data coding."""
    at = decode_scts(octets)
    assert at is None or decode_scts(encode_scts(at)) == at
    seconds = decode_enhanced_vp(octets)
    assert seconds is None or seconds >= 0
    for tp_dcs in octets[:1]:
        assert decode_dcs(tp_dcs).encoding in Encoding


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    function.__name__.removeprefix("fuzz_"): function
    for function in (
        fuzz_to_mobile,
        fuzz_from_mobile,
        fuzz_address,
        fuzz_udh,
        fuzz_user_data,
        fuzz_alphabet,
        fuzz_septets,
        fuzz_times,
        fuzz_smpp_pdu,
        fuzz_smpp_session,
        fuzz_smpp_receipt,
    )
}


def _decoded(decode: Callable[[bytes], T], octets: bytes) -> T | None:
    fault: DecodeError
    try:
        return decode(octets)
    except DecodeError as error:
        fault = error
    assert fault.field
    assert 0 <= fault.offset <= len(octets), fault
    return None


def _check_text(text: str) -> None:
    text.encode()  # no lone surrogate
