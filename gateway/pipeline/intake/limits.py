"""Limits: how much may wait for the network, in all and of one sender, and how fast he may come.

What waits is counted in memory, by what each commit says of messages that came and went; at the start it is counted in
the store. So a look costs no query, and the count is that of the last commit. What is being stored counts, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from drivers.pacing import TokenBucket
from gateway.clock import Clock
from gateway.errors import Backlogged, QueueFull, TooFast
from gateway.model.actor import ActorKind, actor_of
from gateway.model.message import ApiKey
from gateway.pipeline.intake.drafts import Draft
from gateway.routing.load import ALL, Bounds, Excess, Fill, Load, weigh_message
from gateway.store.load import count_load
from gateway.store.ports import CommitFigures, Store

RETRY_S: Final = 10.0
"""When to come again while too much waits."""
_BURST_S: Final = 1.0
_MOST_NAMES: Final = 10_000


class Pace(NamedTuple):
    """So many in so many seconds."""

    most: int
    per_s: float

    def __str__(self) -> str:
        return f"{self.most} in {self.per_s:g} s"


_ANY: Final = Bounds()
_NOTHING: Final = (0, 0)


class OwnerLimits(NamedTuple):
    """The limits of one sender.

    Args:
        bounds: of what waits.
        rate: messages that it may send; None for any number.
        requests: calls of the HTTP API that it may make.
    """

    bounds: Bounds = _ANY
    rate: Pace | None = None
    requests: Pace | None = None


class LimitSettings(NamedTuple):
    """All limits.

    Args:
        all: of what waits in all.
        by_name: of senders, by `name_of`.
        others: of API keys that are not named.
    """

    all: Bounds = _ANY
    by_name: Mapping[str, OwnerLimits] = {}
    others: OwnerLimits = OwnerLimits()


class Held(NamedTuple):
    """What is counted as waiting while it is stored: messages and octets.

    Args:
        owner: empty for one without bounds of his own.
    """

    owner: str
    messages: int
    octets: int


NO_LIMITS: Final = LimitSettings()
_UNLIMITED: Final = OwnerLimits()


def name_of(key: ApiKey) -> str:
    """As limits name a sender: ``key:NAME``, ``smpp:NAME``, ``kannel:NAME``."""
    actor = actor_of(key)
    return actor.name if actor.kind is ActorKind.ACCOUNT else str(actor)


class Limits:
    """Asked by every door before it takes something.

    Args:
        valid_for_s: how long a message may wait that does not say itself.
        refused: told of each refusal: which limit, and whose.
    """

    def __init__(
        self,
        clock: Clock,
        settings: LimitSettings = NO_LIMITS,
        *,
        valid_for_s: float = 0.0,
        refused: Callable[[str, str], None] = lambda _limit, _owner: None,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._refused = refused
        self._valid_for_s = valid_for_s
        self._load = Load(valid_for_s)
        self._storing = _NOTHING
        self._storing_of: dict[str, tuple[int, int]] = {}
        self._buckets: dict[tuple[str, str], TokenBucket] = {}
        self._names: dict[str, str] = {}

    async def open(self, store: Store) -> None:
        """Count what waits already; nobody else may write meanwhile.

        What commits told before is in the store by now: of what a crash left, those that wait no more.
        """
        self._load = Load(self._valid_for_s)
        await count_load(store, self._load)

    def adopt(self, settings: LimitSettings) -> None:
        """Go by other limits from now on; paces begin anew."""
        self._settings = settings
        self._buckets.clear()

    def note(self, figures: CommitFigures) -> None:
        """Count what a commit brought and took."""
        if figures.coming:
            self._load.note(figures.coming)

    # ---- at the doors ----

    def take_request(self, key: ApiKey) -> None:
        """Let a call of the HTTP API in.

        Raises:
            TooFast: not yet.
        """
        limits = self._limits_of(key)
        if limits.requests is not None:
            self._pay("requests", key, limits.requests, 1)

    def admit(self, key: ApiKey | None) -> None:
        """Let somebody in who wants to send, before any work is done for him.

        Raises:
            TooFast: not yet; or QueueFull, Backlogged: as much waits as may.
        """
        if key is None:
            return
        limits = self._limits_of(key)
        if limits.rate is not None:
            self._pay("rate", key, limits.rate, 0)
        self._check(key, limits, 1, 0)

    @contextmanager
    def held(self, key: ApiKey | None, drafts: Sequence[Draft]) -> Iterator[None]:
        """Count these as waiting while they are stored, and have their sender's rate pay for them.

        Args:
            key: None for the gateway itself, which has no limits.

        Raises:
            QueueFull, Backlogged: there is no room for all of them; nothing was counted.
        """
        if key is None:
            yield
            return
        held = self._hold(key, drafts)
        try:
            yield
        finally:
            self._add_stored(held, -1)

    def pay(self, key: ApiKey, n: int) -> None:
        """Have a sender's rate pay for messages that came of what was stored before: texts whose last part is here."""
        limits = self._limits_of(key)
        if n and limits.rate is not None:
            self._bucket("rate", key, limits.rate).take(n, self._clock.monotonic())

    # ---- inside ----

    def _hold(self, key: ApiKey, drafts: Sequence[Draft]) -> Held:
        limits, n, octets = self._limits_of(key), len(drafts), 0
        for draft in drafts:
            octets += weigh_message(draft.message)
        self._check(key, limits, n, octets)
        self.pay(key, n)
        held = Held("" if limits.bounds is _ANY else key.id, n, octets)
        self._add_stored(held, 1)
        return held

    def _add_stored(self, held: Held, sign: int) -> None:
        owner, n, octets = held
        messages, sum_octets = self._storing
        self._storing = messages + sign * n, sum_octets + sign * octets
        if owner:
            messages, sum_octets = self._storing_of.get(owner, _NOTHING)
            self._storing_of[owner] = messages + sign * n, sum_octets + sign * octets
            if messages + sign * n == 0:
                del self._storing_of[owner]

    def _limits_of(self, key: ApiKey) -> OwnerLimits:
        settings = self._settings
        if not settings.by_name and settings.others is _UNLIMITED:
            return _UNLIMITED
        name = self._name(key)
        return settings.by_name.get(name) or (settings.others if name.startswith("key:") else _UNLIMITED)

    def _name(self, key: ApiKey) -> str:
        name = self._names.get(key.id)
        if name is None:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            name = self._names[key.id] = name_of(key)
        return name

    def _bucket(self, limit: str, key: ApiKey, pace: Pace) -> TokenBucket:
        bucket = self._buckets.get((limit, key.id))
        if bucket is None:
            rate_per_s = pace.most / pace.per_s
            bucket = TokenBucket(rate_per_s, max(1.0, rate_per_s * _BURST_S), self._clock.monotonic())
            self._buckets[limit, key.id] = bucket
        return bucket

    def _pay(self, limit: str, key: ApiKey, pace: Pace, n: int) -> None:
        bucket, now = self._bucket(limit, key, pace), self._clock.monotonic()
        if not bucket.available(now):
            self._refused(limit, self._name(key))
            what = "requests" if limit == "requests" else "messages"
            raise TooFast(
                f"this key may bring {pace} ({what}, {limit} in the config); wait as long as Retry-After says",
                bucket.ready_in_s(now),
            )
        if n:
            bucket.take(n, now)

    def _check(self, key: ApiKey, limits: OwnerLimits, n: int, octets: int) -> None:
        if limits.bounds is not _ANY:
            storing, storing_octets = self._storing_of.get(key.id, _NOTHING)
            found = self._excess(limits.bounds, self._load.of(key.id), n + storing, octets + storing_octets)
            if found is not None:
                self._refused(found.limit, self._name(key))
                raise QueueFull(f"of this key's messages {describe(found)}", RETRY_S)
        storing, storing_octets = self._storing
        found = self._excess(self._settings.all, self._load.all, n + storing, octets + storing_octets)
        if found is not None:
            self._refused(found.limit, ALL)
            raise Backlogged(f"of all messages {describe(found)}", RETRY_S)

    def _excess(self, bounds: Bounds, fill: Fill, n: int, octets: int) -> Excess | None:
        found = fill.excess(bounds, n, octets)
        if found is None and bounds.age_s is not None:
            return fill.excess_of_age(bounds.age_s, self._clock.now())
        return found

    # ---- for figures ----

    def fills(self) -> dict[tuple[str, ...], float]:
        """Limit and whose it is -> how full it is, 1 for full; of limits that are set."""
        now_s = self._clock.now().timestamp()
        found = _ratios(ALL, self._settings.all, self._load.all, now_s)
        for key_id, name in self._names.items():
            limits = self._settings.by_name.get(name) or self._settings.others
            found |= _ratios(name, limits.bounds, self._load.of(key_id), now_s)
        return found

    def waiting_of(self, key: ApiKey | None) -> Fill:
        """What waits of one sender, or of all."""
        return self._load.all if key is None else self._load.of(key.id)


def _ratios(owner: str, bounds: Bounds, fill: Fill, now_s: float) -> dict[tuple[str, ...], float]:
    figures = zip(Bounds._fields, (fill.messages, fill.octets, fill.age_s(now_s)), bounds, strict=True)
    return {(name.removesuffix("_s"), owner): now / most for name, now, most in figures if most}


def describe(excess: Excess) -> str:
    """The end of a sentence about a bound that is reached.

    >>> describe(Excess("messages", 10, 10))
    '10 wait for the network, and 10 may (max_messages); come again as Retry-After says, or raise the limit'
    """
    advice = "come again as Retry-After says, or raise the limit"
    match excess.limit:
        case "messages":
            return f"{excess.is_now:.0f} wait for the network, and {excess.most:.0f} may (max_messages); {advice}"
        case "octets":
            return (
                f"{excess.is_now / 1e6:.1f} MB wait for the network, and {excess.most / 1e6:.0f} may (max_megabytes);"
                f" {advice}"
            )
        case _:
            return (
                f"the oldest has waited {excess.is_now:.0f} s for the network, and {excess.most:.0f} may pass"
                f" (max_age); {advice}"
            )
