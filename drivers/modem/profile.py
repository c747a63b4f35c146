"""Profiles: what is special about a family of sticks, as data.

A profile is a TOML file; those that come with us lie beside this module, an operator's own in a folder that the
configuration names. What a profile leaves out is as in `Profile`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.errors import DriverError

if TYPE_CHECKING:
    from collections.abc import Iterable

CNMI_LADDER = ("AT+CNMI=2,1,0,2,0", "AT+CNMI=2,1,0,1,0", "AT+CNMI=2,1,0,2", "AT+CNMI=2,1,0,1", "AT+CNMI=2,1")
"""Messages and, if the stick can, status reports are stored and told of: they then survive us. Failing that,
reports are handed over directly; the last rung is for sticks that know no reports at all."""
ICCID_COMMANDS = ("AT+CCID", "AT^ICCID?", "AT+QCCID", "AT+ICCID", "AT+CICCID")
"""Vendors' spellings; the first that gives digits counts."""
QUIRKS = {
    "caret_noise": "it says lines such as ^RSSI: at any time",
    "echo_stays": "ATE0 is accepted and the echo goes on",
    "late_cmgs": "the answer to AT+CMGS may take longer than a minute",
    "prompt_without_space": "the prompt is > without the blank behind it",
    "reset_to_storage": "after a reset it comes back as a disk",
    "slow_boot": "for a while after its start it answers and knows no SIM",
}
"""What a profile may say in ``quirks``. The engine copes with all of them unasked; they are there for people, and
for the simulator."""

_MEMORY = re.compile(r"[A-Z][A-Z_]{1,3}")
_USB_ID = re.compile(r"[0-9a-f]{4}:(?:[0-9a-f]{4}|\*)")


class BadProfile(DriverError):
    """A profile can't be read; the sentence says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One family of sticks.

    Args:
        name: of the file, without ``.toml``.
        title: for people.
        source: where the facts are from.
        usb: ids ``vvvv:pppp``, or ``vvvv:*`` for all of a vendor's.
        answers: regular expressions, of which one matches what the stick says of itself (ATI, maker, model).
        at_interfaces: USB interfaces with an AT port, best first; empty for unknown.
        init_commands: sent at each bring-up, ahead of the operator's own; refusals are logged.
        cnmi: AT+CNMI commands, best first.
        storages: memories for new messages, best first.
        iccid_commands: how it may be asked for the SIM's number.
        reset_command: restarts the stick; empty for a stick that must not be restarted like that.
        boot_s: more time for the SIM after its start.
        answer_timeout_s: how long the network may take to answer a segment.
        prompt_timeout_s: how long the stick may take to ask for a segment's PDU, up to the time for any command.
        quirks: see `QUIRKS`.
    """

    name: str = "generic"
    title: str = "Any stick that keeps to the standard"
    source: str = ""
    usb: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    at_interfaces: tuple[int, ...] = ()
    init_commands: tuple[str, ...] = ()
    cnmi: tuple[str, ...] = CNMI_LADDER
    storages: tuple[str, ...] = ("ME", "SM", "MT")
    iccid_commands: tuple[str, ...] = ICCID_COMMANDS
    reset_command: str = "AT+CFUN=1,1"
    boot_s: float = 0.0
    answer_timeout_s: float = 60.0
    prompt_timeout_s: float = 5.0
    quirks: tuple[str, ...] = ()


GENERIC = Profile()


def parse_profile(name: str, text: str) -> Profile:
    """Read one profile. Raises BadProfile."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadProfile(f"profile {name} is not valid TOML: {error}") from None
    defaults = {field.name: field.default for field in fields(Profile) if field.name != "name"}
    values: dict[str, object] = {}
    for key, value in document.items():
        if key not in defaults:
            raise BadProfile(
                f"profile {name}: there is no key {key}; there are {', '.join(sorted(defaults))}"
            )
        values[key] = _read_value(name, key, value, defaults[key])
    profile = Profile(name=name, **values)  # type: ignore[arg-type]
    _check(profile)
    return profile


def _read_value(name: str, key: str, value: object, default: object) -> object:
    match default:
        case tuple():
            wanted: type = int if key == "at_interfaces" else str
            if isinstance(value, list) and all(type(item) is wanted for item in value):
                return tuple(value)
            raise BadProfile(f"profile {name}: {key} must be a list of {wanted.__name__}")
        case float():
            if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
                return float(value)
            raise BadProfile(f"profile {name}: {key} must be seconds")
        case _:
            if isinstance(value, str):
                return value
            raise BadProfile(f"profile {name}: {key} must be a text")


def _check(profile: Profile) -> None:
    for usb_id in profile.usb:
        if not _USB_ID.fullmatch(usb_id):
            raise BadProfile(f'profile {profile.name}: "{usb_id}" is no USB id; write it like "12d1:1001"')
    for pattern in profile.answers:
        try:
            re.compile(pattern)
        except re.error as error:
            raise BadProfile(f"profile {profile.name}: answers: {error}") from None
    for memory in profile.storages:
        if not _MEMORY.fullmatch(memory):
            raise BadProfile(f'profile {profile.name}: "{memory}" is no storage; write it like "ME"')
    for key in ("answer_timeout_s", "prompt_timeout_s"):
        if not getattr(profile, key):  # no segment could be answered in time, and each would be uncertain
            raise BadProfile(f"profile {profile.name}: {key} must be more than 0")
    unknown = set(profile.quirks) - set(QUIRKS)
    if unknown:
        raise BadProfile(f"profile {profile.name}: no such quirk: {', '.join(sorted(unknown))}")
    commands = (*profile.init_commands, *profile.cnmi, *profile.iccid_commands)
    for command in (*commands, *([profile.reset_command] if profile.reset_command else [])):
        if not is_at_command(command):
            raise BadProfile(f"profile {profile.name}: {command!r} is no AT command")


def is_at_command(text: str) -> bool:
    """Whether this is one command line; what else an operator writes there is the operator's affair."""
    return text.isascii() and text.isprintable() and text.upper().startswith("AT")


def load_profiles(folder: Path | None = None) -> tuple[Profile, ...]:
    """All profiles, an operator's own first.

    Args:
        folder: of the operator's own; it need not exist.

    Raises:
        BadProfile: one of them can't be read.
    """
    own = sorted(folder.glob("*.toml")) if folder is not None and folder.is_dir() else []
    shipped = sorted(
        (file for file in resources.files("drivers.modem.profiles").iterdir() if file.name.endswith(".toml")),
        key=lambda file: file.name,
    )
    try:
        texts = [(file.name, file.read_text(encoding="utf-8")) for file in (*own, *shipped)]
    except (OSError, UnicodeDecodeError) as error:
        raise BadProfile(f"a profile can't be read: {error}") from None
    return tuple(parse_profile(name.removesuffix(".toml"), text) for name, text in texts)


def choose_profile(
    profiles: Iterable[Profile],
    *,
    name: str | None = None,
    usb_id: str | None = None,
    answers: Iterable[str] = (),
) -> Profile:
    """The profile of a stick: by name if one is given, by what it says, by its USB id, by its USB vendor.

    Raises:
        BadProfile: there is none of that name.
    """
    profiles = tuple(profiles)
    if name is not None:
        return _find_profile(profiles, name)
    said = " ".join(answers)
    vendor = f"{usb_id[:4]}:*" if usb_id else None
    by_answer = [p for p in profiles if any(re.search(pattern, said, re.IGNORECASE) for pattern in p.answers)]
    by_id = [p for p in profiles if usb_id in p.usb]
    by_vendor = [p for p in profiles if vendor in p.usb]
    return next(iter([*by_answer, *by_id, *by_vendor]), GENERIC)


def _find_profile(profiles: Iterable[Profile], name: str) -> Profile:
    by_name = {profile.name: profile for profile in (GENERIC, *reversed(tuple(profiles)))}
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name.lower(), by_name, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(by_name))}"
    raise BadProfile(f"there is no profile {name}; {advice}")


def read_profile_file(path: Path) -> Profile:
    """One profile that the configuration names by its path. Raises BadProfile."""
    try:
        return parse_profile(path.stem, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise BadProfile(f"profile {path} can't be read: {why}") from None


def named_profile(name: str, profiles: Iterable[Profile]) -> Profile:
    """The profile that the configuration names: by its path, or one of these by its name. Raises BadProfile."""
    return read_profile_file(Path(name)) if "/" in name else choose_profile(profiles, name=name)
