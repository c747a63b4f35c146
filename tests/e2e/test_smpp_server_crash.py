"""The daemon is killed with receipts on their way to an application: none is lost that it did not acknowledge."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from drivers.smpp.wire.pdus import DeliverSm, DeliverSmResp, SubmitSm, SubmitSmResp
from drivers.smpp.wire.receipt import parse_receipt
from gateway.access.passwords import hash_password
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, free_port, smpp_toml
from tests.support.esme import RawEsme, connected_esme

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROUNDS = 4
EACH = 250
WINDOW = 100
SETTLE_S = 30.0


class Application:
    """Submits and acknowledges; remembers what it was told, and what it acknowledged."""

    def __init__(self) -> None:
        self.told: set[str] = set()
        self.refused = 0
        self.acknowledged: list[str] = []

    async def work(self, port: int, n: int, stop_after: int) -> None:
        """Submit ``n``, acknowledge receipts until there were ``stop_after`` of them, then say nothing more."""
        async with connected_esme(port) as esme:
            assert (await esme.bind(system_id="app")).command_status == 0
            to_send, unanswered, receipts = n, 0, 0
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    while to_send and unanswered < WINDOW:
                        esme.send(_submit(to_send))
                        to_send -= 1
                        unanswered += 1
                    pdu = await esme.receive()
                    if isinstance(pdu.body, SubmitSmResp):
                        unanswered -= 1
                        if pdu.command_status == 0:
                            self.told.add(pdu.body.message_id)
                        else:
                            self.refused += 1
                    elif isinstance(pdu.body, DeliverSm):
                        receipts += 1
                        if receipts <= stop_after:
                            self._acknowledge(esme, pdu.sequence_number, pdu.body)
                    if receipts > stop_after and not to_send and not unanswered:
                        return

    async def fetch(self, port: int, missing: set[str]) -> None:
        """Acknowledge receipts until nothing is missing."""
        async with connected_esme(port) as esme:
            assert (await esme.bind(system_id="app")).command_status == 0
            async with asyncio.timeout(SETTLE_S):
                while not missing <= set(self.acknowledged):
                    pdu = await esme.receive()
                    if isinstance(pdu.body, DeliverSm):
                        self._acknowledge(esme, pdu.sequence_number, pdu.body)

    def _acknowledge(self, esme: RawEsme, sequence_number: int, body: DeliverSm) -> None:
        esme.send(DeliverSmResp(), sequence_number=sequence_number)
        self.acknowledged.append(parse_receipt(body.short_message).message_id)


def _submit(n: int) -> SubmitSm:
    return SubmitSm(
        source_addr="10690000",
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=f"86137{n:08}",
        short_message=b"hello",
        registered_delivery=1,
    )


async def test_a_kill_loses_no_receipt_that_was_not_acknowledged(tmp_path):
    network = Network(receipt_delay_s=0.02)
    port = free_port()
    app = Application()
    async with SimulatedSmsc(network, latency_s=0.002) as smsc:
        daemon = Daemon(
            tmp_path,
            smpp_toml("carrier", smsc.port, window="50")
            + f'[[smpp_server]]\nlisten = "127.0.0.1:{port}"\n'
            + f'[[smpp_accounts]]\nsystem_id = "app"\npassword_hash = "{hash_password("secret")}"\n'
            + f"window = {WINDOW}\n",
        )
        try:
            for stop_after in (0, 10, 60, 140)[:ROUNDS]:
                await daemon.start()
                await app.work(port, EACH, stop_after)
                await daemon.kill()  # receipts are on the wire, in the outbox and still to be made
            await daemon.start()
            await daemon.wait_status(app.told, {"delivered", "uncertain"}, SETTLE_S)
            messages = {m["id"]: m["status"] for m in await daemon.messages()}
            delivered = {one for one in app.told if messages[one] == "delivered"}
            await app.fetch(port, delivered)
            # What was told is there, and a handset got no message twice.
            assert app.refused == 0
            assert len(app.told) == ROUNDS * EACH
            assert app.told <= messages.keys()
            assert len(network.accepted) <= len(messages)
            assert delivered <= set(app.acknowledged) <= messages.keys()
        finally:
            await daemon.close()
            await network.close()
