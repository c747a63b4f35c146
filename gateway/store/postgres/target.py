"""Whom to connect to: a ``postgresql://`` URL and its password, shown without the password."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

SCHEMES = ("postgresql://", "postgres://")


class Target(NamedTuple):
    """A database.

    Args:
        url: as libpq spells it.
        password: where it is not in ``url``.
    """

    url: str
    password: str | None = None

    def __repr__(self) -> str:
        return f"Target({self.shown})"

    @property
    def shown(self) -> str:
        """The URL for logs and messages: who and where, nothing else."""
        parts = urlsplit(self.url)
        query = parse_qs(parts.query)
        place = parts.netloc.rpartition("@")[2] or query.get("host", ["localhost"])[0]
        user = parts.netloc.rpartition("@")[0].partition(":")[0] or query.get("user", [""])[0]
        database = parts.path.lstrip("/") or query.get("dbname", [""])[0]
        return f"postgresql://{f'{unquote(user)}@' if user else ''}{place}/{unquote(database)}"


def is_postgres(url: str) -> bool:
    """Whether a ``store.url`` names a PostgreSQL database."""
    return url.startswith(SCHEMES)
