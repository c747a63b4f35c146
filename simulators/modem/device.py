"""A stick without its serial port: SIM, storages, registration, and its dealings with the network.

The network glue lives here: submits go out with a message reference of their own, inbound messages and
status reports are stored or routed as AT+CNMI asks. Everything the stick says by itself goes to `notify`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from drivers.base import Encoding
from drivers.codec.address import split_sca
from drivers.codec.tpdu import decode_submit
from drivers.errors import DecodeError
from simulators.fault_plan import FaultPlan
from simulators.modem.misbehaviour import Misbehaviour
from simulators.modem.render import format_inbound, format_report
from simulators.modem.settings import factory_settings
from simulators.modem.sim_card import Lock, SlotStatus, Storage, StoredMessage, with_check_digit
from simulators.modem.syntax import (
    CMS_INVALID_PDU,
    CMS_NO_NETWORK,
    CMS_SIM_FAILURE,
    CMS_SIM_PIN,
    CMS_SIM_PUK,
    Failed,
)
from simulators.modem.tpdus import message_from_submit, tpdu_from_message, tpdu_from_receipt
from simulators.modem.ussd import UssdSession
from simulators.traffic import NetworkMessage, NetworkRefusal, NotNow

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulators.modem.dialect import Dialect
    from simulators.modem.sim_card import SimCard
    from simulators.modem.ussd import Services
    from simulators.network import Network
    from simulators.traffic import NetworkReceipt

MAX_REFERENCES = 4_096
"""Submits whose receipts are still expected; older ones are forgotten, as networks do."""
SIM_MEMORY = "SM"
OPERATOR = "10086"
"""Who writes the messages that fill storages."""
_LOCK_ERRORS = {Lock.PIN: CMS_SIM_PIN, Lock.PUK: CMS_SIM_PUK, Lock.DEAD: CMS_SIM_FAILURE}


class Device:
    """The stick.

    Args:
        name: for the network's ledger.
        network: the operator.
        sim: its card.
        dialect: its family.
        network_time_s: from the end of a PDU to the network's answer.
        acknowledge_time_s: how long a routed message waits for AT+CNMA (27.005 3.4.4).
        services: what the network answers to USSD codes.
        faults: what goes wrong with it; by default nothing.

    Attributes:
        settings: what AT commands changed.
        storages: by memory name.
        radio_on: AT+CFUN=1.
        ussd: its talk with the network's services.
        next_mr: message reference of the next submit, 0..255.
        notify: takes the lines of one unsolicited result code.
    """

    def __init__(
        self, *, name: str, network: Network, sim: SimCard, dialect: Dialect,
        network_time_s: float, acknowledge_time_s: float, services: Services,
        faults: Misbehaviour | None = None,
    ) -> None:  # fmt: skip
        self.faults = faults or Misbehaviour(FaultPlan(name, ()))
        self.name = name
        self.network = network
        self.sim = sim
        self.dialect = dialect
        self.network_time_s = network_time_s
        self.ussd = UssdSession(services)
        self.imei = with_check_digit(dialect.tac + sim.number.lstrip("+")[-6:].zfill(6))
        self.settings = factory_settings(dialect)
        self.storages = {name: Storage(name, size, dialect.first_index) for name, size in dialect.memories}
        self.radio_on = True
        self.next_mr = 0
        self.notify: Callable[[list[str]], None] = lambda _lines: None
        self._acknowledge_time_s = acknowledge_time_s
        self._references: OrderedDict[str, int] = OrderedDict()
        self._routing = asyncio.Lock()
        self._acknowledgement: asyncio.Future[bool] | None = None

    @property
    def registered(self) -> bool:
        """It can talk to the network."""
        return self.radio_on and self.sim.lock is Lock.READY and not self.faults.offline

    def check_service(self) -> None:
        """Raise the `Failed` that a message command ends with while there is no service."""
        if self.sim.lock is not Lock.READY:
            raise Failed.cms(_LOCK_ERRORS[self.sim.lock])
        if not self.registered:
            raise Failed.cms(CMS_NO_NETWORK)

    def restart(self) -> None:
        """Off and on again: settings and the opened SIM are forgotten, stored messages are not."""
        self.settings = factory_settings(self.dialect)
        self.ussd.cancel()
        self.sim.power_cycle()
        self.radio_on = True
        for line in self.dialect.boot:
            self.notify([line])
        self.service_changed()

    def service_changed(self) -> None:
        """Tell about the registration where that was asked for, and fetch what waits in the network."""
        for name in ("+CREG", "+CGREG", "+CEREG"):
            if self.settings.reports.get(name, 0):
                self.notify([f"{name}: {int(self.registered)}"])
        if self.registered:
            self.network.retry(self)

    def fill_storage(self) -> None:
        """Put messages of the operator's into every free slot for inbound ones."""
        box = self.storages[self.settings.memories[2]]
        for place in range(box.capacity):
            text = f"Your bill no. {place} is ready.".encode("ascii")
            message = NetworkMessage(
                sender=OPERATOR, recipient=self.sim.number, encoding=Encoding.GSM7, payload=text
            )
            if box.add(StoredMessage(SlotStatus.REC_READ, tpdu_from_message(message))) is None:
                return

    def slots_freed(self) -> None:
        """Tell the network that messages fit again."""
        self.network.retry(self)

    async def submit(self, tpdu: bytes) -> int:
        """Send one SMS-SUBMIT.

        Returns:
            Its message reference, 0..255.

        Raises:
            Failed: the TPDU can't be read, there is no service, or the network refused.

        Cancel: the message may or may not have reached the network.
        """
        self.check_service()
        try:
            submit = decode_submit(tpdu)
        except DecodeError:
            raise Failed.cms(CMS_INVALID_PDU) from None
        await self.faults.before_network(submit.tp_da)
        network_time_s = self.network_time_s + self.faults.latency_s
        if network_time_s > 0:
            await asyncio.sleep(network_time_s)
        message = message_from_submit(submit, sender=self.sim.number, via=self.name)
        try:
            reference = await self.network.submit(message, self)
        except NetworkRefusal as refusal:
            raise Failed.cms(refusal.code) from None
        mr = self.next_mr
        self.next_mr = (mr + 1) % 256
        self._references[reference] = mr
        if len(self._references) > MAX_REFERENCES:
            self._references.popitem(last=False)
        await self.faults.after_network(submit.tp_da)
        return mr

    async def deliver(self, message: NetworkMessage) -> None:
        """Take an inbound message from the network: store it or hand it over, as AT+CNMI says."""
        if not self.registered:
            raise NotNow
        for _ in range(await self.faults.on_deliver(message)):
            await self._take_message(message)

    async def _take_message(self, message: NetworkMessage) -> None:
        if not self.registered:  # a fault struck just now
            raise NotNow
        tpdu = tpdu_from_message(message)
        is_routed = self.settings.mt in (2, 3) or (
            self.settings.mt == 1 and message.flash and self.dialect.flash_routed
        )
        if is_routed and not message.for_sim:
            await self._route(format_inbound(self.settings, self.sim.service_centre, tpdu))
            return
        memory = SIM_MEMORY if message.for_sim else self.settings.memories[2]
        index = self._store(memory, tpdu)
        if self.settings.mt:
            self.notify([f'+CMTI: "{memory}",{index}'])

    async def report(self, receipt: NetworkReceipt) -> None:
        """Take a status report from the network; without AT+CNMI ds it is dropped, as sticks do."""
        if not self.registered:
            raise NotNow
        mr = self._references.get(receipt.reference)
        if mr is None or self.settings.ds == 0:
            return
        for _ in range(await self.faults.on_report(receipt.message.recipient)):
            await self._take_report(tpdu_from_receipt(receipt, mr))
        self._references.pop(receipt.reference, None)

    async def _take_report(self, tpdu: bytes) -> None:
        if not self.registered:
            raise NotNow
        if self.settings.ds == 1:
            await self._route(format_report(self.settings, self.sim.service_centre, tpdu))
        else:
            memory = self.dialect.report_memory or self.settings.memories[2]
            index = self._store(memory, tpdu)
            self.notify([f'+CDSI: "{memory}",{index}'])

    def acknowledge(self, *, positive: bool) -> bool:
        """AT+CNMA for the message handed over last; False when none waits for it."""
        waiting = self._acknowledgement
        if waiting is None or waiting.done():
            return False
        waiting.set_result(positive)
        return True

    def _store(self, memory: str, tpdu: bytes) -> int:
        stored = StoredMessage(SlotStatus.REC_UNREAD, tpdu)
        index = None if self.faults.storage_full else self.storages[memory].add(stored)
        if index is None:
            if self.dialect.full_notice:
                self.notify([self.dialect.full_notice.format(memory=memory)])
            raise NotNow
        return index

    async def _route(self, lines: list[str]) -> None:
        """Hand a message over; in message service 1 the network is told only after AT+CNMA."""
        if self.settings.csms == 0:
            self.notify(lines)
            return
        async with self._routing:
            self._acknowledgement = asyncio.get_running_loop().create_future()
            self.notify(lines)
            try:
                async with asyncio.timeout(self._acknowledge_time_s):
                    positive = await self._acknowledgement
            except TimeoutError:
                positive = False
        if not positive:
            # 27.005 3.4.1: routing is switched off, so that the next attempt finds a storage.
            mode, _mt, bm, _ds, bfr = self.settings.cnmi
            self.settings.cnmi = (mode, 0, bm, 0, bfr)
            asyncio.get_running_loop().call_soon(self.network.retry, self)
            raise NotNow


def split_pdu(octets: bytes) -> bytes:
    """The TPDU behind the service centre address.

    Raises:
        Failed: there is no readable address.
    """
    try:
        return split_sca(octets)[1]
    except DecodeError:
        raise Failed.cms(CMS_INVALID_PDU) from None
