"""Scenario files: faults in TOML, from a path or by the name of one that is shipped."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from simulators.fault_plan import BadFault
from simulators.faults import Fault

if TYPE_CHECKING:
    from simulators.fault_plan import FaultDesk


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is in a scenario file.

    Args:
        about: one sentence for people.
        seed: of what is drawn; the same seed gives the same weather.
        faults: see `Fault`; one may concern modems or SMSCs that are not there.
    """

    about: str = ""
    seed: int = 0
    faults: tuple[Fault, ...] = ()


class BadScenario(ValueError):
    """A scenario that can't be used; the text says where and why."""


def shipped_scenarios() -> list[str]:
    """Names of the files that come with the simulators."""
    folder = resources.files("simulators") / "scenarios"
    return sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_scenario(name: str) -> Scenario:
    """Read a file by its path, or else one that is shipped.

    Raises:
        BadScenario: there is none, or it makes no sense.
    """
    scenario = parse_scenario(_read(name), name)
    for place, fault in enumerate(scenario.faults, start=1):
        for problem in fault.problems():
            raise BadScenario(f"{name}: fault {place}: {problem}")
    return scenario


def parse_scenario(text: str, name: str) -> Scenario:
    """Read the text of a file. Raises BadScenario."""
    try:
        return msgspec.convert(tomllib.loads(text), Scenario)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BadScenario(f"{name}: {error}") from error


def arm(scenario: Scenario, desk: FaultDesk) -> int:
    """Hand the faults in at the desk; how many concern somebody who is there."""
    n_armed = 0
    for fault in scenario.faults:
        try:
            desk.inject(fault)
        except BadFault:
            continue  # for a modem or an SMSC of another program
        n_armed += 1
    return n_armed


def _read(name: str) -> str:
    path = Path(name)
    shipped = resources.files("simulators") / "scenarios" / path.name
    try:
        if path.exists():
            return path.read_text(encoding="utf-8")
        if path.name == name and shipped.is_file():
            return shipped.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadScenario(f"{name}: {error}") from error
    raise BadScenario(f"{name}: no such file; shipped are {', '.join(shipped_scenarios())}")
