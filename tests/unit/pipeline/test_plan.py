"""From a request to its segments on the wire: what the installation's rules change."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from drivers.codec.national_tables import Language
from drivers.codec.segment import Reserve
from drivers.codec.text import decode_text
from drivers.codec.udh import decode_udh
from drivers.smpp.alphabet import Alphabet, TextPlan
from gateway.errors import FieldError
from gateway.ids import MessageId
from gateway.model.message import Message, MessageStatus, Segment
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafting import IntakeSettings
from gateway.pipeline.intake.plan import plan_request, preview_request
from gateway.pipeline.sending.segment import outbound_segment
from gateway.policy.text import TextRules
from gateway.settings.kinds.carrier_texts import CarrierTexts, make_text_plan
from gateway.settings.text import TextSettings

pytestmark = pytest.mark.unit

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TURKISH = "Şu anda iğne ışık "


def request(text: str, **fields: object) -> MessageRequest:
    return msgspec.convert({"to": "+8613800138000", "text": text, **fields}, MessageRequest)


@pytest.mark.parametrize("n", [1, 12], ids=["one segment", "several"])
def test_national_tables_are_announced_in_every_segment(n: int) -> None:
    intake = Intake(
        None,  # type: ignore[arg-type]  # nothing is stored here
        None,  # type: ignore[arg-type]
        IntakeSettings("CN", {"a": ("default",)}, 60.0, TextRules(national=(Language.TURKISH,))),
    )
    text = "ş" * 71 + TURKISH * n
    message, segments, *_ = intake.draft(request(text), key=None, now=NOW)
    message = msgspec.structs.replace(message, concat_ref=9)
    out = [outbound_segment(message, segment, NOW) for segment in segments]
    assert len(out) == message.n_segments == (1 if n == 1 else 2)
    for part, segment in enumerate(out, 1):
        header = decode_udh(segment.udh)
        assert header.locking is Language.TURKISH
        assert (header.concat.part if header.concat else 1) == part
        assert 8 * len(segment.udh) + 7 * len(segment.payload) <= 1120
    assert "".join(decode_text(s.encoding, s.payload, s.udh) for s in out) == text


def test_a_binary_message_keeps_its_own_header() -> None:
    message = Message(
        id=MessageId("m"), recipient="+8613800138000", text=None, data=b"x", udh=bytes.fromhex("0605040b840000"),
        encoding="binary", status=MessageStatus.SENDING, n_segments=1, queue="q", created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    assert outbound_segment(message, Segment(part=1, payload=b"x"), NOW).udh.hex() == "0605040b840000"


@pytest.mark.parametrize(
    ("rules", "smart", "n_segments"),
    [
        (TextRules(), None, 2),
        (TextRules(), True, 1),
        (TextRules(smart=True), None, 1),
        (TextRules(smart=True), False, 2),
    ],
)
def test_a_message_may_differ_from_the_rules(rules: TextRules, smart: bool | None, n_segments: int) -> None:
    wanted = request("“" + "x" * 100 + "”", **({} if smart is None else {"smart": smart}))
    errors: list[FieldError] = []
    plan, preview = plan_request(wanted, rules, errors), preview_request(wanted, rules, errors)
    assert plan is not None
    assert preview is not None
    assert len(plan.segments) == len(preview.segments) == n_segments
    assert preview.text == plan.text


def test_settings_become_rules() -> None:
    assert TextSettings().rules() == TextRules()
    settings = TextSettings(
        smart=True,
        full_width=True,
        national=("hindi", "turkish"),
        reserve_each=4,
        reserve_last=3,
        reference_bits=16,
    )
    assert settings.rules() == TextRules(
        smart=True,
        full_width=True,
        national=(Language.HINDI, Language.TURKISH),
        reserve=Reserve(every_segment=4, last_segment=3, reference_bits=16),
    )
    assert [key for key, _ in TextSettings(reserve_each=30, reserve_last=11).faults()] == ["reserve_last"]
    # The default must be the very constant that the codec's fast path asks for.
    assert TextSettings().rules().reserve is TextRules().reserve


def test_what_a_carrier_wants_reaches_the_driver() -> None:
    assert make_text_plan(CarrierTexts()) == TextPlan()
    wanted = CarrierTexts(
        alphabet="gsm7-packed", data_coding=241, ucs2_data_coding=24, binary_data_coding=245
    )
    assert make_text_plan(wanted) == TextPlan(
        alphabet=Alphabet.GSM7_PACKED, data_coding=241, ucs2_data_coding=24, binary_data_coding=245
    )
