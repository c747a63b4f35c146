"""Our SMS-DELIVER decoder beside two that others wrote, on published TPDUs and on thousands of damaged ones.

Where a peer reads another value, one of the settled differences below must explain it, with the section of the
specification that decides; a difference that no rule explains, or a rule that nothing needs any more, fails.
"""

from __future__ import annotations

import json
import logging
import random
import subprocess
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from smspdudecoder.fields import SMSDeliver

from drivers.base import Encoding
from drivers.codec.address import split_sca
from drivers.codec.gsm7_tables import ESCAPE
from drivers.codec.tpdu import SmsDeliver, decode_deliver
from drivers.errors import DecodeError
from tests.support.peers import need_peer
from tests.support.vectors import load_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytestmark = pytest.mark.interop

N_DAMAGED = 3_000
DEBIAN_PYTHON = Path("/usr/bin/python3")
"""The interpreter that Debian's python3-gammu is for."""

ASK_GAMMU = """
import gammu, json, sys
answers = []
for line in sys.stdin:
    try:
        sms = gammu.DecodePDU(bytes.fromhex(line), True)
    except gammu.GSMError:
        answers.append(None)
        continue
    text = sms["Text"]
    answers.append([sms["Number"], text if isinstance(text, str) else text.hex()])
json.dump(answers, sys.stdout)
"""


class Reading(NamedTuple):
    """What a peer makes of a TPDU; a field is None where it does not tell, or we can't compare."""

    sender: str
    text: str
    at: datetime | None = None


class Case(NamedTuple):
    """One TPDU and what we make of it; ``pdu`` is None when we refuse it."""

    octets: bytes
    tpdu: bytes
    pdu: SmsDeliver | None

    @property
    def tp_dcs(self) -> int:
        return self.tpdu[self._after_address + 1]

    @property
    def toa(self) -> int:
        return self.tpdu[2]

    @property
    def scts(self) -> bytes:
        return self.tpdu[self._after_address + 2 : self._after_address + 9]

    @property
    def _after_address(self) -> int:
        return 3 + (self.tpdu[1] + 1) // 2


@dataclass(frozen=True, slots=True)
class Difference:
    """A settled difference.

    Args:
        field: of `Reading`, or ``fails`` (the peer refuses what we read), ``reads`` (the peer reads what we refuse).
        explains: whether it is the cause for a case.
        why: what decides.
    """

    field: str
    explains: Callable[[Case], bool]
    why: str


def unusual_dcs(case: Case) -> bool:
    return bool(case.tp_dcs & 0xE0) or case.tp_dcs & 0x0C == 0x0C


def strange_digits(case: Case) -> bool:
    """A semi-octet above 9 before or behind the last digit that counts, be it only the filler that is none."""
    n_digits, value = case.tpdu[1], case.tpdu[3:]
    digits = "".join(f"{octet & 15:x}{octet >> 4:x}" for octet in value[: (n_digits + 1) // 2])
    return not digits[:n_digits].isdecimal() or digits[n_digits:] not in {"", "f"}


def has_escape(case: Case) -> bool:
    return case.pdu is not None and case.pdu.encoding is Encoding.GSM7 and ESCAPE in case.pdu.payload


def packed_behind_header(case: Case) -> bool:
    return case.pdu is not None and case.pdu.encoding is Encoding.GSM7 and bool(case.pdu.udh)


def half_a_character(case: Case) -> bool:
    return (
        case.pdu is not None
        and case.pdu.encoding is Encoding.UCS2
        and (len(case.pdu.payload) % 2 == 1 or "\ufffd" in case.pdu.text)
    )


def broken_header(case: Case) -> bool:
    return case.pdu is not None and bool(case.pdu.udh_fault)


def no_time(case: Case) -> bool:
    return case.pdu is not None and case.pdu.tp_scts is None


def strange_type(case: Case) -> bool:
    return not case.toa & 0x80 or case.toa & 0x0F in {2, 7, 11, 12, 13, 14, 15}


DIGITS = "TS 23.040 9.1.2.3: A..E are * # a b c, F ends the number, and the length says how many there are"
TYPE = "TS 23.040 9.1.2.5: a type or plan that is reserved is an unknown one, and no reason to lose a message"
DCS = (
    "TS 23.038 4: each coding group has its own bits; reserved ones are GSM 7-bit, compressed text is octets"
)
HEADER = "TS 23.040 9.2.3.24: a header that does not fit is ignored; the text behind it is kept"
HALF = (
    "issue 3: half of a surrogate pair becomes U+FFFD and an odd octet is dropped, so that text can be stored"
)

SMSPDUDECODER = [
    Difference("sender", strange_digits, DIGITS),
    Difference(
        "at", lambda case: case.scts[0] & 15 == 9, "SMS is younger than 1990: years 90..99 are the nineties"
    ),
    Difference("text", unusual_dcs, DCS),
    Difference(
        "text",
        has_escape,
        "TS 23.038 6.2.1.1: a code that is undefined behind an escape is read in the default table",
    ),
    Difference(
        "text", packed_behind_header, "it counts characters, not septets, to find the end of the header"
    ),
    Difference("text", broken_header, HEADER),
    Difference("fails", broken_header, HEADER),
    Difference("fails", strange_type, TYPE),
    Difference("fails", unusual_dcs, DCS),
    Difference("fails", half_a_character, HALF),
    Difference("fails", no_time, "issue 3: a time stamp that is none does not cost the message"),
    Difference(
        "reads", lambda case: True, "it shows what is left of user data that were cut off; that is no message"
    ),
]
GAMMU = [
    Difference("sender", strange_digits, DIGITS),
    Difference(
        "sender", lambda case: case.toa >> 4 & 7 == 5, "TS 23.040 9.1.2.5: a name is in the GSM alphabet"
    ),
    Difference("sender", broken_header, HEADER),
    Difference(
        "text", has_escape, "it counts an escaped character as one septet and shows what lies behind the text"
    ),
    Difference("text", unusual_dcs, DCS),
    Difference("text", broken_header, HEADER),
    Difference("text", half_a_character, HALF),
    Difference("text", lambda case: "~" in our_text(case), "its own notation doubles a tilde"),
    Difference("fails", broken_header, HEADER),
    Difference("fails", strange_type, TYPE),
    Difference("fails", unusual_dcs, DCS),
]


@cache
def cases() -> tuple[Case, ...]:
    """Published TPDUs, and others with one to three octets changed: the same in every run."""
    published = [bytes.fromhex(vector["pdu"]) for vector in load_vectors("tpdus", "deliver")]
    rng = random.Random(20_261_121)
    damaged = []
    for _ in range(N_DAMAGED):
        octets = bytearray(rng.choice(published))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            octets[rng.randrange(octets[0] + 2, len(octets))] = rng.randrange(
                256
            )  # not TP-MTI: still a DELIVER
        damaged.append(bytes(octets))
    return tuple(map(read_as_we_do, [*published, *damaged]))


def read_as_we_do(octets: bytes) -> Case:
    _, tpdu = split_sca(octets)
    try:
        return Case(octets, tpdu, decode_deliver(tpdu))
    except DecodeError:
        return Case(octets, tpdu, None)


def our_text(case: Case) -> str:
    if case.pdu is None:
        return ""
    return case.pdu.payload.hex() if case.pdu.encoding is Encoding.BINARY else case.pdu.text


def compare(readings: Sequence[Reading | None], differences: Sequence[Difference]) -> None:
    unexplained: list[tuple[str, str, str, Reading | None]] = []
    used: set[Difference] = set()
    n_alike = 0
    for case, theirs in zip(cases(), readings, strict=True):
        fields = list(differing_fields(case, theirs))
        n_alike += not fields and case.pdu is not None
        for field in fields:
            rules = [rule for rule in differences if rule.field == field and rule.explains(case)]
            used.update(rules)
            if not rules:
                unexplained.append((field, case.octets.hex(), our_text(case), theirs))
    assert not unexplained, f"{len(unexplained)}, such as {unexplained[:3]}"
    assert used == set(differences)
    assert n_alike > N_DAMAGED // 3


def differing_fields(case: Case, theirs: Reading | None) -> list[str]:
    if case.pdu is None:
        return [] if theirs is None else ["reads"]
    if theirs is None:
        return ["fails"]
    ours = Reading(case.pdu.tp_oa, our_text(case), case.pdu.tp_scts)
    return [
        field
        for field, mine, other in zip(Reading._fields, ours, theirs, strict=True)
        if mine != other and not (field == "at" and other is None)
    ]


def test_smspdudecoder_reads_the_same_but_for_settled_differences() -> None:
    logging.getLogger("smspdudecoder").setLevel(logging.ERROR)

    def read(octets: bytes) -> Reading | None:
        try:
            sms = SMSDeliver.decode(StringIO(octets.hex()))
        except Exception:  # noqa: BLE001 - it raises whatever Python does
            return None
        plus = "+" if sms["sender"]["toa"]["ton"] == "international" else ""
        data = sms["user_data"]["data"]
        return Reading(
            plus + sms["sender"]["number"], data.hex() if isinstance(data, bytes) else data, sms["scts"]
        )

    compare([read(case.octets) for case in cases()], SMSPDUDECODER)


def test_gammu_reads_the_same_but_for_settled_differences() -> None:
    present = (
        DEBIAN_PYTHON.exists()
        and not subprocess.run(
            [DEBIAN_PYTHON, "-c", "import gammu"], check=False, capture_output=True
        ).returncode
    )
    need_peer("python3-gammu", present=present)
    asked = "\n".join(case.octets.hex() for case in cases())
    answer = subprocess.run(
        [DEBIAN_PYTHON, "-c", ASK_GAMMU], input=asked, text=True, capture_output=True, check=True, timeout=50
    )
    compare([item and Reading(*item) for item in json.loads(answer.stdout)], GAMMU)
