"""What one bind asks, in its order: submissions that gathered while the last ones were stored go together.

Whoever asks more than his window or his rate allows, or has too much waiting, is told so at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from drivers.paced_log import PacedLog
from drivers.smpp.server.listener import BindKind, ServerBind
from drivers.smpp.server.submit import (
    Refusal,
    Submission,
    Submitted,
    count_destinations,
    read_submission,
)
from drivers.smpp.session.machine import RequestReceived
from drivers.smpp.session.rules import RESPONSE_BODY
from drivers.smpp.wire.constants import RESPONSE_BIT, CommandStatus
from drivers.smpp.wire.fields import UnsuccessSme
from drivers.smpp.wire.pdus import (
    Body,
    CancelSm,
    CancelSmResp,
    DataSm,
    DataSmResp,
    GenericNack,
    QuerySm,
    ReplaceSm,
    ReplaceSmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from gateway.clock import Clock
from gateway.errors import QuotaExceeded, StoreError
from gateway.esme.allowance import AccountState
from gateway.esme.intake import Submissions, Told
from gateway.esme.requests import Requests
from gateway.esme.submit import status_for

_log = PacedLog(__name__, most=100)

_BATCH: Final = 250
_MOST_ADDRESS_CHARS: Final = 20
_YIELD_EVERY: Final = 50
"""Messages that are read in one turn of the event loop."""

Count = Callable[[str, str], None]
"""(system_id, name of a status)."""


class EsmeSession:
    """Serves one bind.

    Args:
        state: of its account.
        count: counts answers to submissions.
    """

    def __init__(
        self,
        bind: ServerBind,
        state: AccountState,
        *,
        submissions: Submissions,
        requests: Requests,
        clock: Clock,
        count: Count,
    ) -> None:
        self._bind = bind
        self._state = state
        self._submissions = submissions
        self._requests = requests
        self._clock = clock
        self._count = count
        self._queue: deque[RequestReceived] = deque()
        # By identity, as an application may use a sequence number twice; with how many messages each asks for.
        self._unanswered: dict[int, int] = {}
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._slow: set[asyncio.Task[None]] = set()
        self._worker = asyncio.create_task(self._work(), name=f"smpp server {bind.system_id}")

    def take(self, request: RequestReceived) -> None:
        """Take one request, or refuse it at once."""
        refusal = self._overload(request.body)
        if refusal is not None:
            self._count_answer(request, refusal)
            self._bind.refuse(request, _response_to(request.body), refusal)
            return
        n = count_destinations(request.body) if isinstance(request.body, Submission) else 0
        self._unanswered[id(request)] = n
        self._state.in_hand += n
        self._idle.clear()
        self._queue.append(request)
        self._news.set()

    async def finish(self) -> None:
        """Wait until everything that was taken is answered."""
        await self._idle.wait()

    def close(self) -> None:
        """The connection is gone. What is being stored is counted and goes out; the rest was never answered."""
        while self._queue:
            self._release(self._queue.popleft())
        self._closed = True
        self._news.set()
        self._idle.set()

    # ---- inside ----

    def _overload(self, body: Body) -> CommandStatus | None:
        if len(self._unanswered) >= self._state.account.window:
            return CommandStatus.RTHROTTLED
        if not isinstance(body, Submission):
            return None
        if self._bind.kind is BindKind.RECEIVER:
            return CommandStatus.RINVBNDSTS  # SMPP lets receivers send data_sm; ours have no such right
        return self._state.refuse(body, self._clock.monotonic())

    def _release(self, request: RequestReceived) -> bool:
        """It is answered now, or never will be; whether it still was to be."""
        n = self._unanswered.pop(id(request), None)
        self._state.in_hand -= n or 0
        return n is not None

    async def _work(self) -> None:
        while not self._closed:
            await self._news.wait()
            self._news.clear()
            while self._queue:
                gathered = self._gather()
                body = gathered[0].body
                if isinstance(body, CancelSm) and body.message_id:
                    # A carrier may take a minute to answer; nothing else of the bind waits for that, and what it
                    # answers is written even if the application is gone by then. Without an id it takes back what
                    # waits now, not what is submitted behind it.
                    task = asyncio.create_task(self._serve_safely(gathered))
                    self._slow.add(task)
                    task.add_done_callback(self._slow.discard)
                else:
                    await self._serve_safely(gathered)

    async def _serve_safely(self, gathered: list[RequestReceived]) -> None:
        try:
            await self._serve(gathered)
        except Exception:  # noqa: BLE001 - the supervisor of one bind: a bug must not silence it
            _log.exception("smpp server: a request of %s broke", self._bind.system_id)
            for request in gathered:
                self._answer(request, _response_to(request.body), CommandStatus.RSYSERR)
        if not self._unanswered:
            self._idle.set()

    def _gather(self) -> list[RequestReceived]:
        """The next request; or all submissions up to the next request of another kind, of so many messages."""
        gathered = [self._queue.popleft()]
        if isinstance(gathered[0].body, Submission):
            room = _BATCH - self._unanswered[id(gathered[0])]
            while self._queue and isinstance(self._queue[0].body, Submission):
                room -= self._unanswered[id(self._queue[0])]
                if room < 0:
                    break
                gathered.append(self._queue.popleft())
        return gathered

    async def _serve(self, gathered: list[RequestReceived]) -> None:
        if isinstance(gathered[0].body, Submission):
            await self._serve_submissions(gathered)
            return
        (request,) = gathered
        try:
            answer = await self._ask(request.body)
        except Refusal as refusal:
            self._answer(request, _response_to(request.body), refusal.command_status)
        except StoreError as error:
            self._answer(request, _response_to(request.body), status_for(error))
        else:
            self._answer(request, answer, CommandStatus.ROK)

    async def _ask(self, body: Body) -> Body:
        account = self._state.account
        match body:
            case QuerySm():
                return await self._requests.query(account, body)
            case CancelSm():
                await self._requests.cancel(account, body)
                return CancelSmResp()
            case ReplaceSm():
                await self._requests.replace(account, body)
                return ReplaceSmResp()
            case _:
                raise Refusal(CommandStatus.RINVCMDID, "not served here")

    async def _serve_submissions(self, gathered: list[RequestReceived]) -> None:
        read: list[tuple[RequestReceived, Submitted]] = []
        now = self._clock.now()
        for n, request in enumerate(gathered, 1):
            body = request.body
            assert isinstance(body, Submission)
            if not n % _YIELD_EVERY:
                await asyncio.sleep(0)
            try:
                read.append((request, read_submission(body, now, latin_1=self._state.account.latin_1)))
            except Refusal as refusal:
                self._answer_submission(request, refusal)
        try:
            told = await self._submissions.submit(self._state.account, [submitted for _, submitted in read])
        except (StoreError, QuotaExceeded) as error:
            _log.warning("smpp server: %s can't submit: %s", self._bind.system_id, error)
            told = [Refusal(status_for(error), error.code)] * len(read)
        for (request, _), outcome in zip(read, told, strict=True):
            self._answer_submission(request, outcome)

    def _answer_submission(self, request: RequestReceived, outcome: Told | Refusal) -> None:
        if isinstance(outcome, Refusal):
            _log.debug(
                "smpp server: %s refused with %s: %s",
                self._bind.system_id,
                outcome.command_status.name,
                outcome,
            )
            self._answer(request, _response_to(request.body), outcome.command_status)
            return
        self._state.waiting += outcome.n_messages
        self._answer(request, _tell(request.body, outcome), CommandStatus.ROK)

    def _answer(self, request: RequestReceived, body: Body, status: CommandStatus) -> None:
        """Answer what was taken, once."""
        if self._release(request):
            self._respond(request, body, status)

    def _respond(self, request: RequestReceived, body: Body, status: CommandStatus) -> None:
        self._count_answer(request, status)
        self._bind.respond(request, body, status)

    def _count_answer(self, request: RequestReceived, status: CommandStatus) -> None:
        if isinstance(request.body, Submission):
            self._count(self._bind.system_id, status.name)


def _tell(asked: Body, told: Told) -> Body:
    match asked:
        case SubmitSm():
            return SubmitSmResp(message_id=told.message_id)
        case DataSm():
            return DataSmResp(message_id=told.message_id)
        case _:
            assert isinstance(asked, SubmitMulti)
            # Cut to what the answer holds: it must not fail now, for the others are on disk.
            failed = tuple(
                UnsuccessSme(ton, npi, address[:_MOST_ADDRESS_CHARS], int(status))
                for (ton, npi, address), status in told.failed
            )
            return SubmitMultiResp(message_id=told.message_id, unsuccess_sme=failed)


def _response_to(asked: Body) -> Body:
    return RESPONSE_BODY.get(asked.command_id | RESPONSE_BIT, GenericNack)()
