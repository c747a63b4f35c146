"""`hongyan db make-key`, `encrypt`, `rotate-key` and `decrypt`: the key of an encrypted store."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.options import Config, example
from gateway.cli.output import Failure
from gateway.cli.serve import read_store
from gateway.cli.whoever import whoever_runs_this
from gateway.files import decode_text, why_unreadable
from gateway.settings.store import StoreSettings, operator_key, show_store, store_path, store_target
from gateway.store.sealing.operator_key import OperatorKey

if TYPE_CHECKING:
    from gateway.runtime.rekeying import OnStep

_MODE = 0o600


def register(group: typer.Typer) -> None:
    """Add the commands to those of the store."""
    group.command("make-key", epilog=example("hongyan db make-key /etc/hongyan/store.key"))(make_key)
    group.command("encrypt", epilog=example("hongyan db encrypt"))(encrypt)
    group.command("rotate-key", epilog=example("hongyan db rotate-key --new-key-file /etc/hongyan/new.key"))(
        rotate_key
    )
    group.command("decrypt", epilog=example("hongyan db decrypt"))(decrypt)


def make_key(
    file: Annotated[Path, typer.Argument(help="Where the key goes; must not exist.", readable=False)],
) -> None:
    """Make a key for an encrypted store.

    The file is for nobody else. Keep a copy of it where the store's backups are not: without the key nobody can read
    them.
    """
    key = OperatorKey.make()
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
        with os.fdopen(handle, "w", encoding="ascii") as opened:
            opened.write(f"{key.write()}\n")
    except FileExistsError:
        raise Failure(f"{file} exists; name a new file") from None
    except OSError as error:
        raise Failure(f"cannot write {file}: {error.strerror}") from error
    print(f"{file}  fingerprint {key.fingerprint}")


def encrypt(config: Config = None) -> None:
    """Encrypt a store that is in clear.

    With the key that the config names. hongyan must not be running. It may be interrupted, and goes on where it was
    when it is run again. A backup made before stays readable by everybody.
    """
    store, key = _store_and_key(config)
    from gateway.runtime.rekeying import encrypt as work  # noqa: PLC0415 - the store takes a while to load

    n_rows = _run(lambda on_step: work(store, key, on_step, whoever_runs_this()))
    print(f"{show_store(store)}: encrypted; {n_rows} rows, key {key.fingerprint}")


def rotate_key(
    new_key_file: Annotated[
        Path, typer.Option("--new-key-file", help="As hongyan db make-key wrote it.", readable=False)
    ],
    config: Config = None,
) -> None:
    """Put all of an encrypted store under a new key.

    hongyan must not be running. It may be interrupted, and goes on where it was when it is run again; until it is done
    both keys open the store. Then name the new file in the config. Backups made before need the old key.
    """
    store, key = _store_and_key(config)
    new = _read_key(new_key_file)
    from gateway.runtime.rekeying import rotate  # noqa: PLC0415

    n_rows = _run(lambda on_step: rotate(store, key, new, on_step, whoever_runs_this()))
    print(
        f"{show_store(store)}: under the key {new.fingerprint} now; {n_rows} rows. Write it into the config:"
        f' encryption_key_file = "{new_key_file}"'
    )


def decrypt(config: Config = None) -> None:
    """Write all of an encrypted store in clear again.

    hongyan must not be running. It may be interrupted, and goes on where it was when it is run again. Then take the key
    out of the config.
    """
    store, key = _store_and_key(config)
    from gateway.runtime.rekeying import decrypt as work  # noqa: PLC0415

    n_rows = _run(lambda on_step: work(store, key, on_step, whoever_runs_this()))
    print(f"{show_store(store)}: in clear; {n_rows} rows. Take store.encryption_key_file out of the config")


def _store_and_key(config: Path | None) -> tuple[StoreSettings, OperatorKey]:
    store = read_store(config)
    key = operator_key(store)
    if key is None:
        raise Failure(
            "the config names no key; make one with hongyan db make-key /etc/hongyan/store.key, and write"
            ' encryption_key_file = "/etc/hongyan/store.key" under [store]'
        )
    if store_target(store) is None and not store_path(store).exists():
        raise Failure(
            f"there is no store at {store_path(store)}; hongyan serve makes it, encrypted from the start"
        )
    return store, key


def _read_key(file: Path) -> OperatorKey:
    try:
        return OperatorKey.parse(decode_text(file.read_bytes()))
    except OSError as error:
        raise Failure(f"cannot read {file}: {why_unreadable(file, error)}") from error
    except ValueError as error:
        raise Failure(f"{file} {error}") from None


def _run(work: Callable[[OnStep], Awaitable[None]]) -> int:
    """Run it, with a line that tells how far it is; rows looked at."""
    shown = _Shown()

    async def run() -> None:
        await work(shown.take)

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        raise Failure("interrupted; run the same command again to go on from there") from None
    return shown.done


class _Shown:
    def __init__(self) -> None:
        self.done = 0
        self._told_at = -math.inf
        self._on_terminal = sys.stdout.isatty()

    def take(self, table: str, done: int) -> None:
        self.done = done
        now = time.monotonic()
        if now - self._told_at >= (0.1 if self._on_terminal else 5.0):
            self._told_at = now
            end = "\r" if self._on_terminal else "\n"
            print(f"{done:,} rows, at {table.strip('~') or 'the end'}".ljust(60), end=end, flush=True)
