"""The service manager's notification protocol: datagrams to the socket that systemd names.

Spec: sd_notify(3), sd_watchdog_enabled(3). Everything here does nothing where there is no systemd.
"""

from __future__ import annotations

import contextlib
import os
import socket


def notify(*states: str) -> bool:
    """Tell the service manager, such as ``READY=1`` or ``STATUS=...``; several go in one datagram.

    Returns:
        Whether it was told. A manager that can't hear us must not stop us.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # Linux's abstract namespace
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire,
    ):
        wire.setblocking(False)
        wire.connect(address)
        wire.sendall("\n".join(states).encode())
        return True
    return False


def watchdog_interval_s() -> float | None:
    """How often ``WATCHDOG=1`` is due: half of what the manager allows; None when it does not watch us."""
    period_us = os.environ.get("WATCHDOG_USEC", "")
    watched_pid = os.environ.get("WATCHDOG_PID", str(os.getpid()))
    if not period_us.isdecimal() or int(period_us) == 0 or watched_pid != str(os.getpid()):
        return None
    return int(period_us) / 2_000_000
