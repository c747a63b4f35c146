"""From the settings of applications that bind to us to the service that serves them."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network

from drivers.smpp.server.listener import BindKind
from gateway.access.passwords import parse_hash
from gateway.clock import Clock
from gateway.esme.account import EsmeAccount
from gateway.esme.service import EsmeService, Listener
from gateway.model.message import Category
from gateway.pipeline.intake.accept import Intake
from gateway.pipeline.operator.recall import TakeBack
from gateway.runtime.tls import load_tls, renew_tls
from gateway.settings.config import Settings
from gateway.settings.smpp_server import SmppAccountSettings, SmppServerSettings
from gateway.store.ports import Store
from gateway.telemetry.metrics import Metrics


def make_service(
    settings: Settings, store: Store, clock: Clock, intake: Intake, metrics: Metrics, take_back: TakeBack
) -> EsmeService | None:
    """The service, not started yet; None when the settings have none.

    Raises:
        ValueError: a certificate and its key can't be used.
    """
    if not settings.smpp_server:
        return None
    return EsmeService(
        store,
        clock,
        intake,
        metrics,
        accounts=[make_account(account) for account in settings.smpp_accounts],
        take_back=take_back,
        listeners=[_make_listener(server) for server in settings.smpp_server],
    )


def renew_certificates(service: EsmeService, settings: Settings) -> None:
    """Show the certificates that the files hold now, from the next connection on."""
    for server, listener in zip(settings.smpp_server, service.listeners, strict=True):
        if listener.tls is not None:
            renew_tls(listener.tls, server)


def make_account(settings: SmppAccountSettings) -> EsmeAccount:
    """One account as the service takes it."""
    rate = settings.rate
    return EsmeAccount(
        system_id=settings.system_id,
        password=parse_hash(settings.password_hash),
        addresses=tuple(ip_network(address) for address in settings.addresses),
        binds=frozenset(BindKind(kind) for kind in settings.binds),
        max_binds=settings.max_binds,
        window=settings.window,
        rate_per_s=rate.count / rate.per_s if rate else None,
        max_waiting=settings.max_queued,
        groups=settings.groups,
        senders=settings.senders,
        category=Category(settings.category),
        join=settings.join,
        latin_1=settings.alphabet == "latin1",
        inbound=settings.inbound,
        keep=timedelta(seconds=settings.keep_s),
    )


def _make_listener(settings: SmppServerSettings) -> Listener:
    tls = load_tls(settings.tls_cert, settings.tls_key) if settings.tls_cert and settings.tls_key else None
    return Listener(
        host=settings.listen.host,
        port=settings.listen.port,
        tls=tls,
        max_connections=settings.max_connections,
        max_per_address=settings.max_per_address,
        enquire_link_s=settings.enquire_link_s,
        response_timeout_s=settings.response_timeout_s,
    )
