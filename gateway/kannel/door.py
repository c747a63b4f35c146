"""`sendsms`: who calls, what is wanted, messages and wishes committed together, and Kannel's answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from drivers.base import Encoding
from drivers.codec.segment import Plan, PlannedSegment, plan_segments
from drivers.codec.udh import decode_udh
from drivers.errors import DecodeError, EncodeError
from gateway.access.turnstile import Turnstile
from gateway.clock import Breath, Clock
from gateway.errors import InvalidRequest, QuotaExceeded, StoreError
from gateway.ids import KeyId
from gateway.kannel.accounts import KannelAccount, KannelAccounts
from gateway.kannel.entrance import Entrance
from gateway.kannel.parameters import (
    BAD_BODY,
    BAD_DEFERRED,
    BAD_SENDER,
    BAD_UDH,
    DENIED,
    Refused,
    Wanted,
    read_wanted,
)
from gateway.kannel.reports import Wish
from gateway.model.message import ApiKey, MessageStatus, Scope
from gateway.model.request import MessageRequest
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafts import Draft, save_drafts
from gateway.pipeline.intake.plan import Planner
from gateway.routing.channel import ChannelDirectory, ChannelState
from gateway.store.kannel import save_wishes
from gateway.store.ports import Place, Store, Tx

_MAX_OCTETS = 140
_CONCAT_OCTETS = {8: 5, 16: 6}
"""Of a header's element, by the bits of its reference (3GPP TS 23.040 9.2.3.24.1, 9.2.3.24.8)."""
_MAX_VALID_S = 30 * 86_400
_MAX_RECEIVERS = 2_000
_MOST_SEGMENTS = 10_000
"""Of one call: it is answered as a whole, so it is one commit, for which others wait."""
_PRIORITY = (5, 6, 7, 9)
"""Kannel's 0..3; 0 is what it takes when nothing is said."""
_MAX_REFERENCE_CHARS = 200
_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)

_WORDS = {"to": DENIED, "text": BAD_BODY, "data": BAD_BODY, "udh": BAD_UDH, "schedule_at": BAD_DEFERRED}
_ENCODE_WISH = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """What the client is told."""

    status: int
    words: str


ACCEPTED = Answer(202, "0: Accepted for delivery")
QUEUED = Answer(202, "3: Queued for later delivery")
NOT_ROUTABLE = Answer(403, "Not routable. Do not try again.")
TRY_LATER = Answer(503, "Temporal failure, try again later.")
UNAUTHORIZED = Answer(403, "Authorization failed for sendsms")


class SendDoor:
    """The door of Kannel's clients to the one `Intake`.

    Args:
        channels: tells whether one is up that can take a message now.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        intake: Intake,
        accounts: KannelAccounts,
        channels: ChannelDirectory,
    ) -> None:
        self._store = store
        self._clock = clock
        self._intake = intake
        self._accounts = accounts
        self._entrance = Entrance(accounts, Turnstile(clock))
        self._channels = channels

    async def authorize(self, given: Mapping[str, bytes], address: str | None) -> KannelAccount | None:
        """The account that calls; None for a stranger, who waits for that where many were wrong."""
        return await self._entrance.admit(given, address)

    async def send(self, account: KannelAccount, given: Mapping[str, bytes]) -> Answer:
        """Take what is asked for, and answer; a yes comes after the commit."""
        try:
            wanted = read_wanted(given, charset=account.charset)
            drafts = await self._draft(account, wanted)
            return await self._accept(account, wanted, drafts)
        except Refused as refused:
            return Answer(refused.status, refused.words)
        except (StoreError, QuotaExceeded):
            return TRY_LATER

    async def _draft(self, account: KannelAccount, wanted: Wanted) -> list[Draft]:
        """A message for each receiver; those that are no numbers are left out, as Kannel does."""
        if len(wanted.to) > _MAX_RECEIVERS:
            raise Refused(f"More than {_MAX_RECEIVERS} receivers, rejected")
        if not account.can_send_as(wanted.sender):
            raise Refused(BAD_SENDER)
        plan = _plan(wanted, self._intake.reference_bits, self._intake.max_segments)
        request, key = self._request(account, wanted), _key_of(account)
        self._intake.limits.admit(key)
        drafts: dict[str, Draft] = {}
        planner, breath = self._intake.make_planner(), Breath()
        source = account.source_for(wanted.sender)
        now = self._clock.now()
        for number in wanted.to:
            spellings = _spell(number, international=account.international)
            draft = self._draft_one(request, spellings, key, plan, planner, now)
            await breath.take()
            if draft is not None:
                if draft.message.n_segments * len(wanted.to) > _MOST_SEGMENTS:
                    raise Refused(f"More than {_MOST_SEGMENTS} segments in one call, rejected")
                message = msgspec.structs.replace(draft.message, source_address=source)
                drafts.setdefault(message.recipient, draft._replace(message=message))
        if not drafts:
            raise Refused(DENIED)
        return list(drafts.values())

    def _draft_one(
        self,
        request: MessageRequest,
        spellings: Sequence[str],
        key: ApiKey,
        plan: Plan | None,
        planner: Planner,
        now: datetime,
    ) -> Draft | None:
        for spelling in spellings:
            try:
                addressed = msgspec.structs.replace(request, to=spelling)
                return self._intake.draft(addressed, key=key, plan=plan, now=now, planner=planner)
            except InvalidRequest as refused:
                pointers = {error.pointer.lstrip("/") for error in refused.errors}
                if "to" not in pointers:
                    raise _refuse(pointers) from refused
        return None

    def _request(self, account: KannelAccount, wanted: Wanted) -> MessageRequest:
        channel, group = self._accounts.choose(account, wanted.smsc)
        deferred = wanted.deferred_min
        too_far = deferred is not None and deferred > 366 * 24 * 60
        if too_far:
            raise Refused(BAD_DEFERRED)
        return MessageRequest(
            to="",
            text=wanted.text,
            data=None if wanted.data is None else wanted.data.hex(),
            udh=wanted.udh.hex() or None,
            category=account.category,
            channel=channel,
            sender=group,
            priority=_PRIORITY[wanted.priority],
            encoding="ucs2" if wanted.coding == 2 else "auto",
            flash=wanted.mclass == 0,
            schedule_at=self._clock.now() + timedelta(minutes=deferred) if deferred else None,
            valid_for=_valid_s(wanted.validity_min),
            reference=wanted.binfo[:_MAX_REFERENCE_CHARS] if wanted.binfo else None,
            tags=(wanted.account,) if wanted.account else (),
        )

    async def _accept(self, account: KannelAccount, wanted: Wanted, drafts: Sequence[Draft]) -> Answer:
        wish = _make_wish(account, wanted)
        now = self._clock.now()

        async def op(tx: Tx) -> bool:
            saved = [accepted.message for accepted in await save_drafts(tx, drafts)]
            if all(message.status is MessageStatus.BLOCKED for message in saved):
                return False
            if wish is not None:
                await save_wishes(tx, ((message.id, wish) for message in saved), now)
            return True

        with self._intake.hold(_key_of(account), drafts):
            n_rows = sum(1 + len(draft.segments) for draft in drafts)
            taken = await self._store.write(op, n_rows=n_rows, place=Place.DOOR)
        if not taken:
            raise Refused(DENIED)
        queues = {draft.message.queue for draft in drafts}
        return ACCEPTED if self._can_send(queues) else QUEUED

    def _can_send(self, queues: set[str]) -> bool:
        serving = {name for queue in queues for name in self._intake.router.routes.serves(queue)}
        return any(
            channel.state is ChannelState.UP and channel.name in serving
            for channel in self._channels.snapshots()
        )


def _key_of(account: KannelAccount) -> ApiKey:
    """What its messages bear as the key that sent them."""
    return ApiKey(
        id=KeyId(f"kannel:{account.username}"),
        name=account.username,
        scopes=frozenset({Scope.SEND}),
        created_at=_BEGAN,
    )


def _spell(number: str, *, international: bool) -> Sequence[str]:
    """How a receiver is meant: an account may say that its numbers begin with a country code, plus or none."""
    if not international or not number.isdigit() or number.startswith("0"):
        return (number,)
    return (f"+{number}", number)


def _plan(wanted: Wanted, reference_bits: int, max_segments: int) -> Plan | None:
    """What goes on the wire where the client made its own header; None leaves it to the intake."""
    try:
        if wanted.udh:
            decode_udh(wanted.udh)
        if wanted.data is not None:
            return _plan_binary(wanted.data, wanted.udh, reference_bits, max_segments)
        if not wanted.udh or not wanted.text:
            return None
        if len(wanted.text) > _MAX_OCTETS * 8 // 7:
            raise Refused(BAD_BODY)
        plan = plan_segments(wanted.text, Encoding.UCS2 if wanted.coding == 2 else None)
    except DecodeError:
        raise Refused(BAD_UDH) from None
    except EncodeError:
        raise Refused(BAD_BODY) from None
    n_octets = len(plan.segments[0].payload)
    if plan.encoding is Encoding.GSM7:
        n_octets = (n_octets * 7 + 7) // 8
    if len(plan.segments) > 1 or n_octets + len(wanted.udh) > _MAX_OCTETS:
        raise Refused(BAD_BODY)  # a header of the client's own is for one segment: that is what it describes
    return plan


def _plan_binary(data: bytes, udh: bytes, reference_bits: int, max_segments: int) -> Plan:
    """Octets in as many segments as they need; each gets the client's header."""
    if not data and not udh:
        raise Refused(BAD_BODY)
    room = _MAX_OCTETS - len(udh)
    if len(data) > room:
        room -= _CONCAT_OCTETS[reference_bits] + (not udh)
    if room < 1 and data:
        raise Refused("UDH field is too long, rejected")
    if len(data) > room * max_segments:
        raise Refused(BAD_BODY)
    chunks = [data[at : at + room] for at in range(0, len(data), room)] if data else [b""]
    return Plan(
        encoding=Encoding.BINARY,
        segments=tuple(PlannedSegment(text="", payload=chunk) for chunk in chunks),
    )


def _valid_s(minutes: int | None) -> int | None:
    """Seconds within our bounds; 0 minutes are as short as can be."""
    return None if minutes is None else min(max(minutes * 60, 1), _MAX_VALID_S)


def _make_wish(account: KannelAccount, wanted: Wanted) -> bytes | None:
    url = wanted.dlr_url or account.dlr_url
    if not wanted.dlr_mask or not url:
        return None
    wish = Wish(
        url=url,
        mask=wanted.dlr_mask,
        sender=wanted.sender or account.default_sender,
        service=account.username,
        account=wanted.account or "",
        ours=not wanted.dlr_url,
    )
    return _ENCODE_WISH(wish)


def _refuse(pointers: set[str]) -> Refused:
    """Kannel's words for what the intake would not take."""
    if pointers & {"channel", "sender"}:
        return Refused(NOT_ROUTABLE.words, NOT_ROUTABLE.status)
    return Refused(next((words for name, words in _WORDS.items() if name in pointers), BAD_BODY))
