"""What makes messages come and go: each part is done, not yet, or refused, and what is not yet comes back.

A SIM is busy for a while after its start, and each part may meet that. The bring-up waits a little; what is not done
then is tried again, ever more rarely but at least once a minute, as long as the session lasts. The same happens
when the stick forgets its settings (`MessageSetup.renew`), or a memory can't be read (`MessageSetup.avoid`).
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from typing import TYPE_CHECKING

from drivers.at.responses import parse_csca
from drivers.errors import AtError, CmeError, CmsError, WireTimeout
from drivers.modem.asking import Outcome, settle
from drivers.modem.faults import is_busy
from drivers.modem.memories.storage import StorageSetup, set_up_storage
from drivers.modem.profile import CNMI_LADDER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from drivers.at.port import AtPort
    from drivers.modem.config import ModemConfig
    from drivers.modem.memories.habits import Habits
    from drivers.modem.profile import Profile

logger = logging.getLogger(__name__)

LONGEST_S = 60.0
"""Between two tries of what is not done yet."""
REFUSALS = 6
"""So often what messages can't do without is tried again though it was refused: sticks that are starting say ERROR."""

FORMAT, INIT, SERVICE, STORAGE, NOTIFICATIONS, CENTRE = (
    "message format", "init commands", "message service", "storage", "notifications", "service centre",
)  # fmt: skip
_NEEDED = frozenset({STORAGE, NOTIFICATIONS, CENTRE})
_INTERNATIONAL, _NATIONAL = 145, 129
_MT, _DS = 1, 3
"""Places in AT+CNMI: of messages, and of status reports."""
_HANDED_OVER = {_MT: "2", _DS: "1"}


class MessageSetup:
    """The parts of one session, and how each stands.

    Args:
        left: init commands that met a busy SIM.

    Only one task may call `run`, `again` and the reader of the storages: all of them choose memories.

    Attributes:
        storage: where messages are.
        notify_command: the AT+CNMI that was accepted; None when none was.
        acknowledges: directly delivered messages wait for AT+CNMA (message service phase 2+).
        has_smsc: the SIM knows a service centre; None when it does not say.
        armed_reading: when notifications were armed, storages could be read.
    """

    def __init__(
        self,
        port: AtPort,
        config: ModemConfig,
        profile: Profile,
        habits: Habits,
        left: Iterable[str] = (),
    ) -> None:
        self.storage = StorageSetup(preferred=None, readable=())
        self.notify_command: str | None = None
        self.acknowledges = False
        self.has_smsc: bool | None = None
        self.armed_reading = True
        self._port = port
        self._config = config
        self._profile = profile
        self._habits = habits
        self._centre = config.smsc
        self._known_centre: str | None = None
        self._timing = config.timing
        self._left = list(left)
        self._wait_s = self._timing.unfinished_s
        self._next = math.inf
        self._refusals: dict[str, int] = {}
        self._pending: list[str] = []
        self._parts: dict[str, Callable[[], Awaitable[Outcome]]] = {
            FORMAT: lambda: settle(port, "AT+CMGF=0"),
            INIT: self._run_left,
            SERVICE: self._set_service,
            CENTRE: self._set_centre,
            STORAGE: self._set_storage,
            NOTIFICATIONS: self._arm,
        }

    @property
    def due(self) -> float:
        """When `again` has something to do, by the loop's clock."""
        return self._next

    @property
    def unfinished(self) -> tuple[str, ...]:
        """Parts that the stick was not ready for."""
        return tuple(name for name in self._pending if not self._refusals.get(name))

    @property
    def reads(self) -> bool:
        """Whether storages may be read at all."""
        return not self._config.send_only and not self._habits.reads_nothing

    async def run(self, patience_s: float) -> None:
        """Set all up, and wait for what is not ready, all in all not longer than that.

        Raises:
            WireTimeout: a command was not answered.

        Cancel: as `AtPort.request`.
        """
        self.renew(INIT, SERVICE, CENTRE, STORAGE, NOTIFICATIONS)  # the format was the first thing
        deadline = _now() + patience_s
        await self._try_all()
        while self.unfinished and _now() < deadline:
            await asyncio.sleep(self._timing.poll_s)
            await self._try_all()
        self._plan_next()

    async def again(self) -> None:
        """Try once more what is not done. Cancel: as `AtPort.request`."""
        try:
            await self._try_all()
        except WireTimeout as error:
            logger.info("%s: %s; what is not set up is tried again", self._config.name, error)
        self._wait_s = min(LONGEST_S, 2 * self._wait_s)
        self._plan_next()

    def renew(self, *names: str) -> None:
        """These parts are to be done anew, at once; all of them when none is named."""
        wanted = names or tuple(self._parts)
        self._pending = [name for name in self._parts if name in wanted or name in self._pending]
        self._refusals = {name: n for name, n in self._refusals.items() if name not in wanted}
        self._wait_s = self._timing.unfinished_s
        self._next = _now()

    def renew_centre(self) -> None:
        """The network does not know where to: sticks such as Huawei's E220 want the number written in each session."""
        self._centre = self._centre or self._known_centre
        self.renew(CENTRE)

    def avoid(self, memory: str | None) -> bool:
        """What lies in this memory can't be read: new messages must go elsewhere. Whether that is news."""
        if memory is None or memory in self._habits.unreadable:
            return False
        self._habits.unreadable.add(memory)
        self.renew(STORAGE, NOTIFICATIONS)
        return True

    def avoid_stored_reports(self) -> bool:
        """Stored reports can't be read: they are to be handed over directly. Whether that is news."""
        if self._habits.reports_unreadable:
            return False
        self._habits.reports_unreadable = True
        self.renew(NOTIFICATIONS)
        return True

    def _plan_next(self) -> None:
        self._next = _now() + self._wait_s if self._pending else math.inf

    async def _try_all(self) -> None:
        for name in tuple(self._pending):
            outcome = await self._parts[name]()
            if outcome is Outcome.NOT_YET:
                self._refusals.pop(name, None)
                continue
            if outcome is Outcome.REFUSED and name in _NEEDED:
                self._refusals[name] = self._refusals.get(name, 0) + 1
                if self._refusals[name] < REFUSALS:
                    continue
                logger.warning("%s: the stick refuses: %s", self._config.name, name)
            self._pending.remove(name)

    async def _run_left(self) -> Outcome:
        while self._left:
            if await settle(self._port, self._left[0]) is Outcome.NOT_YET:
                return Outcome.NOT_YET
            del self._left[0]
        return Outcome.DONE

    async def _set_service(self) -> Outcome:
        outcome = await settle(self._port, "AT+CSMS=1")
        self.acknowledges = outcome is Outcome.DONE
        return outcome

    async def _set_centre(self) -> Outcome:
        """Write the number also where it is known: some sticks send nothing before it was written once."""
        wanted = self._centre
        try:
            self._known_centre = parse_csca(await self._port.request("AT+CSCA?"))
            self.has_smsc = self._known_centre is not None
        except (AtError, CmeError, CmsError) as error:
            self.has_smsc = None
            if wanted is None:
                return Outcome.NOT_YET if is_busy(error) else Outcome.DONE
        if wanted is None:
            if not self.has_smsc:
                logger.warning("%s: the SIM knows no service centre; set smsc", self._config.name)
            return Outcome.DONE
        outcome = Outcome.REFUSED
        # The second for a stick whose character set another program left at UCS2, and that keeps it.
        for spelling in (wanted, wanted.encode("utf-16-be").hex().upper()):
            kind = _INTERNATIONAL if wanted.startswith("+") else _NATIONAL
            outcome = await settle(self._port, f'AT+CSCA="{spelling}",{kind}')
            if outcome is not Outcome.REFUSED:
                break
        if outcome is Outcome.DONE:
            self.has_smsc = True
        return outcome

    async def _set_storage(self) -> Outcome:
        if self._config.send_only:
            return Outcome.DONE
        names = self._profile.storages
        usable = tuple(name for name in names if name not in self._habits.unreadable) or names
        try:
            self.storage = await set_up_storage(self._port, usable)
            if self.storage.preferred is None and usable != names:
                self.storage = await set_up_storage(self._port, names)
        except (CmeError, CmsError):
            return Outcome.NOT_YET
        return Outcome.REFUSED if self.storage.preferred is None else Outcome.DONE

    async def _arm(self) -> Outcome:
        self.armed_reading = self.reads
        for command in self._ladder():
            outcome = await settle(self._port, command)
            if outcome is Outcome.NOT_YET:
                return outcome
            if outcome is Outcome.DONE:
                self.notify_command = command
                return outcome
        self.notify_command = None
        logger.warning("%s: no AT+CNMI accepted; messages are found by sweeps only", self._config.name)
        return Outcome.REFUSED

    def _ladder(self) -> Iterable[str]:
        """AT+CNMI commands, best first; what can't be read from a storage is handed over directly."""
        places: set[int] = set()
        if not self.reads or self.storage.preferred in self._habits.unreadable:
            places = {_MT, _DS}
        elif self._habits.reports_unreadable:
            places = {_DS}
        direct = (
            [_route(command, places) for command in (*self._profile.cnmi, *CNMI_LADDER)] if places else []
        )
        return dict.fromkeys((*direct, *self._profile.cnmi))


def _route(command: str, places: Iterable[int]) -> str:
    """The same AT+CNMI, but with messages or reports handed over.

    >>> _route("AT+CNMI=2,1,0,2,0", {_DS})
    'AT+CNMI=2,1,0,1,0'
    """
    head, _, values = command.partition("=")
    fields = re.split(",", values)
    for place in places:
        if place < len(fields):
            fields[place] = _HANDED_OVER[place]
    return f"{head}={','.join(fields)}"


def _now() -> float:
    return asyncio.get_running_loop().time()
