"""What differs between two configs, by the paths of their keys; and a config that takes only some keys of another.

A key is ``table.key`` for a table that is there once, such as ``log.level``. An array of tables is one key, such as
``shares``.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from gateway.settings.config import Settings


def find_changed(old: Settings, new: Settings) -> list[str]:
    """The keys whose values differ, in the order of `Settings`."""
    return [key for key, path in _paths() if _value(old, path) != _value(new, path)]


def take_keys(old: Settings, new: Settings, keys: Collection[str]) -> Settings:
    """The old config with these keys as the new one has them."""
    tables: dict[str, dict[str, Any]] = {}
    for key, (table, name) in _paths():
        if key in keys:
            tables.setdefault(table, {})[name] = _value(new, (table, name))
    values = {
        table: taken[""] if "" in taken else msgspec.structs.replace(getattr(old, table), **taken)
        for table, taken in tables.items()
    }
    return msgspec.structs.replace(old, **values)


def covers(name: str, key: str) -> bool:
    """Whether a key is meant by a name: itself, or its table."""
    return key == name or key.startswith(f"{name}.")


def _value(settings: Settings, path: tuple[str, str]) -> Any:
    table, name = path
    return getattr(getattr(settings, table), name) if name else getattr(settings, table)


def _paths() -> list[tuple[str, tuple[str, str]]]:
    """Each key with the attributes that lead to its value; the second is empty for an array of tables."""
    paths = []
    for table in msgspec.structs.fields(Settings):
        if isinstance(table.type, type) and issubclass(table.type, msgspec.Struct):
            paths += [
                (f"{table.encode_name}.{field.encode_name}", (table.name, field.name))
                for field in msgspec.structs.fields(table.type)
            ]
        else:
            paths.append((table.encode_name, (table.name, "")))
    return paths
