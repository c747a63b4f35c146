"""The codec beside others of its kind, in one process and by turns: CPU a message, and how many times less it is.

Encoding is compared like with like: payloads with their headers (smpplib's gsm module), and whole SUBMIT TPDUs in hex
(python-gsmmodem-new).
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from gsmmodem.pdu import decodeSmsPdu, encodeSmsSubmitPdu
from smpplib.gsm import make_parts
from smspdudecoder.easy import read_incoming_sms

from drivers.base import Concat, Encoding
from drivers.codec.address import encode_sca, split_sca
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.segment import plan_segments
from drivers.codec.text import decode_text
from drivers.codec.tpdu import SmsDeliver, SmsSubmit, decode_deliver, encode_deliver, encode_submit
from drivers.codec.udh import encode_concat_udh
from tests.bench.figures import Figure

BENCH = "codec"
ROUNDS = 7
ROUND_S = 0.15
NUMBER = "+8613800138000"
TEXT_160 = ("The quick brown fox jumps over the lazy dog, and 4711 times over @home. " * 3)[:160]
TEXT_3 = (TEXT_160 * 3)[:430]
CHINESE_70 = ("【鸿雁】您的验证码是四七一一零八，五分钟内有效，请勿告诉他人。" * 3)[:70]
DELIVER = encode_deliver(
    SmsDeliver(
        tp_oa=NUMBER,
        tp_scts=datetime(2026, 5, 4, 12, tzinfo=UTC),
        encoding=Encoding.GSM7,
        payload=encode_gsm7(TEXT_160),
    )
)
DELIVER_HEX = (encode_sca("+8613800100500") + DELIVER).hex().upper()

_TABLES = """
import tracemalloc
import drivers.errors, drivers.base, codecs, re, unicodedata, functools, dataclasses
tracemalloc.start()
import drivers.codec.segment, drivers.codec.text, drivers.codec.tpdu, drivers.codec.reassembly
from drivers.codec.gsm7 import is_gsm7
from drivers.codec.national_tables import LOCKING, SINGLE_SHIFT
kept = [is_gsm7("x", single_shift=n) for n in SINGLE_SHIFT] + [is_gsm7("x", locking=n) for n in LOCKING]
print(tracemalloc.get_traced_memory()[0])
"""


def decode_ours() -> str:
    """Hex to text."""
    pdu = decode_deliver(split_sca(bytes.fromhex(DELIVER_HEX))[1])
    return decode_text(pdu.encoding, pdu.payload, pdu.udh)


def encode_ours() -> list[bytes]:
    """Text to payloads with their headers."""
    segments = plan_segments(TEXT_3).segments
    n = len(segments)
    return [
        encode_concat_udh(Concat(reference=7, total=n, part=part)) + segment.payload
        for part, segment in enumerate(segments, 1)
    ]


def encode_pdus_ours() -> list[str]:
    """Text to SUBMIT TPDUs, as a modem takes them."""
    plan = plan_segments(TEXT_3)
    n = len(plan.segments)
    return [
        (
            b"\x00"
            + encode_submit(
                SmsSubmit(
                    tp_da=NUMBER,
                    encoding=plan.encoding,
                    payload=segment.payload,
                    udh=encode_concat_udh(Concat(reference=7, total=n, part=part)),
                    tp_srr=True,
                )
            )
        ).hex()
        for part, segment in enumerate(plan.segments, 1)
    ]


async def codec() -> list[Figure]:
    """Everything; takes some ten seconds."""
    assert decode_ours() == read_incoming_sms(DELIVER_HEX)["content"] == decodeSmsPdu(DELIVER_HEX)["text"]
    assert len(encode_ours()) == len(make_parts(TEXT_3)[0]) == len(encodeSmsSubmitPdu(NUMBER, TEXT_3)) == 3
    return [
        *_side_by_side(
            "decode 160 characters",
            {
                "hongyan": decode_ours,
                "smspdudecoder": lambda: read_incoming_sms(DELIVER_HEX),
                "python-gsmmodem-new": lambda: decodeSmsPdu(DELIVER_HEX),
            },
        ),
        *_side_by_side(
            "encode 3 segments",
            {"hongyan": encode_ours, "smpplib": lambda: make_parts(TEXT_3)},
        ),
        *_side_by_side(
            "encode 3 TPDUs",
            {
                "hongyan": encode_pdus_ours,
                "python-gsmmodem-new": lambda: encodeSmsSubmitPdu(NUMBER, TEXT_3, reference=7),
            },
        ),
        *_side_by_side("plan 70 Chinese characters", {"hongyan": lambda: plan_segments(CHINESE_70)}),
        Figure(BENCH, "memory of code and all tables", _measure_tables(), "MB"),
    ]


def _side_by_side(what: str, calls: dict[str, Callable[[], object]]) -> list[Figure]:
    """The best of several rounds of each, taken by turns, and the others' as a multiple of the first's."""
    best = dict.fromkeys(calls, float("inf"))
    n_calls = {name: _count(call) for name, call in calls.items()}
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for name, call in calls.items():
                best[name] = min(best[name], _time(call, n_calls[name]))
    finally:
        gc.enable()
    figures = [Figure(BENCH, f"{what}, {name}", taken * 1e6, "us/msg") for name, taken in best.items()]
    ours, *theirs = best.values()
    if theirs:
        figures.append(Figure(BENCH, f"{what}, fastest other / hongyan", min(theirs) / ours, "x"))
    return figures


def _count(call: Callable[[], object]) -> int:
    """How many calls make a round."""
    return max(1, int(ROUND_S / max(_time(call, 3), 1e-7)))


def _time(call: Callable[[], object], n: int) -> float:
    started = time.process_time()
    for _ in range(n):
        call()
    return (time.process_time() - started) / n


def _measure_tables() -> float:
    done = subprocess.run([sys.executable, "-c", _TABLES], capture_output=True, check=True, text=True)
    return int(done.stdout) / 1e6
