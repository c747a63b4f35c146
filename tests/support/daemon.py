"""The real daemon as a process of its own: config, start, stop, kill, and its API over real HTTP."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from gateway.clock import SystemClock
from gateway.runtime.first_start import make_first_key
from gateway.runtime.stores import opened_store
from gateway.settings.secrets import Secret
from gateway.settings.store import StoreSettings

START_S = 60.0
STOP_S = 30.0
COMMAND = [sys.executable, "-c", "import sys; from gateway.cli.main import main; sys.exit(main())"]


class Daemon:
    """One daemon on one folder; may be started again after it ended.

    Args:
        folder: of its config, store and logs; the store is encrypted where there is a ``store.key``.
        channels: TOML of its modems and binds.
        extra: more TOML.
        store_url: None for a file in the folder.
        secret: of a key that the store has; it gets one where there is none.
    """

    def __init__(
        self, folder: Path, channels: str, extra: str = "", *, store_url: str | None = None, secret: str = ""
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self.config = folder / "hongyan.toml"
        self.delivery = folder / "delivery.jsonl"
        self.database = folder / "hongyan.db"
        self.store_url = store_url or f"sqlite:///{self.database}"
        key = folder / "store.key"
        self._key = Secret(key.read_text()) if key.exists() else None
        place = f'folder = "{folder}"\n' if store_url and not store_url.startswith("sqlite:") else ""
        self.config.write_text(
            f'[http]\nlisten = "127.0.0.1:{self.port}"\n[store]\nurl = "{self.store_url}"\n{place}'
            + (f'encryption_key_file = "{key}"\n' if self._key else "")
            + f'[log]\nformat = "json"\nlevel = "info"\ndelivery = "{self.delivery}"\n{extra}\n{channels}\n',
            encoding="utf-8",
        )
        self.process: asyncio.subprocess.Process | None = None
        self._secret = secret
        self._http: aiohttp.ClientSession | None = None

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def secret(self) -> str:
        return self._secret

    async def start(
        self, *, n_up: int | None = None, env: dict[str, str] | None = None, within_s: float = START_S
    ) -> None:
        """Start it and wait until it is ready and ``n_up`` channels are up (None: all)."""
        await self.make_key()
        with (self.folder / "daemon.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *COMMAND, "serve", "--config", str(self.config), stdin=asyncio.subprocess.DEVNULL,
                stdout=log, stderr=log, env=env,
            )  # fmt: skip
        async with asyncio.timeout(within_s):
            while not await self._is_up(n_up):
                assert self.process.returncode is None, self.log()
                await asyncio.sleep(0.02)

    async def make_key(self) -> None:
        """Make the key that the requests here bear, unless there is one."""
        if not self._secret:
            settings = StoreSettings(url=self.store_url, encryption_key=self._key)
            async with opened_store(settings) as store:
                self._secret = await make_first_key(store, SystemClock()) or ""
        if self._http is None:
            self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._secret}"})

    async def _is_up(self, n_up: int | None) -> bool:
        try:
            status, _ = await self.get("/readyz")
            if status != 200:
                return False
            status, channels = await self.get("/v1/channels")
            if status != 200:  # a machine so busy that the store was not asked in time
                return False
        except aiohttp.ClientError:
            return False
        up = [c for c in channels["items"] if c["state"] == "up"]
        return len(up) >= (len(channels["items"]) if n_up is None else n_up)

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), STOP_S)

    async def kill(self) -> None:
        """SIGKILL: what a power cut looks like to the process."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()

    async def close(self) -> None:
        if self.process is not None and self.process.returncode is None:
            await self.kill()
        if self._http is not None:
            await self._http.close()

    async def get(self, path: str) -> tuple[int, Any]:
        assert self._http is not None
        async with self._http.get(self.base + path) as answer:
            return answer.status, await _body(answer)

    async def post(self, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        return await self.request("POST", path, json=body, headers=headers)

    async def give_consent(self, *numbers: str) -> None:
        """Record that these numbers agreed to marketing."""
        consents = [{"number": number, "source": "form"} for number in numbers]
        status, done = await self.post("/v1/consents", {"consents": consents})
        assert (status, done["rejected"]) == (200, []), done

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, Any]:
        assert self._http is not None
        async with self._http.request(method, self.base + path, **options) as answer:
            return answer.status, await _body(answer)

    @asynccontextmanager
    async def stream(self, path: str) -> AsyncIterator[aiohttp.StreamReader]:
        """A call whose answer does not end by itself, open as long as the block."""
        assert self._http is not None
        async with self._http.get(self.base + path) as answer:
            assert answer.status == 200
            yield answer.content

    async def message(self, message_id: str) -> dict[str, Any]:
        status, message = await self.get(f"/v1/messages/{message_id}")
        assert status == 200, (status, message)
        return dict(message)

    async def messages(self) -> list[dict[str, Any]]:
        """All messages, newest first."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            _, page = await self.get(f"/v1/messages?limit=1000{cursor}")
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = f"&cursor={page['next']}"

    async def wait_status(self, ids: Iterable[str], statuses: set[str], timeout_s: float = 60.0) -> None:
        """Wait until each of these messages has one of these statuses."""
        wanted = set(ids)

        async def done() -> bool:
            return wanted <= {m["id"] for m in await self.messages() if m["status"] in statuses}

        try:
            await until(done, timeout_s)
        except TimeoutError:
            left = Counter(m["status"] for m in await self.messages() if m["id"] in wanted)
            raise AssertionError(f"not all {statuses} after {timeout_s} s: {left}\n{self.log()}") from None

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text(encoding="utf-8", errors="replace")[-6_000:]

    def delivery_lines(self) -> list[dict[str, Any]]:
        if not self.delivery.exists():
            return []
        return [json.loads(line) for line in self.delivery.read_text(encoding="utf-8").splitlines()]


async def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
    """Wait for a condition (plain or async) with a deadline."""
    async with asyncio.timeout(timeout_s):
        while True:
            value = condition()
            if asyncio.iscoroutine(value):
                value = await value
            if value:
                return
            await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def modem_toml(name: str, port: str, **more: str) -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'[[modems]]\nname = "{name}"\nport = "{port}"\n{lines}'


def smpp_toml(name: str, port: int, system_id: str = "hongyan", password: str = "secret", **more: str) -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return (
        f'[[smpp]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {port}\nsystem_id = "{system_id}"\n'
        f'password = "{password}"\nsource_address = "10690000"\n{lines}'
    )


async def _body(answer: aiohttp.ClientResponse) -> Any:
    if "json" in answer.content_type:
        return await answer.json(content_type=None)
    return await answer.text()
