"""From the settings of a channel to its driver and its lane."""

from __future__ import annotations

from drivers.modem.bringup.pin import PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.find.finder import StickBook
from drivers.modem.sims import SimLedger
from drivers.pacing import TokenBucket
from drivers.registry import build_driver
from drivers.smpp.client.config import SmppConfig
from gateway.channels.budgets import make_budget
from gateway.clock import Clock
from gateway.pipeline.sending.lane import Lane
from gateway.settings.config import ChannelSettings, ModemSettings, SmppSettings
from gateway.settings.forms import Rate
from gateway.settings.kinds.carrier_link import make_client_tls, make_spare_peers
from gateway.settings.kinds.carrier_rules import make_receipt_rules, make_submit_rules
from gateway.settings.kinds.carrier_texts import make_text_plan
from gateway.settings.store import StoreSettings, beside_store

BURST_S = 1.0
"""A rate's bucket holds what may go in one second, and at least one segment."""


class LaneMaker:
    """Makes lanes; nothing runs yet. The drivers of modems know of each other, also of those that come later."""

    def __init__(self, store: StoreSettings, clock: Clock) -> None:
        self._clock = clock
        self._pins = PinLedger(beside_store(store, ".pins"))
        self._sims = SimLedger(beside_store(store, ".sims"))
        self._book = StickBook()

    def make(self, channel: ChannelSettings) -> Lane:
        """The lane of one channel.

        Raises:
            ValueError, DriverError: a file that it names can't be used.
        """
        return _make_lane(channel, self._clock, self._pins, self._sims, self._book)


def _make_lane(
    channel: ChannelSettings, clock: Clock, pins: PinLedger, sims: SimLedger, book: StickBook
) -> Lane:
    rate = channel.rate
    return Lane(
        build_driver(_driver_config(channel), pins=pins, sims=sims, book=book),
        groups=channel.groups,
        clock=clock,
        rate=_make_bucket(rate, clock.monotonic()),
        rate_text=str(rate) if rate else None,
        budget=make_budget(channel) if isinstance(channel, ModemSettings) else None,
        number=channel.number if isinstance(channel, ModemSettings) else channel.source_address or None,
        account=_account(channel) if isinstance(channel, SmppSettings) else None,
    )


def _account(channel: SmppSettings) -> str:
    return channel.account or f"{channel.system_id}@{channel.host}"


def _driver_config(channel: ChannelSettings) -> ModemConfig | SmppConfig:
    if isinstance(channel, SmppSettings):
        return SmppConfig(
            name=channel.name,
            host=channel.host,
            port=channel.port,
            system_id=channel.system_id,
            password=channel.password.reveal(),
            system_type=channel.system_type,
            bind=channel.bind,
            window=channel.window,
            source_address=channel.source_address,
            enquire_link_s=channel.enquire_link_s,
            response_timeout_s=channel.response_timeout_s,
            bind_timeout_s=channel.bind_timeout_s,
            spare_peers=make_spare_peers(channel, channel.port),
            interface_version=channel.interface_version,
            address_range=channel.address_range,
            address_range_ton=channel.address_range_ton,
            address_range_npi=channel.address_range_npi,
            texts=make_text_plan(channel),
            submit=make_submit_rules(channel),
            receipts=make_receipt_rules(channel),
            tls=make_client_tls(channel),
            tls_name=channel.tls_name,
        )
    return ModemConfig(
        name=channel.name,
        port=channel.port,
        usb=channel.usb,
        imei=channel.imei,
        iccid=channel.iccid,
        baudrate=channel.baudrate,
        pin=channel.pin.reveal() if channel.pin else None,
        number=channel.number,
        smsc=channel.smsc,
        roaming=channel.roaming,
        send_only=channel.send_only,
        hang_up_calls=channel.hang_up_calls,
        profile=channel.profile,
        answer_timeout_s=channel.answer_timeout_s,
        keepalive_s=channel.keepalive_s,
        init_commands=channel.init_commands,
        recovery_command=channel.recovery_command,
    )


def _make_bucket(rate: Rate | None, now: float) -> TokenBucket | None:
    if rate is None:
        return None
    per_s = rate.count / rate.per_s
    return TokenBucket(per_s, max(1.0, per_s * BURST_S), now)
