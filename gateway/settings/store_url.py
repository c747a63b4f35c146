"""Where the store is: ``store.url`` as people write it, and what of it is wrong.

No fault shows the URL: it may hold a password.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from gateway.settings.forms import BadValue, Form, parse_file, parse_text
from gateway.store.target import SYSTEM_CERTIFICATES, is_postgres

_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PARAMETERS: Final = (
    "host", "port", "sslmode", *_FILES, "sslpassword", "sslnegotiation", "ssl_min_protocol_version",
    "ssl_max_protocol_version", "target_session_attrs", "passfile",
)  # fmt: skip
_POSTGRES: Final = "postgresql://USER@HOST:PORT/DATABASE"


def parse_store_url(value: object) -> str:
    """``sqlite:///relative``, ``sqlite:////absolute`` or ``postgresql://user@host:port/database?sslmode=…``."""
    text = parse_text(value)
    if is_postgres(text):
        _check_postgres(text)
    elif not text.startswith("sqlite:///") or text == "sqlite:///":
        raise BadValue(f'is not a store; write "sqlite:////var/lib/hongyan/hongyan.db" or "{_POSTGRES}"')
    return text


StoreUrl = Annotated[str, Form(parse_store_url)]


def _check_postgres(text: str) -> None:
    try:
        parts = urlsplit(text)
        given = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        if "," not in parts.netloc:
            _ = parts.port
    except ValueError:
        raise BadValue(
            f'is no URL of a database; write "{_POSTGRES}", with %40 for @, %2F for / and so on in user and password'
        ) from None
    if not unquote(parts.path).lstrip("/"):
        raise BadValue(f'names no database; write "{_POSTGRES}"')
    if "@" not in parts.netloc:
        raise BadValue(f'names no user; write "{_POSTGRES}"')
    _check_parameters(parts, given)


def _check_parameters(parts: SplitResult, given: Mapping[str, str]) -> None:
    for key, value in given.items():
        if key == "password":
            raise BadValue("has a password among its parameters; write it as password_file or password_env")
        if key not in _PARAMETERS:
            near = difflib.get_close_matches(key, _PARAMETERS, n=1)
            advice = f"did you mean {near[0]}?" if near else f"known here: {', '.join(_PARAMETERS)}"
            raise BadValue(f"has an unknown parameter {key}; {advice}")
        if key == "sslmode" and value not in _MODES:
            raise BadValue(f"sslmode is none of {', '.join(_MODES)}; write sslmode=verify-full")
        if key in _FILES and value != SYSTEM_CERTIFICATES:
            try:
                parse_file(value)
            except BadValue as error:
                raise BadValue(f"{key}: {error}") from None
    if not parts.netloc.rpartition("@")[2] and "host" not in given:
        raise BadValue('names no host; write "postgresql://USER@/DATABASE?host=/run/postgresql" for a socket')
