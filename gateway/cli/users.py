"""`hongyan users`: who may sign in, in the store itself; works with and without a running daemon."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.keys import find_kept_store, read_kept, write_kept
from gateway.cli.options import Config, Json, example, make_app
from gateway.cli.output import Failure, local_time, print_json, print_table, say
from gateway.cli.serve import read_store
from gateway.cli.whoever import whoever_runs_this
from gateway.settings.store import StoreSettings
from gateway.store.ports import Tx

if TYPE_CHECKING:
    from gateway.model.user import User


Name = Annotated[str, typer.Argument(metavar="NAME", help="What the user signs in with.")]
Roles = Annotated[
    str,
    typer.Option(
        "--roles",
        help="Roles of viewer, author, approver, operator, analyst, admin; joined by commas. "
        "ROLE@BRAND is for one brand.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("People who may sign in at the console.", "hongyan users add anna --roles admin")
    group.command("add", epilog=example("hongyan users add anna --roles operator,approver@shop"))(add)
    group.command("list", epilog=example("hongyan users list --json"))(list_all)
    group.command("show", epilog=example("hongyan users show anna"))(show)
    group.command("passwd", epilog=example("hongyan users passwd anna"))(passwd)
    group.command("roles", epilog=example("hongyan users roles anna --roles viewer,author@shop"))(roles)
    group.command("disable", epilog=example("hongyan users disable anna"))(disable)
    group.command("enable", epilog=example("hongyan users enable anna"))(enable)
    group.command("remove", epilog=example("hongyan users remove anna"))(remove)
    group.command("sessions", epilog=example("hongyan users sessions anna --end"))(sessions)
    app.add_typer(group, name="users")


def add(
    name: Name,
    roles: Roles = "viewer",
    display_name: Annotated[str, typer.Option("--display-name", help="How they are called.")] = "",
    email: Annotated[str, typer.Option("--email", help="Where they can be reached.")] = "",
    config: Config = None,
) -> None:
    """Let somebody sign in.

    Asks for the password twice; without a terminal it reads one line from stdin.
    """
    from gateway.access.passwords import hash_login  # noqa: PLC0415 - takes a while to load
    from gateway.access.people import add_user, check_password, read_grants, read_user_name  # noqa: PLC0415
    from gateway.ids import make_id  # noqa: PLC0415
    from gateway.model.user import User  # noqa: PLC0415

    name, grants = read_user_name(name), read_grants(_words(roles))
    word = _ask_password()
    check_password(word, name)
    kept = hash_login(word)

    async def op(tx: Tx, now: datetime) -> None:
        user = User(
            id=make_id(),
            name=name,
            display_name=display_name.strip()[:100],
            email=email.strip()[:200] or None,
            password=kept,
            grants=grants,
            created_at=now,
        )
        await add_user(tx, user, whoever_runs_this(), now)

    write_kept(read_store(config), op)
    say(f"{name} may sign in at the console, as {roles}")


def list_all(config: Config = None, as_json: Json = False) -> None:
    """List the users, those who are disabled as well."""
    from gateway.access.people import MOST_USERS, show_grants  # noqa: PLC0415 - takes a while to load
    from gateway.store.users import list_users  # noqa: PLC0415

    users = read_kept(find_kept_store(config), lambda tx: list_users(tx, MOST_USERS))
    if as_json:
        for user in users:
            print_json(_out(user))
        return
    rows = [
        (u.name, u.display_name, ",".join(show_grants(u.grants)), _state(u), _local(u.created_at))
        for u in users
    ]
    print_table(("name", "called", "roles", "state", "added"), rows)


def show(name: Name, config: Config = None, as_json: Json = False) -> None:
    """Show one user."""
    user = _find(find_kept_store(config), name)
    out = _out(user)
    if as_json:
        print_json(out)
        return
    shown = {
        **out,
        "roles": ",".join(out["roles"]),
        "created_at": _local(user.created_at),
        "state": _state(user),
    }
    del shown["disabled_at"]
    for label, value in shown.items():
        print(f"{label.replace('_', ' '):<14}{value or ''}".rstrip())


def passwd(name: Name, config: Config = None) -> None:
    """Give a user another password.

    Sessions opened with the old one end. Asks twice; without a terminal it reads one line from stdin.
    """
    from gateway.access.passwords import hash_login  # noqa: PLC0415 - takes a while to load
    from gateway.access.people import check_password, set_password  # noqa: PLC0415

    store = find_kept_store(config)
    user = _find(store, name)
    word = _ask_password()
    check_password(word, user.name)
    kept, by = hash_login(word), whoever_runs_this()
    write_kept(store, lambda tx, now: set_password(tx, user.name, kept, by, now))
    print(f"{user.name}  has another password")


def roles(
    name: Name,
    roles: Annotated[str, typer.Option("--roles", help="All roles from now on, as of `users add`.")],
    config: Config = None,
) -> None:
    """Give a user other roles. They replace those there were."""
    from gateway.access.people import read_grants, set_grants, show_grants  # noqa: PLC0415 - takes a while to load

    grants, by = read_grants(_words(roles)), whoever_runs_this()
    changed = write_kept(find_kept_store(config), lambda tx, now: set_grants(tx, name, grants, by, now))
    print(f"{changed.name}  {','.join(show_grants(changed.grants)) or 'no role'}")


def disable(name: Name, config: Config = None) -> None:
    """Let a user in no more, and end their sessions."""
    from gateway.access.people import disable_user  # noqa: PLC0415 - takes a while to load

    by = whoever_runs_this()
    write_kept(find_kept_store(config), lambda tx, now: disable_user(tx, name, by, now))
    print(f"{name}  disabled")


def enable(name: Name, config: Config = None) -> None:
    """Let a user in again."""
    from gateway.access.people import enable_user  # noqa: PLC0415 - takes a while to load

    by = whoever_runs_this()
    write_kept(find_kept_store(config), lambda tx, now: enable_user(tx, name, by, now))
    print(f"{name}  enabled")


def remove(name: Name, config: Config = None) -> None:
    """Remove a user. What they did stays on record under their name."""
    from gateway.access.people import drop_user  # noqa: PLC0415 - takes a while to load

    by = whoever_runs_this()
    write_kept(find_kept_store(config), lambda tx, now: drop_user(tx, name, by, now))
    print(f"{name}  removed")


def sessions(
    name: Name,
    end: Annotated[bool, typer.Option("--end", help="End all of them.")] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List a user's sessions, the newest first; or end them."""
    from gateway.access.people import end_all_sessions  # noqa: PLC0415 - takes a while to load
    from gateway.access.sessions import MOST_OF_USER  # noqa: PLC0415
    from gateway.store.users import list_sessions  # noqa: PLC0415

    store, by = find_kept_store(config), whoever_runs_this()
    user = _find(store, name)
    if end:
        n = write_kept(store, lambda tx, now: end_all_sessions(tx, user.name, by, now))
        print(f"{user.name}  {n} session{'s' * (n != 1)} ended")
        return
    found = read_kept(store, lambda tx: list_sessions(tx, user.id, MOST_OF_USER))
    if as_json:
        for one in found:
            print_json(one._asdict())
        return
    rows = [(one.id, _local(one.seen_at), _local(one.ends_at), one.origin, one.agent[:40]) for one in found]
    print_table(("id", "used", "ends", "from", "browser"), rows)


def _out(user: User) -> dict[str, Any]:
    from gateway.access.people import show_grants  # noqa: PLC0415 - takes a while to load

    return {
        "id": user.id,
        "name": user.name,
        "display_name": user.display_name,
        "email": user.email,
        "roles": show_grants(user.grants),
        "created_at": user.created_at,
        "disabled_at": user.disabled_at,
    }


def _state(user: User) -> str:
    return f"disabled {_local(user.disabled_at)}" if user.disabled_at else "good"


def _local(at: datetime | None) -> str:
    return local_time(at.isoformat()) if at else ""


def _words(text: str) -> list[str]:
    return [word for word in text.split(",") if word.strip()]


def _ask_password() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline(1_000).rstrip("\r\n")
    word: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return word


def _find(store: StoreSettings, name: str) -> User:
    from gateway.store.users import find_user  # noqa: PLC0415 - takes a while to load

    user = read_kept(store, lambda tx: find_user(tx, name))
    if user is None:
        raise Failure(f"there is no user {name}; see hongyan users list")
    return user
