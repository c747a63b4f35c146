"""The simulated operator: what is taken, what arrives, what comes back."""

from __future__ import annotations

import asyncio

import pytest

from drivers.base import Concat, Encoding, ReceiptState
from drivers.codec.gsm7 import encode_gsm7
from drivers.codec.udh import encode_concat_udh
from simulators import handset as handset_module
from simulators import network as network_module
from simulators.network import Network
from simulators.traffic import NetworkMessage, NetworkReceipt, NetworkRefusal, NotNow, RefusalCause

pytestmark = pytest.mark.unit

SIM = "+8613800138000"
PHONE = "+8613900139000"


class Account:
    """An endpoint that takes things when it is open."""

    def __init__(self) -> None:
        self.open = True
        self.messages: list[NetworkMessage] = []
        self.receipts: list[NetworkReceipt] = []

    async def deliver(self, message: NetworkMessage) -> None:
        self._check()
        self.messages.append(message)

    async def report(self, receipt: NetworkReceipt) -> None:
        self._check()
        self.receipts.append(receipt)

    def _check(self) -> None:
        if not self.open:
            raise NotNow


def message(text: str = "hi", *, to: str = PHONE, report: bool = True, udh: bytes = b"") -> NetworkMessage:
    return NetworkMessage(
        sender=SIM, recipient=to, encoding=Encoding.GSM7, payload=encode_gsm7(text), report=report, udh=udh
    )


def part(number: int, total: int, text: str) -> NetworkMessage:
    return message(text, udh=encode_concat_udh(Concat(reference=7, total=total, part=number)))


async def settle() -> None:
    """Let everything happen that needs no time: deliveries, replies and receipts are each a turn or two."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_segment_is_booked_delivered_and_reported():
    network, account = Network(), Account()
    phone = network.add_handset(PHONE)
    reference = await network.submit(message("hello"), account)
    assert [taken.text for taken in network.accepted] == ["hello"]
    await settle()
    assert phone.inbox == ["hello"]
    assert [(receipt.reference, receipt.state) for receipt in account.receipts] == [
        (reference, ReceiptState.DELIVERED)
    ]


async def test_no_receipt_unless_asked_for():
    network, account = Network(), Account()
    await network.submit(message(report=False), account)
    await settle()
    assert account.receipts == []


async def test_unknown_numbers_are_phones_of_somebody():
    network, account = Network(), Account()
    await network.submit(message("first"), account)
    await settle()
    assert account.receipts[0].state is ReceiptState.DELIVERED
    assert network.add_handset(PHONE).inbox == ["first"], "the phone was there all the time"


async def test_unreachable_numbers_fail_until_they_are_back():
    network, account = Network(), Account()
    network.set_unreachable(PHONE)
    await network.submit(message(), account)
    await settle()
    network.set_unreachable(PHONE, unreachable=False)
    await network.submit(message(), account)
    await settle()
    assert [receipt.state for receipt in account.receipts] == [
        ReceiptState.UNDELIVERABLE, ReceiptState.DELIVERED
    ]  # fmt: skip


async def test_a_refused_submit_is_not_booked():
    network, account = Network(), Account()
    network.refuse(PHONE, RefusalCause.OPERATOR_BARRING)
    with pytest.raises(NetworkRefusal) as refusal:
        await network.submit(message(), account)
    assert refusal.value.code is RefusalCause.OPERATOR_BARRING
    with pytest.raises(NetworkRefusal):
        await network.submit(message(to=""), account)
    assert network.accepted == []


@pytest.mark.parametrize("spelling", ["+8613900139000", "8613900139000", "008613900139000"])
async def test_one_number_in_three_spellings(spelling):
    network = Network()
    phone = network.add_handset(PHONE)
    await network.submit(message(to=spelling), Account())
    await settle()
    assert phone.inbox == ["hi"]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 2, 3, 1)])
async def test_a_handset_joins_parts_in_any_order(order):
    network = Network()
    phone = network.add_handset(PHONE)
    for number in order:
        assert phone.inbox == []
        await network.submit(part(number, 3, f"<{number}>"), Account())
        await settle()
    assert phone.inbox == ["<1><2><3>"]


async def test_a_surrogate_pair_cut_between_parts_is_whole_again():
    network = Network()
    phone = network.add_handset(PHONE)
    octets = "好😀".encode("utf-16-be")
    for number, payload in enumerate((octets[:4], octets[4:]), start=1):
        udh = encode_concat_udh(Concat(reference=1, total=2, part=number))
        cut = NetworkMessage(sender=SIM, recipient=PHONE, encoding=Encoding.UCS2, payload=payload, udh=udh)
        await network.submit(cut, Account())
    await settle()
    assert phone.inbox == ["好😀"]


async def test_a_handset_forgets_the_oldest_incomplete_text(monkeypatch):
    monkeypatch.setattr(handset_module, "MAX_PARTIAL", 2)
    network = Network()
    phone = network.add_handset(PHONE)
    for reference in (1, 2, 3):
        udh = encode_concat_udh(Concat(reference=reference, total=2, part=1))
        await network.submit(message(f"{reference}a", udh=udh), Account())
    for reference in (1, 3):
        udh = encode_concat_udh(Concat(reference=reference, total=2, part=2))
        await network.submit(message(f"{reference}b", udh=udh), Account())
    await settle()
    assert phone.inbox == ["3a3b"]


async def test_a_handset_answers_and_sends_long_texts():
    network, account = Network(), Account()
    network.attach(SIM, account)
    phone = network.add_handset(PHONE)
    phone.on_text = lambda text: "TD" if "offer" in text else None
    await network.submit(message("an offer"), account)
    await network.submit(message("an order"), account)
    await phone.send(SIM, "x" * 200)
    await settle()
    assert sorted(received.text for received in account.messages) == ["TD", "x" * 47, "x" * 153]
    concats = [received.concat for received in account.messages if received.concat]
    assert [(concat.part, concat.total) for concat in concats] == [(1, 2), (2, 2)]
    assert len(phone.receipts) == 3


async def test_what_an_endpoint_can_not_take_waits_in_order():
    network, account = Network(), Account()
    network.attach(SIM, account)
    account.open = False
    for text in ("one", "two"):
        await network.submit(message(text, to=SIM), account)
    await settle()
    assert (account.messages, network.n_waiting(SIM)) == ([], 2)
    account.open = True
    await network.submit(message("three", to=SIM), account)
    await settle()
    assert account.messages == [], "not before those that wait"
    network.retry(account)
    await settle()
    assert [received.text for received in account.messages] == ["one", "two", "three"]
    assert len(account.receipts) == 3


async def test_receipts_wait_too():
    network, account = Network(), Account()
    account.open = False
    await network.submit(message(), account)
    await settle()
    account.open = True
    network.retry(account)
    await settle()
    assert len(account.receipts) == 1


async def test_messages_wait_for_an_absent_number():
    network, account = Network(), Account()
    network.attach(SIM, account)
    network.detach(SIM)
    await network.submit(message("later", to=SIM), account)
    await settle()
    assert account.messages == []
    network.attach(SIM, account)
    await settle()
    assert [received.text for received in account.messages] == ["later"]


async def test_the_network_does_not_keep_messages_without_end(monkeypatch):
    monkeypatch.setattr(network_module, "MAX_WAITING", 2)
    network, account, sender = Network(), Account(), Account()
    network.attach(SIM, account)
    network.detach(SIM)
    for _ in range(3):
        await network.submit(message(to=SIM), sender)
    await settle()
    assert network.n_waiting(SIM) == 2
    assert [receipt.state for receipt in sender.receipts] == [ReceiptState.UNDELIVERABLE]


async def test_the_ledger_of_a_long_run_is_bounded():
    network, account = Network(keep=10), Account()
    for n in range(100):
        await network.submit(message(str(n), to=f"+86139001390{n:02}"), account)
    assert len(network.accepted) < 20
    assert network.accepted[-1].text == "99"
    assert network.accepted_total == 100


async def test_latency_delays_the_delivery_and_closing_drops_it():
    network, account = Network(latency_s=3_600.0), Account()
    phone = network.add_handset(PHONE)
    await network.submit(message(), account)
    await settle()
    assert len(network.accepted) == 1
    assert phone.inbox == []
    await network.close()
    quick = Network(latency_s=0.001, receipt_delay_s=0.001)
    await quick.submit(message(), account)
    async with asyncio.timeout(60):
        await quick.wait_for(lambda: quick.add_handset(PHONE).inbox == ["hi"])


async def test_the_same_seed_gives_the_same_references():
    references = [[await Network(seed=seed).submit(message(), Account()) for _ in "ab"] for seed in (1, 1, 2)]
    assert references[0] == references[1] != references[2]


async def test_binary_content_is_shown_as_hex():
    binary = NetworkMessage(sender=SIM, recipient=PHONE, encoding=Encoding.BINARY, payload=b"\x00\xff")
    assert binary.text == "00ff"


async def test_a_number_belongs_to_one_device():
    network = Network()
    network.attach(SIM, Account())
    with pytest.raises(TypeError):
        network.add_handset(SIM)
