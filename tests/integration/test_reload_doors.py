"""Accounts and certificates of doors, read anew by a daemon that runs: a bind stays or goes as its account does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from drivers.smpp.wire.constants import CommandStatus
from drivers.smpp.wire.pdus import SubmitSm, Unbind
from gateway.access.passwords import hash_password
from tests.support.certificates import make_certificates
from tests.support.daemon import Daemon, free_port
from tests.support.esme import RawEsme, connected_esme

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@cache
def hashed(password: str) -> str:
    return hash_password(password)


class Doors(NamedTuple):
    daemon: Daemon
    port: int
    tls_port: int

    async def reload(self, *accounts: str) -> list[str]:
        """Have these accounts from now on; what was adopted."""
        head, mark, _ = self.daemon.config.read_text("utf-8").partition("# accounts\n")
        self.daemon.config.write_text(head + mark + "".join(accounts), "utf-8")
        status, done = await self.daemon.post("/v1/reload")
        assert status == 200, done
        assert done["needs_restart"] == []
        return list(done["adopted"])


def account(name: str, password: str = "secret", **more: str) -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[[smpp_accounts]]\nsystem_id = "{name}"\npassword_hash = "{hashed(password)}"\n{lines}'


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Doors]:
    port, tls_port = free_port(), free_port()
    made = make_certificates(tmp_path)
    servers = (
        f'[[smpp_server]]\nlisten = "127.0.0.1:{port}"\n'
        f'[[smpp_server]]\nlisten = "127.0.0.1:{tls_port}"\n'
        f'tls_cert = "{made.server}"\ntls_key = "{made.server_key}"\n'
    )
    daemon = Daemon(tmp_path, f"{servers}# accounts\n{account('shop')}")
    try:
        await daemon.start(n_up=0)
        yield Doors(daemon, port, tls_port)
    finally:
        await daemon.close()


async def bind(esme: RawEsme, name: str, password: str = "secret") -> int:
    return (await esme.bind(system_id=name, password=password)).command_status


async def submit(esme: RawEsme) -> int:
    body = SubmitSm(destination_addr="8613800138000", short_message=b"x")
    return (await esme.ask(body)).command_status


async def test_a_new_account_may_bind_and_one_that_is_gone_is_unbound(doors):
    async with connected_esme(doors.port) as shop, connected_esme(doors.port) as other:
        assert await bind(shop, "shop") == CommandStatus.ROK
        assert await doors.reload(account("shop"), account("bank")) == ["smpp_accounts"]
        assert await bind(other, "bank") == CommandStatus.ROK

        await doors.reload(account("bank"))
        assert isinstance((await shop.receive()).body, Unbind)
        async with connected_esme(doors.port) as again:
            assert await bind(again, "shop") == CommandStatus.RINVPASWD
        # No channel sends here: that the submit is judged at all shows that the bind is there.
        assert await submit(other) != CommandStatus.RINVBNDSTS


async def test_a_bind_stays_with_new_limits_and_goes_with_a_new_password(doors):
    async with connected_esme(doors.port) as shop:
        assert await bind(shop, "shop") == CommandStatus.ROK
        await doors.reload(account("shop", max_queued="1", rate='"1/h"', max_binds="1"))
        async with connected_esme(doors.port) as second:
            assert await bind(second, "shop") == CommandStatus.RALYBND, "the limit is new"
        await submit(shop)
        assert await submit(shop) == CommandStatus.RTHROTTLED, "the rate is new, the bind is not"

        await doors.reload(account("shop", "other"))
        assert isinstance((await shop.receive()).body, Unbind)
        async with connected_esme(doors.port) as again:
            assert await bind(again, "shop", "other") == CommandStatus.ROK


async def test_a_renewed_certificate_is_shown_to_new_connections(doors, tmp_path):
    async def certificate() -> bytes:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection("127.0.0.1", doors.tls_port, ssl=context)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return bytes(shown)

    before = await certificate()
    make_certificates(tmp_path)  # under the same names
    assert await certificate() == before, "not before the reload"
    await doors.reload(account("shop"))
    assert await certificate() != before

    (tmp_path / "server.key").write_text("nonsense")
    status, problem = await doors.daemon.post("/v1/reload")
    assert (status, problem["errors"][0]["pointer"]) == (422, "smpp_server[1].tls_cert")


async def test_kannel_accounts_come_where_there_were_none(doors):
    body = '[[kannel_accounts]]\nusername = "app"\npassword = "pw"\n'
    path = "/cgi-bin/sendsms?username=app&password=pw&to=13800138000&text=x"
    assert (await doors.daemon.get(path))[0] == 403
    assert await doors.reload(account("shop"), body) == ["kannel_accounts"]
    _, answer = await doors.daemon.get(path)
    assert "Authorization failed" not in answer
    assert (await doors.daemon.get("/readyz"))[0] == 200
