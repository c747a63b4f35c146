"""The network's side of USSD: codes, answers, and menus that wait for a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum


class UssdStatus(IntEnum):
    """First field of ``+CUSD:`` (3GPP TS 27.007 7.15)."""

    DONE = 0
    REPLY_EXPECTED = 1
    ENDED = 2
    """By the network, which has nothing to say."""
    NOT_SUPPORTED = 4


@dataclass(frozen=True, slots=True)
class Menu:
    """An answer that waits for a choice.

    Args:
        text: what is shown.
        choices: what each reply leads to; any other one ends the session.
    """

    text: str
    choices: Mapping[str, str | Menu]


Services = Mapping[str, str | Menu]
"""What the network knows, by code."""

SERVICES: Services = {
    "*100#": "Balance 42.00 CNY",
    "*101#": "No such service",
    "*102#": Menu(
        "1 Balance\n2 Tariff",
        {
            "1": "Balance 42.00 CNY",
            "2": Menu("Tariff A. Change it?\n1 Yes\n2 No", {"1": "Done", "2": "Kept"}),
        },
    ),
}


class UssdSession:
    """What one SIM and the network have to say to each other."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._menu: Menu | None = None

    def ask(self, code: str) -> tuple[UssdStatus, str | None]:
        """Take a code, or the choice from the menu that is open; the answer, without a text where there is none."""
        menu, self._menu = self._menu, None
        answer = (self._services if menu is None else menu.choices).get(code)
        match answer:
            case Menu(text):
                self._menu = answer
                return UssdStatus.REPLY_EXPECTED, text
            case str():
                return UssdStatus.DONE, answer
            case None:
                return UssdStatus.NOT_SUPPORTED if menu is None else UssdStatus.ENDED, None

    def cancel(self) -> None:
        """The user closes the menu."""
        self._menu = None
