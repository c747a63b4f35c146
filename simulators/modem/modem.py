"""A simulated stick on a pseudo-terminal: what a program opens instead of /dev/ttyUSB0.

All bytes to and from programs pass `SimulatedModem._receive` and `SimulatedModem._transmit`, where the faults of
its plan (`simulators.modem.misbehaviour`) may strike.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import termios
import tty
from pathlib import Path
from typing import TYPE_CHECKING

from simulators.fault_plan import FaultPlan
from simulators.faults import ModemFault
from simulators.modem.device import Device
from simulators.modem.dialect import DIALECTS
from simulators.modem.machine import Machine
from simulators.modem.misbehaviour import Misbehaviour
from simulators.modem.sim_card import SimCard
from simulators.modem.ussd import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from simulators.fault_plan import FaultDesk
    from simulators.modem.ussd import Services
    from simulators.network import Network

MAX_UNREAD = 262_144
"""Bytes kept for a program that reads slowly: more than a full storage lists; the oldest are lost."""
UNREAD_FOR_S = 1.0
"""When nobody has read for so long, what waits is lost, as on a port that no program has open."""


class SimulatedModem:
    """One modem with its SIM in it.

    Args:
        network: the operator.
        number: the SIM's number, E.164.
        dialect: a key of `DIALECTS`.
        pin: the SIM asks for it; None for a SIM without.
        link: stable name for the port, made at start and removed at stop.
        name: in the network's ledger; by default the name of the link or the number.
        network_time_s: from the end of a PDU to ``+CMGS``.
        noise_every_s: how often lines such as ``^RSSI`` come by themselves; 0 for never.
        acknowledge_time_s: how long a routed message waits for AT+CNMA.
        services: what the network answers to USSD codes.
        desk: where faults for it are handed in, by its name; without one, use `plan`.
        tap: called on the loop with ``<`` and what a program said, or ``>`` and what it is told, as that passes.

    Attributes:
        device: the stick itself: SIM, storages, settings.
        plan: its faults.
    """

    def __init__(
        self, network: Network, *, number: str, dialect: str = "huawei", pin: str | None = None,
        link: Path | None = None, name: str | None = None, network_time_s: float = 0.0,
        noise_every_s: float = 3.0, acknowledge_time_s: float = 15.0, services: Services = SERVICES,
        desk: FaultDesk | None = None, tap: Callable[[str, bytes], None] | None = None,
    ) -> None:  # fmt: skip
        self._network = network
        self._tap = tap
        self._link = link
        self._noise_every_s = noise_every_s
        name = name or (link.name if link else number)
        self.plan = desk.plan(name, frozenset(ModemFault)) if desk else FaultPlan(name, frozenset(ModemFault))
        self._faults = Misbehaviour(self.plan)
        self.device = Device(
            name=name,
            network=network,
            sim=SimCard(number, pin=pin),
            dialect=DIALECTS[dialect],
            network_time_s=network_time_s,
            acknowledge_time_s=acknowledge_time_s,
            services=services,
            faults=self._faults,
        )
        self._machine = Machine(self.device, self._transmit)
        self._unread = bytearray()
        self._read_at = 0.0
        self._master = self._slave = -1
        self._noise_timer: asyncio.TimerHandle | None = None
        self._line_free_at = 0.0
        self._away = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> str:
        """What a program opens: the stable name, or else that of the terminal."""
        return str(self._link) if self._link else os.ttyname(self._slave)

    @property
    def number(self) -> str:
        """The SIM's own."""
        return self.device.sim.number

    async def start(self) -> None:
        """Plug it in."""
        self._plug_in()
        self._faults.start(self)
        self._schedule_noise()

    async def stop(self) -> None:
        """Pull it out for good: programs see the port hang up, messages wait in the network."""
        self._faults.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._noise_timer:
            self._noise_timer.cancel()
        await self._pull_out()
        if self._slave >= 0:  # stopped between two names
            os.close(self._slave)
            self._slave = -1

    def reboot(self, boot_s: float) -> None:
        """`Victim`: forget everything, be deaf for a while, then greet."""
        self._machine.abort()
        self._unread.clear()
        self._run_later(boot_s, self.device.restart)

    def vanish(self, gone_s: float, *, elsewhere: bool, name: str) -> None:
        """`Victim`: the port hangs up and comes back; a second time has to wait until it is there."""
        if self._away:
            return
        self._away = True
        task = asyncio.get_running_loop().create_task(self._come_back(gone_s, elsewhere=elsewhere, name=name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def lock_sim(self, pin: str) -> None:
        """`Victim`: the SIM lost its contact."""
        self.device.sim.relock(pin)
        self.device.notify([f"+CPIN: {self.device.sim.lock}"])
        self.device.service_changed()

    def fill_storage(self) -> None:
        """`Victim`: old messages everywhere."""
        self.device.fill_storage()

    def jump_reference(self, next_mr: int) -> None:
        """`Victim`: the reference counter stands elsewhere."""
        self.device.next_mr = next_mr

    def service_changed(self) -> None:
        """`Victim`: the network is gone or back."""
        self.device.service_changed()

    async def _come_back(self, gone_s: float, *, elsewhere: bool, name: str) -> None:
        await self._pull_out(keep_slave=elsewhere)
        try:
            await asyncio.sleep(gone_s)
            if name and self._link:
                self._link = self._link.with_name(name)
            old_slave, self._slave = self._slave, -1
            self._plug_in()
            if old_slave >= 0:
                os.close(old_slave)
        finally:
            self._away = False

    def _run_later(self, delay_s: float, step: Callable[[], None]) -> None:
        async def run() -> None:
            await asyncio.sleep(delay_s)
            step()

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _plug_in(self) -> None:
        self._master, self._slave = os.openpty()
        # The slave stays open here, or the master would hang up each time a program closes its end.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._make_link()
        asyncio.get_running_loop().add_reader(self._master, self._receive)
        self.device.restart()
        self._unread.clear()  # nobody hears what a stick says while it is being plugged in
        self._machine = Machine(self.device, self._transmit)
        self._network.attach(self.number, self.device)

    async def _pull_out(self, *, keep_slave: bool = False) -> None:
        """Hang up; while the slave is kept nobody gets this terminal's number."""
        if self._master < 0:
            return
        self._network.detach(self.number)
        await self._machine.close()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._master)
        loop.remove_writer(self._master)
        self._remove_link()
        os.close(self._master)
        self._master = -1
        if not keep_slave:
            os.close(self._slave)
            self._slave = -1

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _make_link(self) -> None:
        if self._link:
            self._link.parent.mkdir(parents=True, exist_ok=True)
            self._remove_link()
            self._link.symlink_to(os.ttyname(self._slave))

    def _remove_link(self) -> None:
        if self._link and self._link.is_symlink():  # never somebody's file
            self._link.unlink()

    def _receive(self) -> None:
        # Some programs take the terminal for themselves; real ones forget that at the last close, this one
        # is never closed.
        fcntl.ioctl(self._slave, termios.TIOCNXCL)
        with contextlib.suppress(BlockingIOError):
            octets = os.read(self._master, 4_096)
            if self._tap is not None:
                self._tap("<", octets)
            if not self._faults.hears():
                return
            loop, baud = asyncio.get_running_loop(), self._faults.baud
            if baud is None and loop.time() >= self._line_free_at:
                self._machine.feed(octets)
                return
            self._line_free_at = max(loop.time(), self._line_free_at) + len(octets) * 10 / (baud or 115_200)
            loop.call_at(self._line_free_at, self._hear_late, self._machine, octets)

    def _hear_late(self, machine: Machine, octets: bytes) -> None:
        if machine is self._machine and self._master >= 0 and self._faults.hears():
            machine.feed(octets)

    def _transmit(self, octets: bytes) -> None:
        octets = self._faults.says(octets)
        if self._master < 0 or not octets:
            return
        loop = asyncio.get_running_loop()
        if not self._unread:  # one write for all that is said in this turn of the loop
            self._read_at = loop.time()
            loop.call_soon(self._write)
        elif loop.time() - self._read_at > UNREAD_FOR_S:
            self._unread.clear()
        self._unread += octets
        del self._unread[:-MAX_UNREAD]

    def _write(self) -> None:
        if self._master < 0:
            return
        loop = asyncio.get_running_loop()
        pace = self._faults.pace()
        with contextlib.suppress(BlockingIOError):
            n_written = os.write(self._master, self._unread[: pace[0]] if pace else self._unread)
            if self._tap is not None:
                self._tap(">", bytes(self._unread[:n_written]))
            del self._unread[:n_written]
            self._read_at = loop.time()
        if self._unread and pace:
            loop.remove_writer(self._master)
            loop.call_later(pace[1], self._write)
        elif self._unread:
            loop.add_writer(self._master, self._write)
        else:
            loop.remove_writer(self._master)

    def _schedule_noise(self) -> None:
        if self._noise_every_s > 0 and self.device.dialect.noise:
            loop = asyncio.get_running_loop()
            self._noise_timer = loop.call_later(self._noise_every_s, self._make_noise)

    def _make_noise(self) -> None:
        for line in self.device.dialect.noise if self.device.settings.noise else ():
            self._machine.notify([line])
        self._schedule_noise()
