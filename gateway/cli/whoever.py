"""Who runs a command on the gateway's machine, and from where: for the timeline and the audit trail."""

from __future__ import annotations

import os
import socket

from gateway.files import user_name
from gateway.model.actor import Actor, ActorKind


def whoever_runs_this() -> Actor:
    """The owner of this process, as the system knows him.

    Where he came from is what his environment says: it is a hint, and whoever runs the command can set it.
    """
    origin = [f"machine {socket.gethostname()}"]
    if sudo := os.environ.get("SUDO_USER"):
        origin.append(f"sudo {sudo}")
    if ssh := os.environ.get("SSH_CONNECTION", "").split():
        origin.append(f"ssh {ssh[0]}")
    return Actor(ActorKind.COMMAND_LINE, user_name(os.geteuid()), ", ".join(origin))
