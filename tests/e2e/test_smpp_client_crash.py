"""The daemon is killed 20 times while its carrier has receipts for it: none is lost that it acknowledged.

A proxy between the two reads along. It kills the daemon at the very moment at which a certain PDU passes, and
afterwards knows what was acknowledged, whatever the daemon or the simulated SMSC believe.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress

import aiohttp
import pytest

from drivers.smpp.wire.codec import decode_pdu
from drivers.smpp.wire.constants import CommandId
from drivers.smpp.wire.pdus import DeliverSm, DeliverSmResp, Pdu
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.daemon import Daemon, smpp_toml
from tests.support.pcap import Chunk, Side
from tests.support.wiretap import Wiretap, tapped

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROUNDS = 20
EACH = 40
SETTLE_S = 60.0
MOMENTS = (CommandId.SUBMIT_SM, CommandId.DELIVER_SM, CommandId.DELIVER_SM_RESP)


class Killer:
    """Kills the daemon when the n-th PDU of a kind has passed."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._octets = {side: bytearray() for side in Side}
        self._command_id: int = 0
        self._n_left = 0
        self.struck = asyncio.Event()

    def rest(self) -> None:
        """Only watch, from the next connection on."""
        self._octets = {side: bytearray() for side in Side}
        self._n_left = 0
        self.struck.clear()

    def arm(self, command_id: CommandId, n: int) -> None:
        """Count from now on."""
        self._command_id, self._n_left = command_id, n

    def watch(self, chunk: Chunk) -> None:
        """See what passes."""
        self._octets[chunk.side] += chunk.octets
        for pdu in _take_pdus(self._octets[chunk.side]):
            if self._n_left and pdu.body.command_id == self._command_id:
                self._n_left -= 1
                if not self._n_left:
                    assert self._daemon.process is not None
                    self._daemon.process.kill()
                    self.struck.set()


def _take_pdus(octets: bytearray) -> Iterator[Pdu]:
    while len(octets) >= 4 and len(octets) >= (length := int.from_bytes(octets[:4], "big")):
        yield decode_pdu(bytes(octets[:length]))
        del octets[:length]


def _pdus(conversation: Iterable[Chunk], side: Side) -> list[Pdu]:
    return list(_take_pdus(bytearray(b"".join(c.octets for c in conversation if c.side is side))))


def _receipts(tap: Wiretap) -> tuple[set[str], int]:
    """Handsets whose receipt was acknowledged, and how many receipts died unacknowledged with their connection."""
    acknowledged, n_unanswered = set(), 0
    for conversation in tap.conversations:
        sent = {
            pdu.sequence_number: f"+{pdu.body.source_addr}"
            for pdu in _pdus(conversation, Side.SERVER)
            if isinstance(pdu.body, DeliverSm)
        }
        answered = {
            pdu.sequence_number
            for pdu in _pdus(conversation, Side.CLIENT)
            if isinstance(pdu.body, DeliverSmResp) and pdu.command_status == 0
        }
        acknowledged |= {sent[number] for number in answered}
        n_unanswered += len(sent.keys() - answered)
    return acknowledged, n_unanswered


async def test_twenty_kills_lose_no_receipt_that_was_acknowledged_and_send_nothing_twice(tmp_path):
    seed = random.randrange(10**6)
    rng = random.Random(seed)
    network = Network(receipt_delay_s=0.01)
    told: set[str] = set()
    async with SimulatedSmsc(network, latency_s=0.002) as smsc, tapped(smsc.port) as tap:
        daemon = Daemon(tmp_path, smpp_toml("carrier", tap.port, window="20"))
        killer = Killer(daemon)
        tap.on_chunk = killer.watch
        try:
            for round_ in range(ROUNDS):
                killer.rest()
                await daemon.start(n_up=0)
                killer.arm(MOMENTS[round_ % len(MOMENTS)], rng.randint(1, EACH))
                told |= await _send(daemon, round_)
                await asyncio.wait_for(killer.struck.wait(), SETTLE_S)
                await daemon.kill()
            killer.rest()
            await daemon.start()
            ids = {message["id"] for message in await daemon.messages()}
            await daemon.wait_status(ids, {"delivered", "uncertain"}, SETTLE_S)
            await asyncio.wait_for(network.wait_for(lambda: smsc.n_owed == 0), SETTLE_S)
            status = {message["to"]: message["status"] for message in await daemon.messages()}
            _, page = await daemon.get("/v1/receipts?limit=1000")
            # Their messages have no reference: the answer to the submit died with the daemon.
            kept = {receipt["to"] for receipt in page["items"]}
            assert await daemon.stop() == 0, daemon.log()
        finally:
            await daemon.close()
            await network.close()

    seen = Counter(message.recipient for message in network.accepted)
    acknowledged, n_unanswered = _receipts(tap)
    count = Counter(status.values())
    context = (seed, count, len(seen), len(acknowledged), len(kept), n_unanswered)
    # What was accepted was submitted, once, or we say that we don't know.
    assert told <= ids, context
    assert max(seen.values()) == 1, context
    assert count.keys() <= {"delivered", "uncertain"}, context
    assert all(status[to] == "uncertain" for to in status.keys() - seen.keys()), context
    # Every receipt came in the end, and each one that we took is in the store.
    assert acknowledged == seen.keys(), context
    lost = {to for to in acknowledged if status[to] != "delivered"} - kept
    assert not lost, (context, lost)
    # The kills did hit what they were aimed at.
    assert n_unanswered >= ROUNDS // 2, context
    assert count["delivered"] > ROUNDS * EACH // 2, context


async def _send(daemon: Daemon, round_: int) -> set[str]:
    """Hand messages in; the ids that were answered."""
    messages = [{"to": f"+86137{round_:04}{i:04}", "text": f"Your code is {i}."} for i in range(EACH)]
    with suppress(aiohttp.ClientError, OSError):  # it may die before it has answered
        status, batch = await daemon.post("/v1/messages/batch", {"messages": messages})
        assert status == 202, batch
        return {item["id"] for item in batch["messages"]}
    return set()
