"""People: who may sign in, as whom, for which brands; and the sessions that they have. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

import msgspec


class Role(StrEnum):
    """What somebody does here; `gateway.access.permissions` has what each may do."""

    VIEWER = "viewer"
    AUTHOR = "author"
    APPROVER = "approver"
    OPERATOR = "operator"
    ANALYST = "analyst"
    ADMIN = "admin"


class Grant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A role, everywhere or for one brand.

    Args:
        brand: None for all brands, and for what belongs to none, such as channels.
    """

    role: Role
    brand: str | None = None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may sign in.

    Args:
        name: what they sign in with; unique, lower case.
        display_name: how they are called; may be empty.
        language: of their pages: ``en``, ``zh``, or empty for what their browser asks for.
        password: an argon2id hash; None for one who signs in by other means alone, or has yet to choose one.
        disabled_at: since when they may not come in.
    """

    id: str
    name: str
    display_name: str = ""
    email: str | None = None
    language: str = ""
    password: str | None = None
    grants: tuple[Grant, ...] = ()
    created_at: datetime
    disabled_at: datetime | None = None


class Session(NamedTuple):
    """One sign-in that holds.

    Args:
        id: what it is called in lists; it opens nothing.
        seen_at: when it was last used, to the minute.
        ends_at: when it ends, however much it is used.
        origin: the address that it was opened from.
        agent: what the browser said that it is; cut.
    """

    id: str
    user_id: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    origin: str
    agent: str
