"""Rules in the pipeline: asked of every way in and again before the wire; what they say is kept, shown and obeyed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from gateway.errors import InvalidRequest
from gateway.model.message import Message, MessageStatus
from gateway.model.request import CheckRequest
from gateway.pipeline.intake.check import check_message
from gateway.policy.chain import Action, Switch
from gateway.policy.decision import ALLOW, Finding, Later, Outcome, Refuse, Review, Rewrite, Warn
from gateway.policy.subject import Subject
from gateway.routing.waiting import WaitKind
from gateway.store.holds import find_holds
from gateway.views.messages import load_message_view
from gateway.views.shapes import MessageOut
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import START, Rig, running
from tests.support.optouts import opt_out
from tests.support.policy import SHOP, Says, Writes, put_rules, send_as_shop

pytestmark = pytest.mark.integration

NO = Refuse("not_today", "Not today.")
LOOK = Review("odd_text", "It has odd words.")


async def view(rig: Rig, message: Message) -> MessageOut:
    found = await rig.store.read(
        lambda tx: load_message_view(tx, message.id, rig.channels.standings(), rig.clock.now())
    )
    assert found is not None
    return found


async def test_what_a_rule_refuses_is_kept_as_blocked_with_its_reason(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, Says(lambda s: NO if s.text == "bad" else ALLOW))
        bad, good = await send_as_shop(rig, text="bad"), await send_as_shop(rig, text="good")
        assert bad.status is MessageStatus.BLOCKED
        await rig.until_status(good, "sent")
        shown = await view(rig, bad)
        assert shown.error is not None
        assert shown.error.code == "not_today"
        assert shown.policy == [
            Finding(rule="says", outcome=Outcome.REFUSE, code="not_today", detail="Not today.")
        ]
        assert (await view(rig, good)).policy == []
        assert [segment.payload for segment in driver.submitted] == [b"good"]


async def test_a_text_goes_out_as_rules_write_it_and_is_counted_so(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        signs = Writes(lambda s: Rewrite(f"【鸿雁】{s.text}", "signed", "The signature was put in front."))
        await put_rules(rig, texts=[signs])
        short, long = await send_as_shop(rig, text="字" * 66), await send_as_shop(rig, text="字" * 67)
        assert (short.n_segments, long.n_segments) == (1, 2)
        assert (await rig.until_status(short, "sent")).text == "【鸿雁】" + "字" * 66
        assert (await view(rig, short)).policy[0].code == "signed"


async def test_a_text_is_judged_once_in_a_request(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        reads = Writes(lambda _s: Warn("long", "It is long."))
        await put_rules(rig, texts=[reads])
        requests = [
            msgspec.convert({"to": f"+861380013{n:04}", "text": f"text {n % 2}"}, CheckRequest)
            for n in range(40)
        ]
        await rig.batches.accept(requests, key=SHOP)
        assert len(reads.asked) == 2


async def test_what_may_only_go_later_waits_and_says_so_and_is_asked_again(tmp_path: Path):
    driver = ScriptedDriver("a")
    until = START + timedelta(hours=3)
    night = Later(until, "outside_hours", "It is night there.")
    async with running(tmp_path / "s.db", driver) as rig:
        rule = Says(lambda _s: night if rig.clock.now() < until else ALLOW)
        await put_rules(rig, rule)
        message = await send_as_shop(rig)
        await rig.settled()
        shown = await view(rig, message)
        assert shown.status is MessageStatus.QUEUED
        [reason] = shown.waiting_for or []
        assert (reason.code, reason.kind, reason.until) == ("outside_hours", WaitKind.HOURS, until)
        await rig.advance(3 * 3_600 - 1)
        await rig.settled()
        assert driver.submitted == []
        await rig.advance(1)
        await rig.until_status(message, "sent")
        assert len(rule.asked) == 2, "at the door, and before the wire"


async def test_what_has_come_to_be_refused_meanwhile_does_not_go(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        await put_rules(rig, Says(again_=lambda s: NO if s.brand == "beta" else ALLOW))
        refused = await send_as_shop(rig, brand="beta")
        goes = await send_as_shop(rig)
        await rig.start()
        await rig.until_status(goes, "sent")
        error = (await rig.until_status(refused, "blocked")).error
        assert error is not None
        assert error.code == "not_today"
        assert len(driver.submitted) == 1


async def test_what_has_come_to_wait_meanwhile_waits(tmp_path: Path):
    driver = ScriptedDriver("a")
    until = START + timedelta(hours=1)
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        later = Later(until, "frequency_capped", "Two went already.")
        await put_rules(rig, Says(again_=lambda _s: later if rig.clock.now() < until else ALLOW))
        message = await send_as_shop(rig)
        await rig.start()
        await rig.settled()
        [reason] = (await view(rig, message)).waiting_for or []
        assert (reason.code, reason.kind, reason.until) == ("frequency_capped", WaitKind.THROTTLE, until)
        await rig.advance(3_600)
        await rig.until_status(message, "sent")


async def test_a_review_waits_for_no_time_and_ends_with_the_messages_own(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[Writes(lambda _s: LOOK)])
        message = await send_as_shop(rig, valid_for=86_400)
        await rig.advance(80_000)
        await rig.settled()
        shown = await view(rig, message)
        [reason] = shown.waiting_for or []
        assert (shown.status, reason.code, reason.kind) == (MessageStatus.QUEUED, "review", WaitKind.REVIEW)
        assert "odd words" in reason.detail
        holds = await rig.store.read(lambda tx: find_holds(tx, [message.id]))
        assert (holds[message.id].code, holds[message.id].until) == ("odd_text", None)
        await rig.advance(10_000)
        await rig.until_status(message, "expired")
        assert driver.submitted == []


async def test_a_review_in_a_sequence_holds_up_those_behind_it(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, texts=[Writes(lambda s: LOOK if s.text == "odd" else ALLOW)])
        first = await send_as_shop(rig, sequence="one")
        odd = await send_as_shop(rig, text="odd", sequence="one")
        behind = await send_as_shop(rig, text="behind", sequence="one")
        await rig.until_status(first, "sent")
        await rig.settled()
        codes = [
            [reason.code for reason in (await view(rig, one)).waiting_for or []] for one in (odd, behind)
        ]
        assert codes == [["review"], ["sequence"]]


async def test_switches_change_what_becomes_of_an_objection(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        only_beta = frozenset({"beta"})
        switches = [
            Switch(rule="says", action=Action.OFF, key=frozenset({"another"})),
            Switch(rule="says", action=Action.WARN, brand=only_beta),
            Switch(rule="opt_out", action=Action.OFF),
        ]
        await put_rules(rig, Says(lambda _s: NO), switches=switches)
        assert (await send_as_shop(rig)).status is MessageStatus.BLOCKED
        warned = await send_as_shop(rig, brand="beta")
        assert warned.status is MessageStatus.QUEUED
        assert [finding.outcome for finding in (await view(rig, warned)).policy] == [Outcome.WARN]
        await opt_out(rig.store, rig.clock, warned.recipient, source="api")
        marketing = await send_as_shop(rig, brand="beta", category="marketing")
        assert marketing.error is not None
        assert marketing.error.code == "opted_out", "no setting switches the opt-out list off"


async def test_who_may_not_send_for_a_brand_is_told_so(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        await put_rules(rig)
        assert (await send_as_shop(rig)).brand == "acme"
        with pytest.raises(InvalidRequest) as refused:
            await send_as_shop(rig, brand="another")
        assert [(e.pointer, e.code) for e in refused.value.errors] == [("/brand", "unknown_brand")]
        assert (await rig.send()).brand == "default"


async def test_what_the_gateway_writes_itself_is_asked_about_opt_outs_alone(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, Says(lambda _s: NO))
        await rig.until_status(await rig.send(), "sent")


async def check(rig: Rig, **fields: object):
    request = msgspec.convert({"to": "+8613800138000", "text": "hello", **fields}, CheckRequest)
    return await check_message(rig.store, rig.clock, rig.intake, request, key=None)


async def test_a_check_says_what_happens_then_rule_by_rule(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        until = START + timedelta(hours=1)

        def decide(subject: Subject):
            return Later(until, "outside_hours", "Night.") if subject.category == "otp" else NO

        signs = Writes(lambda s: Rewrite(f"[{s.text}]", "signed", "Signed."))
        await put_rules(rig, Says(decide), texts=[signs])
        said = await check(rig, category="marketing", key="shop", brand="beta")
        assert (said.outcome, said.code, said.text, said.brand) == (
            Outcome.REFUSE,
            "not_today",
            "[hello]",
            "beta",
        )
        assert [(one.rule, one.outcome) for one in said.rules] == [
            ("writes", Outcome.REWRITE),
            ("opt_out", Outcome.ALLOW),
            ("says", Outcome.REFUSE),
        ]
        later = await check(rig, category="otp", key="key-shop")
        assert (later.outcome, later.until) == (Outcome.LATER, until)
        assert (await check(rig)).rules == [], "nobody's key: what holds for all, and that is for marketing"
        sent = await send_as_shop(rig, category="marketing", brand="beta")
        assert sent.error is not None
        assert (sent.error.code, sent.text) == (said.code, said.text)
        assert await rig.store.read(lambda tx: tx.fetch("SELECT count(*) FROM messages")) == [(1,)]
