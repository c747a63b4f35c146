"""Our SMPP codec beside smpplib's, on the PDUs that every message costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from smpplib import smpp

from drivers.smpp.wire.codec import decode_pdu, encode_pdu
from drivers.smpp.wire.pdus import DeliverSm, SubmitSm, SubmitSmResp
from tests.bench.figures import Figure

_ROUNDS = 100
_PER_ROUND = 400
_RECEIPT = b"id:0123456789 sub:001 dlvrd:001 submit date:2603140926 done date:2603140927 stat:DELIVRD err:000 text:hi"
_SUBMIT: dict[str, Any] = {
    "source_addr_ton": 5,
    "source_addr": "hongyan",
    "dest_addr_ton": 1,
    "dest_addr_npi": 1,
    "destination_addr": "8613800138000",
    "registered_delivery": 1,
    "short_message": b"Your code is 123456. It is valid for five minutes.",
}


async def smpp_codec() -> list[Figure]:
    """PDUs a second, each way, and how many times smpplib's that is."""
    response = encode_pdu(SubmitSmResp(message_id="0123456789"), 7)
    delivery = encode_pdu(
        DeliverSm(
            source_addr_ton=1,
            source_addr_npi=1,
            source_addr="8613800138000",
            destination_addr="hongyan",
            esm_class=4,
            short_message=_RECEIPT,
            tlvs=((0x001E, b"0123456789\0"), (0x0427, b"\2")),
        ),
        8,
    )

    client = _Client()

    def their_encoding() -> bytes:
        return bytes(smpp.make_pdu("submit_sm", client=client, **_SUBMIT).generate())

    def their_decoding(octets: bytes) -> object:
        return smpp.parse_pdu(octets, client=client, allow_unknown_opt_params=True)

    cases: tuple[tuple[str, Callable[[], object], Callable[[], object]], ...] = (
        ("submit_sm, encoded", lambda: encode_pdu(SubmitSm(**_SUBMIT), 7), their_encoding),
        ("submit_sm_resp, decoded", lambda: decode_pdu(response), lambda: their_decoding(response)),
        ("deliver_sm, decoded", lambda: decode_pdu(delivery), lambda: their_decoding(delivery)),
    )
    figures = []
    for name, ours, theirs in cases:
        our_rate, their_rate = _rates(ours, theirs)
        figures += [
            Figure("smpp-codec", name, our_rate, "PDU/s"),
            Figure("smpp-codec", f"{name}, smpplib", their_rate, "PDU/s"),
            Figure("smpp-codec", f"{name}, ours / smpplib's", our_rate / their_rate),
        ]
    return figures


class _Client:
    """What smpplib's PDUs ask of their client."""

    sequence = 7

    def next_sequence(self) -> int:
        return 7


def _rates(*jobs: Callable[[], object]) -> list[float]:
    """Best of many short rounds, in turns: the others had company on the processor."""
    best = [0.0] * len(jobs)
    for _ in range(_ROUNDS):
        for place, job in enumerate(jobs):
            started = time.perf_counter()
            for _ in range(_PER_ROUND):
                job()
            best[place] = max(best[place], _PER_ROUND / (time.perf_counter() - started))
    return best
