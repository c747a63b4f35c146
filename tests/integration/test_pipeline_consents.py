"""Consents in the pipeline: marketing waits for them, opt-outs take them, opt-in words give what was asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from gateway.model.consent import Consent as Said
from gateway.model.consent import ConsentState, Evidence
from gateway.model.message import Category, Message
from gateway.model.msisdn import read_number
from gateway.pipeline.operator.consents import record_consent
from gateway.policy.rules.consent import Consent
from gateway.policy.rules.first_message import FirstMessage
from gateway.runtime.policies import make_consent_terms
from gateway.settings.config import load_settings
from gateway.store.consents import load_history, load_holding
from gateway.views.consents import ConsentRequest
from tests.support.consents import make_desk
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import PHONE, Rig, running
from tests.support.people import OPERATOR
from tests.support.policy import put_rules, send_as_shop

pytestmark = pytest.mark.integration

OTHER = "+8613900139000"


async def from_phone(driver: ScriptedDriver, text: str, sender: str = PHONE) -> None:
    await driver.report(InboundPart(sender=sender, encoding=Encoding.GSM7, payload=encode_gsm7(text)))


async def say(rig: Rig, state: str, **more: object) -> None:
    reading = read_number(PHONE, "CN")
    more = {"brand": "acme"} | more
    at = rig.clock.now()
    await rig.store.write(
        lambda tx: record_consent(
            tx,
            reading,
            ConsentState(state),
            source="form",
            at=at,
            by=OPERATOR,
            **more,  # type: ignore[arg-type]
        )
    )


async def history(rig: Rig, number: str = PHONE) -> list[Said]:
    return await rig.store.read(lambda tx: load_history(tx, [number]))


async def sale(rig: Rig, to: str = PHONE) -> Message:
    return await send_as_shop(rig, to=to, text="sale", category=Category.MARKETING)


def code(message: Message) -> str | None:
    return message.error.code if message.error else None


async def test_marketing_goes_to_those_who_agreed_alone(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, Consent())
        assert code(await sale(rig)) == "no_consent"
        await say(rig, "given")
        await rig.until_status(await sale(rig), "sent")
        assert code(await sale(rig, OTHER)) == "no_consent"
        await send_as_shop(rig, to=OTHER, text="your order")
        await rig.settled()
        assert [segment.payload for segment in driver.submitted] == [b"sale", b"your order"]


async def test_what_is_withdrawn_while_it_waits_does_not_go(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        await put_rules(rig, Consent())
        await say(rig, "given")
        message = await sale(rig)
        await say(rig, "withdrawn")
        await rig.start()
        assert code(await rig.until_status(message, "blocked")) == "consent_withdrawn"
        assert driver.submitted == []


async def test_the_first_message_is_no_marketing(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, FirstMessage())
        assert code(await sale(rig)) == "first_message_marketing"
        assert code(await sale(rig)) == "first_message_marketing", "one that was refused makes nobody known"
        await rig.until_status(await send_as_shop(rig, text="welcome"), "sent")
        await rig.until_status(await sale(rig), "sent")
        await from_phone(driver, "hello there", sender=OTHER)
        await rig.until_status(await sale(rig, OTHER), "sent")


async def test_td_withdraws_for_every_brand_and_start_gives_back(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await say(rig, "given", wording="Offers")
        await say(rig, "given", brand="beta")
        await from_phone(driver, "TD")
        (td,) = await rig.inbound()
        told = await history(rig)
        assert [(one.brand, one.state.value) for one in told] == [
            ("acme", "given"),
            ("acme", "withdrawn"),
            ("beta", "given"),
            ("beta", "withdrawn"),
        ]
        assert told[-1].evidence == Evidence(inbound=td.id, keyword="td")
        assert (told[-1].source, told[-1].by) == ("inbound", None)
        await from_phone(driver, "START")
        assert {one.state.value for one in (await history(rig))[2::3]} == {"given"}


async def test_a_yes_that_answers_nothing_is_no_consent(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await from_phone(driver, "START")
        assert await history(rig) == []


async def test_who_is_asked_agrees_by_an_opt_in_word(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, Consent())
        desk = make_desk(rig.store, rig.clock, rig.intake)
        prepared = await desk.prepare(
            [ConsentRequest(number=PHONE, brand="acme", ask=True, wording="Offers")], None, OPERATOR
        )
        await rig.store.write(prepared.record)
        await rig.until(lambda: len(driver.submitted) == 1)
        assert code(await sale(rig)) == "no_consent"
        await from_phone(driver, "START")
        asked, answered = await history(rig)
        assert (asked.state, answered.state) == (ConsentState.PENDING, ConsentState.GIVEN)
        assert answered.wording == asked.wording
        assert answered.evidence.asked_by == asked.evidence.asked_by is not None
        (reply,) = await rig.inbound()
        assert answered.evidence.inbound == reply.id
        await rig.until_status(await sale(rig), "sent")


async def standing(rig: Rig) -> dict[str, str]:
    held = await rig.store.read(lambda tx: load_holding(tx, [PHONE]))
    return {one.purpose: one.state.value for one in held}


async def test_a_purpose_of_ones_own_is_agreed_to_and_taken_back_by_words(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        await put_rules(rig, Consent(purpose="offers"))
        desk = make_desk(rig.store, rig.clock, rig.intake)
        asked = ConsentRequest(number=PHONE, brand="acme", purpose="offers", ask=True)
        refused = ConsentRequest(number=PHONE, brand="acme", purpose="profiling", state=ConsentState.REFUSED)
        prepared = await desk.prepare([asked, refused], None, OPERATOR)
        await rig.store.write(prepared.record)
        await rig.until(lambda: len(driver.submitted) == 1)
        await from_phone(driver, "START")
        await rig.until_status(await sale(rig), "sent")
        await from_phone(driver, "TD")
        assert await standing(rig) == {"offers": "withdrawn", "profiling": "refused"}
        await from_phone(driver, "START")
        assert await standing(rig) == {"offers": "given", "profiling": "refused"}


async def test_nobody_agrees_to_a_brand_that_the_config_does_not_have(tmp_path: Path):
    config = tmp_path / "hongyan.toml"
    config.write_text('[[brands]]\nname = "acme"\n')
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        desk = make_desk(rig.store, rig.clock, rig.intake)
        desk.adopt(make_consent_terms(load_settings(config)))
        wanted = [
            ConsentRequest(number=PHONE, brand="acme"),
            ConsentRequest(number=PHONE),
            ConsentRequest(number=PHONE, brand="acne"),
            ConsentRequest(number=PHONE, brand="acne", state=ConsentState.WITHDRAWN),
        ]
        prepared = await desk.prepare(wanted, None, OPERATOR)
        assert [(one.index, one.code) for one in prepared.rejected] == [(2, "unknown_brand")]
        await rig.store.write(prepared.record)
        assert {(one.brand, one.state) for one in await history(rig)} == {
            ("acme", ConsentState.GIVEN),
            ("default", ConsentState.GIVEN),
            ("acne", ConsentState.WITHDRAWN),
        }
