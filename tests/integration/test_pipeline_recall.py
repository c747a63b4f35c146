"""Messages that the network has already, taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.errors import SmppStatusError
from gateway.errors import Conflict, NotFound
from gateway.pipeline.operator.recall import cancel_or_recall
from tests.support.fake_driver import ScriptedDriver, accepted
from tests.support.gateway import PHONE, receipt, running
from tests.support.people import OPERATOR

pytestmark = pytest.mark.integration

THREE_PARTS = "雁" * 150


class Forgetful(ScriptedDriver):
    """Its network forgets what is not in `kept`."""

    def __init__(self, name: str, *kept: str) -> None:
        super().__init__(name)
        self.kept = kept
        self.asked: list[tuple[str, str]] = []

    async def cancel(self, reference: str, recipient: str, sender: str | None = None) -> None:
        self.asked.append((reference, recipient))
        if reference in self.kept:
            raise SmppStatusError(0x11)


async def test_a_message_that_the_network_forgets_is_canceled(tmp_path: Path):
    driver = Forgetful("a")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "sent")
        canceled = await cancel_or_recall(
            rig.store, rig.clock, message.id, by=OPERATOR, take_back=rig.channels.take_back
        )
        assert canceled.status == "canceled"
        assert driver.asked == [("1", PHONE), ("2", PHONE), ("3", PHONE)]
        assert (await rig.states(message.id))[-1] == "canceled"
        await driver.report(receipt("1"))
        assert (await rig.message(message.id)).status == "canceled"


async def test_what_the_network_keeps_is_named_and_no_longer_whole(tmp_path: Path):
    driver = Forgetful("a", "2")
    async with running(tmp_path / "s.db", driver) as rig:
        message = await rig.until_status(await rig.send(text=THREE_PARTS), "sent")
        with pytest.raises(Conflict, match="2 of its 3 parts"):
            await cancel_or_recall(
                rig.store, rig.clock, message.id, by=OPERATOR, take_back=rig.channels.take_back
            )
        assert (await rig.message(message.id)).status == "undelivered"


async def test_a_network_that_forgets_nothing_leaves_the_message_sent(tmp_path: Path):
    async with running(tmp_path / "s.db", ScriptedDriver("a")) as rig:
        message = await rig.until_status(await rig.send(), "sent")
        with pytest.raises(Conflict, match="sent"):
            await cancel_or_recall(
                rig.store, rig.clock, message.id, by=OPERATOR, take_back=rig.channels.take_back
            )
        assert (await rig.message(message.id)).status == "sent"
        with pytest.raises(NotFound):
            await cancel_or_recall(
                rig.store, rig.clock, "nobody", by=OPERATOR, take_back=rig.channels.take_back
            )


async def test_what_still_waits_is_canceled_without_asking_the_network(tmp_path: Path):
    driver = Forgetful("a")
    driver.script.append(accepted("1"))
    async with running(tmp_path / "s.db", driver, started=False) as rig:
        message = await rig.send()
        canceled = await cancel_or_recall(
            rig.store, rig.clock, message.id, by=OPERATOR, take_back=rig.channels.take_back
        )
        assert (canceled.status, driver.asked) == ("canceled", [])
