"""Drafting: from a request to a message that is ready to be stored, or to all that is wrong with it.

Numbers are normalised, rules of texts are asked, segments are planned, and the way is chosen. Nothing is stored here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from drivers.carrier_options import write_options
from drivers.codec.segment import Plan
from drivers.codec.udh import encode_udh
from gateway.clock import truncate_ms
from gateway.errors import FieldError, InvalidRequest
from gateway.ids import BatchId, MessageId, make_id
from gateway.model.actor import actor_of
from gateway.model.message import DEFAULT_BRAND, ApiKey, Category, Message, MessageStatus, Segment
from gateway.model.msisdn import InvalidNumber, parse_number
from gateway.model.request import CommonFields, MessageRequest, PreviewRequest
from gateway.pipeline.intake.drafts import Draft
from gateway.pipeline.intake.judge import keep_text
from gateway.pipeline.intake.plan import Planner, fits, name_share, preview_request
from gateway.pipeline.intake.route import Router, asked_of, names_of
from gateway.policy.chain import Chain
from gateway.policy.rules.order import ALWAYS
from gateway.policy.subject import Subject
from gateway.policy.text import DEFAULT_RULES, Preview, TextRules
from gateway.routing.rules import choose_queue

MAX_AHEAD = timedelta(days=366)
"""How far ahead a message may be scheduled."""
_NO_PARAMETERS = FieldError(
    "/smpp_tlvs",
    "no_parameters",
    "its channels speak SMPP 3.3, which has none; leave them out or name another",
)
_UNKNOWN_BRAND = FieldError(
    "/brand", "unknown_brand", "your key may not send for it; name one whose [[brands]] table has your key"
)
_NO_SCHEDULE = FieldError(
    "/sequence",
    "no_schedule",
    "a message of a sequence goes when its turn comes; leave out schedule_at or sequence",
)


class IntakeSettings(NamedTuple):
    """What accepting depends on.

    Args:
        region: how national numbers are read.
        channels: name -> groups of every configured channel.
        valid_for_s: for messages that do not say.
        otp_valid_for_s: the same for codes; infinite for as long as others.
        text: how texts are encoded and cut.
        without_options: those of the channels that can't carry options for a carrier.
        chain: the rules.
        brands: key -> the brands that it may send for; the first is that of messages that name none.
        check_callback: told of each callback URL that a message is to have; what is wrong with it, or empty.
    """

    region: str
    channels: Mapping[str, Sequence[str]]
    valid_for_s: float
    text: TextRules = DEFAULT_RULES
    without_options: Collection[str] = ()
    otp_valid_for_s: float = math.inf
    check_callback: Callable[[str], str] = lambda _url: ""
    chain: Chain = ALWAYS
    brands: Mapping[str, Sequence[str]] = MappingProxyType({})

    def valid_for(self, category: Category) -> float:
        """Seconds for which a message may wait that does not say itself."""
        return min(self.valid_for_s, self.otp_valid_for_s) if category is Category.OTP else self.valid_for_s


Join = Callable[[Message, str, ApiKey | None], int | None]


class Wanted(NamedTuple):
    """A message that somebody wants sent.

    Args:
        request: well-formed JSON.
        key: who wants it; None for the gateway itself, or nobody in particular.
        now: when it came.
        plan: what goes on the wire, exactly, where the sender makes segments of his own; ``request`` then has the
            header that belongs to them.
        national: the sender says that the recipient's number is a national one, where that is doubtful.
    """

    request: MessageRequest
    key: ApiKey | None
    now: datetime
    batch_id: BatchId | None = None
    plan: Plan | None = None
    national: bool = False


class Drafting:
    """Makes drafts.

    Args:
        settings: see `IntakeSettings`; may be replaced.
        router: where messages wait.
        join: takes a message's place in the line of a queue.
    """

    def __init__(self, settings: IntakeSettings, router: Router, join: Join) -> None:
        self.settings = settings
        self._router = router
        self._join = join

    def preview(self, request: PreviewRequest, *, key: ApiKey | None, now: datetime) -> Preview:
        """What a message would cost if ``key`` sent it; its text is as the rules write it.

        Raises:
            InvalidRequest: it would be refused.
        """
        errors: list[FieldError] = []
        recipient = "" if request.to is None else self._read_recipient(request.to, errors)
        brand = self._read_brand(request.brand, key, errors)
        subject = subject_of(request, recipient, brand, key, now)
        asked, text = request.text, self.settings.chain.judge_text(subject).text
        if text != asked:
            request = msgspec.structs.replace(request, text=text)
        of_plan: list[FieldError] = []
        preview = preview_request(request, self.settings.text, of_plan)
        errors += name_share(of_plan, asked, text)
        if errors or preview is None:
            raise InvalidRequest(*errors)
        return preview

    def make(self, wanted: Wanted, planner: Planner, reference_bits: int) -> Draft:
        """A draft whose place in the line is still to be taken.

        Raises:
            InvalidRequest: each fault with its pointer.
        """
        errors: list[FieldError] = []
        request, key, plan = wanted.request, wanted.key, wanted.plan
        now = truncate_ms(wanted.now)
        starts_at = request.schedule_at if request.schedule_at and request.schedule_at > now else None
        recipient = self._read_recipient(request.to, errors, national=wanted.national)
        brand = self._read_brand(request.brand, key, errors)
        expires_at = self._expires_at(request, min(starts_at or now, now + MAX_AHEAD))
        subject = subject_of(request, recipient, brand, key, starts_at or now, make_id(), expires_at)
        judged = planner.judge(self.settings.chain, subject)
        if plan is not None:
            judged = keep_text(judged, request.text)
        elif judged.subject.text != request.text:
            request = msgspec.structs.replace(request, text=judged.subject.text)
        of_plan: list[FieldError] = []
        if plan is None:
            plan = planner.plan(request, of_plan)
        else:
            fits(plan, self.settings.text, of_plan)
        asked, rule = None, None
        if self._router.routes:
            asked = asked_of(request, recipient, key, plan, starts_at or now)
            decision = self._router.decide(asked, takes=False)
            queue, rule = decision.queue, decision.rule.name if decision.rule else None
        else:
            channels = self._router.routes.channels
            queue = choose_queue(channels, channel=request.channel, sender=request.sender)
        self._find_faults(request, queue, starts_at, now, errors)
        errors += name_share(of_plan, wanted.request.text, request.text)
        if errors or plan is None or queue is None:
            raise InvalidRequest(*errors)
        message = self._message(request, wanted, judged.subject, plan, queue, starts_at)
        segments = [Segment(part=n, payload=s.payload) for n, s in enumerate(plan.segments, 1)]
        draft = Draft(message, segments, reference_bits, actor_of(key), judged=judged)
        if asked is None:
            return draft
        unsettled = self._router.leave_open(asked, queue, lambda where: self._join(message, where, key))
        return draft._replace(rule=rule, unsettled=unsettled)

    def _expires_at(self, request: MessageRequest, at: datetime) -> datetime:
        """When the time of a message is over that may go at an instant."""
        valid_for_s = request.valid_for or self.settings.valid_for(request.category)
        return truncate_ms(at + timedelta(seconds=valid_for_s)).astimezone(UTC)

    def _find_faults(
        self,
        request: MessageRequest,
        queue: str | None,
        starts_at: datetime | None,
        now: datetime,
        errors: list[FieldError],
    ) -> None:
        """What is wrong with a request, beside its number and its text."""
        if queue is None:
            errors.append(_no_channel(request))
        elif request.smpp_tlvs and not self._carries_options(queue):
            errors.append(_NO_PARAMETERS)
        if starts_at and starts_at > now + MAX_AHEAD:
            errors.append(FieldError("/schedule_at", "too_far", "schedule it within the next 366 days"))
        if starts_at and request.sequence is not None:
            errors.append(_NO_SCHEDULE)
        url = request.callback_url
        if url is not None and (fault := self.settings.check_callback(url)):
            errors.append(FieldError("/callback_url", "bad_url", fault))

    def _message(
        self,
        request: MessageRequest,
        wanted: Wanted,
        subject: Subject,
        plan: Plan,
        queue: str,
        starts_at: datetime | None,
    ) -> Message:
        now = truncate_ms(wanted.now)
        starts_at = starts_at and truncate_ms(starts_at.astimezone(UTC))
        return Message(
            id=MessageId(subject.message_id),
            recipient=subject.recipient,
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
            callback_url=request.callback_url,
            reference=request.reference,
            sequence=request.sequence,
            tags=request.tags,
            status=MessageStatus.SCHEDULED if starts_at else MessageStatus.QUEUED,
            n_segments=len(plan.segments),
            queue=queue,
            created_at=now,
            updated_at=now,
            expires_at=subject.expires_at,
            batch_id=wanted.batch_id,
            key_id=wanted.key.id if wanted.key else None,
            carrier_options=write_options(request.smpp_tlvs),
            brand=subject.brand,
            template=request.template,
        )

    def _read_brand(self, wanted: str | None, key: ApiKey | None, errors: list[FieldError]) -> str:
        """In whose name a message goes."""
        brands = self.settings.brands
        allowed = [brand for name in names_of(key) for brand in brands.get(name, ())] if brands else []
        if wanted is None:
            return allowed[0] if allowed else DEFAULT_BRAND
        if wanted not in (allowed or (DEFAULT_BRAND,)):
            errors.append(_UNKNOWN_BRAND)
        return wanted

    def _carries_options(self, queue: str) -> bool:
        """Whether any channel that serves the queue can, now or later."""
        plain = self.settings.without_options
        return not plain or any(name not in plain for name in self._router.routes.serves(queue))

    def _read_recipient(self, number: str, errors: list[FieldError], *, national: bool = False) -> str:
        try:
            return parse_number(number, self.settings.region, national=national)
        except InvalidNumber as exc:
            errors.append(FieldError("/to", "invalid_number", str(exc)))
            return ""


def subject_of(
    request: CommonFields,
    recipient: str,
    brand: str,
    key: ApiKey | None,
    at: datetime,
    message_id: str = "",
    expires_at: datetime | None = None,
) -> Subject:
    """A request as rules see it.

    Args:
        at: when the message may go.
    """
    return Subject(
        recipient,
        request.category,
        at,
        request.text,
        brand,
        names_of(key),
        request.template,
        request.sender,
        message_id,
        expires_at,
    )


def _no_channel(request: MessageRequest) -> FieldError:
    if request.channel is not None:
        return FieldError(
            "/channel", "unknown_channel", "no channel has this name; GET /v1/channels lists them"
        )
    return FieldError(
        "/sender", "unknown_sender", "no channel serves this group; GET /v1/channels lists the groups"
    )
