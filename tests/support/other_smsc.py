"""SMSCs by others for our driver to bind to: npm's smpp, and smpp34 of PyPI. Both tell and obey alike."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tests.support.other_program import PEERS, OtherProgram, node_command, other_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

KINDS = ("npm-smpp", "smpp34")


@asynccontextmanager
async def other_smsc(kind: str, *tls: Path) -> AsyncIterator[tuple[OtherProgram, int]]:
    """One that listens; with its port.

    It tells ``listening``, ``bind``, ``submit``, ``receipt_answered``, ``inbound_answered`` and ``close``, and sends
    what `send_inbound` orders.

    Args:
        kind: one of `KINDS`.
        tls: key and certificate that make it speak TLS, and an authority whose certificates it then demands.
    """
    if kind == "npm-smpp":
        command = node_command("server.js", *tls)
    else:
        assert not tls, "smpp34's server has no TLS"
        command = (sys.executable, str(PEERS / "smpp34_smsc.py"))
    async with other_program(*command) as peer:
        yield peer, (await peer.wait_for("listening"))["port"]


def send_inbound(peer: OtherProgram, text: str, data_coding: int, udh: bytes = b"") -> None:
    """Order a mobile-originated message; the peer writes the text in its own way."""
    peer.order(
        **{
            "from": "8613800138000",
            "to": "10690000",
            "text": text,
            "data_coding": data_coding,
            "udh": udh.hex(),
        }
    )
