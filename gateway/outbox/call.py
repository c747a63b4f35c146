"""One call over HTTP: bounded in time and octets, without redirects."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs
from yarl import URL

from gateway.outbox.client import make_session
from gateway.outbox.deliver import AtOnce
from gateway.outbox.egress import Egress, TargetRefused
from gateway.outbox.outcall import OutCall

TIMEOUT_S = 30.0
MAX_ANSWER_OCTETS = 65_536
UNREAD_S = 1.0
"""How long the rest of an answer is waited for that nobody wants: then the connection need not be made anew."""
_SOCKET_S = 10.0


class Answer(NamedTuple):
    """What an application said.

    Args:
        fault: why the call counts as failed; empty when it was heard.
        status: of HTTP; 0 where there was no answer.
        asked_s: how long it asks to be left alone, in seconds (``Retry-After``); 0 where it does not, or names a time.
    """

    fault: str
    content_type: str = ""
    body: bytes = b""
    status: int = 0
    asked_s: float = 0.0


class Sessions:
    """The clients of all calls: of those whose address came from outside each connection is checked.

    Args:
        egress: where those may go.
        at_once: how many calls there are at the same time.
    """

    def __init__(self, egress: Egress, at_once: AtOnce | None = None) -> None:
        self._egress = egress
        self._at_once = at_once or AtOnce()
        self._made: dict[bool, aiohttp.ClientSession] = {}

    def _find(self, *, ours: bool) -> aiohttp.ClientSession:
        if ours not in self._made:
            self._made[ours] = make_session(
                None if ours else self._egress,
                most_at_once=self._at_once.all,
                most_per_host=self._at_once.of_host,
                timeout=_timeout(TIMEOUT_S),
            )
        return self._made[ours]

    async def ask(self, call: OutCall, *, wants_body: bool = True, timeout_s: float = TIMEOUT_S) -> Answer:
        """Make a call. Cancel: nobody knows whether the application has heard it.

        Args:
            wants_body: otherwise only the status counts, and what follows it may be cut, endless or damaged.
            timeout_s: of the call as a whole.
        """
        session = self._find(ours=call.ours)
        try:
            async with session.request(
                call.method,
                URL(call.url, encoded=True),
                headers=call.headers,
                data=call.body if call.method == "POST" else None,
                # Nobody said that it may go there, and what a POST carries would be lost on the way.
                allow_redirects=False,
                timeout=_timeout(timeout_s),
            ) as response:
                if not wants_body:
                    await _pass_over(response)
                    return Answer(
                        _find_fault(response), status=response.status, asked_s=_read_pause(response)
                    )
                body = await _read_bounded(response)
                if fault := _find_fault(response):
                    return Answer(fault, status=response.status, asked_s=_read_pause(response))
                has_text = response.status == HTTPStatus.OK and "Content-Encoding" not in response.headers
                content_type = response.headers.get("Content-Type", "")
                return Answer("", content_type, body if has_text else b"", response.status)
        except TimeoutError:
            return Answer("no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(_describe(error))

    async def close(self) -> None:
        """Close the connections."""
        for session in self._made.values():
            await session.close()


def _timeout(total_s: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=total_s, sock_connect=min(total_s, _SOCKET_S))


def host_of(url: str) -> str:
    """Where a call goes: host and port, in lower case; empty where the URL has none."""
    try:
        return URL(url, encoded=True).authority.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _find_fault(response: aiohttp.ClientResponse) -> str:
    match response.status // 100:
        case 2:
            return ""
        case 3:
            return f"status {response.status}: it points elsewhere, which is not followed"
        case _:
            return f"status {response.status}"


def _read_pause(response: aiohttp.ClientResponse) -> float:
    asked = response.headers.get(hdrs.RETRY_AFTER, "")
    return float(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 10 else 0.0


def _describe(error: Exception) -> str:
    """Why there was no answer, to people. Nothing that the other side wrote."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate can't be trusted"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, TargetRefused):
            return str(error.os_error)
        case aiohttp.ClientConnectorDNSError():
            return "nobody knows an address for its name"
        case aiohttp.ClientConnectorSSLError():
            return "it does not speak TLS as we do"
        case aiohttp.ClientConnectorError() if error.os_error.strerror:
            return f"no connection: {error.os_error.strerror.lower()}"
        case aiohttp.ServerDisconnectedError():
            return "it closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "its answer ended too early"
        case _:
            return type(error).__name__


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of the body: what is behind it would not fit into a message."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(8_192):
        body += chunk
        if len(body) > MAX_ANSWER_OCTETS:
            response.close()
            break
    return bytes(body[:MAX_ANSWER_OCTETS])


async def _pass_over(response: aiohttp.ClientResponse) -> None:
    """Let a short body come, so that the connection can be used again; close it where there is more."""
    with suppress(aiohttp.ClientError, OSError, ValueError):
        try:
            async with asyncio.timeout(UNREAD_S):
                await _read_bounded(response)
                return
        except TimeoutError:
            pass
    response.close()
