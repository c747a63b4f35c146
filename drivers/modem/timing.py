"""How long the driver waits for what; the defaults suit real sticks and networks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemTiming:
    """All in seconds.

    Args:
        command_s: for the answer to a command that asks nothing of the network.
        poll_s: between two looks at a SIM that is busy or a network that is searched.
        sim_busy_s: how long a SIM may be busy after power-on.
        registration_s: how long a network may be searched before the stick is started anew.
        sweep_s: between two sweeps of the message storage.
        sweep_after_failure_s: until the next sweep when something could not be stored.
        sweep_soon_s: until the next sweep while sweeps find what the stick did not announce.
        unfinished_s: until what the stick was not ready for is tried again, at first.
        backoff_s, backoff_cap_s: first and longest wait before the port is opened again.
        quarantine_s, quarantine_cap_s: first and longest rest when nothing has helped.
        calm_s: so long in service, and the next trouble is a new one.
        reset_s: how long a stick takes to start after a reset.
        reset_answer_s: how long a stick has to hear the reset; few answer it.
        absent_s: how long a stick may be missing before its power is looked to.
    """

    command_s: float = 10.0
    poll_s: float = 1.0
    sim_busy_s: float = 20.0
    registration_s: float = 180.0
    sweep_s: float = 180.0
    sweep_after_failure_s: float = 15.0
    sweep_soon_s: float = 15.0
    unfinished_s: float = 5.0
    backoff_s: float = 1.0
    backoff_cap_s: float = 60.0
    quarantine_s: float = 60.0
    quarantine_cap_s: float = 600.0
    calm_s: float = 300.0
    reset_s: float = 10.0
    reset_answer_s: float = 3.0
    absent_s: float = 60.0
