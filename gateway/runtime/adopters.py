"""Who holds which settings: the list by which new ones are handed out when the config is read anew.

Whoever takes settings from the config keeps them as one value, has an ``adopt`` that replaces it, and a line here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.alerts.door import AlertDoor
from gateway.channels.probes import Probes
from gateway.channels.renewal import Renewal
from gateway.consents.desk import ConsentDesk
from gateway.esme.service import EsmeService
from gateway.pipeline.inbound import Inbox
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.receipts.apply import Receipts
from gateway.pipeline.retention import Chore, Retention
from gateway.pipeline.sending.dispatch import Dispatcher
from gateway.pipeline.sending.late import LateResults
from gateway.pipeline.sending.schedule import Scheduler
from gateway.pipeline.sweep import Sweeper
from gateway.policy.rules.order import opt_out_of
from gateway.routing.shares import Shares
from gateway.routing.troubles import Troubles
from gateway.runtime.console import ADOPTED as CONSOLE_ADOPTED
from gateway.runtime.esme import make_account
from gateway.runtime.http import ADOPTED as HTTP_ADOPTED
from gateway.runtime.http import HttpSide
from gateway.runtime.kannel import KannelSide
from gateway.runtime.policies import (
    make_consent_terms,
    make_intake_settings,
    make_keyword_policy,
    make_limits,
    make_patience,
    make_price_list,
    make_ramping,
    make_receivers,
    make_retry_policy,
    make_weights,
)
from gateway.runtime.reload import CHANNELS, Adopter
from gateway.runtime.routing import ROUTING, RoutingSide
from gateway.runtime.rules import RULES, make_chain
from gateway.runtime.stores import OpenStore
from gateway.runtime.webhooks import WebhookSide
from gateway.settings.config import Settings
from gateway.telemetry.log import set_level
from gateway.timeline.delivery_log import DeliveryLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """The parts of a gateway that hold settings.

    Args:
        renewal: has the lanes of the channels of the new config by the time the others are asked.
        make_chores: for ``retention``.
    """

    store: OpenStore
    renewal: Renewal
    routing: RoutingSide
    intake: Intake
    inbox: Inbox
    receipts: Receipts
    dispatcher: Dispatcher
    late: LateResults
    sweeper: Sweeper
    troubles: Troubles
    scheduler: Scheduler
    shares: Shares
    kannel: KannelSide
    esme: EsmeService | None
    webhooks: WebhookSide
    consents: ConsentDesk
    alerts: AlertDoor
    probes: Probes
    retention: Retention
    make_chores: Callable[[Settings], list[Chore]]
    delivery_log: DeliveryLog
    http: HttpSide


def make_adopters(held: Holders) -> list[Adopter]:
    """One for each value that is held; called in this order."""

    def adopt_doors(new: Settings) -> None:
        held.scheduler.chain = chain = make_chain(new)
        held.dispatcher.gate.rule = opt_out_of(chain)
        lanes, check = held.renewal.wanted.values(), held.webhooks.check_callback
        accepting = make_intake_settings(new, lanes, check, chain)
        held.intake.adopt(accepting)
        held.kannel.adopt(new, accepting.channels)

    def adopt_queue(new: Settings) -> None:
        policy = make_retry_policy(new)
        held.dispatcher.adopt(policy)
        held.late.adopt(policy)
        held.sweeper.adopt(policy)
        held.troubles.adopt(policy.first_s, policy.cap_s)
        held.scheduler.adopt(make_patience(new), policy)

    def adopt_ramping(new: Settings) -> None:
        for lane in held.renewal.wanted.values():
            lane.release.ramping = make_ramping(new)

    def adopt_accounts(new: Settings) -> None:
        if held.esme is not None:
            held.esme.adopt([make_account(account) for account in new.smpp_accounts])

    def adopt_log(new: Settings) -> None:
        set_level(new.log.level)
        held.delivery_log.adopt(mask_numbers=new.log.mask_numbers)
        held.http.masking.on = new.log.mask_numbers

    def adopt_dead_codes(new: Settings) -> None:
        held.receipts.dead_codes = frozenset(new.numbers.dead_codes)

    doors = ("text", "queue", "kannel_accounts", "mo_routes", "webhooks.allow_targets", *RULES, *CHANNELS)
    weights = ("shares", "smpp_accounts", "kannel_accounts")
    return [
        Adopter(
            ("opt_out", "opt_in", "help", *CHANNELS), lambda new: held.inbox.adopt(make_keyword_policy(new))
        ),
        Adopter(doors, adopt_doors),
        Adopter(("numbers.dead_codes",), adopt_dead_codes),
        Adopter((*ROUTING, *CHANNELS), lambda new: held.routing.adopt(new, held.renewal.wanted.values())),
        Adopter(("queue", "retry"), adopt_queue),
        Adopter(("queue", *CHANNELS), adopt_ramping),
        Adopter(("reviews",), lambda new: held.sweeper.reviews.adopt(new.reviews.alarm_s)),
        Adopter(weights, lambda new: held.shares.adopt(make_weights(new))),
        Adopter(("smpp_accounts",), adopt_accounts),
        Adopter(("limits", "queue"), lambda new: held.intake.limits.adopt(make_limits(new))),
        Adopter(("prices", *CHANNELS), lambda new: held.store.adopt_prices(make_price_list(new))),
        Adopter(("webhooks",), lambda new: held.webhooks.adopt(new.webhooks)),
        Adopter(("consent", "brands"), lambda new: held.consents.adopt(make_consent_terms(new))),
        Adopter(
            ("retention", "webhooks.keep", "consent.keep", "caps", "repeats"),
            lambda new: held.retention.adopt(held.make_chores(new)),
        ),
        Adopter(("probes",), lambda new: held.probes.adopt(new.probes)),
        Adopter(("alerts",), lambda new: held.alerts.adopt(make_receivers(new))),
        Adopter(("log.level", "log.mask_numbers"), adopt_log),
        Adopter(HTTP_ADOPTED, lambda new: held.http.adopt(new.http)),
        Adopter(CONSOLE_ADOPTED, lambda new: held.http.adopt_console(new.console)),
    ]
