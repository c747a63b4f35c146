"""Numbers and what is added to texts, in the pipeline: learned from answers, limited, signed, counted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from drivers.base import Fault, FaultKind, Receipt, ReceiptState, Refused
from gateway.errors import InvalidRequest
from gateway.model.message import Category, Message, MessageStatus
from gateway.model.request import CheckRequest, MessageRequest, PreviewRequest
from gateway.pipeline.intake.batches import AcceptedBatch
from gateway.pipeline.intake.check import check_message
from gateway.policy.chain import Chain
from gateway.policy.decision import Outcome
from gateway.policy.rules.number_limits import NumberLimit, NumberLimits
from gateway.policy.rules.numbers import BlockList, DeadNumbers, Numbers, Sandbox
from gateway.policy.rules.opt_out_line import OptOutLine, OptOutLineAtEnd
from gateway.policy.rules.signature import SignatureInFront
from gateway.policy.signatures import Signature
from gateway.store.numbers import find_failures
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, START, Rig, running
from tests.support.policy import SHOP, put_rules, send_as_shop

pytestmark = pytest.mark.integration

GONE = Refused(fault=Fault(kind=FaultKind.PERMANENT, code="cms_1", detail="unassigned number"))
BUSY = Refused(fault=Fault(kind=FaultKind.PERMANENT, code="cms_196", detail="recipient barred"))
DEAD = DeadNumbers(after=2, retry_after=timedelta(days=30))
SIGNED = SignatureInFront(signatures=(Signature("好店"),))
LINE = OptOutLineAtEnd(lines=(OptOutLine("，回T退订"),))


async def n_failures(rig: Rig) -> int:
    found = await rig.store.read(lambda tx: find_failures(tx, [PHONE]))
    return found[PHONE].n if found else 0


def code(message: Message) -> str:
    assert message.status is MessageStatus.BLOCKED
    assert message.error is not None
    return message.error.code


async def test_a_number_that_nobody_has_is_left_alone_and_tried_once_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    driver.script.extend([GONE, BUSY, GONE])
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, DEAD)
        for failures in (1, 1, 2):
            await rig.until_status(await send_as_shop(rig), "failed")
            assert await n_failures(rig) == failures
        assert code(await send_as_shop(rig)) == "dead_number"
        assert (await send_as_shop(rig, to="+8613900139000")).status is MessageStatus.QUEUED
        rig.clock.advance(30 * 86_400 + 60)
        tried = await send_as_shop(rig)
        assert code(await send_as_shop(rig)) == "dead_number", "one tries it, no more"
        sent = await rig.until_status(tried, "sent")
        assert await n_failures(rig) == 2
        [segment] = await rig.segments(sent.id)
        assert segment.reference is not None
        await driver.report(
            Receipt(references=(segment.reference,), recipient=PHONE, state=ReceiptState.DELIVERED)
        )
        await rig.until_status(tried, "delivered")
        assert await n_failures(rig) == 0, "somebody has it now"
        assert (await send_as_shop(rig)).status is MessageStatus.QUEUED


@pytest.mark.parametrize(
    ("answer", "word", "counted"),
    [("network:3:1", "", 1), ("err:077", "", 1), ("", "MK:0001", 1), ("err:001", "", 0), ("", "MK:0013", 0)],
)
async def test_receipts_tell_it_too_in_the_carriers_own_codes(
    tmp_path: Path, answer: str, word: str, counted: int
):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        rig.receipts.dead_codes = frozenset({"err:077"})
        sent = await rig.until_status(await rig.send(), "sent")
        [segment] = await rig.segments(sent.id)
        assert segment.reference is not None
        receipt = Receipt(
            references=(segment.reference,),
            recipient=PHONE,
            state=ReceiptState.UNDELIVERABLE,
            code=answer,
            word=word,
        )
        for _ in range(2):  # networks repeat themselves
            await driver.report(receipt)
        await rig.until_status(sent, "undelivered")
        assert await n_failures(rig) == counted


async def test_so_many_messages_go_to_numbers_that_begin_alike(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        await put_rules(rig, NumberLimits(limits=(NumberLimit("+44", 3, 3_600),)))
        numbers = [f"+44740012345{n // 2}" for n in range(5)]
        requests = [MessageRequest(to=number, text="hi") for number in numbers]
        batch = await rig.batches.accept(requests, key=SHOP)
        assert isinstance(batch, AcceptedBatch)
        assert [item.status for item in batch.items] == [*["queued"] * 3, *["blocked"] * 2]
        check = CheckRequest(to="+447400123459", text="hi")
        for _ in range(3):
            said = await check_message(rig.store, rig.clock, rig.intake, check, key=SHOP)
            assert (said.outcome, said.code) == (Outcome.REFUSE, "number_limit")
        assert code(await send_as_shop(rig, to="+447400123459")) == "number_limit"
        assert (await send_as_shop(rig)).status is MessageStatus.QUEUED
        rig.clock.advance(3_599)
        assert code(await send_as_shop(rig, to="+447400123459")) == "number_limit"
        rig.clock.advance(120)
        sent = [await send_as_shop(rig, to=number) for number in numbers]
        assert [message.status for message in sent] == [*["queued"] * 3, *["blocked"] * 2]


async def test_numbers_are_refused_as_the_config_says_and_it_stays_on_record(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        await put_rules(
            rig,
            Numbers(countries=frozenset({"CN", "US"})),
            Sandbox(numbers={"shop": frozenset({PHONE, "10086"})}),
        )
        assert code(await send_as_shop(rig, to="+447400123456")) == "country_not_allowed"
        assert code(await send_as_shop(rig, to="+19005551234")) == "premium_number"
        assert code(await send_as_shop(rig, to="+8613900139000")) == "not_a_test_number"
        for number in (PHONE, "10086"):
            assert (await send_as_shop(rig, to=number)).status is MessageStatus.QUEUED


async def test_signature_and_line_are_sent_counted_and_previewed(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[SIGNED, LINE])
        text = "鸿" * 61  # 4 and 5 characters more make 70
        wanted = PreviewRequest(text=text, category=Category.MARKETING)
        shown = rig.intake.preview(wanted, key=SHOP)
        sent = await rig.until_status(await send_as_shop(rig, text=text, category="marketing"), "sent")
        assert sent.text == shown.text == f"【好店】{text}，回T退订"
        assert (sent.n_segments, len(shown.segments), shown.units_left) == (1, 1, 0)
        longer = await send_as_shop(rig, text=text + "鸿", category="marketing")
        assert longer.n_segments == 2


async def test_a_text_that_is_too_long_names_the_share_of_what_is_added(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        await put_rules(rig, texts=[SIGNED, LINE])
        text = "鸿" * 670
        for _ in range(2):
            with pytest.raises(InvalidRequest) as refused:
                await send_as_shop(rig, text=text, category="marketing")
            [fault] = refused.value.errors
            assert fault.code == "text_too_long"
            assert "9 of its 679 characters are what the gateway adds" in fault.detail
        with pytest.raises(InvalidRequest, match="9 of its 679"):
            rig.intake.preview(PreviewRequest(text=text, category=Category.MARKETING), key=SHOP)
        assert (await send_as_shop(rig, text="鸿" * 661, category="marketing")).n_segments == 10


async def test_a_text_with_a_header_of_its_senders_own_stays_as_it_came(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        await put_rules(rig, texts=[SIGNED])
        whole = rig.intake.draft(MessageRequest(to=PHONE, text="您好"), key=SHOP)
        assert whole.judged is not None
        plan = rig.intake.make_planner().plan(MessageRequest(to=PHONE, text="您好"), [])
        part = MessageRequest(to=PHONE, text="您好", udh="0500030a0201")
        draft = rig.intake.draft(part, key=SHOP, plan=plan)
        assert (whole.message.text, draft.message.text) == ("【好店】您好", "您好")
        assert draft.judged is not None
        assert draft.judged.said is not None
        assert [finding.code for finding in draft.judged.said.findings] == ["not_rewritten"]


@pytest.mark.parametrize(
    "rule",
    [Numbers(blocked=BlockList(frozenset({PHONE}))), Numbers(countries=frozenset({"US"}))],
    ids=["number", "country"],
)
async def test_a_list_that_changed_stops_what_waits_already(tmp_path: Path, rule: Numbers):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, Numbers(blocked=BlockList(frozenset({"+8613900139000"}))))
        waiting = await send_as_shop(rig, schedule_at=(START + timedelta(hours=1)).isoformat())
        rig.scheduler.chain = Chain(persons=[rule])
        await rig.advance(3_601)
        await rig.until_status(waiting, "blocked")
        assert driver.submitted == []
