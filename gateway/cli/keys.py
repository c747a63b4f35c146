"""`hongyan keys`: API keys, made and revoked in the store itself; works with and without a running daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from gateway.cli.db import find_store
from gateway.cli.options import Config, Json, example, make_app
from gateway.cli.output import Failure, local_time, print_json, print_table, say
from gateway.cli.serve import read_store
from gateway.cli.whoever import whoever_runs_this
from gateway.model.message import ApiKey, Scope
from gateway.settings.store import StoreSettings, show_store, store_target
from gateway.store.ports import Tx

T = TypeVar("T")


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("API keys.", "hongyan keys create --name shop --scopes send,read")
    group.command("create", epilog=example("hongyan keys create --name shop --scopes send,read"))(create)
    group.command("list", epilog=example("hongyan keys list --json"))(list_all)
    group.command("show", epilog=example("hongyan keys show shop --webhook-secret"))(show)
    group.command("revoke", epilog=example("hongyan keys revoke shop"))(revoke)
    app.add_typer(group, name="keys")


def create(
    name: Annotated[str, typer.Option(help="A name to know the key by; unique.")],
    scopes: Annotated[
        str, typer.Option(help="One or more of send, read, manage, admin; joined by commas.")
    ] = "send,read",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a key. Its secret is printed once, alone on its line, and can't be had again."""
    wanted = read_scopes(scopes)
    if not name.strip():
        raise typer.BadParameter("is empty", param_hint="--name")
    store = read_store(config)
    key, secret = _create(store, name, wanted)
    if as_json:
        print_json({"id": key.id, "name": key.name, "scopes": sorted(key.scopes), "secret": secret})
        return
    print(secret)
    may = ", ".join(sorted(key.scopes))
    say(f"key {key.name} with {may}; keep its secret safe, only its hash is in {show_store(store)}")


def list_all(config: Config = None, as_json: Json = False) -> None:
    """List the keys.

    Shows revoked keys, too. Secrets are never shown.
    """
    keys = _list(find_kept_store(config))
    if as_json:
        for k in keys:
            print_json(k)
        return
    rows = [
        (k.id, k.name, ",".join(sorted(k.scopes)), _local(k.created_at), _local(k.revoked_at)) for k in keys
    ]
    print_table(("id", "name", "scopes", "created", "revoked"), rows)


def show(
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="The key's name or id.")],
    webhook_secret: Annotated[
        bool, typer.Option("--webhook-secret", help="Print what calls to callback URLs are signed with.")
    ] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Make a new such secret. The old one signs, too, for 24 hours.")
    ] = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show a key, or the secret of its webhooks.

    The secret is printed alone on its line. It proves that a call to a message's callback URL comes from this
    gateway. It is made when it is asked for first. The key's own secret can't be had again.
    """
    if rotate and not webhook_secret:
        raise typer.BadParameter("goes with --webhook-secret", param_hint="--rotate")
    found, secret = _show(find_kept_store(config), key, webhook_secret=webhook_secret, rotate=rotate)
    if found is None:
        raise Failure(f"there is no key {key}; see hongyan keys list")
    scopes = sorted(found.scopes)
    if as_json:
        print_json({"id": found.id, "name": found.name, "scopes": scopes, "webhook_secret": secret})
    elif secret is not None:
        print(secret)
    else:
        state = f"revoked {_local(found.revoked_at)}" if found.revoked_at else "good"
        print_table(
            ("id", "name", "scopes", "created", "state"),
            [(found.id, found.name, ",".join(scopes), _local(found.created_at), state)],
        )


def revoke(
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="The key's name or id.")],
    config: Config = None,
) -> None:
    """Revoke a key.

    A running gateway refuses it within seconds.
    """
    if not _revoke(find_kept_store(config), key):
        raise Failure(f"there is no key {key} that is still good; see hongyan keys list")
    print(f"{key}  revoked")


def read_scopes(text: str) -> frozenset[Scope]:
    """Scopes as people write them."""
    try:
        scopes = frozenset(Scope(word.strip()) for word in text.split(",") if word.strip())
    except ValueError:
        scopes = frozenset()
    if not scopes:
        known = ", ".join(scope.value for scope in Scope)
        raise typer.BadParameter(f'"{text}" will not do; write one or more of {known}', param_hint="--scopes")
    return scopes


def _local(at: datetime | None) -> str:
    return local_time(at.isoformat()) if at else ""


def find_kept_store(config: Path | None) -> StoreSettings:
    """The store that the config names. Raises Failure where there is no such file: nothing is to be made."""
    store = read_store(config)
    if store_target(store) is None:
        find_store(config)
    return store


def _create(store: StoreSettings, name: str, scopes: frozenset[Scope]) -> tuple[ApiKey, str]:
    from gateway.access.keys import add_key  # noqa: PLC0415 - the store takes a while to load
    from gateway.ids import KeyId, make_id  # noqa: PLC0415
    from gateway.store.keys import hash_secret, make_secret  # noqa: PLC0415

    secret, by = make_secret(), whoever_runs_this()

    async def op(tx: Tx, now: datetime) -> ApiKey:
        key = ApiKey(id=KeyId(make_id()), name=name, scopes=scopes, created_at=now)
        await add_key(tx, key, hash_secret(secret), by=by)
        return key

    return write_kept(store, op), secret


def _list(store: StoreSettings) -> list[ApiKey]:
    from gateway.store.keys import list_keys  # noqa: PLC0415 - the store takes a while to load

    return read_kept(store, list_keys)


def _show(
    store: StoreSettings, key: str, *, webhook_secret: bool, rotate: bool
) -> tuple[ApiKey | None, str | None]:
    from gateway.access.keys import record_key  # noqa: PLC0415 - the store takes a while to load
    from gateway.store.audit import record_audit  # noqa: PLC0415
    from gateway.store.keys import list_keys  # noqa: PLC0415
    from gateway.store.webhook_secrets import OVERLAP, add_secret, need_secrets, owner_of_key  # noqa: PLC0415
    from gateway.webhooks.signing import show_secret  # noqa: PLC0415

    by = whoever_runs_this()

    async def op(tx: Tx, now: datetime) -> tuple[ApiKey | None, str | None]:
        found = next((one for one in await list_keys(tx) if key in {one.id, one.name}), None)
        if found is None or not webhook_secret:
            return found, None
        owner = owner_of_key(found.id)
        if rotate:
            await record_key(tx, "key.webhook_secret_rotated", found, by=by, at=now)
            return found, show_secret(await add_secret(tx, owner, now, old_until=now + OVERLAP))
        await record_audit(tx, by, "key.webhook_secret_shown", found.id, at=now)
        return found, show_secret((await need_secrets(tx, owner, now))[0])

    return write_kept(store, op)


def _revoke(store: StoreSettings, key: str) -> bool:
    from gateway.access.keys import end_key  # noqa: PLC0415 - the store takes a while to load

    by = whoever_runs_this()
    return write_kept(store, lambda tx, now: end_key(tx, key, by=by, at=now))


def read_kept(store: StoreSettings, op: Callable[[Tx], Awaitable[T]]) -> T:
    """Run an operation that changes nothing on the store itself."""
    from gateway.runtime.stores import opened_store  # noqa: PLC0415 - the store takes a while to load

    async def run() -> T:
        async with opened_store(store) as opened:
            return await opened.read(op)

    return asyncio.run(run())


def write_kept(store: StoreSettings, op: Callable[[Tx, datetime], Awaitable[T]]) -> T:
    """Run an operation on the store itself; it is given the time."""
    from gateway.clock import SystemClock  # noqa: PLC0415 - the store takes a while to load
    from gateway.runtime.stores import opened_store  # noqa: PLC0415

    now = SystemClock().now()

    async def run() -> T:
        async with opened_store(store) as opened:
            return await opened.write(lambda tx: op(tx, now))

    return asyncio.run(run())
