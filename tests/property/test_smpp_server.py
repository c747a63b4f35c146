"""Whatever an application writes into a submission, it is read or refused; nothing else happens."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.smpp.server.submit import Refusal, Submission, Submitted, WireAddress, read_submission
from drivers.smpp.wire.codec import decode_pdu, encode_pdu
from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import DistributionList, SmeAddress
from drivers.smpp.wire.pdus import DataSm, SubmitMulti, SubmitSm
from drivers.smpp.wire.receipt import parse_receipt
from gateway.esme.inbound import make_deliveries
from gateway.esme.intake import _decode, _encode
from gateway.esme.receipts import make_receipt
from gateway.esme.submit import format_address, is_part, parse_address, prepare
from gateway.ids import InboundId
from gateway.model.lifecycle import TERMINAL
from gateway.model.message import InboundMessage
from gateway.store.esme import EsmeSubmit
from tests.support.smpp_application import account

pytestmark = pytest.mark.property

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)

octets = st.integers(0, 255)
texts = st.text(st.characters(codec="latin-1", exclude_characters="\0"), max_size=20)
long_texts = st.text(st.characters(codec="latin-1", exclude_characters="\0"), max_size=70)
times = st.one_of(st.just(""), st.from_regex(r"[0-9]{15}[R+-]", fullmatch=True), texts)
contents = st.one_of(
    st.binary(max_size=254),
    st.builds(lambda body: bytes.fromhex("050003070302") + body, st.binary(max_size=200)),
)
tlvs = st.lists(
    st.tuples(st.one_of(st.sampled_from(sorted(Tag)), st.integers(0, 0xFFFF)), st.binary(max_size=12))
)
addresses = st.builds(SmeAddress, octets, octets, texts)
common = {
    "source_addr_ton": octets,
    "source_addr": texts,
    "esm_class": octets,
    "registered_delivery": octets,
    "data_coding": octets,
    "tlvs": tlvs.map(tuple),
}
whole = {
    "priority_flag": octets,
    "schedule_delivery_time": times,
    "validity_period": times,
    "sm_default_msg_id": st.sampled_from([0, 0, 0, 1]),
    "short_message": contents,
}
submissions = st.one_of(
    st.builds(SubmitSm, dest_addr_ton=octets, destination_addr=texts, **common, **whole),
    st.builds(DataSm, dest_addr_ton=octets, destination_addr=texts, **common),
    st.builds(
        SubmitMulti,
        dest_addresses=st.lists(st.one_of(addresses, st.builds(DistributionList, texts)), max_size=4).map(
            tuple
        ),
        **common,
        **whole,
    ),
)


def read(body: Submission) -> Submitted | None:
    try:
        return read_submission(body, NOW)
    except Refusal:
        return None


@given(submissions)
def test_a_submission_is_read_or_refused(body):
    submitted = read(body)
    if submitted is None:
        return
    rights = account()
    for destination in submitted.destinations:
        try:
            request, plan = prepare(rights, submitted, destination, NOW)
        except Refusal:
            continue
        assert (request.text is None) != (request.data is None)
        assert plan is None or len(plan.segments) == 1
    if is_part(rights, submitted):
        assert len(submitted.destinations) == 1


@given(submissions)
def test_a_part_that_waits_in_the_store_comes_back_as_it_was(body):
    submitted = read(body)
    if submitted is not None:
        assert _decode(_encode(submitted)) == submitted


@given(
    st.builds(WireAddress, octets, octets, long_texts),
    st.builds(WireAddress, octets, octets, long_texts),
    st.sampled_from(sorted(TERMINAL)),
    st.one_of(st.none(), st.text()),
)
def test_a_receipt_can_always_be_written(source, destination, status, error):
    submit = EsmeSubmit("told", "a", "m", format_address(source), format_address(destination), 1, NOW)
    receipt = make_receipt(submit, status, error, NOW)
    assert receipt is not None
    assert decode_pdu(encode_pdu(receipt, 1)).body == receipt
    assert parse_receipt(receipt.short_message).message_id == "told"


@given(
    st.text(max_size=400),
    st.text(max_size=30),
    st.one_of(st.none(), st.text(max_size=30)),
    st.booleans(),
)
def test_an_inbound_message_can_always_be_written(text, sender, recipient, latin_1):
    inbound = InboundMessage(
        id=InboundId("01abc"),
        sender=sender,
        recipient=recipient,
        channel="c",
        text=text,
        encoding="ucs2",
        parts=1,
        complete=True,
        received_at=NOW,
    )
    for body in make_deliveries(inbound, latin_1=latin_1):
        assert decode_pdu(encode_pdu(body, 1)).body == body


@given(octets, octets, texts)
def test_an_address_comes_back_from_the_store_as_it_was(ton, npi, text):
    assert parse_address(format_address(WireAddress(ton, npi, text))) == WireAddress(ton, npi, text)
