"""The daemon bound to SMSCs that are not ours, as its user sees it: texts, receipts, answers, and TLS."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from drivers.base import Concat
from drivers.codec.udh import encode_concat_udh
from tests.support.certificates import SERVER_NAME, Certificates, make_certificates
from tests.support.daemon import Daemon, smpp_toml, until
from tests.support.other_smsc import KINDS, other_smsc, send_inbound

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.other_program import OtherProgram

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

SETTLE_S = 60.0
HANDSET = "+8613800138000"
TEXTS = [
    "Code 4711, 5 € [x]",
    "您的验证码是 4711 😀",
    "one of 160 and more " * 20,
    "一条很长的中文短信,分成几段😀" * 12,
]


@asynccontextmanager
async def running_daemon(folder: Path, channels: str, *, n_up: int | None = None) -> AsyncIterator[Daemon]:
    daemon = Daemon(folder, channels)
    try:
        await daemon.start(n_up=n_up)
        yield daemon
        assert await daemon.stop() == 0, daemon.log()
    finally:
        await daemon.close()


async def send(daemon: Daemon, text: str) -> dict[str, Any]:
    status, message = await daemon.post("/v1/messages", {"to": HANDSET, "text": text})
    assert status == 202, message
    return dict(message)


@pytest.mark.parametrize("kind", KINDS)
async def test_texts_go_out_receipts_and_answers_come_in(tmp_path, kind):
    async with (
        other_smsc(kind) as (peer, port),
        running_daemon(tmp_path, smpp_toml("carrier", port)) as daemon,
    ):
        assert (await peer.wait_for("bind"))["system_id"] == "hongyan"
        sent = [await send(daemon, text) for text in TEXTS]
        await daemon.wait_status([message["id"] for message in sent], {"delivered"}, SETTLE_S)
        n_parts = sum(len(message["segments"]) for message in sent)
        assert n_parts > len(TEXTS) + 2
        assert joined([await told_submit(peer) for _ in range(n_parts)]) == sorted(TEXTS)

        send_inbound(peer, "TD 退订", 8)
        for part, text in ((2, "and its end"), (1, "A long answer ")):
            send_inbound(peer, text, 0, encode_concat_udh(Concat(reference=9, total=2, part=part)))
        for _ in range(3):
            assert (await peer.wait_for("inbound_answered"))["command_status"] == 0

        async def all_read() -> bool:
            _, page = await daemon.get("/v1/inbound")
            return {one["text"] for one in page["items"] if one["complete"]} == {
                "TD 退订",
                "A long answer and its end",
            }

        await until(all_read, SETTLE_S)


async def told_submit(peer: OtherProgram) -> dict[str, Any]:
    submit = await peer.wait_for("submit")
    assert (submit["to"], submit["from"]) == (HANDSET.removeprefix("+"), "10690000")
    return submit


def joined(submits: list[dict[str, Any]]) -> list[str]:
    """The texts that a handset would show, by the concatenation headers that the peer found."""
    texts: dict[str, str] = {}
    for submit in sorted(submits, key=lambda submit: "".join(submit["udh"])):
        header = "".join(submit["udh"])  # ends in total and part
        message = header[:-2] or submit["id"]
        texts[message] = texts.get(message, "") + submit["text"]
    return sorted(texts.values())


# ---- TLS, the other end by OpenSSL in Node


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def tls_toml(name: str, port: int, **more: object) -> str:
    options = {"tls_name": SERVER_NAME} | more
    return smpp_toml(name, port, tls="true", **{key: f'"{value}"' for key, value in options.items()})


async def fault_of(daemon: Daemon, name: str) -> str:
    """Why this channel is down, in the words of its user."""
    fault = ""

    async def has_fault() -> bool:
        nonlocal fault
        _, channel = await daemon.get(f"/v1/channels/{name}")
        assert channel["state"] != "up"
        fault = str(channel["error"] or "")
        return bool(fault)

    await until(has_fault, SETTLE_S)
    return fault


async def test_over_tls_with_certificates_on_both_sides(tmp_path, certificates):
    ours = {"tls_cert": certificates.client, "tls_key": certificates.client_key}
    async with other_smsc("npm-smpp", certificates.server_key, certificates.server, certificates.ca) as (
        peer,
        port,
    ):
        channel = tls_toml("carrier", port, tls_ca=certificates.ca, **ours)
        async with running_daemon(tmp_path, channel) as daemon:
            message = await send(daemon, TEXTS[1])
            await daemon.wait_status([message["id"]], {"delivered"}, SETTLE_S)
            assert (await peer.wait_for("submit"))["text"] == TEXTS[1]
        await peer.wait_for("unbind")


async def test_a_carrier_whose_certificate_cannot_be_trusted_learns_no_password(tmp_path, certificates):
    (tmp_path / "other").mkdir()
    stranger = make_certificates(tmp_path / "other")
    async with other_smsc("npm-smpp", certificates.server_key, certificates.server) as (peer, port):
        channels = (
            tls_toml("system-authorities", port)
            + tls_toml("other-authority", port, tls_ca=stranger.ca)
            + tls_toml("other-name", port, tls_ca=certificates.ca, tls_name="smsc.example.com")
        )
        async with running_daemon(tmp_path, channels, n_up=0) as daemon:
            for name, reason in (
                ("system-authorities", "unable to get local issuer certificate"),
                ("other-authority", "unable to get local issuer certificate"),
                ("other-name", "Hostname mismatch"),
            ):
                fault = await fault_of(daemon, name)
                assert "the certificate can't be trusted" in fault
                assert reason in fault
        await peer.wait_for("tls_error")
    assert "bind" not in {fact["event"] for fact in peer.told}


async def test_a_carrier_that_demands_a_certificate_and_gets_none_refuses_us(tmp_path, certificates):
    async with other_smsc("npm-smpp", certificates.server_key, certificates.server, certificates.ca) as (
        peer,
        port,
    ):
        channel = tls_toml("carrier", port, tls_ca=certificates.ca)
        async with running_daemon(tmp_path, channel, n_up=0) as daemon:
            assert "certificate required" in await fault_of(daemon, "carrier")
        await peer.wait_for("tls_error")
    assert "bind" not in {fact["event"] for fact in peer.told}
