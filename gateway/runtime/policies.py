"""From the config's tables to the values that those who work by them hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from gateway.alerts.receivers import Receiver
from gateway.clock import Clock
from gateway.consents.desk import ConsentDesk, Terms
from gateway.model.message import DEFAULT_BRAND
from gateway.pipeline.chores import Keeping
from gateway.pipeline.inbound import Inbox
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.intake.drafting import IntakeSettings
from gateway.pipeline.intake.limits import LimitSettings
from gateway.pipeline.replies import KeywordPolicy
from gateway.pipeline.sending.lane import Lane
from gateway.pipeline.sending.release import Ramping
from gateway.pipeline.sending.turns_of_age import Patience
from gateway.pipeline.sweep import Sweeper
from gateway.policy.chain import Chain
from gateway.routing.prices import Prices
from gateway.routing.retry import RetryPolicy
from gateway.routing.shares import Shares
from gateway.runtime.rules import find_own_numbers
from gateway.settings.brands import brands_of
from gateway.settings.caps import touches_s
from gateway.settings.config import Settings
from gateway.settings.limits import bounds_of, gather_limits
from gateway.settings.prices import make_prices
from gateway.settings.replies import gather_keywords
from gateway.settings.retry import make_policy
from gateway.settings.shares import weights_of
from gateway.store.ports import Store


def make_intake_settings(
    settings: Settings, lanes: Iterable[Lane], check_callback: Callable[[str], str], chain: Chain
) -> IntakeSettings:
    """What accepting depends on; ``lanes`` are those of the channels that the settings have."""
    lanes = list(lanes)
    return IntakeSettings(
        region=settings.numbers.region,
        channels={lane.name: lane.groups for lane in lanes if lane.driver.capacity},
        valid_for_s=settings.queue.valid_for_s,
        otp_valid_for_s=settings.queue.otp_valid_for_s,
        text=settings.text.rules(),
        without_options=frozenset(lane.name for lane in lanes if not lane.traits.takes_options),
        check_callback=check_callback,
        chain=chain,
        brands=brands_of(settings.brands),
    )


def make_keyword_policy(settings: Settings) -> KeywordPolicy:
    """What the keywords are and what is said back."""
    return KeywordPolicy(
        keywords=gather_keywords(settings.opt_out, settings.opt_in, settings.help),
        opt_out_reply=settings.opt_out.reply,
        opt_in_reply=settings.opt_in.reply,
        help_reply=settings.help.reply,
        replies_per_hour=settings.opt_out.replies_per_hour,
        near_misses=settings.opt_out.near_misses,
        scope=settings.opt_out.scope,
        numbers=frozenset().union(*find_own_numbers(settings).values()),
    )


def make_retry_policy(settings: Settings) -> RetryPolicy:
    """How hard we try."""
    return make_policy(settings.queue, settings.retry)


def make_sweeper(
    settings: Settings, store: Store, clock: Clock, inbox: Inbox, instance: str, shares: Shares
) -> Sweeper:
    """Who does the work of time."""
    policy, alarm_s = make_retry_policy(settings), settings.reviews.alarm_s
    return Sweeper(store, clock, inbox, alarm_s, instance=instance, policy=policy, shares=shares)


def make_ramping(settings: Settings) -> Ramping:
    """How a channel's backlog is released after an outage."""
    return Ramping(settings.queue.ramp_s, settings.queue.ramp_after_s)


def make_patience(settings: Settings) -> Patience:
    """When what waits behind others is helped."""
    return Patience(settings.queue.help_after_s, settings.queue.help_one_of)


def make_keeping(settings: Settings) -> Keeping:
    """How long each kind is kept."""
    kept = settings.retention
    return Keeping(
        texts=kept.texts,
        messages=kept.messages,
        events=kept.events,
        inbound=kept.inbound,
        receipts=kept.receipts,
        heard=settings.webhooks.keep_s,
        audit=kept.audit,
        touches=touches_s(settings.caps, settings.repeats),
        consents=settings.consent.keep_s,
    )


def make_weights(settings: Settings) -> dict[str, int]:
    """Weights of the owners of messages that have another one than 1."""
    return weights_of(
        settings.shares,
        {account.system_id: account.weight for account in settings.smpp_accounts},
        {account.username: account.weight for account in settings.kannel_accounts},
    )


def make_price_list(settings: Settings) -> Prices:
    """What segments cost."""
    return make_prices(settings.prices, {channel.name: channel.groups for channel in settings.channels})


def make_receivers(settings: Settings) -> list[Receiver]:
    """``[[alerts]]``, in the order of the file."""
    return [table.receiver() for table in settings.alerts]


def make_consent_terms(settings: Settings) -> Terms:
    """What is asked of consents that are brought."""
    consent = settings.consent
    valid_for = timedelta(seconds=consent.valid_for_s) if consent.valid_for_s else None
    brands = frozenset(brand.name for brand in settings.brands)
    return Terms(
        consent.purpose,
        consent.double_opt_in,
        consent.question,
        valid_for,
        brands | {DEFAULT_BRAND} if brands else brands,
    )


def make_consent_desk(settings: Settings, store: Store, clock: Clock, intake: Intake) -> ConsentDesk:
    """Where consents are brought."""
    return ConsentDesk(store, clock, intake, settings.numbers.region, make_consent_terms(settings))


def make_limits(settings: Settings) -> LimitSettings:
    """How much may wait, and how fast senders may come."""
    queue = settings.queue
    in_all = bounds_of(queue.max_messages, queue.max_megabytes, queue.max_age_s)
    return gather_limits(in_all, settings.limits)
