"""Accept: from a request to a message on disk. After `Intake.accept` has returned nothing loses it.

Many in one call are taken by `gateway.pipeline.intake.batches`.

Numbers are normalised, the opt-out list is asked, the segments are planned, and message, segments and timeline
are committed in one transaction, together with the answer that an Idempotency-Key will repeat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from drivers.carrier_options import write_options
from drivers.codec.segment import Plan
from drivers.codec.udh import encode_udh
from gateway.clock import Clock, truncate_ms
from gateway.errors import FieldError, InvalidRequest
from gateway.ids import BatchId, MessageId, make_id
from gateway.model.actor import actor_of
from gateway.model.message import ApiKey, Category, Message, MessageStatus, Segment
from gateway.model.msisdn import InvalidNumber, parse_number
from gateway.model.request import MessageRequest, PreviewRequest
from gateway.pipeline.intake.admission import Room
from gateway.pipeline.intake.drafts import AcceptedMessage, Draft, save_drafts
from gateway.pipeline.intake.limits import Limits
from gateway.pipeline.intake.plan import Planner, fits, preview_request
from gateway.pipeline.intake.route import Router, asked_of
from gateway.pipeline.once import Once, find_kept
from gateway.policy.text import DEFAULT_RULES, Preview, TextRules, cut_text
from gateway.routing.order import band_of
from gateway.routing.routes.table import Routes
from gateway.routing.rules import choose_queue
from gateway.routing.shares import Shares
from gateway.store.keys import save_answer
from gateway.store.ports import Place, Store, Tx

MAX_AHEAD = timedelta(days=366)
"""How far ahead a message may be scheduled."""
_NO_PARAMETERS = FieldError(
    "/smpp_tlvs",
    "no_parameters",
    "its channels speak SMPP 3.3, which has none; leave them out or name another",
)
_NO_SCHEDULE = FieldError(
    "/sequence",
    "no_schedule",
    "a message of a sequence goes when its turn comes; leave out schedule_at or sequence",
)


class Idempotency(NamedTuple):
    """An Idempotency-Key with what it stands for.

    Args:
        body_hash: of the request's body.
        render: makes the answer's body, which is stored with the message.
    """

    key: str
    body_hash: bytes
    render: Callable[[Any], bytes]


class IntakeSettings(NamedTuple):
    """What accepting depends on.

    Args:
        region: how national numbers are read.
        channels: name -> groups of every configured channel.
        valid_for_s: for messages that do not say.
        otp_valid_for_s: the same for codes; infinite for as long as others.
        text: how texts are encoded and cut.
        without_options: those of the channels that can't carry options for a carrier.
        check_callback: told of each callback URL that a message is to have; what is wrong with it, or empty.
    """

    region: str
    channels: Mapping[str, Sequence[str]]
    valid_for_s: float
    text: TextRules = DEFAULT_RULES
    without_options: Collection[str] = ()
    otp_valid_for_s: float = math.inf
    check_callback: Callable[[str], str] = lambda _url: ""

    def valid_for(self, category: Category) -> float:
        """Seconds for which a message may wait that does not say itself."""
        return min(self.valid_for_s, self.otp_valid_for_s) if category is Category.OTP else self.valid_for_s


class Intake:
    """The one door through which messages come in, from whichever side.

    Args:
        store: where they go.
        clock: the time.
        settings: see `IntakeSettings`.
        shares: the lines of all who send.
        limits: see the attribute; None for none.
        router: where messages wait; without one there are no rules.

    Attributes:
        room: what waits for the writer; whoever stores drafts of its own holds a part of it meanwhile.
        limits: of what waits for the network, and of paces; whoever stores drafts of clients asks them, see `hold`.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: IntakeSettings,
        shares: Shares | None = None,
        limits: Limits | None = None,
        router: Router | None = None,
    ) -> None:
        self.router = router or Router(Routes(channels=settings.channels))
        self._shares = shares or Shares(0)
        self._store = store
        self._clock = clock
        self._settings = settings
        self.room = Room()
        self.limits = limits or Limits(clock, valid_for_s=settings.valid_for_s)

    @contextmanager
    def hold(self, key: ApiKey | None, drafts: Sequence[Draft]) -> Iterator[None]:
        """Have room for these, and within the limits, until they are stored.

        Raises:
            QueueFull: their sender has too much waiting.
            Overloaded: too much waits to be stored; or `Backlogged`, for the network.
        """
        with self.room.hold(drafts), self.limits.held(key, drafts):
            yield

    def adopt(self, settings: IntakeSettings) -> None:
        """Go by other settings from now on; what was accepted stays as it is."""
        self._settings = settings

    @property
    def max_segments(self) -> int:
        """The most that one message may have."""
        return self._settings.text.max_segments

    def cut(self, text: str, most_segments: int, rest: str = "") -> str:
        """As much of a text as fits, with ``rest`` behind it; see `gateway.policy.text.cut_text`."""
        rules = self._settings.text
        return cut_text(text, min(most_segments, rules.max_segments), rules, mark=True, rest=rest)

    def make_planner(self) -> Planner:
        """For the messages of one request."""
        return Planner(self._settings.text)

    def valid_for(self, category: Category) -> float:
        """See `IntakeSettings.valid_for`."""
        return self._settings.valid_for(category)

    @property
    def reference_bits(self) -> int:
        """8 or 16: of the number that joins the segments of a message."""
        return self._settings.text.reserve.reference_bits

    async def accept(
        self,
        request: MessageRequest,
        *,
        key: ApiKey | None,
        idempotency: Idempotency | None = None,
    ) -> AcceptedMessage | bytes:
        """Take one message.

        Args:
            request: well-formed JSON; what it means is checked here.
            key: who sends it; None for the gateway itself.
            idempotency: makes a repeated request harmless.

        Returns:
            The message, committed; or the first answer's body when the Idempotency-Key came before.

        Raises:
            InvalidRequest: each fault with its pointer; nothing was stored.
            IdempotencyMismatch: the key came before with another body.
            QuotaExceeded: the key comes too fast, or has too much waiting.
            StoreError: nothing was stored; `Overloaded`, because too much waits for that already.
        """
        if (answer := await self._replayed(key, idempotency)) is not None:
            return answer
        self.limits.admit(key)
        draft = self.draft(request, key=key)
        if idempotency is None:
            with self.hold(key, [draft]):
                return await self._store.write_jointly(
                    save_drafts, draft, n_rows=_n_rows(draft), place=Place.DOOR
                )

        async def save_once(tx: Tx) -> AcceptedMessage | bytes:
            once = once_of(key, idempotency)
            if (answer := await find_kept(tx, once)) is not None:
                return answer
            accepted = (await save_drafts(tx, [draft]))[0]
            answer, at = idempotency.render(accepted), draft.message.created_at
            await save_answer(tx, *once, answer, at)
            return accepted

        with self.hold(key, [draft]):
            return await self._store.write(save_once, n_rows=_n_rows(draft), place=Place.DOOR)

    async def _replayed(self, key: ApiKey | None, idempotency: Idempotency | None) -> bytes | None:
        """The first answer to an Idempotency-Key that came before, even if the request would be refused by now."""
        if idempotency is None:
            return None
        return await self._store.read(lambda tx: find_kept(tx, once_of(key, idempotency)))

    def preview(self, request: PreviewRequest) -> Preview:
        """What a message would cost if it were sent; nothing is stored.

        Raises:
            InvalidRequest: `accept` would refuse it too.
        """
        errors: list[FieldError] = []
        if request.to is not None:
            self._read_recipient(request.to, errors)
        preview = preview_request(request, self._settings.text, errors)
        if errors or preview is None:
            raise InvalidRequest(*errors)
        return preview

    def draft(
        self,
        request: MessageRequest,
        *,
        key: ApiKey | None,
        plan: Plan | None = None,
        now: datetime | None = None,
        national: bool = False,
        batch_id: BatchId | None = None,
        planner: Planner | None = None,
        joins: bool = True,
    ) -> Draft:
        """A message that is ready to be stored inside another operation, by `save_drafts`.

        Args:
            key: who sends it.
            plan: what goes on the wire, exactly, where the sender makes segments of his own; ``request`` then
                has the header that belongs to them.
            now: when it came; None for now.
            national: the sender says that the recipient's number is a national one, where that is doubtful.
            planner: of the request, where it makes many messages.
            joins: False for one that is only looked at.

        Raises:
            InvalidRequest: each fault with its pointer.
        """
        draft = self._draft(
            request, now or self._clock.now(), key, batch_id, plan, planner, national=national
        )
        if draft.rule is not None and draft.unsettled is None and joins:
            self.router.turns.take(draft.rule)
        if not joins or draft.unsettled is not None:
            return draft
        return draft._replace(tag=self._join(draft.message, draft.message.queue, key))

    def _join(self, message: Message, queue: str, key: ApiKey | None) -> int | None:
        """Its place in the line of who sends it; None while it is scheduled."""
        if message.status is MessageStatus.SCHEDULED:
            return None
        band = band_of(message.category, message.priority)
        alias = f"key:{key.name}" if key is not None and ":" not in key.id else ""
        return self._shares.join(queue, band, owner_of(key), message.n_segments, alias=alias)

    def draft_own(self, recipient: str, text: str, *, channel: str | None) -> Draft:
        """A message of the gateway's own (an opt-out confirmation), pinned to the channel it answers on.

        Raises:
            InvalidRequest: the recipient can't be sent to, or not by this channel.
        """
        request = MessageRequest(to=recipient, text=text, channel=channel)
        return self.draft(request, key=None)

    def _draft(
        self,
        request: MessageRequest,
        now: datetime,
        key: ApiKey | None,
        batch_id: BatchId | None,
        plan: Plan | None,
        planner: Planner | None,
        *,
        national: bool = False,
    ) -> Draft:
        errors: list[FieldError] = []
        recipient = self._read_recipient(request.to, errors, national=national)
        of_plan: list[FieldError] = []
        if plan is None:
            plan = (planner or self.make_planner()).plan(request, of_plan)
        else:
            fits(plan, self._settings.text, of_plan)
        now = truncate_ms(now)
        starts_at = request.schedule_at if request.schedule_at and request.schedule_at > now else None
        asked, rule = None, None
        if self.router.routes:
            asked = asked_of(request, recipient, key, plan, starts_at or now)
            decision = self.router.decide(asked, takes=False)
            queue, rule = decision.queue, decision.rule.name if decision.rule else None
        else:
            channels = self.router.routes.channels
            queue = choose_queue(channels, channel=request.channel, sender=request.sender)
        if queue is None:
            errors.append(_no_channel(request))
        elif request.smpp_tlvs and not self._carries_options(queue):
            errors.append(_NO_PARAMETERS)
        if starts_at and starts_at > now + MAX_AHEAD:
            errors.append(FieldError("/schedule_at", "too_far", "schedule it within the next 366 days"))
        if starts_at and request.sequence is not None:
            errors.append(_NO_SCHEDULE)
        url = request.callback_url
        if url is not None and (fault := self._settings.check_callback(url)):
            errors.append(FieldError("/callback_url", "bad_url", fault))
        errors += of_plan
        if errors or plan is None or queue is None:
            raise InvalidRequest(*errors)
        starts_at = starts_at and truncate_ms(starts_at.astimezone(UTC))
        valid_for_s = request.valid_for or self._settings.valid_for(request.category)
        message = Message(
            id=MessageId(make_id()),
            recipient=recipient,
            # The plan's text: smart mode and halves of surrogate pairs, which JSON can carry, change it.
            text=None if request.text is None else plan.text,
            data=bytes.fromhex(request.data) if request.data is not None else None,
            udh=bytes.fromhex(request.udh) if request.udh else encode_udh(plan.elements) or None,
            category=request.category,
            sender=request.sender,
            channel=request.channel,
            priority=request.priority,
            encoding=plan.encoding.value,
            flash=request.flash,
            schedule_at=starts_at,
            valid_for_s=request.valid_for,
            report=request.report,
            callback_url=url,
            reference=request.reference,
            sequence=request.sequence,
            tags=request.tags,
            status=MessageStatus.SCHEDULED if starts_at else MessageStatus.QUEUED,
            n_segments=len(plan.segments),
            queue=queue,
            created_at=now,
            updated_at=now,
            expires_at=truncate_ms((starts_at or now) + timedelta(seconds=valid_for_s)),
            batch_id=batch_id,
            key_id=key.id if key else None,
            carrier_options=write_options(request.smpp_tlvs),
        )
        segments = [Segment(part=n, payload=s.payload) for n, s in enumerate(plan.segments, 1)]
        draft = Draft(message, segments, self.reference_bits, actor_of(key))
        if asked is None:
            return draft
        unsettled = self.router.leave_open(asked, queue, lambda where: self._join(message, where, key))
        return draft._replace(rule=rule, unsettled=unsettled)

    def _carries_options(self, queue: str) -> bool:
        """Whether any channel that serves the queue can, now or later."""
        plain = self._settings.without_options
        return not plain or any(name not in plain for name in self.router.routes.serves(queue))

    def _read_recipient(self, number: str, errors: list[FieldError], *, national: bool = False) -> str:
        try:
            return parse_number(number, self._settings.region, national=national)
        except InvalidNumber as exc:
            errors.append(FieldError("/to", "invalid_number", str(exc)))
            return ""


def owner_of(key: ApiKey | None) -> str:
    """Whose Idempotency-Keys they are, and in whose line messages stand: a key, an account, or the gateway itself."""
    return key.id if key else ""


def once_of(key: ApiKey | None, idempotency: Idempotency) -> Once:
    """The row of the store that an Idempotency-Key stands in."""
    return Once(owner_of(key), idempotency.key, idempotency.body_hash)


def _n_rows(draft: Draft) -> int:
    """About how many it writes."""
    return 1 + len(draft.segments)


def _no_channel(request: MessageRequest) -> FieldError:
    if request.channel is not None:
        return FieldError(
            "/channel", "unknown_channel", "no channel has this name; GET /v1/channels lists them"
        )
    return FieldError(
        "/sender", "unknown_sender", "no channel serves this group; GET /v1/channels lists the groups"
    )
