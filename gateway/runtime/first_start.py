"""What a start without a config file does for its user: finds modems, makes a first key, says what to type next."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import msgspec

from drivers.modem.find.usb import Stick
from gateway.access.keys import add_key
from gateway.clock import Clock
from gateway.doctor.sticks import describe_stick, likely_port
from gateway.ids import KeyId, make_id
from gateway.model.actor import SYSTEM
from gateway.model.message import ApiKey, Scope
from gateway.settings.config import ModemSettings, Settings
from gateway.store.keys import hash_secret, list_keys, make_secret
from gateway.store.ports import Store, Tx

_EXAMPLE_NUMBER = "+8613900139000"
"""Behind simulated channels nobody is disturbed by it."""


def with_sticks(settings: Settings, sticks: Iterable[Stick]) -> Settings:
    """The settings with a channel for each modem that is plugged in."""
    modems = [stick for stick in sticks if stick.is_modem]
    found = tuple(ModemSettings(name=f"modem-{i}", usb=stick.usb) for i, stick in enumerate(modems, 1))
    return msgspec.structs.replace(settings, modems=settings.modems + found)


def describe_sticks(sticks: list[Stick], *, simulated: bool) -> list[str]:
    """One line for each thing found, and which channels there will be."""
    lines = []
    for stick in sticks:
        what = describe_stick(stick)
        if not stick.ttys:
            lines.append(f"found {what}: it shows itself as a disk; `hongyan doctor` says what to do")
            continue
        taken = (
            "taken as a modem"
            if stick.is_modem
            else "left alone: not known as a modem; name it in a config file"
        )
        lines.append(f"found {what} at {likely_port(stick)}: {taken}")
    if simulated:
        lines.append(
            "no modem is plugged in: using two SIMULATED modems and a SIMULATED SMSC; nothing leaves this machine"
        )
    return lines


async def make_first_key(store: Store, clock: Clock, name: str = "first") -> str | None:
    """An admin key when the store has none at all; its secret can't be had a second time.

    Returns:
        The secret, or None when there is a key already.
    """
    secret = make_secret()
    key = ApiKey(id=KeyId(make_id()), name=name, scopes=frozenset({Scope.ADMIN}), created_at=clock.now())

    async def save_if_none(tx: Tx) -> bool:
        if await list_keys(tx):
            return False
        await add_key(tx, key, hash_secret(secret), by=SYSTEM)
        return True

    return secret if await store.write(save_if_none) else None


def find_command() -> str:
    """What to type for this program: in a virtual environment it is not on the PATH."""
    started_as = Path(sys.argv[0])
    here = started_as.name == "hongyan" and shutil.which("hongyan") is None
    return str(started_as) if here else "hongyan"


def describe_welcome(address: str) -> list[str]:
    """Where the first admin is made.

    Args:
        address: a link that holds once.
    """
    return [
        "make the first user of the console; the link holds once, for 24 hours:",
        "",
        f"    {address}",
        "",
    ]


def describe_start(url: str, secret: str | None, *, simulated: bool, command: str = "hongyan") -> list[str]:
    """What to type next.

    Args:
        command: see `find_command`.
        secret: of the first key, when this start made it.
        simulated: an example number may be used as it is.
    """
    number = _EXAMPLE_NUMBER if simulated else "+86..."
    lines = [f"hongyan listens on {url}; Ctrl-C stops it"]
    if secret is None:
        lines.append(
            f"API keys were made before; for another: {command} keys create --name NAME --scopes send,read"
        )
    else:
        lines += ["your first API key, shown only this once:", "", f"    {secret}", ""]
    lines += [
        "send a message:",
        "",
        f"    curl {url}/v1/messages -H 'Authorization: Bearer {secret or 'KEY'}' \\",
        f"""         -H 'Content-Type: application/json' -d '{{"to": "{number}", "text": "hello"}}'""",
        "",
        "or:",
        "",
        f"    HONGYAN_KEY={secret or 'KEY'} {command} send {number} hello --wait --url {url}",
        "",
    ]
    if simulated:
        lines += ["let the simulated phone reply to it:", "", f"    {command} simulate reply {number} TD", ""]
    return lines
