"""What holds for all PDUs, all octets and all cuts of a stream."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from drivers.base import Encoding
from drivers.errors import DecodeError, RemoteProtocolError
from drivers.smpp.client.inbound import decode_delivery, decode_part, decode_receipts
from drivers.smpp.session.machine import ResponseReceived, Session
from drivers.smpp.session.rules import Role, SessionState
from drivers.smpp.session.window import Window
from drivers.smpp.wire.codec import decode_by_layout, decode_pdu, encode_by_layout, encode_pdu
from drivers.smpp.wire.constants import CommandId
from drivers.smpp.wire.fields import DistributionList, SmeAddress, UnsuccessSme
from drivers.smpp.wire.layouts import MANDATORY_FIELDS
from drivers.smpp.wire.pdus import (
    BindTransceiver,
    BindTransceiverResp,
    DeliverSm,
    Pdu,
    SubmitSm,
    SubmitSmResp,
)
from drivers.smpp.wire.receipt import parse_receipt, parse_receipt_by_keys
from drivers.smpp.wire.spellings import given_references, spell_references

pytestmark = pytest.mark.property

LIMITS = {
    "service_type": 5,
    "system_id": 15,
    "password": 8,
    "system_type": 12,
    "address_range": 40,
    "message_id": 64,
}
TIMES = {"schedule_delivery_time", "validity_period", "final_date"}
LATIN_1 = st.characters(min_codepoint=1, max_codepoint=255)
U8 = st.integers(0, 255)
ADDRESS = st.text(LATIN_1, max_size=20)
TLVS = st.lists(st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=4).map(tuple)
SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "short_message": st.binary(max_size=254),
    "dest_addresses": st.lists(
        st.builds(SmeAddress, U8, U8, ADDRESS) | st.builds(DistributionList, ADDRESS), max_size=5
    ).map(tuple),
    "unsuccess_sme": st.lists(
        st.builds(UnsuccessSme, U8, U8, ADDRESS, st.integers(0, 0xFFFFFFFF)), max_size=5
    ).map(tuple),
}


def values_of(name: str) -> st.SearchStrategy[Any]:
    if name in SPECIAL:
        return SPECIAL[name]
    if name in TIMES:
        return st.just("") | st.text(LATIN_1, min_size=16, max_size=16)
    if name in LIMITS:
        return st.text(LATIN_1, max_size=LIMITS[name])
    if name.endswith("_addr") or name == "destination_addr":
        return ADDRESS
    return U8


def bodies_of(kind: Any) -> st.SearchStrategy[Any]:
    fields = {field.name: values_of(field.name) for field in MANDATORY_FIELDS[kind]}
    return st.builds(kind, **fields, **({"tlvs": TLVS} if fields else {}))


BODIES = st.one_of([bodies_of(kind) for kind in MANDATORY_FIELDS])


def encode(pdu: Pdu) -> bytes:
    return encode_pdu(*astuple(pdu))


PDUS = st.builds(Pdu, BODIES, st.integers(1, 0x7FFFFFFF), st.sampled_from([0, 0, 0, 8, 0x58]))


@pytest.mark.parametrize("kind", list(MANDATORY_FIELDS), ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=40)
def test_every_pdu_survives_the_wire(kind, data):
    body = data.draw(bodies_of(kind))
    octets = encode_pdu(body, 7)
    assert decode_pdu(octets) == Pdu(body, 7)
    assert octets[16:] == encode_by_layout(body)
    assert decode_by_layout(int(body.command_id), octets) == body


@given(PDUS)
def test_the_status_survives_too(pdu):
    assert decode_pdu(encode(pdu)) == pdu


def decode_or_refuse(octets: bytes) -> Pdu | None:
    try:
        return decode_pdu(octets)
    except (DecodeError, RemoteProtocolError):
        return None


@given(st.binary(max_size=300))
def test_any_octets_are_read_or_refused(octets):
    decode_or_refuse(octets)


@given(st.sampled_from(list(CommandId)), st.binary(max_size=300))
def test_any_body_is_read_or_refused(command, body):
    decode_or_refuse((16 + len(body)).to_bytes(4, "big") + command.to_bytes(4, "big") + bytes(8) + body)


@given(PDUS, st.integers(0, 2**32), st.integers(1, 8))
def test_damaged_pdus_are_read_or_refused_by_both_ways_alike(pdu, seed, n_damages):
    rng = random.Random(seed)
    body = encode(pdu)[16:]
    for _ in range(n_damages):
        place = rng.randrange(len(body) + 1)
        damage = rng.choice([b"", rng.randbytes(1), rng.randbytes(3)])
        body = body[:place] + damage + body[place + rng.choice([0, 1, len(body)]) :]
    command_id = int(pdu.body.command_id)
    octets = (16 + len(body)).to_bytes(4, "big") + command_id.to_bytes(4, "big") + bytes(8) + body
    short = decode_or_refuse(octets)
    try:
        long = decode_by_layout(command_id, octets)
    except DecodeError:
        long = None
    assert (short.body if short else None) == long


def bound(role: Role) -> Session:
    session = Session(role, now=0.0)
    if role is Role.ESME:
        number = session.request(BindTransceiver(), 0.0)
        session.receive_data(encode_pdu(BindTransceiverResp(), number), 0.0)
    else:
        [request] = session.receive_data(encode_pdu(BindTransceiver(), 1), 0.0)
        session.respond(request, BindTransceiverResp())  # type: ignore[arg-type]
    session.data_to_send()
    assert session.state is SessionState.BOUND_TRX
    return session


@given(
    role=st.sampled_from(list(Role)),
    pdus=st.lists(PDUS, max_size=6),
    garbage=st.binary(max_size=40),
    cuts=st.lists(st.integers(0, 2000), max_size=20),
)
def test_any_cut_of_a_stream_gives_the_same_events_and_answers(role, pdus, garbage, cuts):
    stream = b"".join(encode(pdu) for pdu in pdus) + garbage
    whole, chunked = bound(role), bound(role)
    for session in (whole, chunked):
        if role is Role.ESME:
            for _ in range(3):
                session.request(SubmitSm(), 0.0)
            session.data_to_send()
    expected = whole.receive_data(stream, 1.0)
    events = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        events += chunked.receive_data(stream[start:end], 1.0)
    assert events == expected
    assert chunked.data_to_send() == whole.data_to_send()
    assert chunked.state is whole.state


@given(
    st.lists(st.sampled_from(["ask", "answer", "again", "late", "time", "nack"]), max_size=60),
    st.integers(0, 2**32),
)
def test_every_request_ends_exactly_once(steps, seed):
    rng = random.Random(seed)
    session = bound(Role.ESME)
    window: Window[int] = Window()
    asked: list[int] = []
    ended: list[int] = []
    now = 0.0
    for step in steps:
        now += 1.0
        events: list[Any] = []
        if step == "ask":
            number = session.request(SubmitSm(), now)
            window.add(number, number, now + 5.0)
            asked.append(number)
        elif step == "time":
            for number, _ in window.take_expired(now):
                session.give_up(number)
                ended.append(number)
        elif asked:
            number = rng.choice(asked)
            status = 8 if step == "nack" else 0
            events = session.receive_data(encode_pdu(SubmitSmResp(), number, status), now)
        for event in events:
            if isinstance(event, ResponseReceived) and window.take(event.sequence_number) is not None:
                assert not event.late
                ended.append(event.sequence_number)
    ended += [number for number, _ in window.take_all()]
    assert sorted(ended) == sorted(asked)


@given(st.binary(max_size=254), TLVS, U8, U8, U8)
def test_any_delivery_is_a_part_and_perhaps_a_receipt(content, tlvs, esm_class, data_coding, ton):
    body = DeliverSm(
        esm_class=esm_class,
        data_coding=data_coding,
        source_addr_ton=ton,
        source_addr="1",
        short_message=content,
        tlvs=tlvs,
    )
    part = decode_part(body)
    if part.encoding is Encoding.GSM7:
        assert max(part.payload, default=0) <= 0x7F
    for receipt in decode_receipts(body):
        assert all(receipt.references)
        assert len(receipt.references) == len(receipt.dialects)
    assert decode_delivery(body)


WORD = st.text("abcXYZ0189-:,; \0", max_size=12)


@given(WORD, WORD, WORD, WORD)
def test_the_usual_form_of_a_receipt_is_read_as_any_other_would_be(message_id, date, stat, text):
    content = (
        f"id:{message_id} sub:001 dlvrd:001 submit date:{date} done date:{date} stat:{stat} err:000 text:{text}"
    ).encode()
    assert parse_receipt(content) == parse_receipt_by_keys(content)


@given(st.integers(1, 10**20))
def test_hex_and_decimal_find_each_other(number):
    for response, in_receipt in (
        (f"{number:x}", str(number)),
        (str(number), f"{number:X}"),
        (str(number), f"{number:020}"),
    ):
        given = given_references(parse_receipt(f"id:{in_receipt} stat:DELIVRD".encode()), ())
        candidates = list(spell_references(given))
        assert response in candidates
