"""``[carriers]``, and the files that tell whose number ranges are: shipped ones, and those of the config."""

from __future__ import annotations

import csv
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from gateway.files import why_unreadable
from gateway.routing.routes.carriers import MOST_PORTED, Carrier, CarrierRange, Carriers, Ported
from gateway.settings.forms import BadValue, Flag, Form, parse_file, show
from gateway.settings.reader import read_data_file

KINDS: Final = ("mobile", "virtual", "iot", "satellite")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{5,14}")


class CarrierFile(msgspec.Struct, frozen=True, kw_only=True):
    """What one file tells."""

    carriers: tuple[Carrier, ...]
    ranges: tuple[CarrierRange, ...]


class PortedFile(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A file of ported numbers; two are the same when they hold the same.

    Args:
        numbers: number -> carrier, packed.
        names: of the carriers in it.
        content_hash: tells whether another reading holds the same.
    """

    numbers: Ported
    names: tuple[str, ...]
    content_hash: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PortedFile) and self.content_hash == other.content_hash

    def __hash__(self) -> int:
        return self.content_hash


def read_carrier_file(path: Path) -> CarrierFile:
    """Read a file such as ``config/carriers/cn.toml``.

    Raises:
        BadValue: it is none; the first fault.
    """
    document = read_data_file(path)
    try:
        return _read(document)
    except (BadValue, TypeError, AttributeError) as error:
        reason = (
            str(error) if isinstance(error, BadValue) else "has another shape than config/carriers/cn.toml"
        )
        raise BadValue(f"{path}: {reason}") from None


def _read(document: dict[str, Any]) -> CarrierFile:
    unknown = document.keys() - {"country_code", "carriers", "ranges"}
    country = document.get("country_code", "")
    if unknown or not (isinstance(country, str) and _DIGITS.fullmatch(country)):
        raise BadValue('write country_code = "86", [[carriers]] and [[ranges]], and nothing else')
    carriers = [
        Carrier(_name(one.get("name")), str(one.get("title", "")), _all_digits(one.get("networks", [])))
        for one in document.get("carriers", [])
    ]
    known = {carrier.name for carrier in carriers}
    ranges: list[CarrierRange] = []
    for number, one in enumerate(document.get("ranges", [])):
        name, kind, n_digits = one.get("carrier"), one.get("kind", "mobile"), one.get("digits", 0)
        if name not in known:
            raise BadValue(f"ranges[{number}].carrier: {show(name)} is none of [[carriers]]")
        if kind not in KINDS:
            raise BadValue(
                f"ranges[{number}].kind: {show(kind)} is not known; write one of {', '.join(KINDS)}"
            )
        whole = n_digits + len(country) if isinstance(n_digits, int) and n_digits > 0 else 0
        prefixes = _all_digits(one.get("prefixes"))
        ranges += [CarrierRange(f"+{country}{prefix}", name, kind, whole) for prefix in prefixes]
    return CarrierFile(carriers=tuple(carriers), ranges=tuple(ranges))


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise BadValue(f"carriers.name: {show(value)} will not do; write small letters, digits and dashes")
    return value


def _all_digits(values: object) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) and _DIGITS.fullmatch(v) for v in values):
        raise BadValue(f'{show(values)} is no list of digits in quotes, such as ["134", "1705"]')
    return tuple(values)


def read_ported_file(path: Path) -> PortedFile:
    """Read ported numbers: a CSV file with number and carrier in each line; a first line may name the columns.

    Raises:
        BadValue: a line is something else, or there are too many.
    """
    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for n, row in enumerate(csv.reader(file), 1):
                if not row or (n == 1 and row[0].strip().lower() == "number"):
                    continue
                number, carrier = (cell.strip() for cell in row) if len(row) == 2 else ("", "")
                if not _NUMBER.fullmatch(number) or not _NAME.fullmatch(carrier):
                    raise BadValue(f'{path}, line {n}: write number and carrier: "+8613800138000,unicom"')
                found[number] = carrier
                if len(found) > MOST_PORTED:
                    raise BadValue(f"{path} has more than {MOST_PORTED} numbers; write fewer")
    except BadValue:
        raise
    except csv.Error as error:
        raise BadValue(f"cannot read {path}: {error}") from None
    except (OSError, ValueError) as error:
        raise BadValue(f"cannot read {path}: {why_unreadable(path, error)}") from None
    names = tuple(sorted(set(found.values())))
    if len(names) > 255:
        raise BadValue(f"{path} names more than 255 carriers; write fewer")
    return PortedFile(numbers=Ported(found), names=names, content_hash=hash(frozenset(found.items())))


def shipped_files() -> list[Path]:
    """The carrier files that come with the gateway: beside the package, or where pip has put them."""
    beside = Path(__file__).parents[2] / "config" / "carriers"
    installed = Path(sysconfig.get_path("data")) / "share" / "hongyan" / "carriers"
    return next((files for place in (beside, installed) if (files := sorted(place.glob("*.toml")))), [])


def _parse_files(value: object) -> tuple[CarrierFile, ...]:
    if not isinstance(value, list):
        raise BadValue(f"{show(value)} is not a list; write it in brackets: [{show(value)}]")
    return tuple(read_carrier_file(parse_file(element)) for element in value)


def _parse_ported(value: object) -> PortedFile:
    return read_ported_file(parse_file(value))


class CarrierSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[carriers]``: whose numbers are, for rules of ``[[routes]]`` that ask for it.

    Args:
        files: further files of number ranges, in the form of ``config/carriers/cn.toml``. What they say goes before
            what the shipped ones say.
        ported: a CSV file of numbers that were taken along to another carrier: number, carrier.
        learn: keep which carrier a delivery report names, where it names another than the range.
    """

    files: Annotated[tuple[CarrierFile, ...], Form(_parse_files)] = ()
    ported: Annotated[PortedFile, Form(_parse_ported)] | None = None
    learn: Flag = False

    def faults(self) -> Iterator[tuple[str, str]]:
        """Ported numbers belong to carriers that are known."""
        if self.ported is None:
            return
        known = {carrier.name for file in self._files() for carrier in file.carriers}
        if unknown := [name for name in self.ported.names if name not in known]:
            yield (
                "ported",
                f"names the carrier {unknown[0]}, which no file knows; known: {', '.join(sorted(known))}",
            )

    def _files(self) -> list[CarrierFile]:
        return [*map(read_carrier_file, shipped_files()), *self.files]

    def load(self) -> Carriers:
        """All that is known of carriers, as one value."""
        files = self._files()
        by_name = {carrier.name: carrier for file in files for carrier in file.carriers}
        ranges = [found for file in files for found in file.ranges]
        ported = None if self.ported is None else self.ported.numbers
        return Carriers(tuple(by_name.values()), ranges, ported, learn=self.learn)
