"""``[store]``: where everything durable lives, and where the files go that belong beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.settings.forms import Filled
from gateway.settings.secrets import Secret
from gateway.settings.store_url import StoreUrl
from gateway.store.sealing.operator_key import OperatorKey
from gateway.store.target import Target, has_password, is_postgres

_SQLITE: Final = "sqlite:///"
_NAME: Final = "hongyan"
"""What files beside a database on a server are called."""
CONTROL: Final = ".simulated"
"""Behind the store's name: the file that holds the control port of the simulated network, while there is one."""


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[store]``: where everything durable lives.

    Args:
        url: ``sqlite:///PATH`` (from the working directory), ``sqlite:////PATH`` (absolute) or
            ``postgresql://USER@HOST:PORT/DATABASE``.
        password: of the user of a PostgreSQL server.
        folder: for PostgreSQL, of the few files that stand beside an SQLite store: refused PINs, SIMs seen, traces.
        encryption_key: of the operator, with which an encrypted store is opened; see docs/encryption.md.
    """

    url: StoreUrl = "sqlite:///./var/hongyan.db"
    password: Secret | None = None
    folder: Filled | None = None
    encryption_key: Secret | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """What belongs to the other engine, two passwords, and a key that is none."""
        if self.encryption_key is not None:
            try:
                OperatorKey.parse(self.encryption_key.reveal())
            except ValueError as error:
                yield "encryption_key", str(error)
        if not is_postgres(self.url):
            for key, value in (("password", self.password), ("folder", self.folder)):
                if value is not None:
                    yield key, "is for PostgreSQL, and store.url names a file; take it out"
        elif self.password is not None and has_password(self.url):
            yield "password", "a password stands in store.url, too; write only one of them"


def store_path(store: StoreSettings) -> Path:
    """The database file of an SQLite store."""
    return Path(store.url.removeprefix(_SQLITE))


def store_target(store: StoreSettings) -> Target | None:
    """The database on a PostgreSQL server; None for an SQLite store."""
    if not is_postgres(store.url):
        return None
    return Target(store.url, None if store.password is None else store.password.reveal())


def operator_key(store: StoreSettings) -> OperatorKey | None:
    """The key that opens an encrypted store."""
    return None if store.encryption_key is None else OperatorKey.parse(store.encryption_key.reveal())


def show_store(store: StoreSettings) -> str:
    """The store for people: its file, or its URL without the password."""
    target = store_target(store)
    return str(store_path(store)) if target is None else target.shown


def store_folder(store: StoreSettings) -> Path:
    """The folder of the files that belong to a store."""
    if is_postgres(store.url):
        return Path(store.folder or "./var")
    return store_path(store).parent


def beside_store(store: StoreSettings, suffix: str) -> Path:
    """A file that belongs to a store: beside its file, or in the folder for a server's."""
    if is_postgres(store.url):
        return store_folder(store) / f"{_NAME}{suffix}"
    path = store_path(store)
    return path.with_name(path.name + suffix)
