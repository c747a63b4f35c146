"""The configuration: its frozen values, their defaults, and how they are read from a TOML file.

Reading is strict: an unknown key is a fault, and all faults are reported at once. What the settings
mean for channels and the store is decided by `gateway.runtime.app`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gateway.errors import GatewayError, SettingsError
from gateway.model.message import DEFAULT_BRAND
from gateway.policy.folding import fold_word
from gateway.policy.rules.order import FIXED
from gateway.settings.alerts import AlertSettings, alert_faults
from gateway.settings.brands import BrandSettings, brand_faults
from gateway.settings.caps import CapSettings, RepeatSettings, cap_faults
from gateway.settings.carriers import CarrierSettings
from gateway.settings.class_lock import ClassLockSettings, PunctuationSettings
from gateway.settings.consent import ConsentSettings
from gateway.settings.console import ConsoleSettings
from gateway.settings.content import ContentSettings
from gateway.settings.forms import (
    Duration,
    Filled,
    Flag,
    Form,
    Groups,
    Name,
    Number,
    Pace,
    TcpPort,
    one_of,
    short_text,
    whole_number,
)
from gateway.settings.hours import HoursSettings, hours_faults
from gateway.settings.http import HttpSettings
from gateway.settings.kannel import KannelAccountSettings, MoRouteSettings, kannel_faults
from gateway.settings.kinds.carrier_link import CarrierLink
from gateway.settings.kinds.stick import StickSettings
from gateway.settings.limits import SenderLimits, limit_faults
from gateway.settings.number_rules import (
    NumberLimitSettings,
    NumberSettings,
    SandboxSettings,
    number_rule_faults,
)
from gateway.settings.numbers import check_numbers
from gateway.settings.policy import PolicySettings, policy_faults
from gateway.settings.prices import PriceSettings, price_faults
from gateway.settings.probes import ProbeSettings, probe_faults
from gateway.settings.queue import QueueSettings
from gateway.settings.reader import read_document, read_table
from gateway.settings.replies import HelpSettings, OptInSettings, OptOutSettings
from gateway.settings.retention import RetentionSettings, retention_faults
from gateway.settings.retry import RetrySettings, twice_planned
from gateway.settings.reviews import ReviewSettings
from gateway.settings.routes import RouteSettings, RoutingSettings, check_routes
from gateway.settings.secrets import Secret
from gateway.settings.shares import ShareSettings, twice_named
from gateway.settings.signatures import (
    OptOutLineSettings,
    SignatureSettings,
    opt_out_line_faults,
    signature_faults,
)
from gateway.settings.smpp_server import SmppAccountSettings, SmppServerSettings, check_accounts
from gateway.settings.store import StoreSettings
from gateway.settings.text import TextSettings
from gateway.settings.webhooks import WebhookSettings
from gateway.settings.words import WordSettings, word_faults

DEFAULT_CONFIG = Path("/etc/hongyan/hongyan.toml")
"""Read by `serve` and `check` when no file is named."""

_BINDS = ("transceiver", "transmitter", "receiver", "pair")
_PIN = re.compile(r"[0-9]{4,8}")


class SettingsErrors(GatewayError):
    """The configuration has faults: all of them.

    Args:
        source: the file as the user named it.
        errors: in the order of the file's structs.
    """

    code = "settings"

    def __init__(self, source: str, errors: list[SettingsError]) -> None:
        super().__init__("\n".join(f"{source}:{'' if e.key_path else ' '}{e}" for e in errors))
        self.source = source
        self.errors = errors


class LogSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[log]``: what the daemon writes down.

    Args:
        level: lines of this level and above are in the program's log: debug, info, warning or error.
        format: json, console (for people), or auto: console on a terminal and json elsewhere.
        delivery: file of the delivery log, one JSON object a line; ``-`` is stdout.
        mask_numbers: hide most digits of numbers in the delivery log, and from keys that may only read. The program's
            log always does.
    """

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Form(one_of("debug", "info", "warning", "error"))
    ] = "info"
    format: Annotated[Literal["auto", "json", "console"], Form(one_of("auto", "json", "console"))] = "auto"
    delivery: Filled = "./var/delivery.jsonl"
    mask_numbers: Flag = False


class ModemSettings(StickSettings, frozen=True, kw_only=True):
    """``[[modems]]``: one SIM in one modem; see also `StickSettings` and `SimSettings`.

    Args:
        name: the channel's name; unique.
        pin: the SIM's PIN, if it asks for one.
        number: the SIM's own number, E.164.
        groups: the channel groups it serves.
    """

    name: Name
    pin: Secret | None = None
    number: Number | None = None
    groups: Groups = ("default",)

    @property
    def own_number(self) -> str:
        """Where its messages come from, as far as the config says; empty for nothing."""
        return self.number or ""

    def faults(self) -> Iterator[tuple[str, str]]:
        """A PIN that a SIM can have, beside what the stick's settings want."""
        yield from StickSettings.faults(self)
        if self.pin and not _PIN.fullmatch(self.pin.reveal()):
            yield "pin", "is not a PIN; write 4 to 8 digits"


class SmppSettings(CarrierLink, frozen=True, kw_only=True):
    """``[[smpp]]``: one account at an SMSC; the rest of it is in `CarrierLink`, `CarrierRules` and `CarrierTexts`.

    Args:
        name: the channel's name; unique.
        host: the SMSC's name or address.
        port: the SMSC's TCP port.
        system_id: the account's user name.
        password: the account's password.
        system_type: only where the carrier asks for one.
        bind: transceiver, transmitter (only sends), receiver (only takes in), or pair: a transmitter and a receiver as
            one channel.
        window: how many segments may wait for the SMSC's answer at once.
        rate: the most segments it sends in so much time.
        source_address: the sender's number or name that messages carry.
        groups: the channel groups it serves.
        enquire_link_s: how often a silent link is asked whether it lives.
        response_timeout_s: how long the SMSC may take to answer a segment.
        bind_timeout_s: how long it may take to accept the bind.
    """

    name: Name
    host: Filled
    port: TcpPort = 2775
    system_id: Annotated[str, Form(short_text(15))]
    password: Secret
    system_type: Annotated[str, Form(short_text(12))] = ""
    bind: Annotated[Literal["transceiver", "transmitter", "receiver", "pair"], Form(one_of(*_BINDS))] = (
        "transceiver"
    )
    window: Annotated[int, Form(whole_number(1, 10_000))] = 10
    rate: Pace | None = None
    source_address: Annotated[str, Form(short_text(20))] = ""
    groups: Groups = ("default",)
    enquire_link_s: Duration = msgspec.field(default=30.0, name="enquire_link")
    response_timeout_s: Duration = msgspec.field(default=60.0, name="response_timeout")
    bind_timeout_s: Duration = msgspec.field(default=30.0, name="bind_timeout")

    @property
    def own_number(self) -> str:
        """Where its messages come from; empty for nothing."""
        return self.source_address


ChannelSettings = ModemSettings | SmppSettings


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file.

    Args:
        http: the API.
        console: the pages for people.
        store: where everything durable lives.
        log: what the daemon writes down.
        numbers: how numbers are read, and to which of them anything goes.
        text: how texts are encoded and cut.
        queue: how hard we try.
        modems: the SIMs, in the order of the file.
        smpp: the SMSC accounts, in the order of the file.
        smpp_server: where applications bind to us.
        smpp_accounts: applications that may bind to us.
        opt_out: how a person says no to marketing.
        opt_in: how a person takes that back.
        help: how a person asks who we are.
        kannel_accounts: clients of Kannel's `sendsms`.
        mo_routes: applications that are called for inbound messages, in the order of the file.
        webhooks: where calls may go that clients ask for.
        retention: how long what is over is kept.
        shares: API keys that have another share of the queue than others.
        prices: what a segment costs.
        alerts: who gets which alarm of monitoring tools, in the order of the file.
        probes: messages that test a channel again and again.
        retry: categories that are tried harder, or less hard, than usual.
        routing: when another step of a rule takes over.
        routes: which messages go by which channels, in the order of the file.
        carriers: whose numbers are.
        brands: in whose name messages go, in the order of the file.
        policy: which rules are switched, and for whom, in the order of the file.
        words: lists of words that texts are compared with, in the order of the file.
        punctuation: exclamation and money signs in rows.
        class_lock: advertising in messages that are no marketing.
        hours: when messages of which kind may go.
        caps: how many a number gets.
        repeats: how soon a number gets the same text again.
        consent: whose agreement marketing needs.
        signatures: who speaks, in front of texts, in the order of the file.
        opt_out_lines: how to opt out, at the end of texts, in the order of the file.
        content: what texts may have in them.
        number_limits: how many messages go to numbers that begin alike.
        sandbox: senders that try things out.
        reviews: messages that wait for a person.
    """

    http: HttpSettings = HttpSettings()
    console: ConsoleSettings = ConsoleSettings()
    store: StoreSettings = StoreSettings()
    log: LogSettings = LogSettings()
    numbers: NumberSettings = NumberSettings()
    text: TextSettings = TextSettings()
    queue: QueueSettings = QueueSettings()
    modems: tuple[ModemSettings, ...] = ()
    smpp: tuple[SmppSettings, ...] = ()
    smpp_server: tuple[SmppServerSettings, ...] = ()
    smpp_accounts: tuple[SmppAccountSettings, ...] = ()
    opt_out: OptOutSettings = OptOutSettings()
    opt_in: OptInSettings = OptInSettings()
    help: HelpSettings = HelpSettings()
    kannel_accounts: tuple[KannelAccountSettings, ...] = ()
    mo_routes: tuple[MoRouteSettings, ...] = ()
    webhooks: WebhookSettings = WebhookSettings()
    retention: RetentionSettings = RetentionSettings()
    shares: tuple[ShareSettings, ...] = ()
    prices: tuple[PriceSettings, ...] = ()
    limits: tuple[SenderLimits, ...] = ()
    alerts: tuple[AlertSettings, ...] = ()
    retry: tuple[RetrySettings, ...] = ()
    routing: RoutingSettings = RoutingSettings()
    routes: tuple[RouteSettings, ...] = ()
    carriers: CarrierSettings = CarrierSettings()
    probes: tuple[ProbeSettings, ...] = ()
    brands: tuple[BrandSettings, ...] = ()
    policy: tuple[PolicySettings, ...] = ()
    words: tuple[WordSettings, ...] = ()
    punctuation: PunctuationSettings = PunctuationSettings()
    class_lock: ClassLockSettings = ClassLockSettings()
    hours: tuple[HoursSettings, ...] = ()
    caps: tuple[CapSettings, ...] = ()
    repeats: tuple[RepeatSettings, ...] = ()
    consent: ConsentSettings = ConsentSettings()
    signatures: tuple[SignatureSettings, ...] = ()
    opt_out_lines: tuple[OptOutLineSettings, ...] = ()
    content: ContentSettings = ContentSettings()
    number_limits: tuple[NumberLimitSettings, ...] = ()
    sandbox: tuple[SandboxSettings, ...] = ()
    reviews: ReviewSettings = ReviewSettings()

    @property
    def channels(self) -> tuple[ChannelSettings, ...]:
        """All channels: modems first, each kind in the order of the file."""
        return (*self.modems, *self.smpp)

    def faults(self) -> Iterator[tuple[str, str]]:
        """One text can't mean two things, nor one name."""
        channels = {channel.name: channel.groups for channel in self.channels}
        yield from kannel_faults(self.kannel_accounts, self.mo_routes, channels)
        yield from check_accounts(self.smpp_server, self.smpp_accounts)
        yield from retention_faults(self.retention, self.modems)
        yield from twice_named(self.shares)
        yield from price_faults(self.prices, channels)
        yield from limit_faults(
            self.limits,
            [account.system_id for account in self.smpp_accounts],
            [account.username for account in self.kannel_accounts],
        )
        yield from alert_faults(self.alerts, channels, self.numbers.region)
        yield from twice_planned(self.retry)
        yield from brand_faults(self.brands)
        brands = {DEFAULT_BRAND, *(table.name for table in self.brands)}
        if self.signatures:
            yield from signature_faults(self.signatures, brands, self.carriers.load().by_name)
        yield from opt_out_line_faults(self.opt_out_lines, brands)
        yield from number_rule_faults(self.number_limits, self.sandbox, self.numbers.region)
        yield from policy_faults(self.policy, FIXED)
        yield from word_faults(self.words)
        yield from hours_faults(self.hours, self.numbers.region)
        yield from cap_faults(self.caps, self.repeats)
        if self.routes:
            yield from check_routes(
                self.routes,
                {channel.name: channel.groups for channel in self.channels if _sends(channel)},
                {channel.name: channel.groups for channel in self.channels if not _sends(channel)},
                self.carriers.load().by_name,
            )
        senders = [channel.name for channel in self.channels if _sends(channel)]
        yield from probe_faults(self.probes, senders, self.numbers.region)
        yield from check_numbers(
            self.numbers.region,
            [modem.number for modem in self.modems],
            [bind.source_address for bind in self.smpp],
            self.smpp_accounts,
            self.kannel_accounts,
            self.mo_routes,
            names=channels,
        )
        meaning: dict[str, str] = {}
        for key, words in (("opt_out", self.opt_out), ("opt_in", self.opt_in), ("help", self.help)):
            for word in words.keywords:
                other = meaning.setdefault(fold_word(word), key)
                if other != key:
                    yield f"{key}.keywords", f"{word} stands in {other}.keywords too; write it in one of them"


def _sends(channel: ChannelSettings) -> bool:
    return not isinstance(channel, SmppSettings) or channel.bind != "receiver"


def load_settings(path: Path | None, *, only: tuple[str, ...] = ()) -> Settings:
    """Read a config file.

    Args:
        path: the file; None for the embedded defaults, which need none.
        only: tables to read. What stands in others may be wrong, and their secrets need not be readable. Empty for all.

    Raises:
        SettingsErrors: with every fault that was found.
    """
    if path is None:
        return Settings()
    try:
        document = read_document(path)
    except SettingsError as error:
        raise SettingsErrors(str(path), [error]) from None
    if only:
        document = {key: value for key, value in document.items() if key in only}
    faults: list[SettingsError] = []
    settings = read_table(Settings, document, "", faults)
    faults.extend(_shared_values(document))
    if settings is None or faults:
        raise SettingsErrors(str(path), faults)
    return settings


def _shared_values(document: dict[str, object]) -> Iterator[SettingsError]:
    """Names and ports that two channels claim; from the raw tables, so that other faults don't hide them."""
    for key, sections in (
        ("name", ("modems", "smpp")),
        ("port", ("modems",)),
        ("usb", ("modems",)),
        ("imei", ("modems",)),
        ("iccid", ("modems",)),
    ):
        owner: dict[str, str] = {}
        for path, table in _channel_tables(document, sections):
            value = table.get(key)
            if isinstance(value, str) and owner.setdefault(value, path) != path:
                yield SettingsError(
                    f"{path}.{key}", f'"{value}" is that of {owner[value]} too; write another'
                )


def _channel_tables(
    document: dict[str, object], sections: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, object]]]:
    for section in sections:
        tables = document.get(section)
        for i, table in enumerate(tables if isinstance(tables, list) else ()):
            if isinstance(table, dict):
                yield f"{section}[{i}]", table
