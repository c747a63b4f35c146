"""An application as Kannel's users have it: a web server that is called, and answers what the test says."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from aiohttp import web
from aiohttp.test_utils import TestServer


class Seen(NamedTuple):
    """One call, octets as they came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Application:
    """Answers with what `answers` holds, first one next, then with `default_status` and nothing.

    Attributes:
        calls: in the order in which they came.
    """

    url: str = ""
    calls: list[Seen] = field(default_factory=list)
    answers: deque[web.Response] = field(default_factory=deque)
    default_status: int = 200
    open: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def paths(self) -> list[str]:
        return [call.path for call in self.calls]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.title(): value for name, value in request.headers.items()}
        self.calls.append(Seen(request.method, request.raw_path, headers, body))
        answer = self.answers.popleft() if self.answers else web.Response(status=self.default_status)
        await self.open.wait()
        return answer


@asynccontextmanager
async def application() -> AsyncIterator[Application]:
    """One that is served on a port of its own; it hangs while `open` is cleared."""
    app = Application()
    app.open.set()
    served = web.Application()
    served.router.add_route("*", "/{tail:.*}", app.handle)
    async with TestServer(served) as server:
        app.url = f"http://127.0.0.1:{server.port}"
        yield app
