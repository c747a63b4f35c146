"""Errors of links name host and port, the cause and the next step; what developers read elsewhere is in words too."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from drivers.base import ChannelDown
from drivers.errors import WireLost
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.dial import connect
from drivers.smpp.client.driver import SmppDriver
from gateway.cli.main import main
from tests.support.certificates import make_certificates
from tests.support.daemon import free_port, until
from tests.support.recording_sink import RecordingSink
from tests.support.running import running_driver

pytestmark = pytest.mark.integration

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
    writer.close()


async def speak_smpp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A generic_nack, as an SMSC answers what it can't read."""
    await reader.read(16)
    writer.write(bytes.fromhex("00000010800000000000000200000000"))
    writer.close()


@asynccontextmanager
async def listening(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def why_not_dialled(port: int, *, tls: bool, host: str = "127.0.0.1") -> str:
    context = ssl.create_default_context() if tls else None
    with pytest.raises(WireLost) as caught:
        await connect(lambda: None, host=host, port=port, tls=context, timeout_s=10.0)  # type: ignore[arg-type, return-value]
    return str(caught.value)


async def test_a_carrier_that_is_not_there(unused_port: int) -> None:
    why = await why_not_dialled(unused_port, tls=False)
    assert why == (
        f"connect to 127.0.0.1:{unused_port}: connection refused: nothing listens there; "
        "check host and port, or ask the carrier"
    )
    assert f"127.0.0.1:{unused_port}: connection refused" in await why_not_dialled(unused_port, tls=True)
    why = await why_not_dialled(2775, tls=False, host="no-such-host.invalid")
    assert why.startswith("connect to no-such-host.invalid:2775: no address is known for that host; check")


@pytest.mark.parametrize("talk", [hang_up, speak_http, speak_smpp])
async def test_tls_to_a_port_without_it(talk: Talk) -> None:
    async with listening(talk) as port:
        why = await why_not_dialled(port, tls=True)
    assert f"127.0.0.1:{port}: " in why
    assert "does not speak TLS on this port; write its TLS port, or tls = false" in why


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    async with listening(hang_up, certificates.server_context()) as port:
        why = await why_not_dialled(port, tls=True)
    assert "can't be trusted" in why
    assert "tls_ca" in why


@pytest.mark.parametrize("is_tls", [False, True])
async def test_a_carrier_that_hangs_up_before_the_bind(tmp_path: Path, is_tls: bool) -> None:
    context = make_certificates(tmp_path).server_context() if is_tls else None

    async def read_and_hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.close()

    async with listening(read_and_hang_up, context) as port:
        settings = SmppConfig(name="carrier", host="127.0.0.1", port=port, system_id="a", password="b")
        sink = RecordingSink()
        async with running_driver(SmppDriver(settings), sink):
            await until(lambda: any(isinstance(event, ChannelDown) for event in sink.handled))
    (down,) = [event for event in sink.handled if isinstance(event, ChannelDown)]
    assert down.fault.detail.startswith(f"127.0.0.1:{port}: ")
    assert down.fault.detail.endswith(
        "before it answered the bind; ask the carrier whether it knows this machine; "
        "if that is a TLS port, write tls = true"
    )


@pytest.fixture
def unused_port() -> int:
    return free_port()


async def _run(url: str, capsys: pytest.CaptureFixture[str]) -> str:
    code = await asyncio.to_thread(main, ["messages", "--key", "k", "--url", url])
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    return err


async def test_a_client_that_finds_something_else(tmp_path: Path, capsys) -> None:
    certificates = make_certificates(tmp_path)
    async with listening(speak_http) as port:
        assert f"127.0.0.1:{port} does not speak TLS; write http:// in --url" in await _run(
            f"https://127.0.0.1:{port}", capsys
        )
    async with listening(hang_up, certificates.server_context()) as port:
        err = await _run(f"http://127.0.0.1:{port}", capsys)
        assert f"127.0.0.1:{port} closed the connection without an answer" in err
        assert "https://" in err
        err = await _run(f"https://127.0.0.1:{port}", capsys)
        assert f"the certificate of 127.0.0.1:{port} can't be trusted: " in err
    async with listening(speak_smpp) as port:
        err = await _run(f"http://127.0.0.1:{port}", capsys)
        assert f"127.0.0.1:{port} does not speak HTTP; check host and port" in err


async def test_the_port_is_named_also_where_the_address_leaves_it_out(capsys) -> None:
    err = await _run("http://127.0.0.1", capsys)
    assert "127.0.0.1:80" in err
