"""What an opt-out stops: everything, a brand, or what comes from one number; what waits is blocked with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from gateway.ids import KeyId
from gateway.model.message import ApiKey, Category, Message, Scope
from gateway.model.msisdn import read_number
from gateway.model.opt_out import brand_scope, sender_scope
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.drafts import AcceptedMessage
from gateway.pipeline.operator.suppress import opt_in, opt_out
from gateway.pipeline.sending import waiting_for
from gateway.policy.chain import Chain
from gateway.policy.optout import Keywords
from gateway.policy.rules.opt_out import OptOut
from gateway.store.suppressions import list_suppressions
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import KEYWORDS, PHONE, START, Rig, ScriptedChannel, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration

OURS, OTHER = "+8613700000001", "+8613700000002"
SHOP = ApiKey(id=KeyId("k1"), name="shop", scopes=frozenset({Scope.SEND}), created_at=START)
NUMBERS = OptOut({"shop": frozenset({OURS}), "club": frozenset({OTHER})})


def said(words: str, to: str | None = None) -> InboundPart:
    return InboundPart(sender=PHONE, recipient=to, encoding=Encoding.GSM7, payload=encode_gsm7(words))


async def send_of(brand: str, rig: Rig, category: Category) -> Message:
    request = MessageRequest(to=PHONE, text="hello", category=category, brand=brand)
    accepted = await rig.intake.accept(request, key=SHOP)
    assert isinstance(accepted, AcceptedMessage)
    return accepted.message


async def scopes(rig: Rig) -> list[str]:
    return [
        one.scope for one in await rig.store.read(lambda tx: list_suppressions(tx, limit=9, after=("", "")))
    ]


async def test_what_waits_is_blocked_with_the_opt_out_and_not_at_its_turn(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        waiting = [await rig.send(PHONE, "promo", category="marketing") for _ in range(3)]
        later = await rig.send(PHONE, "promo", category="marketing", schedule_at="2026-03-20T00:00:00Z")
        code = await rig.send(PHONE, "1234", category="otp")
        other = await rig.send("+8613900139000", "promo", category="marketing")
        await rig.inbox.handle(rig.lanes["a"], said("TD"))
        for message in (*waiting, later):
            found = await rig.message(message.id)
            assert (found.status, found.error and found.error.code) == ("blocked", "opted_out")
        assert [(await rig.message(one.id)).status for one in (code, other)] == ["queued", "queued"]


async def test_all_of_very_much_that_waits_is_blocked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    async with running(tmp_path / "s.db", ScriptedDriver("a"), started=False) as rig:
        waiting = [await rig.send(PHONE, "promo", category="marketing") for _ in range(7)]
        monkeypatch.setattr(waiting_for, "_LOOKED_AT", 3)
        reading = read_number(PHONE, "CN")
        await opt_out(rig.store, rig.clock, reading, by=OPERATOR, source="api", rule=OptOut())
        assert {(await rig.message(one.id)).status for one in waiting} == {"blocked"}


async def test_an_opt_out_from_a_brand_stops_no_other(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        reading, scope = read_number(PHONE, "CN"), brand_scope("shop")
        await opt_out(rig.store, rig.clock, reading, by=OPERATOR, source="api", scope=scope, rule=OptOut())
        assert (await rig.send(PHONE, "promo", category="marketing")).status != "blocked"
        await opt_out(
            rig.store,
            rig.clock,
            reading,
            by=OPERATOR,
            source="api",
            scope=brand_scope("default"),
            rule=OptOut(),
        )
        assert (await rig.send(PHONE, "promo", category="marketing")).status == "blocked"
        assert await opt_in(
            rig.store, rig.clock, reading, by=OPERATOR, source="api", scope=brand_scope("default")
        )
        assert await scopes(rig) == [scope]
        assert (await rig.send(PHONE, "promo", category="marketing")).status != "blocked"


async def test_a_reply_is_about_the_brand_of_what_it_answers(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        rig.inbox.adopt(KEYWORDS._replace(scope="brand"))
        await driver.report(said("TD"))  # to nothing of ours: it is about everything
        assert await scopes(rig) == ["everything"]
        await rig.until_status(await rig.send(PHONE), "sent")
        await driver.report(said("START"))  # takes back what it is about, and no more
        assert await scopes(rig) == ["everything"]
        await opt_in(rig.store, rig.clock, read_number(PHONE, "CN"), by=OPERATOR, source="api")
        await driver.report(said("STOP"))
        assert await scopes(rig) == ["brand:default"]
        await driver.report(said("START"))
        assert await scopes(rig) == []


async def test_a_keyword_is_about_the_brand_that_advertised_whatever_came_in_between(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        rig.intake.adopt(rig.intake.settings._replace(brands={SHOP.id: ("north", "south")}))
        rig.inbox.adopt(KEYWORDS._replace(scope="brand"))
        await rig.until_status(await send_of("north", rig, Category.MARKETING), "sent")
        await rig.until_status(await send_of("south", rig, Category.OTP), "sent")
        await driver.report(said("HELP"))
        await rig.settled()  # our answer is the last that the person got, and of no brand of theirs
        await driver.report(said("STOP"))
        assert await scopes(rig) == ["brand:north"]
        await rig.settled()
        assert (await send_of("north", rig, Category.MARKETING)).status == "blocked"
        await driver.report(said("START"))
        assert await scopes(rig) == []


async def test_a_reply_may_be_about_the_number_that_it_came_to(tmp_path: Path):
    shop, club = ScriptedDriver("shop-1"), ScriptedDriver("club-1")
    channels = [
        ScriptedChannel(driver=shop, groups=("shop",), number=OURS),
        ScriptedChannel(driver=club, groups=("club",), number=OTHER),
    ]
    async with running(tmp_path / "s.db", *channels) as rig:
        use(rig, NUMBERS)
        rig.inbox.adopt(KEYWORDS._replace(scope="sender", numbers=frozenset({OURS, OTHER})))
        await shop.report(said("TD", OURS))
        assert await scopes(rig) == [sender_scope(OURS)]
        sent = [await rig.send(PHONE, "promo", category="marketing", sender=one) for one in ("shop", "club")]
        assert sent[0].status == "blocked"
        await rig.until_status(sent[1], "sent")
        await club.report(said("TD", "+8613999999999"))  # none of ours: when in doubt, nothing is sent
        assert "everything" in await scopes(rig)


async def test_a_near_miss_is_flagged_for_a_person(tmp_path: Path):
    driver = ScriptedDriver("a")
    near = KEYWORDS._replace(keywords=Keywords.of(["STOP"], ["START"], near=["stop sending"]))
    async with running(tmp_path / "s.db", driver) as rig:
        rig.inbox.adopt(near)
        await driver.report(said("Please stop sending me these"))
        await driver.report(said("I can't stop laughing"))
        found = {one.text: (one.keyword, one.flag) for one in await rig.inbound()}
        assert found == {
            "Please stop sending me these": (None, "near_opt_out"),
            "I can't stop laughing": (None, None),
        }
        assert await scopes(rig) == []
        rig.inbox.adopt(near._replace(near_misses="opt_out"))
        await driver.report(said("Please stop sending me those"))
        assert await scopes(rig) == ["everything"]


def use(rig: Rig, rule: OptOut) -> None:
    """Have the rig go by another rule of opt-outs."""
    chain = Chain(persons=(rule,))
    rig.scheduler.chain = chain
    rig.dispatcher.gate.rule = rule
    rig.intake.adopt(rig.intake.settings._replace(chain=chain))
