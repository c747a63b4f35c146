"""Accept: from a request to a message on disk. After `Intake.accept` has returned nothing loses it.

Many in one call are taken by `gateway.pipeline.intake.batches`.

Numbers are normalised, the rules are asked, the segments are planned, and message, segments and timeline
are committed in one transaction, together with the answer that an Idempotency-Key will repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from drivers.codec.segment import Plan
from gateway.clock import Clock
from gateway.ids import BatchId
from gateway.model.actor import Actor
from gateway.model.message import ApiKey, Category, Message, MessageStatus
from gateway.model.request import MessageRequest, PreviewRequest
from gateway.pipeline.intake.admission import Room
from gateway.pipeline.intake.drafting import Drafting, IntakeSettings, Wanted
from gateway.pipeline.intake.drafts import AcceptedMessage, Draft, save_drafts
from gateway.pipeline.intake.limits import Limits
from gateway.pipeline.intake.plan import Planner
from gateway.pipeline.intake.route import Router
from gateway.pipeline.once import Once, find_kept
from gateway.policy.text import Preview, cut_text
from gateway.routing.order import band_of
from gateway.routing.routes.table import Routes
from gateway.routing.shares import Shares
from gateway.store.keys import save_answer
from gateway.store.ports import Place, Store, Tx


class Idempotency(NamedTuple):
    """An Idempotency-Key with what it stands for.

    Args:
        body_hash: of the request's body.
        render: makes the answer's body, which is stored with the message.
    """

    key: str
    body_hash: bytes
    render: Callable[[Any], bytes]


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
        self._drafting = Drafting(settings, self.router, self._join)
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
        self._drafting.settings = settings

    @property
    def settings(self) -> IntakeSettings:
        """What it goes by."""
        return self._drafting.settings

    @property
    def max_segments(self) -> int:
        """The most that one message may have."""
        return self.settings.text.max_segments

    def cut(self, text: str, most_segments: int, rest: str = "") -> str:
        """As much of a text as fits, with ``rest`` behind it; see `gateway.policy.text.cut_text`."""
        rules = self.settings.text
        return cut_text(text, min(most_segments, rules.max_segments), rules, mark=True, rest=rest)

    def make_planner(self) -> Planner:
        """For the messages of one request."""
        return Planner(self.settings.text)

    def valid_for(self, category: Category) -> float:
        """See `IntakeSettings.valid_for`."""
        return self.settings.valid_for(category)

    @property
    def reference_bits(self) -> int:
        """8 or 16: of the number that joins the segments of a message."""
        return self.settings.text.reserve.reference_bits

    async def accept(
        self,
        request: MessageRequest,
        *,
        key: ApiKey | None,
        idempotency: Idempotency | None = None,
        by: Actor | None = None,
    ) -> AcceptedMessage | bytes:
        """Take one message.

        Args:
            request: well-formed JSON; what it means is checked here.
            key: who sends it; None for the gateway itself.
            idempotency: makes a repeated request harmless.
            by: who sends it, for the timeline; None for whom the key says.

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
        if by is not None:
            draft = draft._replace(by=by)
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

    def preview(self, request: PreviewRequest, *, key: ApiKey | None) -> Preview:
        """See `Drafting.preview`."""
        return self._drafting.preview(request, key=key, now=self._clock.now())

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
        wanted = Wanted(request, key, now or self._clock.now(), batch_id, plan, national)
        draft = self._drafting.make(wanted, planner or self.make_planner(), self.reference_bits)
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


def owner_of(key: ApiKey | None) -> str:
    """Whose Idempotency-Keys they are, and in whose line messages stand: a key, an account, or the gateway itself."""
    return key.id if key else ""


def once_of(key: ApiKey | None, idempotency: Idempotency) -> Once:
    """The row of the store that an Idempotency-Key stands in."""
    return Once(owner_of(key), idempotency.key, idempotency.body_hash)


def _n_rows(draft: Draft) -> int:
    """About how many it writes."""
    return 1 + len(draft.segments)
