"""Makes the calls: bounded, patient, in order for each message; the answer to an inbound message is sent back."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

import aiohttp
import msgspec
from yarl import URL

from gateway.clock import Clock
from gateway.errors import InvalidRequest, StoreError
from gateway.kannel.inbound_routes import InboundRoute, OutCall, read_reply
from gateway.model.message import InboundMessage
from gateway.model.request import MessageRequest
from gateway.outbox.client import make_session
from gateway.outbox.egress import Egress, TargetRefused
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafts import Draft, save_drafts
from gateway.store.inbound import find_inbound
from gateway.store.kannel import Busy, StoredCall, delay_call, drop_call, find_next_due, load_due_calls
from gateway.store.messages import find_message
from gateway.store.ports import Store, Tx

MAX_AT_ONCE = 64
MAX_PER_OWNER = 8
"""Whoever asks for calls to a thousand hosts that hang holds up his own, not those of other accounts and routes."""
MAX_PER_HOST = 4
"""An application that hangs holds up its own calls, not those to others."""
TIMEOUT = aiohttp.ClientTimeout(total=30.0, sock_connect=10.0)
MAX_ANSWER_OCTETS = 65_536
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 1_800.0
GIVE_UP = timedelta(hours=24)
_STORE_PAUSE_S = 1.0
_SHORTEST_PAUSE_S = 0.05

_decode = msgspec.json.Decoder(OutCall).decode
_log = logging.getLogger(__name__)


class _Answer(NamedTuple):
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

    def choose(self, call: OutCall) -> aiohttp.ClientSession:
        """The one for a call."""
        return self._ours if call.ours else self._others

    async def close(self) -> None:
        """Close the connections."""
        await self._ours.close()
        await self._others.close()


class Caller:
    """Makes the calls that the store holds, until each was heard or is too old.

    Args:
        sessions: owned by the caller of this.
        routes: by them answers are read.
        rng: spreads repeats.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        intake: Intake,
        sessions: Sessions,
        routes: Sequence[InboundRoute],
        rng: random.Random | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._sessions = sessions
        self._routes = {route.name: route for route in routes}
        self._rng = rng or random.Random()
        self._wake = asyncio.Event()
        self._running: dict[asyncio.Task[None], StoredCall] = {}

    def wake(self) -> None:
        """There are new calls, or time has passed."""
        self._wake.set()

    async def run(self) -> None:
        """Call for ever. Cancel: calls under way are made again at the next start."""
        try:
            while True:
                self._wake.clear()
                try:
                    pause_s = await self._start_due()
                except StoreError:
                    pause_s = _STORE_PAUSE_S
                try:
                    async with asyncio.timeout(pause_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            for task in list(self._running):
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _start_due(self) -> float | None:
        """Start what may be started; seconds until there can be more, None for when something wakes us."""
        while (free := MAX_AT_ONCE - len(self._running)) > 0:
            hosts = Counter(call.host for call in self._running.values())
            owners = Counter(call.owner for call in self._running.values())
            busy = Busy(
                [call.subject for call in self._running.values()],
                [host for host, n in hosts.items() if n >= MAX_PER_HOST],
                [owner for owner, n in owners.items() if n >= MAX_PER_OWNER],
            )
            now = self._clock.now()
            due = await self._store.read(partial(load_due_calls, now=now, limit=free, busy=busy))
            for call in due:
                if hosts[call.host] < MAX_PER_HOST and owners[call.owner] < MAX_PER_OWNER:
                    hosts[call.host] += 1
                    owners[call.owner] += 1
                    self._start(call, self._make(call))
            if not due:
                next_due = await self._store.read(partial(find_next_due, busy=busy))
                return max((next_due - now).total_seconds(), _SHORTEST_PAUSE_S) if next_due else None
        return None

    def _start(self, call: StoredCall, job: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(job, name="kannel call")
        self._running[task] = call
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        call = self._running.pop(task)
        error = None if task.cancelled() else task.exception()
        if error is None:
            self._wake.set()
            return
        _log.error("a call to an application could not be settled: %s", type(error).__name__)
        if isinstance(error, StoreError):
            # The row stays: it is called again, after a pause of ours since nothing was written down.
            asyncio.get_running_loop().call_later(_STORE_PAUSE_S, self._wake.set)
        else:  # a bug of ours, met by an answer that nobody foresaw: the same one is not asked for without end
            self._start(call, self._put_off(call, type(error).__name__))

    async def _make(self, call: StoredCall) -> None:
        answer = await self._ask(_decode(call.call))
        if answer.fault:
            await self._put_off(call, answer.fault)
        else:
            await self._settle(call, answer)

    async def _ask(self, call: OutCall) -> _Answer:
        try:
            async with self._sessions.choose(call).request(
                call.method,
                URL(call.url, encoded=True),
                headers=call.headers,
                data=call.body if call.method == "POST" else None,
                # Nobody said that it may go there, and what a POST carries would be lost on the way.
                allow_redirects=False,
            ) as response:
                body = await _read_bounded(response)
                if response.status // 100 == 3:
                    return _Answer(f"status {response.status}: it points elsewhere, which is not followed")
                if response.status // 100 != 2:
                    return _Answer(f"status {response.status}")
                has_text = response.status == HTTPStatus.OK and "Content-Encoding" not in response.headers
                return _Answer("", response.headers.get("Content-Type", ""), body if has_text else b"")
        except TimeoutError:
            return _Answer("no answer in time")
        except aiohttp.ClientConnectorError as error:
            refused = isinstance(error.os_error, TargetRefused)
            return _Answer(str(error.os_error) if refused else type(error).__name__)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _Answer(type(error).__name__)

    async def _put_off(self, call: StoredCall, fault: str) -> None:
        now = self._clock.now()
        pause_s = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(call.attempts, 20))
        due_at = now + timedelta(seconds=pause_s * self._rng.uniform(0.5, 1.0))
        if due_at - call.created_at > GIVE_UP:
            _log.error("gave up a call to %s after %d attempts: %s", call.host, call.attempts + 1, fault)
            await self._store.write(lambda tx: drop_call(tx, call.id))
            return
        level = logging.DEBUG if call.attempts else logging.WARNING
        _log.log(level, "a call to %s failed, trying again in %.0f s: %s", call.host, pause_s, fault)
        await self._store.write(lambda tx: delay_call(tx, call.id, due_at))

    async def _settle(self, call: StoredCall, answer: _Answer) -> None:
        """The call was heard: forget it, and keep the answer's text in the same transaction."""
        draft = await self._draft_reply(call, answer)

        async def op(tx: Tx) -> None:
            await drop_call(tx, call.id)
            if draft is not None:
                await save_drafts(tx, [draft])

        await self._store.write(op)

    async def _draft_reply(self, call: StoredCall, answer: _Answer) -> Draft | None:
        route = self._routes.get(call.route or "")
        if route is None or not route.reply:
            return None
        text = read_reply(
            answer.content_type, answer.body, min(route.max_segments, self._intake.max_segments)
        )
        message = await self._store.read(lambda tx: find_inbound(tx, call.subject)) if text else None
        if message is None:
            return None
        people = [message.sender]
        if (replied := message.in_reply_to) is not None:  # whose number is doubtful is whom we wrote to
            sent = await self._store.read(lambda tx: find_message(tx, replied))
            people += [sent.recipient] if sent is not None else []
        return self._draft(message, people, text, self._clock.now())

    def _draft(
        self, message: InboundMessage, people: Sequence[str], text: str, now: datetime
    ) -> Draft | None:
        """The answer by the channel that the question came by; by the default group where that one can't send.

        Args:
            people: to the first of them that can be sent to.
        """
        for recipient in people:
            for channel in (message.channel, None):
                try:
                    request = MessageRequest(to=recipient, text=text, channel=channel)
                    return self._intake.draft(request, key=None, now=now)
                except InvalidRequest:
                    continue
        _log.info("no answer to an inbound message on %s: its sender can't receive", message.channel)
        return None


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    """The beginning of the body: what is behind it would not fit into a message."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(8_192):
        body += chunk
        if len(body) > MAX_ANSWER_OCTETS:
            response.close()
            break
    return bytes(body[:MAX_ANSWER_OCTETS])
