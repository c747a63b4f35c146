"""Why a channel does not work, and what to do about it, in words for whoever is woken at night. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.console.words import mark
from gateway.routing.channel import ChannelSnapshot, ChannelState


class Remedy(NamedTuple):
    """What is the matter with a channel, and what to do next; both in English, said in the visitor's language."""

    why: str
    todo: str


_OF_STATE: Final[Mapping[ChannelState, Remedy]] = {
    ChannelState.STARTING: Remedy(
        mark("It is being started."), mark("Wait a minute. If it stays so, look at the steps below.")
    ),
    ChannelState.PAUSED: Remedy(
        mark("Somebody paused it. Receipts and inbound messages go on."),
        mark("Resume it when it may take messages again."),
    ),
    ChannelState.DRAINING: Remedy(
        mark("Somebody drains it: what is on the wire is finished, then it stays paused."),
        mark("Resume it when it may take messages again."),
    ),
    ChannelState.DOWN: Remedy(
        mark("It has no connection. The gateway tries again by itself."),
        mark(
            "Look at the steps below. If they repeat, reset the channel; then check cable, SIM and network."
        ),
    ),
    ChannelState.STOPPED: Remedy(
        mark("It stopped at a fault that only a person can mend."),
        mark("Mend what is said here, then reset the channel. It is not tried again before."),
    ),
}
_OF_CODE: Final[Mapping[str, Remedy]] = {
    "stick_taken": Remedy(
        mark("Another program uses the modem's port."),
        mark("Run `hongyan doctor`: it names the program and how to end it. Then reset the channel."),
    ),
    "bad_profile": Remedy(
        mark("The modem's profile can't be used."), mark("Correct the profile in the config and reload.")
    ),
    "not_registered": Remedy(
        mark("The modem is not registered with the mobile network."),
        mark("Check antenna, signal and whether the SIM is active and paid for."),
    ),
    "no_answer": Remedy(
        mark("The modem does not answer."),
        mark("Reset the channel. If that does not help, unplug the modem and plug it in again."),
    ),
    "link_lost": Remedy(
        mark("The connection was lost. The gateway tries again by itself."),
        mark("Check the modem's cable, or the network to the SMSC. `hongyan doctor` looks at both."),
    ),
    "driver_broke": Remedy(
        mark("The gateway's own driver failed; it is started anew by itself."),
        mark("Look into the log for the fault, and report it."),
    ),
    "receiver_down": Remedy(
        mark("Messages go out, but receipts and inbound messages do not come in."),
        mark("Ask the provider whether the receiver's bind is allowed from this address."),
    ),
}
_SMPP: Final = Remedy(
    mark("The SMSC refuses the bind."),
    mark("Check system_id, password and system_type; ask the provider whether your address is allowed."),
)
_WORKS_IN_PART: Final = Remedy(
    mark("It works, but something is wrong."), mark("Look at the error; it says what does not work.")
)


def explain_channel(channel: ChannelSnapshot) -> Remedy | None:
    """What to tell of a channel; None where all is well.

    >>> from datetime import UTC, datetime
    >>> up = ChannelSnapshot(name="a", kind="modem", state=ChannelState.UP, since=datetime(2026, 1, 1, tzinfo=UTC))
    >>> explain_channel(up) is None
    True
    """
    state = channel.state
    if state is ChannelState.UP:
        return None if channel.error is None else _of_error(channel, _WORKS_IN_PART)
    if state in {ChannelState.DOWN, ChannelState.STOPPED}:
        return _of_error(channel, _OF_STATE[state])
    return _OF_STATE[state]


def _of_error(channel: ChannelSnapshot, otherwise: Remedy) -> Remedy:
    code = (channel.error or "").partition(":")[0]
    if channel.state is ChannelState.STOPPED and code.startswith("smpp_0x"):
        return _OF_CODE.get(code, _SMPP)
    return _OF_CODE.get(code, otherwise)
