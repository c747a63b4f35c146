"""From a channel's config to its driver; the only file that names every driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from drivers.loopback import LoopbackConfig, LoopbackDriver
from drivers.modem.bringup.pin import PROCESS_LEDGER, PinLedger
from drivers.modem.config import ModemConfig
from drivers.modem.driver import ModemDriver
from drivers.modem.find.finder import StickBook
from drivers.modem.sims import SimLedger
from drivers.smpp.client.config import SmppConfig
from drivers.smpp.client.driver import SmppDriver

if TYPE_CHECKING:
    from drivers.base import Driver

ChannelConfig = ModemConfig | SmppConfig | LoopbackConfig


def build_driver(
    config: ChannelConfig,
    *,
    pins: PinLedger = PROCESS_LEDGER,
    sims: SimLedger | None = None,
    book: StickBook | None = None,
) -> Driver:
    """The driver for one channel; it touches no wire before it is run.

    Args:
        pins, sims, book: what is known of PINs, SIMs and sticks; one of each for all modems.
    """
    match config:
        case ModemConfig():
            return ModemDriver(config, pins=pins, sims=sims, book=book)
        case SmppConfig():
            return SmppDriver(config)
        case LoopbackConfig():
            return LoopbackDriver(config)
    assert_never(config)
