"""What our SMPP server tells an application of what rules hold back or refuse."""

from __future__ import annotations

import pytest

from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import ReplaceSm
from gateway.policy.decision import ALLOW, Decision, Refuse, Review
from gateway.policy.subject import Subject
from gateway.store.reviews import find_in_review
from tests.integration.test_pipeline_reviews import decide
from tests.support.esme import connected_esme
from tests.support.policy import Writes, put_rules
from tests.support.smpp_application import accepted, serving, submit

pytestmark = pytest.mark.integration


def _by_words(subject: Subject) -> Decision:
    if "odd" in (subject.text or ""):
        return Review("odd_text", "It has odd words.")
    if "bad" in (subject.text or ""):
        return Refuse("bad_text", "It has bad words.")
    return ALLOW


async def test_a_text_that_is_put_in_anothers_place_is_judged_as_any(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await put_rules(served.rig, texts=[Writes(_by_words)])
        await esme.bind()
        told = await accepted(esme, submit(schedule_delivery_time="000000020000000R"))
        answer = await esme.ask(ReplaceSm(message_id=told, short_message=b"bad"))
        assert answer.command_status == CommandStatus.RREPLACEFAIL
        assert (await served.rig.message(told)).text == "hello", "the old one still goes"
        assert (await esme.ask(ReplaceSm(message_id=told, short_message=b"odd"))).command_status == 0
        assert await served.rig.store.read(lambda tx: find_in_review(tx, [told])) == {told}
        await served.rig.advance(3 * 3_600)
        await served.rig.settled()
        assert served.driver.submitted == []


async def test_what_a_person_said_of_a_text_is_not_said_of_the_one_in_its_place(tmp_path):
    async with serving(tmp_path / "db") as served, connected_esme(served.port) as esme:
        await put_rules(served.rig, texts=[Writes(_by_words)])
        await esme.bind()
        told = await accepted(esme, submit("odd", schedule_delivery_time="000000020000000R"))
        await decide(served.rig, await served.rig.message(told))
        assert (await esme.ask(ReplaceSm(message_id=told, short_message=b"odd too"))).command_status == 0
        assert await served.rig.store.read(lambda tx: find_in_review(tx, [told])) == {told}
        assert (await esme.ask(ReplaceSm(message_id=told, short_message=b"fine"))).command_status == 0
        await served.rig.advance(3 * 3_600)
        await served.driver.until_submitted(1)
        assert [segment.payload for segment in served.driver.submitted] == [b"fine"]
