"""A store on a PostgreSQL server: its ``postgresql://`` URL and its password, shown without the password."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

SCHEMES = ("postgresql://", "postgres://")
SYSTEM_CERTIFICATES = "system"
"""As ``sslrootcert``: the authorities that this machine trusts."""


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
        place = parts.netloc.rpartition("@")[2]
        host = f"?host={query['host'][0]}" if not place and "host" in query else ""
        user = parts.netloc.rpartition("@")[0].partition(":")[0] or query.get("user", [""])[0]
        database = parts.path.lstrip("/") or query.get("dbname", [""])[0]
        return f"postgresql://{f'{unquote(user)}@' if user else ''}{place}/{unquote(database)}{host}"

    @property
    def is_remote(self) -> bool:
        """Whether it is on another machine, for all that the URL says."""
        query = parse_qs(urlsplit(self.url).query)
        hosts = query.get("host", []) or urlsplit(self.url).netloc.rpartition("@")[2].split(",")
        return not all(_is_here(host) for host in hosts)

    @property
    def trusts_system(self) -> bool:
        """Whether the server's certificate is to be from an authority that this machine trusts."""
        return parse_qs(urlsplit(self.url).query).get("sslrootcert") == [SYSTEM_CERTIFICATES]

    @property
    def plain_url(self) -> str:
        """The URL without what it says of TLS."""
        parts = urlsplit(self.url)
        kept = [(k, v) for k, v in parse_qsl(parts.query) if not k.startswith("ssl")]
        return urlunsplit(parts._replace(query=urlencode(kept)))

    @property
    def is_verified(self) -> bool:
        """Whether the server must prove by its certificate who it is."""
        return parse_qs(urlsplit(self.url).query).get("sslmode") == ["verify-full"]


def _is_here(place: str) -> bool:
    """Whether a host, or a host with its port, is this machine's own; a path is a socket's."""
    place = unquote(place)
    if place.startswith("/"):
        return True
    host = place.partition("]")[0][1:] if place.startswith("[") else place.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}


def has_password(url: str) -> bool:
    """Whether a password stands in a URL."""
    return bool(urlsplit(url).password)


def is_postgres(url: str) -> bool:
    """Whether a ``store.url`` names a PostgreSQL database."""
    return url.startswith(SCHEMES)
