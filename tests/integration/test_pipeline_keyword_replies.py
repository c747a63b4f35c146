"""Forged keywords: what is asked holds, and confirmations stay few."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drivers.base import Encoding, InboundPart
from drivers.codec.gsm7 import encode_gsm7
from gateway.pipeline.replies import REPLY_AGAIN
from gateway.policy.chain import Chain
from gateway.policy.rules.numbers import BlockList, Numbers
from gateway.policy.rules.opt_out import OptOut
from tests.support.fake_driver import ScriptedDriver
from tests.support.gateway import KEYWORDS, PHONE, Rig, running

pytestmark = pytest.mark.integration


def text(words: str, sender: str = PHONE) -> InboundPart:
    return InboundPart(sender=sender, encoding=Encoding.GSM7, payload=encode_gsm7(words))


def allow(rig: Rig, per_hour: int) -> None:
    rig.inbox.adopt(KEYWORDS._replace(replies_per_hour=per_hour))


async def test_a_channel_sends_a_bounded_number_of_confirmations_and_every_opt_out_holds(tmp_path: Path):
    driver, other = ScriptedDriver("a"), ScriptedDriver("b")
    async with running(tmp_path / "s.db", driver, other) as rig:
        allow(rig, 5)
        senders = [f"+86{13_700_000_000 + n}" for n in range(20)]
        for sender in senders:
            await driver.report(text("TD", sender))
        await other.report(text("TD", "+8613900139000"))
        await rig.settled()
        assert driver.recipients() == senders[:5]
        assert other.recipients() == ["+8613900139000"], "another channel has its own"
        for sender in senders:
            assert (await rig.send(sender, category="marketing")).status == "blocked"
        rig.clock.advance(3_601)
        await driver.report(text("TD", "+8613600136000"))
        await rig.settled()
        assert driver.recipients()[5:] == ["+8613600136000"]


async def test_a_number_gets_one_confirmation_of_a_kind_a_day(tmp_path: Path):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        for _ in range(10):
            for words in ("TD", "START", "HELP"):
                await driver.report(text(words))
        await rig.settled()
        assert len(driver.recipients()) == 3
        assert (await rig.send(category="marketing")).status == "queued", "the last word counts"
        await driver.report(text("TD"))
        assert (await rig.send(category="marketing")).status == "blocked"
        rig.clock.advance(REPLY_AGAIN.total_seconds() + 1)
        await driver.report(text("HELP"))
        await rig.settled()
        assert len([m for m in driver.submitted if b"hongyan" in msgspec.json.encode(str(m.payload))]) == 2


@pytest.mark.parametrize("sender", ["+819012345678", "+8613700137000", "+1900555" + "0123"])
async def test_a_forged_sender_makes_us_pay_for_no_number_that_nothing_may_go_to(tmp_path: Path, sender: str):
    driver = ScriptedDriver("a")
    async with running(tmp_path / "s.db", driver) as rig:
        blocked = BlockList(prefixes=frozenset({"+86137"}))
        rule = Numbers(countries=frozenset({"CN", "US"}), blocked=blocked)
        rig.intake.adopt(rig.intake.settings._replace(chain=Chain(persons=(OptOut(), rule))))
        for words in ("TD", "HELP"):
            await driver.report(text(words, sender))
        await rig.settled()
        assert driver.recipients() == []
        assert (await rig.send(sender, category="marketing")).status == "blocked"
        await driver.report(text("TD"))
        await rig.settled()
        assert driver.recipients() == [PHONE]


async def test_what_is_too_old_to_matter_is_forgotten(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        await rig.lanes["a"].driver.report(text("HELP"))  # type: ignore[attr-defined]
        rig.clock.advance(REPLY_AGAIN.total_seconds() + 1)
        await rig.retention.round()
        assert await rig.store.read(lambda tx: tx.fetch("SELECT * FROM keyword_replies")) == []
