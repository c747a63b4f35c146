"""Applications that are not ours bind to the daemon: smpplib, npm's smpp, aiosmpplib, Kannel; tshark looks on."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from drivers.smpp.wire.constants import Tag
from drivers.smpp.wire.fields import DistributionList, SmeAddress
from drivers.smpp.wire.pdus import (
    CancelSm,
    DataSm,
    EnquireLink,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
    Unbind,
)
from gateway.access.passwords import hash_password
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.bearerbox import running_bearerbox
from tests.support.daemon import Daemon, free_port, smpp_toml, until
from tests.support.esme import connected_esme
from tests.support.kannel import find_kannel
from tests.support.other_program import PEERS, OtherProgram, node_command, other_program
from tests.support.pcap import write_tcp_capture
from tests.support.peers import need_peer
from tests.support.tshark import dissect, find_complaints
from tests.support.wiretap import tapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

HANDSET = "+8613800138000"
N_KANNEL = 1_000
DEADLINE_S = 60.0
LONG = "一条很长的中文短信,分成几段😀" * 12


class World:
    """The daemon between applications and a simulated operator."""

    def __init__(self, daemon: Daemon, network: Network, port: int) -> None:
        self.daemon = daemon
        self.network = network
        self.port = port


@asynccontextmanager
async def world(folder: Path, server: str = "", account: str = "") -> AsyncIterator[World]:
    network = Network()
    port = free_port()
    async with SimulatedSmsc(network) as smsc:
        # The accounts come after the channels: TOML's tables take what follows them.
        toml = (
            smpp_toml("carrier", smsc.port, window="100")
            + f'[[smpp_server]]\nlisten = "127.0.0.1:{port}"\n{server}\n'
            + f'[[smpp_accounts]]\nsystem_id = "app"\npassword_hash = "{hash_password("secret")}"\n'
            + f'inbound = ["10690000"]\n{account}\n'
        )
        daemon = Daemon(folder, toml)
        try:
            await daemon.start()
            yield World(daemon, network, port)
            assert await daemon.stop() == 0, daemon.log()
        finally:
            await daemon.close()
            await network.close()


# ---- smpplib


class Smpplib:
    """smpplib's blocking client; to be used in a thread."""

    def __init__(self, port: int) -> None:
        import smpplib.client

        self.told: list[str] = []
        self.deliveries: list[Any] = []
        self.client = smpplib.client.Client(
            "127.0.0.1", port, timeout=DEADLINE_S, allow_unknown_opt_params=True
        )
        self.client.set_message_sent_handler(lambda pdu: self.told.append(pdu.message_id.decode()))
        self.client.set_message_received_handler(self._note_delivery)

    def _note_delivery(self, pdu: Any) -> None:  # smpplib names its argument
        self.deliveries.append(pdu)

    def bind(self, kind: str = "transceiver") -> None:
        self.client.connect()
        getattr(self.client, f"bind_{kind}")(system_id="app", password="secret")

    def submit(self, text: str) -> int:
        """How many parts it made of it."""
        import smpplib.gsm

        parts, data_coding, esm_class = smpplib.gsm.make_parts(text)
        for part in parts:
            self.client.send_message(
                source_addr="10690000",
                dest_addr_ton=1,
                dest_addr_npi=1,
                destination_addr=HANDSET.removeprefix("+"),
                short_message=part,
                data_coding=data_coding,
                esm_class=esm_class,
                registered_delivery=True,
            )
        return len(parts)

    def read_until(self, n_told: int, n_deliveries: int) -> None:
        while len(self.told) < n_told or len(self.deliveries) < n_deliveries:
            self.client.read_once(auto_send_enquire_link=False)

    def leave(self) -> None:
        self.client.unbind()
        self.client.disconnect()


@pytest.mark.parametrize("text", ["Price: 5 € [incl. tax]", "您的验证码是 4711 😀", LONG])
async def test_smpplib_sends_a_text_and_gets_a_receipt_for_each_part(tmp_path, text):
    async with world(tmp_path) as its:
        handset = its.network.add_handset(HANDSET)
        app = Smpplib(its.port)

        def scenario() -> int:
            app.bind()
            n_parts = app.submit(text)
            app.read_until(n_parts, n_parts)
            app.leave()
            return n_parts

        n_parts = await asyncio.to_thread(scenario)
        assert handset.inbox == [text]
        assert len(app.told) == n_parts
        assert {r.receipted_message_id.rstrip(b"\0").decode() for r in app.deliveries} == set(app.told)
        assert {r.message_state for r in app.deliveries} == {2}
        assert len(await its.daemon.messages()) == 1  # one text, one message, however it was cut


async def test_smpplib_gets_what_handsets_write(tmp_path):
    async with world(tmp_path) as its:
        handset = its.network.add_handset(HANDSET)
        app = Smpplib(its.port)
        await asyncio.to_thread(app.bind, "receiver")
        await handset.send("10690000", "你好")
        await asyncio.to_thread(app.read_until, 0, 1)
        await asyncio.to_thread(app.leave)
        (inbound,) = app.deliveries
        assert inbound.short_message.decode("utf-16-be") == "你好"
        assert inbound.source_addr.decode() == HANDSET.removeprefix("+")


# ---- npm's smpp


@asynccontextmanager
async def node_app(
    port: int, password: str = "secret", ca: Path | None = None
) -> AsyncIterator[OtherProgram]:
    async with other_program(*node_command("client.js", port, "app", password, *([ca] if ca else []))) as app:
        yield app


def order_submit(app: OtherProgram, text: str) -> None:
    app.order(
        submit={
            "source_addr": "10690000",
            "dest_addr_ton": 1,
            "dest_addr_npi": 1,
            "destination_addr": HANDSET.removeprefix("+"),
            "short_message": text,
            "registered_delivery": 1,
        }
    )


@pytest.mark.parametrize("text", ["Code 4711, 5 € [x]", "您的验证码是 4711 😀"])
async def test_a_node_application_sends_and_gets_its_receipt_and_an_answer(tmp_path, text):
    async with world(tmp_path) as its:
        handset = its.network.add_handset(HANDSET)
        async with node_app(its.port) as app:
            assert await app.wait_for("bound") == {
                "event": "bound",
                "command_status": 0,
                "system_id": "hongyan",
            }
            order_submit(app, text)
            told = await app.wait_for("submitted")
            assert told["command_status"] == 0
            receipt = await app.wait_for("delivery")
            assert (receipt["esm_class"], receipt["id"], receipt["state"]) == (4, told["id"], 2)
            assert f"id:{told['id']} " in receipt["text"]
            assert handset.inbox == [text]
            await handset.send("10690000", text)
            answer = await app.wait_for("delivery")
            assert (answer["esm_class"], answer["text"], answer["to"]) == (0, text, "10690000")
            app.order(unbind=True)
            assert (await app.wait_for("unbound"))["command_status"] == 0
            await app.wait_for("close")


async def test_a_node_application_with_a_wrong_password_is_told_so(tmp_path):
    async with world(tmp_path) as its, node_app(its.port, "wrong") as app:
        assert (await app.wait_for("bound"))["command_status"] == 0x0E


async def test_a_node_application_binds_with_tls(tmp_path):
    cert, key = make_certificate(tmp_path)
    async with world(tmp_path, server=f'tls_cert = "{cert}"\ntls_key = "{key}"') as its:
        its.network.add_handset(HANDSET)
        async with node_app(its.port, ca=cert) as app:
            assert (await app.wait_for("bound"))["command_status"] == 0
            order_submit(app, "over TLS")
            assert (await app.wait_for("submitted"))["command_status"] == 0
            assert (await app.wait_for("delivery"))["state"] == 2
        context = ssl.create_default_context(cafile=str(cert))
        _, writer = await asyncio.open_connection(
            "127.0.0.1", its.port, ssl=context, server_hostname="localhost"
        )
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        writer.close()
        await writer.wait_closed()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    need_peer("openssl")
    cert, key = folder / "tls.crt", folder / "tls.key"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(cert),
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return cert, key


# ---- aiosmpplib


@asynccontextmanager
async def aiosmpplib_app(port: int, password: str = "secret") -> AsyncIterator[OtherProgram]:
    command = (sys.executable, str(PEERS / "aiosmpplib_app.py"), str(port), "app", password)
    async with other_program(*command) as app:
        yield app


async def test_an_application_of_aiosmpplib_sends_texts_of_every_length_and_gets_receipts_and_answers(
    tmp_path,
):
    async with world(tmp_path) as its, aiosmpplib_app(its.port) as app:
        handset = its.network.add_handset(HANDSET)
        assert (await app.wait_for("bound"))["command_status"] == 0
        for text, way in (
            ("Price: 5 € [incl. tax]", "udh"),
            ("您的验证码是 4711 😀", "udh"),
            ("a long English text, " * 20, "udh"),
            (LONG, "udh"),  # it writes sar parameters besides the header
            (LONG, "payload"),
        ):
            app.order(text=text, to=HANDSET.removeprefix("+"), long=way)
            told = await app.wait_for("submitted")
            assert told["command_status"] == 0
            receipt = await app.wait_for("delivery", log_id=told["log_id"])
            assert receipt["receipt"]["stat"] == "DELIVRD"
            assert handset.inbox[-1] == text
        for answer in ("thanks", LONG):
            await handset.send("10690000", answer)
            inbound = await app.wait_for("delivery", receipt={})
            assert (inbound["text"], inbound["from"]) == (answer, HANDSET.removeprefix("+"))
        assert len(handset.inbox) == len(await its.daemon.messages()) == 5


# ---- Kannel


async def test_kannels_bearerbox_sends_hundreds_and_gets_as_many_receipts(tmp_path):
    need_peer("bearerbox", present=find_kannel())
    texts = [
        f"Your code is {100_000 + i}." if i % 3 else f"您的验证码是 {100_000 + i}" for i in range(N_KANNEL)
    ]
    messages = [(f"+86137{i:08}", text) for i, text in enumerate(texts)]
    async with world(tmp_path, account="window = 50") as its:
        handsets = [its.network.add_handset(to) for to, _ in messages]
        async with running_bearerbox(
            tmp_path / "kannel", its.port, system_id="app", password="secret"
        ) as box:
            await box.send_all(messages)

            async def all_receipts() -> bool:
                return (await box.counts())[1] >= N_KANNEL

            try:
                await until(all_receipts, 60.0)
            except TimeoutError:
                raise AssertionError(
                    f"{await box.counts()}\n{box.log()[-3000:]}\n{its.daemon.log()}"
                ) from None
            assert await box.counts() == (N_KANNEL, N_KANNEL)
            assert [handset.inbox for handset in handsets] == [[text] for text in texts]
            # Each receipt named a message that bearerbox remembered.
            assert "could not find message" not in box.log().lower()
            assert "dlr: not found" not in box.log().lower()


async def test_kannels_long_text_arrives_whole_over_tls(tmp_path):
    need_peer("bearerbox", present=find_kannel())
    cert, key = make_certificate(tmp_path)
    async with world(tmp_path, server=f'tls_cert = "{cert}"\ntls_key = "{key}"') as its:
        handset = its.network.add_handset(HANDSET)
        async with running_bearerbox(
            tmp_path / "kannel", its.port, system_id="app", password="secret", extra="use-ssl = true"
        ) as box:
            text = "一条很长的中文短信,分成几段。" * 12
            await box.send_all([(HANDSET, text)])
            await until(lambda: handset.inbox == [text])
            assert len(await its.daemon.messages()) == 1


# ---- tshark


async def test_tshark_objects_to_nothing_that_our_server_says(tmp_path):
    need_peer("tshark")
    message: dict[str, Any] = {"source_addr": "10690000", "registered_delivery": 1}
    number = HANDSET.removeprefix("+")
    to: dict[str, Any] = {"dest_addr_ton": 1, "dest_addr_npi": 1, "destination_addr": number}
    async with world(tmp_path) as its, tapped(its.port) as tap:
        handset = its.network.add_handset(HANDSET)
        async with connected_esme(tap.port) as esme:
            await esme.bind(system_id="app", password="wrong")
            assert await esme.closed_by_peer()
        async with connected_esme(tap.port) as esme:
            await esme.bind(system_id="app")
            told = await esme.ask(
                SubmitSm(**message, **to, short_message=b"later", schedule_delivery_time="000000010000000R")
            )
            for body in (
                QuerySm(message_id=told.body.message_id),
                ReplaceSm(message_id=told.body.message_id, short_message=b"other"),
                CancelSm(message_id=told.body.message_id),
            ):
                assert (await esme.ask(body)).command_status == 0
            await esme.take_delivery()
            tlvs = ((Tag.MESSAGE_PAYLOAD, b"hello"),)
            assert (await esme.ask(DataSm(**message, **to, tlvs=tlvs))).command_status == 0
            await esme.take_delivery()
            many = (SmeAddress(1, 1, number), SmeAddress(1, 1, "x"), DistributionList("all"))
            answer = await esme.ask(SubmitMulti(**message, dest_addresses=many, short_message=b"hello"))
            assert len(answer.body.unsuccess_sme) == 2
            await esme.take_delivery()
            await handset.send("10690000", "退订" * 50)
            for _ in range(2):
                await esme.take_delivery()
            await esme.ask(SubmitSm(**message, destination_addr="x", short_message=b"hello"))
            await esme.ask(EnquireLink())
            await esme.ask(Unbind())
            assert await esme.closed_by_peer()
    capture = tmp_path / "smpp.pcap"
    write_tcp_capture(capture, tap.conversations, 2775)
    options = ("-d", "tcp.port==2775,smpp")
    assert find_complaints(capture, options) == []
    packets = dissect(
        capture, ["smpp.command_id", "smpp.message_state", "smpp.receipted_message_id"], options
    )
    commands = [one for packet in packets for one in packet["smpp.command_id"]]
    assert commands.count("0x00000005") == commands.count("0x80000005") == 5
    assert {"0x80000003", "0x80000007", "0x80000008", "0x80000021", "0x80000103", "0x80000015"} <= set(
        commands
    )
    receipts = [one for packet in packets for one in packet["smpp.receipted_message_id"]]
    assert receipts[0] == told.body.message_id
