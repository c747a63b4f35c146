"""One call over HTTP: bounded in time and octets, without redirects."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
from yarl import URL

from gateway.outbox.client import make_session
from gateway.outbox.deliver import MAX_AT_ONCE, MAX_PER_HOST
from gateway.outbox.egress import Egress, TargetRefused
from gateway.outbox.outcall import OutCall

TIMEOUT = aiohttp.ClientTimeout(total=30.0, sock_connect=10.0)
MAX_ANSWER_OCTETS = 65_536


class Answer(NamedTuple):
    """What an application said.

    Args:
        fault: why the call counts as failed; empty when it was heard.
    """

    fault: str
    content_type: str = ""
    body: bytes = b""


class Sessions:
    """The clients of all calls: of those whose address came from outside each connection is checked.

    Args:
        egress: where those may go.
    """

    def __init__(self, egress: Egress) -> None:
        make = partial(make_session, most_at_once=MAX_AT_ONCE, most_per_host=MAX_PER_HOST, timeout=TIMEOUT)
        self._ours, self._others = make(None), make(egress)

    async def ask(self, call: OutCall) -> Answer:
        """Make a call. Cancel: nobody knows whether the application has heard it."""
        session = self._ours if call.ours else self._others
        try:
            async with session.request(
                call.method,
                URL(call.url, encoded=True),
                headers=call.headers,
                data=call.body if call.method == "POST" else None,
                # Nobody said that it may go there, and what a POST carries would be lost on the way.
                allow_redirects=False,
            ) as response:
                body = await _read_bounded(response)
                if response.status // 100 == 3:
                    return Answer(f"status {response.status}: it points elsewhere, which is not followed")
                if response.status // 100 != 2:
                    return Answer(f"status {response.status}")
                has_text = response.status == HTTPStatus.OK and "Content-Encoding" not in response.headers
                return Answer("", response.headers.get("Content-Type", ""), body if has_text else b"")
        except TimeoutError:
            return Answer("no answer in time")
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, TargetRefused)
            return Answer(str(error.os_error) if refused else type(error).__name__)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(type(error).__name__)

    async def close(self) -> None:
        """Close the connections."""
        await self._ours.close()
        await self._others.close()


def host_of(url: str) -> str:
    """Where a call goes: host and port, in lower case; empty where the URL has none."""
    try:
        return URL(url, encoded=True).authority.rpartition("@")[2].lower()
    except ValueError:
        return ""


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of the body: what is behind it would not fit into a message."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(8_192):
        body += chunk
        if len(body) > MAX_ANSWER_OCTETS:
            response.close()
            break
    return bytes(body[:MAX_ANSWER_OCTETS])
