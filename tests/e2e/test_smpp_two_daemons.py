"""One gateway is the application of another: our client against our server, with messages and receipts both ways."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from gateway.access.passwords import hash_password
from simulators.network import Network
from simulators.smsc.server import SimulatedSmsc
from tests.support.certificates import SERVER_NAME, make_certificates
from tests.support.daemon import Daemon, free_port, smpp_toml, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

SETTLE_S = 60.0
HANDSET = "+8613800138000"
ABSENT = "+8613800000000"
TEXTS = [
    "Code 4711, 5 € [x]",
    "您的验证码是 4711 😀",
    "one of 160 and more " * 20,
    "一条很长的中文短信,分成几段😀" * 12,
]


async def inbound_texts(daemon: Daemon) -> list[str]:
    _, page = await daemon.get("/v1/inbound")
    return [one["text"] for one in page["items"] if one["complete"]]


async def test_messages_and_receipts_travel_through_two_gateways_over_tls(tmp_path):
    certificates = make_certificates(tmp_path)
    port = free_port()
    async with AsyncExitStack() as stack:
        network = Network()
        stack.push_async_callback(network.close)
        network.set_unreachable(ABSENT)
        handset = network.add_handset(HANDSET)
        smsc = await stack.enter_async_context(SimulatedSmsc(network))

        for name in ("carrier", "customer"):
            (tmp_path / name).mkdir()
        carrier = Daemon(
            tmp_path / "carrier",
            smpp_toml("upstream", smsc.port)
            + f'[[smpp_server]]\nlisten = "127.0.0.1:{port}"\n'
            + f'tls_cert = "{certificates.server}"\ntls_key = "{certificates.server_key}"\n'
            + f'[[smpp_accounts]]\nsystem_id = "customer"\npassword_hash = "{hash_password("secret")}"\n'
            + 'inbound = ["10690000"]\n',
        )
        stack.push_async_callback(carrier.close)
        await carrier.start()
        customer = Daemon(
            tmp_path / "customer",
            smpp_toml(
                "carrier", port, system_id="customer",
                tls="true", tls_ca=f'"{certificates.ca}"', tls_name=f'"{SERVER_NAME}"',
            ),
        )  # fmt: skip
        stack.push_async_callback(customer.close)
        await customer.start()

        _, batch = await customer.post(
            "/v1/messages/batch", {"messages": [{"to": HANDSET, "text": text} for text in TEXTS]}
        )
        _, to_absent = await customer.post("/v1/messages", {"to": ABSENT, "text": "nobody there"})
        await customer.wait_status([one["id"] for one in batch["messages"]], {"delivered"}, SETTLE_S)
        await customer.wait_status([to_absent["id"]], {"undelivered"}, SETTLE_S)
        assert sorted(handset.inbox) == sorted(TEXTS)
        # The carrier's gateway saw each text as one message, and knows the same of its fate.
        assert {m["text"]: m["status"] for m in await carrier.messages()} == {
            **dict.fromkeys(TEXTS, "delivered"),
            "nobody there": "undelivered",
        }

        for text in TEXTS:
            await handset.send("10690000", text)
        await until(lambda: _all_read(customer), SETTLE_S)

        # Away for a while, the customer misses nothing.
        assert await customer.stop() == 0, customer.log()
        await handset.send("10690000", "are you there?")
        await customer.start()
        await until(lambda: _has_read(customer, "are you there?"), SETTLE_S)
        for daemon in (customer, carrier):
            assert await daemon.stop() == 0, daemon.log()


async def _all_read(daemon: Daemon) -> bool:
    return sorted(await inbound_texts(daemon)) == sorted(TEXTS)


async def _has_read(daemon: Daemon, text: str) -> bool:
    return text in await inbound_texts(daemon)
