"""The codec against octets that others published."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.base import Concat, Encoding
from drivers.codec.address import decode_address, encode_address, encode_sca, split_sca
from drivers.codec.gsm7 import decode_gsm7, encode_gsm7, pack_septets, unpack_septets
from drivers.codec.segment import decode_payload, plan_segments
from drivers.codec.times import decode_relative_vp, decode_scts, encode_relative_vp, encode_scts
from drivers.codec.tpdu import (
    SmsSubmit,
    decode_deliver,
    decode_incoming,
    decode_status_report,
    decode_submit,
    encode_deliver,
    encode_status_report,
    encode_submit,
)
from drivers.codec.udh import encode_concat_udh
from tests.support.vectors import load_vectors

pytestmark = pytest.mark.unit

Vector = dict[str, Any]


def vectors(name: str, table: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", load_vectors(name, table), ids=lambda vector: vector["source"])


@vectors("septets", "packed")
def test_text_codes_and_packed_octets_agree(vector: Vector) -> None:
    codes, packed = bytes.fromhex(vector["codes"]), bytes.fromhex(vector["packed"])
    assert encode_gsm7(vector["text"]) == codes
    assert decode_gsm7(codes) == vector["text"]
    assert pack_septets(codes) == packed
    assert unpack_septets(packed, len(codes)) == codes


@vectors("septets", "filled")
def test_fill_bits_move_text_to_a_septet_boundary(vector: Vector) -> None:
    codes, packed = bytes.fromhex(vector["codes"]), bytes.fromhex(vector["packed"])
    assert pack_septets(codes, vector["fill_bits"]) == packed
    assert unpack_septets(packed, len(codes), vector["fill_bits"]) == codes


@vectors("septets", "alphabet")
def test_alphabet_is_the_printed_one(vector: Vector) -> None:
    codes = bytes.fromhex(vector["codes"])
    assert decode_gsm7(codes) == vector["text"]
    assert encode_gsm7(vector["text"]) == codes


@vectors("addresses", "address")
def test_address_field(vector: Vector) -> None:
    octets = bytes.fromhex(vector["octets"])
    assert decode_address(octets) == (vector["address"], len(octets))
    if vector.get("encodes", True):
        assert encode_address(vector["address"]) == octets


@vectors("addresses", "service_centre")
def test_service_centre_address(vector: Vector) -> None:
    octets = bytes.fromhex(vector["octets"])
    assert encode_sca(vector["number"]) == octets
    assert split_sca(octets + b"\x04tpdu") == (vector["number"], b"\x04tpdu")


@vectors("times", "scts")
def test_time_stamp(vector: Vector) -> None:
    octets = bytes.fromhex(vector["octets"])
    assert encode_scts(vector["at"]) == octets
    assert decode_scts(octets) == vector["at"]


@vectors("times", "validity")
def test_relative_validity_period(vector: Vector) -> None:
    assert decode_relative_vp(vector["tp_vp"]) == vector["seconds"]
    assert encode_relative_vp(vector["seconds"]) == vector["tp_vp"]


@vectors("tpdus", "deliver")
def test_deliver_from_the_wild(vector: Vector) -> None:
    sca, tpdu = split_sca(bytes.fromhex(vector["pdu"]))
    pdu = decode_deliver(tpdu)
    assert sca == vector["sca"]
    assert pdu.tp_oa == vector["tp_oa"]
    assert pdu.tp_scts == vector["tp_scts"]
    assert pdu.encoding == vector["encoding"]
    assert decode_payload(pdu.encoding, pdu.payload) == vector["text"]
    assert pdu.concat == (Concat(**vector["concat"]) if "concat" in vector else None)
    assert decode_incoming(tpdu) == pdu
    assert decode_deliver(encode_deliver(pdu)) == pdu


@vectors("tpdus", "submit")
def test_submit_from_the_wild(vector: Vector) -> None:
    _, tpdu = split_sca(bytes.fromhex(vector["pdu"]))
    pdu = decode_submit(tpdu)
    assert pdu.tp_da == vector["tp_da"]
    assert pdu.encoding == vector["encoding"]
    assert decode_payload(pdu.encoding, pdu.payload) == vector["text"]
    assert pdu.valid_for_s == vector.get("valid_for_s")
    assert pdu.tp_srr == vector.get("tp_srr", False)
    assert pdu.flash == vector.get("flash", False)
    if vector.get("exact", True):
        assert encode_submit(pdu) == tpdu
    else:
        assert decode_submit(encode_submit(pdu)) == pdu


@vectors("tpdus", "status_report")
def test_status_report_from_the_wild(vector: Vector) -> None:
    _, tpdu = split_sca(bytes.fromhex(vector["pdu"]))
    pdu = decode_status_report(tpdu)
    for field in ("tp_mr", "tp_ra", "tp_scts", "tp_dt", "tp_st"):
        assert getattr(pdu, field) == vector[field], field
    assert decode_incoming(tpdu) == pdu
    assert decode_status_report(encode_status_report(pdu)) == pdu


@vectors("tpdus", "multipart")
def test_long_text_is_cut_as_others_cut_it(vector: Vector) -> None:
    segments = plan_segments(vector["text"]).segments
    concats = [
        Concat(reference=vector["reference"], total=len(segments), part=part + 1)
        for part in range(len(segments))
    ]
    tpdus = [
        encode_submit(
            SmsSubmit(
                tp_da=vector["tp_da"],
                encoding=Encoding.GSM7,
                payload=segment.payload,
                udh=encode_concat_udh(concat),
                tp_rd=True,
            )
        )
        for segment, concat in zip(segments, concats, strict=True)
    ]
    assert tpdus == [split_sca(bytes.fromhex(pdu))[1] for pdu in vector["pdus"]]
