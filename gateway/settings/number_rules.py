"""``[numbers]``, ``[[number_limits]]``, ``[[sandbox]]``: how numbers are read, and to which of them anything goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.files import decode_text, open_plain, why_unreadable
from gateway.policy.rules.number_limits import NumberLimit
from gateway.policy.rules.numbers import BlockList, Numbers
from gateway.policy.rules.numbers import Treatment as Kind
from gateway.settings.forms import (
    BadValue,
    Duration,
    Filled,
    Form,
    Limit,
    Region,
    Words,
    list_of,
    one_of,
    parse_file,
    parse_filled,
    parse_region,
    show,
    whole_number,
)

MOST_BLOCKED: Final = 1_000_000
MOST_LIMITS: Final = 200
_MOST_OCTETS: Final = 32_000_000
_MOST_TEST_NUMBERS: Final = 1_000
_MONTH_S: Final = 30 * 86_400.0
_TREATMENTS: Final = ("allow", "warn", "refuse")
_BLOCKED: Final = re.compile(r"(\+[1-9][0-9]{6,14}|[0-9]{3,21})|(\+?[0-9]{1,15})\*")
_PREFIX: Final = re.compile(r"\+[0-9]{0,15}|[0-9]{1,15}")


def read_block_list(path: Path) -> BlockList:
    """Read a file with a number in each line, or the beginning of numbers with ``*`` behind it; ``#`` begins a remark.

    Raises:
        BadValue: a line is something else, or there are too many.
    """
    numbers, prefixes = set(), set()
    try:
        with open_plain(path) as file:
            octets = file.read(_MOST_OCTETS + 1)
    except (OSError, ValueError) as error:
        raise BadValue(f"cannot read {path}: {why_unreadable(path, error)}") from None
    if len(octets) > _MOST_OCTETS:
        raise BadValue(f"{path} has more than {_MOST_OCTETS} octets; write fewer numbers")
    try:
        lines = decode_text(octets).splitlines()
    except ValueError as error:
        raise BadValue(f"{path} {error}") from None
    for n, line in enumerate(lines, 1):
        entry = line.partition("#")[0].strip()
        if not entry:
            continue
        found = _BLOCKED.fullmatch(entry)
        if found is None:
            raise BadValue(f'{path}, line {n}: write a number in full: "+8613800138000", or "+44900*"')
        if found[1]:
            numbers.add(found[1])
        else:
            prefixes.add(found[2])
    if len(numbers) + len(prefixes) > MOST_BLOCKED:
        raise BadValue(f"{path} has more than {MOST_BLOCKED} numbers; write fewer")
    return BlockList(frozenset(numbers), frozenset(prefixes))


def _parse_blocked(value: object) -> BlockList:
    return read_block_list(parse_file(value))


def _parse_prefix(value: object) -> str:
    if not isinstance(value, str) or not _PREFIX.fullmatch(value):
        raise BadValue(
            f'{show(value)} is no beginning of a number; write it as "+44", or "106" for short codes'
        )
    return value


Treatment = Annotated[Literal["allow", "warn", "refuse"], Form(one_of(*_TREATMENTS))]
Prefix = Annotated[str, Form(_parse_prefix)]


class NumberSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[numbers]``: how numbers are read, and to which of them anything goes.

    Args:
        region: ISO 3166 code of the country whose national numbers need no prefix.
        countries: to whose numbers anything goes, ISO 3166; empty for all.
        premium: what becomes of messages to numbers that cost more than others: ``allow``, ``warn`` or ``refuse``.
        not_mobile: of messages to fixed lines and others that take no texts.
        unknown: of messages to numbers in no range that is known.
        blocked_file: a file of numbers that get nothing.
        dead_after: so many messages must fail because nobody has the number; 0 for never.
        retry_after_s: so long afterwards one message goes again, to try it.
        dead_codes: codes and words of receipts that mean it, beside those of the standards.
    """

    region: Region = "CN"
    countries: Annotated[tuple[str, ...], Form(list_of(parse_region))] = ()
    premium: Treatment = "refuse"
    not_mobile: Treatment = "allow"
    unknown: Treatment = "allow"
    blocked_file: Annotated[BlockList, Form(_parse_blocked)] = BlockList()
    dead_after: Annotated[int, Form(whole_number(0, 100))] = 0
    retry_after_s: Duration = msgspec.field(default=_MONTH_S, name="retry_after")
    dead_codes: Words = ()

    def rule(self) -> Numbers | None:
        """What it asks for; None where it lets all numbers be."""
        if not self.countries and not self.blocked_file and self._kinds() == {Kind.ALLOW}:
            return None
        return Numbers(
            countries=frozenset(self.countries) or None,
            premium=Kind(self.premium),
            not_mobile=Kind(self.not_mobile),
            unknown=Kind(self.unknown),
            blocked=self.blocked_file,
        )

    def _kinds(self) -> set[Kind]:
        return {Kind(self.premium), Kind(self.not_mobile), Kind(self.unknown)}


class NumberLimitSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[number_limits]]``: so many messages to numbers that begin alike.

    Args:
        prefix: with which the numbers begin; ``+`` for all full numbers.
        limit: the most messages in so much time, over a rolling window.
        beside: numbers that begin so are not meant, such as those of the own country.
    """

    prefix: Prefix
    limit: Limit
    beside: Annotated[tuple[str, ...], Form(list_of(_parse_prefix))] = ()

    def number_limit(self) -> NumberLimit:
        """The same as the rule has it."""
        return NumberLimit(self.prefix, self.limit.count, int(self.limit.per_s), self.beside)


class SandboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[sandbox]]``: a sender who tries things out.

    Args:
        key: an API key's name, ``smpp:NAME`` or ``kannel:NAME``.
        numbers: to which he may send, as people in the gateway's country write them.
    """

    key: Filled
    numbers: Annotated[tuple[str, ...], Form(list_of(parse_filled))]


def number_rule_faults(
    limits: Sequence[NumberLimitSettings], sandbox: Sequence[SandboxSettings], region: str
) -> Iterator[tuple[str, str]]:
    """Limits and senders that stand twice, and test numbers that are none."""
    if len(limits) > MOST_LIMITS:
        yield "number_limits", f"has {len(limits)} tables; write at most {MOST_LIMITS}"
    first: dict[str, int] = {}
    for i, limit in enumerate(limits):
        if first.setdefault(limit.number_limit().name, i) != i:
            other = first[limit.number_limit().name]
            yield f"number_limits[{i}].prefix", f"has a limit for as long in number_limits[{other}] already"
    keys: dict[str, int] = {}
    for i, table in enumerate(sandbox):
        if keys.setdefault(table.key, i) != i:
            yield f"sandbox[{i}].key", f"has a table already: sandbox[{keys[table.key]}]"
        if len(table.numbers) > _MOST_TEST_NUMBERS:
            yield f"sandbox[{i}].numbers", f"has too many; write at most {_MOST_TEST_NUMBERS}"
        elif fault := _number_fault(table.numbers, region):
            yield f"sandbox[{i}].numbers", fault


def test_numbers_of(tables: Iterable[SandboxSettings], region: str) -> dict[str, frozenset[str]]:
    """Sender -> his numbers, in their one spelling."""
    from gateway.model.msisdn import parse_number  # noqa: PLC0415 - the plan's tables take a while to load

    return {
        table.key: frozenset(parse_number(number, region) for number in table.numbers) for table in tables
    }


def _number_fault(numbers: Sequence[str], region: str) -> str | None:
    from gateway.model.msisdn import InvalidNumber, parse_number  # noqa: PLC0415 - see above

    for number in numbers:
        try:
            parse_number(number, region)
        except InvalidNumber as error:
            return f"{show(number)}: {error}"
    return None
