"""``[[brands]]``: in whose name messages go, and who may send so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated

import msgspec

from gateway.settings.forms import Form, Name, list_of, parse_filled

Keys = Annotated[tuple[str, ...], Form(list_of(parse_filled))]


class BrandSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[brands]]``: one brand.

    Args:
        name: unique.
        keys: who may send in its name: names of API keys, ``smpp:NAME`` or ``kannel:NAME`` of accounts. The first brand
            that names a key is that of its messages that name none.
    """

    name: Name
    keys: Keys = ()


def brands_of(tables: Iterable[BrandSettings]) -> Mapping[str, Sequence[str]]:
    """Key -> its brands, in the order of the file."""
    found: dict[str, list[str]] = {}
    for table in tables:
        for key in table.keys:
            found.setdefault(key, []).append(table.name)
    return found


def brand_faults(tables: Sequence[BrandSettings]) -> Iterator[tuple[str, str]]:
    """A brand has one table."""
    first: dict[str, int] = {}
    for i, table in enumerate(tables):
        if first.setdefault(table.name, i) != i:
            yield f"brands[{i}].name", f"is that of brands[{first[table.name]}] too; write another"
