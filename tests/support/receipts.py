"""Messages that wait for their receipts, and what has become of them."""

from __future__ import annotations

from gateway.model.message import Message
from tests.support.fake_driver import ScriptedDriver, accepted
from tests.support.gateway import PHONE, Rig, ScriptedChannel

OTHER = "+8613900139000"
THREE_PARTS = "雁" * 150


async def sent_as(rig: Rig, driver: ScriptedDriver, reference: str | None, to: str = PHONE) -> Message:
    """A message that was sent and got this reference."""
    driver.script.append(accepted(reference))
    return await rig.until_status(await rig.send(to), "sent")


async def status_of(rig: Rig, *messages: Message) -> list[str]:
    """What the messages are by now."""
    return [(await rig.message(m.id)).status.value for m in messages]


def modem(driver: ScriptedDriver) -> ScriptedChannel:
    """The driver as the channel of a SIM."""
    return ScriptedChannel(driver=driver, kind="modem")
