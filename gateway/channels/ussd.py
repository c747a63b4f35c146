"""USSD as the product sees it: questions to the network of one SIM, and what can go wrong, in the product's words."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from drivers.errors import DriverError, EncodeError, WireLost, WireTimeout
from drivers.modem.ussd import UssdAnswer
from gateway.clock import Clock
from gateway.errors import Conflict, FieldError, InvalidRequest, NetworkRefused, NetworkSilent, NotSupported
from gateway.pipeline.sending.lane import Lane
from gateway.routing.channel import ChannelState, UssdReply

SESSION_S = 60.0
"""A menu that was shown is answered within this time or not at all: networks close it themselves."""


@runtime_checkable
class AsksNetwork(Protocol):
    """A driver with a SIM behind it."""

    async def ussd(self, code: str) -> UssdAnswer:
        """See `drivers.modem.driver.ModemDriver.ussd`."""
        ...


class UssdSessions:
    """Asks by any lane, and knows which of them has a menu open."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open_until: dict[str, float] = {}

    def is_open(self, lane: Lane) -> bool:
        """Whether somebody is in the middle of a menu, which a question of our own would break off."""
        return self._clock.monotonic() < self._open_until.get(lane.name, 0.0)

    async def ask(self, lane: Lane, code: str) -> UssdReply:
        """Send a code, or the choice from a menu that the answer before has shown.

        Raises:
            NotSupported: the channel has no SIM.
            Conflict: it is down, or went down meanwhile.
            InvalidRequest: the code can't be written in the network's alphabet.
            NetworkSilent: no answer came in time.
            NetworkRefused: the stick or the network does not do this.

        Cancel: the network's answer is ignored when it comes.
        """
        driver = lane.driver
        if not isinstance(driver, AsksNetwork):
            raise NotSupported(f"a channel of kind {lane.traits.kind} has no SIM; USSD goes by modems")
        if lane.state is not ChannelState.UP:
            raise Conflict(f"the channel is {lane.state}; USSD needs it up")
        self._open_until.pop(lane.name, None)
        try:
            answer = await driver.ussd(code)
        except EncodeError as error:
            raise InvalidRequest(FieldError("/code", "not_encodable", error.reason)) from error
        except WireLost as error:
            raise Conflict("the channel went down before an answer came") from error
        except WireTimeout as error:
            raise NetworkSilent(
                f"the network gave no answer within {error.after_s:g} s; try again"
            ) from error
        except DriverError as error:
            raise NetworkRefused(f"the modem or the network refused the code: {error}") from error
        if answer.expects_reply:
            self._open_until[lane.name] = self._clock.monotonic() + SESSION_S
        return UssdReply(text=answer.text, expects_reply=answer.expects_reply)
