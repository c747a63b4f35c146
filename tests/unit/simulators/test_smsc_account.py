from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from drivers.base import Encoding
from simulators.network import Network
from simulators.smsc import account as account_module
from simulators.smsc.account import Account
from simulators.smsc.receipts import MessageIds
from simulators.traffic import NetworkMessage
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from drivers.smpp.wire.pdus import DeliverSm

pytestmark = pytest.mark.unit


class Bind:
    """Takes as many deliveries as it has room for."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.taken: list[DeliverSm] = []

    def offer(self, body: DeliverSm) -> bool:
        if not self.room:
            return False
        self.room -= 1
        self.taken.append(body)
        return True

    @property
    def texts(self) -> list[str]:
        return [body.short_message.decode() for body in self.taken]


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def account(network) -> Account:
    account = Account(
        system_id="hongyan",
        password="secret",
        number="10690000",
        message_ids=MessageIds.DECIMAL,
        resend_s=0.0,
        network=network,
    )
    network.attach(account.number, account)
    return account


def inbound(text: str) -> NetworkMessage:
    return NetworkMessage(
        sender="+8613800138000", recipient="10690000", encoding=Encoding.GSM7, payload=text.encode()
    )


async def test_deliveries_go_round_the_binds_and_past_a_full_one(account):
    busy, free = Bind(1), Bind(9)
    account.add_bind(busy)
    account.add_bind(free)
    for index in range(4):
        await account.deliver(inbound(str(index)))
    assert busy.texts == ["0"]
    assert free.texts == ["1", "2", "3"]


async def test_a_delivery_goes_out_when_a_window_opens(account):
    bind = Bind(1)
    account.add_bind(bind)
    for text in ("one", "two"):
        await account.deliver(inbound(text))
    assert bind.texts == ["one"]
    bind.room = 1
    account.settle(bind.taken[0], taken=True)
    assert bind.texts == ["one", "two"]
    assert account.n_owed == 1


async def test_what_an_account_has_no_room_for_waits_in_the_network_and_is_fetched(
    account, network, monkeypatch
):
    monkeypatch.setattr(account_module, "MAX_OWED", 1)
    bind = Bind(1)
    account.add_bind(bind)
    handset = network.add_handset("+8613800138000")
    for text in ("one", "two"):
        await handset.send("10690000", text)
    await eventually(lambda: network.n_waiting("10690000") == 1)
    bind.room = 1
    account.settle(bind.taken[0], taken=True)
    await eventually(lambda: bind.texts == ["one", "two"])
