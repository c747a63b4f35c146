"""Numbers in the config: those of our own, and those that inbound messages and senders are compared with."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from gateway.settings.forms import show
from gateway.settings.kannel import KannelAccountSettings, MoRouteSettings
from gateway.settings.smpp_server import SmppAccountSettings

_NUMBER_LIKE = re.compile(r"[+0-9 ().*?/-]*[0-9][+0-9 ().*?/-]*")
"""What is meant as a number, or a pattern of numbers, and is no name."""
_SIGNS = re.compile(r"[ ()./-]")
"""They stand between digits for the eye; no number is kept with them."""


def find_number_fault(number: str, region: str) -> str | None:
    """What is wrong with a number of our own; None where it can be one.

    Lengths are not judged: SIMs of machines have longer numbers than plans know.
    """
    from gateway.model.msisdn import read_number  # noqa: PLC0415 - the plan's tables take a while to load
    from gateway.model.number_plan import is_country_code  # noqa: PLC0415

    if not any(is_country_code(number[1 : 1 + n]) for n in (1, 2, 3)):
        return 'begins with no country code; write it with plus and country code: "+8613800138000"'
    reading = read_number(number, region)
    return None if reading.number is not None or not reading.people else reading.fault


def find_source_fault(source: str, region: str) -> str | None:
    """What is wrong with a source address; None for names, and for digits as a carrier may have given them."""
    if not _NUMBER_LIKE.fullmatch(source):
        return None
    if not re.fullmatch(r"\+?[0-9]+", source):
        return f"{show(source)} has signs between its digits; write the digits alone"
    return find_number_fault(source, region) if source.startswith("+") else None


def find_sender_fault(pattern: str) -> str | None:
    """Why no sender can ever fit; they are compared as they come, in full or as the application wrote them."""
    if _NUMBER_LIKE.fullmatch(pattern) and _SIGNS.search(pattern):
        return f'{show(pattern)} has signs between its digits and fits no sender; write it as "10690000" or "1069*"'
    return None


def find_own_fault(pattern: str, *, wild: bool) -> str | None:
    """Why no number of ours that a message came to can ever fit.

    Args:
        wild: ``*`` stands for any characters.
    """
    if not _NUMBER_LIKE.fullmatch(pattern):
        return None
    if not wild and re.search(r"[*?]", pattern):
        return (
            f'{show(pattern)} is a pattern, which none is compared with here; write whole numbers: "10690000"'
        )
    if _SIGNS.search(pattern) or pattern.startswith(("00", "+0")):
        return f'{show(pattern)} fits no number as we keep them; write it as "+8613800138000" or "10690000"'
    return None


def check_numbers(
    region: str,
    numbers: Sequence[str | None],
    sources: Sequence[str],
    accounts: Sequence[SmppAccountSettings],
    kannel_accounts: Sequence[KannelAccountSettings],
    routes: Sequence[MoRouteSettings],
    *,
    names: Collection[str],
) -> Iterator[tuple[str, str]]:
    """Every fault, with the path of its setting.

    Args:
        numbers: of the modems' SIMs, in their order.
        sources: source addresses of the binds, in their order.
        names: of channels, which may stand beside numbers of ours.
    """
    found: list[tuple[str, str | None]] = []
    for n, number in enumerate(numbers):
        found.append((f"modems[{n}].number", number and find_number_fault(number, region)))
    for n, source in enumerate(sources):
        found.append((f"smpp[{n}].source_address", find_source_fault(source, region)))
    for n, account in enumerate(accounts):
        path = f"smpp_accounts[{n}]"
        found += [(f"{path}.senders", find_sender_fault(one)) for one in account.senders]
        own = [one for one in account.inbound if one not in names]
        found += [(f"{path}.inbound", find_own_fault(one, wild=True)) for one in own]
    for n, client in enumerate(kannel_accounts):
        found += [(f"kannel_accounts[{n}].senders", find_sender_fault(one)) for one in client.senders]
    for n, route in enumerate(routes):
        found += [(f"mo_routes[{n}].numbers", find_own_fault(one, wild=False)) for one in route.numbers]
    yield from ((path, fault) for path, fault in found if fault)
