"""Users and their sessions: rows of ``users`` and ``sessions``."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from gateway.clock import format_ms, parse_instant, parse_ms
from gateway.errors import Conflict
from gateway.model.user import Grant, Session, User
from gateway.store.ports import Row, Tx

_COLUMNS: Final = "id, name, display_name, email, language, password, grants, created_at, disabled_at"
_SESSION: Final = "id, user_id, created_at, seen_at, ends_at, origin, agent"
_grants = msgspec.json.Decoder(tuple[Grant, ...])


async def save_user(tx: Tx, user: User) -> None:
    """Store a new user.

    Raises:
        Conflict: there is one of that name.
    """
    if await tx.fetch("SELECT 1 FROM users WHERE name = ?", (user.name,)):
        raise Conflict(f"a user named {user.name} exists; choose another name")
    await tx.insert(f"INSERT INTO users ({_COLUMNS})", [_row(user)])


async def change_user(tx: Tx, user: User) -> bool:
    """Store what has changed of a user, whose id and name stay; False when there is none."""
    user_id, name, *rest = _row(user)
    n = await tx.execute(
        "UPDATE users SET display_name = ?, email = ?, language = ?, password = ?, grants = ?, created_at = ?,"
        " disabled_at = ? WHERE id = ? AND name = ?",
        (*rest, user_id, name),
    )
    return n > 0


async def find_user(tx: Tx, id_or_name: str) -> User | None:
    """The user with that id or name, disabled or not."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM users WHERE id = ? OR name = ?", (id_or_name, id_or_name))
    return _user(rows[0]) if rows else None


async def list_users(tx: Tx, limit: int, after: str | None = None) -> list[User]:
    """Users, the oldest first; those behind the id ``after``."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM users WHERE id > ? ORDER BY id LIMIT ?", (after or "", limit)
    )
    return [_user(row) for row in rows]


async def remove_user(tx: Tx, user_id: str) -> bool:
    """Forget a user who has no session any more; False when there is none."""
    return await tx.execute("DELETE FROM users WHERE id = ?", (user_id,)) > 0


async def count_users(tx: Tx) -> int:
    """How many there are, disabled ones included."""
    ((n,),) = await tx.fetch("SELECT count(*) FROM users")
    return int(n)


async def save_session(tx: Tx, session: Session, token_hash: bytes) -> None:
    """Store a session that was opened."""
    row = (
        session.id,
        token_hash,
        session.user_id,
        format_ms(session.created_at),
        format_ms(session.seen_at),
        format_ms(session.ends_at),
        session.origin,
        session.agent,
    )
    into = "INSERT INTO sessions (id, token_hash, user_id, created_at, seen_at, ends_at, origin, agent)"
    await tx.insert(into, [row])


async def find_session(tx: Tx, token_hash: bytes) -> tuple[Session, User] | None:
    """The session of a token, over or not, and whose it is."""
    rows = await tx.fetch(f"SELECT {_SESSION} FROM sessions WHERE token_hash = ?", (token_hash,))
    if not rows:
        return None
    session = _session(rows[0])
    user = await find_user(tx, session.user_id)
    return None if user is None else (session, user)


async def touch_session(tx: Tx, session_id: str, at: datetime) -> None:
    """A session was used."""
    await tx.execute("UPDATE sessions SET seen_at = ? WHERE id = ?", (format_ms(at), session_id))


async def list_sessions(tx: Tx, user_id: str, limit: int) -> list[Session]:
    """The sessions of a user, the newest first."""
    rows = await tx.fetch(
        f"SELECT {_SESSION} FROM sessions WHERE user_id = ? ORDER BY id DESC LIMIT ?", (user_id, limit)
    )
    return [_session(row) for row in rows]


async def end_session(tx: Tx, session_id: str) -> bool:
    """End one session; False when there is none."""
    return await tx.execute("DELETE FROM sessions WHERE id = ?", (session_id,)) > 0


async def end_sessions(tx: Tx, user_id: str, but: str | None = None) -> int:
    """End the sessions of a user; how many.

    Args:
        but: the id of one that stays.
    """
    return await tx.execute("DELETE FROM sessions WHERE user_id = ? AND id <> ?", (user_id, but or ""))


async def keep_newest_sessions(tx: Tx, user_id: str, most: int) -> int:
    """End the oldest sessions of a user, so that at most so many stay; how many it ended."""
    newest = "SELECT id FROM sessions WHERE user_id = ? ORDER BY id DESC LIMIT ?"
    return await tx.execute(
        f"DELETE FROM sessions WHERE user_id = ? AND id NOT IN ({newest})", (user_id, user_id, most)
    )


async def forget_sessions(tx: Tx, before: datetime, limit: int) -> int:
    """Drop sessions that ended before an instant, at most ``limit``; how many."""
    return await tx.execute(
        "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE ends_at < ? ORDER BY ends_at LIMIT ?)",
        (format_ms(before), limit),
    )


def _row(user: User) -> tuple[object, ...]:
    return (
        user.id,
        user.name,
        user.display_name,
        user.email,
        user.language,
        user.password,
        msgspec.json.encode(user.grants).decode(),
        format_ms(user.created_at),
        format_ms(user.disabled_at),
    )


def _user(row: Row) -> User:
    return User(
        id=row[0],
        name=row[1],
        display_name=row[2],
        email=row[3],
        language=row[4],
        password=row[5],
        grants=_grants.decode(row[6]),
        created_at=parse_instant(row[7]),
        disabled_at=parse_ms(row[8]),
    )


def _session(row: Row) -> Session:
    session_id, user_id, created_at, seen_at, ends_at, origin, agent = row
    return Session(
        session_id,
        user_id,
        parse_instant(created_at),
        parse_instant(seen_at),
        parse_instant(ends_at),
        origin,
        agent,
    )
