"""What is done to users, each with its rules and its entry in the audit trail, for whichever door asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from gateway.access.sessions import MOST_OF_USER
from gateway.errors import Conflict, FieldError, InvalidRequest, NotFound
from gateway.ids import make_id
from gateway.model.actor import Actor
from gateway.model.user import Grant, Role, User
from gateway.store.audit import record_audit
from gateway.store.ports import Tx
from gateway.store.users import (
    change_user,
    count_users,
    end_session,
    end_sessions,
    find_user,
    list_sessions,
    list_users,
    remove_user,
    save_user,
)

LEAST_PASSWORD_CHARS: Final = 12
MOST_PASSWORD_CHARS: Final = 256
MOST_USERS: Final = 1_000
MOST_GRANTS: Final = 100
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")
_COMMON: Final = (
    "password",
    "passw0rd",
    "123456789",
    "qwerty",
    "letmein",
    "iloveyou",
    "administrator",
    "welcome",
    "changeme",
    "hongyan",
    "abcdefgh",
    "1q2w3e4r",
    "woaini",
    "5201314",
)
_FEW_OTHERS: Final = 8
"""A password that has a common word needs so many characters besides."""


def read_user_name(text: str) -> str:
    """A name to sign in with.

    Raises:
        InvalidRequest: it will not do.
    """
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        detail = "write 1 to 64 letters a-z, digits and . _ @ -, and a letter or a digit first"
        raise InvalidRequest(FieldError("name", "wrong_name", detail))
    return name


def find_password_fault(word: str, name: str) -> str | None:
    """Why a password will not do, as a sentence that says what to choose; None if it will.

    >>> find_password_fault("a wild goose flies south", "anna") is None
    True
    """
    if len(word) < LEAST_PASSWORD_CHARS:
        return f"choose at least {LEAST_PASSWORD_CHARS} characters; several words do well"
    if len(word) > MOST_PASSWORD_CHARS:
        return f"choose at most {MOST_PASSWORD_CHARS} characters"
    folded = word.casefold()
    if len(set(folded)) < 5 or any(len(folded.replace(one, "")) < _FEW_OTHERS for one in (*_COMMON, name)):
        return "this one is guessed soon; choose several words that do not belong together"
    return None


def check_password(word: str, name: str) -> None:
    """Refuse a password that will not do.

    Raises:
        InvalidRequest: why.
    """
    if fault := find_password_fault(word, name):
        raise InvalidRequest(FieldError("password", "weak_password", fault))


def read_grants(texts: Iterable[str]) -> tuple[Grant, ...]:
    """Roles as people write them: ``viewer``, or ``author@shop`` for one brand.

    Raises:
        InvalidRequest: one will not do.

    >>> [(grant.role.value, grant.brand) for grant in read_grants(["author@shop", "viewer"])]
    [('author', 'shop'), ('viewer', None)]
    """
    grants: list[Grant] = []
    for text in texts:
        word, at, brand = text.strip().partition("@")
        if word not in {role.value for role in Role} or (at and not brand):
            known = ", ".join(role.value for role in Role)
            detail = f"write roles of {known}; ROLE@BRAND for one brand alone"
            raise InvalidRequest(FieldError("roles", "wrong_role", detail))
        grant = Grant(role=Role(word), brand=brand or None)
        if grant not in grants:
            grants.append(grant)
    if len(grants) > MOST_GRANTS:
        raise InvalidRequest(FieldError("roles", "too_many", f"give at most {MOST_GRANTS} roles"))
    return tuple(grants)


def show_grants(grants: Iterable[Grant]) -> list[str]:
    """Roles as `read_grants` reads them."""
    return [f"{one.role.value}@{one.brand}" if one.brand else one.role.value for one in grants]


async def add_user(tx: Tx, user: User, by: Actor, at: datetime) -> None:
    """Let somebody new sign in.

    Raises:
        Conflict: the name is taken, or there are too many.
    """
    if await count_users(tx) >= MOST_USERS:
        raise Conflict(f"there are {MOST_USERS} users; remove some")
    await save_user(tx, user)
    await record_audit(tx, by, "user.added", user.name, {"roles": show_grants(user.grants)}, at=at)


async def add_first_admin(tx: Tx, name: str, password: str, by: Actor, at: datetime) -> User:
    """The first user of all, who may do everything.

    Args:
        password: its hash.

    Raises:
        Conflict: there is a user already.
    """
    if await count_users(tx):
        raise Conflict("there is a user already; sign in")
    user = User(id=make_id(), name=name, password=password, grants=(Grant(role=Role.ADMIN),), created_at=at)
    await add_user(tx, user, by, at)
    return user


async def set_password(
    tx: Tx, name: str, password: str, by: Actor, at: datetime, but: str | None = None
) -> User:
    """Another password; sessions opened with the old one end.

    Args:
        password: its hash.
        but: the id of a session that stays.

    Raises:
        NotFound: there is no such user.
    """
    user = await _need(tx, name)
    changed = msgspec.structs.replace(user, password=password)
    await change_user(tx, changed)
    n = await end_sessions(tx, user.id, but)
    await record_audit(tx, by, "user.password_changed", user.name, {"sessions_ended": n}, at=at)
    return changed


async def set_grants(tx: Tx, name: str, grants: tuple[Grant, ...], by: Actor, at: datetime) -> User:
    """Other roles, from the next page or call on.

    Raises:
        NotFound: there is no such user.
        Conflict: nobody would be left who may do everything.
    """
    user = await _need(tx, name)
    changed = msgspec.structs.replace(user, grants=grants)
    await _keep_an_admin(tx, user, changed)
    await change_user(tx, changed)
    details = {"roles": show_grants(grants), "before": show_grants(user.grants)}
    await record_audit(tx, by, "user.roles_changed", user.name, details, at=at)
    return changed


async def disable_user(tx: Tx, name: str, by: Actor, at: datetime) -> User:
    """Let somebody in no more; sessions end.

    Raises:
        NotFound: there is no such user.
        Conflict: nobody would be left who may do everything.
    """
    user = await _need(tx, name)
    changed = msgspec.structs.replace(user, disabled_at=user.disabled_at or at)
    await _keep_an_admin(tx, user, changed)
    await change_user(tx, changed)
    n = await end_sessions(tx, user.id)
    await record_audit(tx, by, "user.disabled", user.name, {"sessions_ended": n}, at=at)
    return changed


async def enable_user(tx: Tx, name: str, by: Actor, at: datetime) -> User:
    """Let somebody in again.

    Raises:
        NotFound: there is no such user.
    """
    user = await _need(tx, name)
    if user.disabled_at is None:
        return user
    changed = msgspec.structs.replace(user, disabled_at=None)
    await change_user(tx, changed)
    await record_audit(tx, by, "user.enabled", changed.name, at=at)
    return changed


async def drop_user(tx: Tx, name: str, by: Actor, at: datetime) -> None:
    """Remove a user; what they did stays on record under their name.

    Raises:
        NotFound: there is no such user.
        Conflict: nobody would be left who may do everything.
    """
    user = await _need(tx, name)
    await _keep_an_admin(tx, user, None)
    await end_sessions(tx, user.id)
    await remove_user(tx, user.id)
    await record_audit(tx, by, "user.removed", user.name, at=at)


async def end_all_sessions(tx: Tx, name: str, by: Actor, at: datetime) -> int:
    """End the sessions of a user; how many.

    Raises:
        NotFound: there is no such user.
    """
    user = await _need(tx, name)
    n = await end_sessions(tx, user.id)
    await record_audit(tx, by, "user.sessions_ended", user.name, {"n": n}, at=at)
    return n


async def _need(tx: Tx, name: str) -> User:
    user = await find_user(tx, name)
    if user is None:
        raise NotFound(f"there is no user {name[:64]}")
    return user


async def _keep_an_admin(tx: Tx, before: User, after: User | None) -> None:
    if not _is_admin(before) or (after is not None and _is_admin(after)):
        return
    others = await list_users(tx, MOST_USERS)
    if not any(_is_admin(one) for one in others if one.id != before.id):
        raise Conflict(f"{before.name} is the last admin of all brands; make another one first")


def _is_admin(user: User) -> bool:
    return user.disabled_at is None and Grant(role=Role.ADMIN) in user.grants


async def end_one_session(tx: Tx, name: str, session_id: str, by: Actor, at: datetime) -> None:
    """End one session of a user.

    Raises:
        NotFound: there is no such user, or the session is over or somebody else's.
    """
    user = await _need(tx, name)
    if session_id not in {one.id for one in await list_sessions(tx, user.id, MOST_OF_USER)}:
        raise NotFound("this session is over")
    await end_session(tx, session_id)
    await record_audit(tx, by, "user.sessions_ended", user.name, {"n": 1, "session": session_id}, at=at)
