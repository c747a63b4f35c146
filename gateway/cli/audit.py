"""`hongyan audit`: who did what, when and from where, and whether that record is whole; works on the store itself."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from gateway.cli.audit_files import AuditFile, make_lines
from gateway.cli.keys import find_kept_store
from gateway.cli.options import Config, Json, example, make_app, read_past
from gateway.cli.output import Failure, local_time, print_json, print_table, say
from gateway.cli.reading import read_offline
from gateway.cli.serve import find_config
from gateway.cli.whoever import whoever_runs_this
from gateway.files import why_unreadable
from gateway.model.audit import AuditEntry, Break, ChainCheck, Details, Head, mask_subject
from gateway.settings.config import load_settings
from gateway.settings.store import StoreSettings
from gateway.store.audit import (
    AuditQuery,
    Extent,
    find_audit_before,
    list_audit,
    load_audit,
    load_extent,
    record_audit,
)
from gateway.store.ports import Tx
from gateway.views.audit import show_entries

AT_ONCE = 1_000
_HEAD = re.compile(r"(\d{1,18}):([0-9a-f]{64})")

Since = Annotated[
    str | None,
    typer.Option(help="Only what is not older than this: 2026-12-24T08:00, or 2h for two hours ago."),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("Who did what, when and from where.", "hongyan audit list --since 1d")
    group.command("list", epilog=example("hongyan audit list --action 'subscription.*' --since 7d"))(
        list_deeds
    )
    group.command("verify", epilog=example("hongyan audit verify --head 1042:2c26b46b..."))(verify)
    group.command("head", epilog=example("hongyan audit head"))(head)
    group.command("export", epilog=example("hongyan audit export audit.jsonl --since 30d"))(export)
    app.add_typer(group, name="audit")


def list_deeds(
    since: Since = None,
    until: Annotated[str | None, typer.Option(help="Only what is older than this.")] = None,
    actor: Annotated[
        str | None, typer.Option(help="Only what he did, such as key:billing or cli:root.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="Only such deeds: channel.paused, or 'channel.*'.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only what was done to this id, name or number.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many at most.")] = 50,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List deeds, newest first.

    With log.mask_numbers = true the table hides most digits of numbers; --json never does.
    """
    from gateway.model.msisdn import read_number  # noqa: PLC0415 - the numbering plans take a while to load

    settings = load_settings(find_config(config), only=("log", "numbers"))
    if subject is not None and (reading := read_number(subject, settings.numbers.region)).people:
        subject = reading.spelling
    query = AuditQuery(_instant(since, "--since"), _instant(until, "--until"), actor, action, subject)
    found = read_offline(config, lambda tx: list_audit(tx, query, limit))
    if as_json:
        for shown in show_entries(found):
            print_json(shown)
        return
    if settings.log.mask_numbers:
        found = [mask_subject(entry) for entry in found]
    columns = ("entry", "when", "who", "what", "subject", "from", "details")
    print_table(columns, [_row(entry) for entry in found])


def head(config: Config = None) -> None:
    """Print number and hash of the last entry.

    Write it down where nobody who can write to the store can change it: `hongyan audit verify --head` then finds also
    an end that was cut off, and a trail that was written anew as a whole.
    """
    print(read_offline(config, load_extent).head)


def verify(
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="Check this exported file; no store is needed.", readable=False),
    ] = None,
    remembered: Annotated[
        str | None, typer.Option("--head", help="SEQ:HASH, as `hongyan audit head` printed it before.")
    ] = None,
    config: Config = None,
) -> None:
    """Find the first entry that was changed, moved, removed or cut off.

    Exits with 1 if so. Nothing is changed.
    """
    known = _read_head(remembered)
    if file is not None:
        try:
            check, broken = AuditFile(file).check(known)
        except OSError as error:
            raise Failure(f"cannot read {file}: {why_unreadable(file, error)}") from error
    else:
        check, broken = read_offline(config, lambda tx: _check(tx, known))
    if broken is not None:
        where = f"entry {broken.seq}" if broken.seq else "the trail"
        print(f"not whole: {where} {broken.detail}")
        raise typer.Exit(1)
    print(f"whole: {describe(check)}")


def describe(check: ChainCheck) -> str:
    """What was checked, in a line."""
    first, last = check.after.seq + 1, check.head
    said = [f"entries {first} to {last.seq}" if last.seq >= first else "no entries", f"head {last}"]
    if check.after.seq:
        said.append(f"what came before {first} is not here")
    if check.n_erased:
        said.append(f"{check.n_erased} without their subject")
    return "; ".join(said)


def export(
    file: Annotated[Path, typer.Argument(help="Where they go; must not exist. - is stdout.", readable=False)],
    since: Since = None,
    mask_numbers: Annotated[
        bool,
        typer.Option("--mask-numbers", help="Hide most digits of numbers. The file can be verified still."),
    ] = False,
    config: Config = None,
) -> None:
    """Write entries as JSON lines, oldest first.

    `hongyan audit verify --file` checks such a file. That it was exported is an entry itself, the last of the file.
    """
    store, begins = find_kept_store(config), _instant(since, "--since")
    if str(file) == "-":
        asyncio.run(_export(store, begins, None, mask_numbers=mask_numbers))
        return
    if os.path.lexists(file):
        raise Failure(f"{file} exists; name a new file")
    partial = file.with_name(f"{file.name}.partial")  # under FILE's own name there is a whole export or none
    try:
        end = asyncio.run(_export(store, begins, partial, mask_numbers=mask_numbers))
        partial.rename(file)
    except OSError as error:
        raise Failure(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    say(f"{file}: up to entry {end.seq}; head {end}")


async def _export(
    store: StoreSettings, since: datetime | None, file: Path | None, *, mask_numbers: bool
) -> Head:
    from gateway.clock import SystemClock  # noqa: PLC0415 - the store takes a while to load
    from gateway.runtime.stores import opened_store  # noqa: PLC0415

    now = SystemClock().now()
    details: Details = {"since": since.isoformat() if since else None, "masked": mask_numbers}

    async def begin(tx: Tx) -> tuple[Head, Extent]:
        before = None if since is None else await find_audit_before(tx, since)
        await record_audit(tx, whoever_runs_this(), "audit.exported", "", details, at=now)
        extent = await load_extent(tx)
        return before or extent.dropped, extent

    async with opened_store(store) as opened:
        after, extent = await opened.write(begin)

        async def pages() -> AsyncIterator[list[AuditEntry]]:
            seq = after.seq
            while page := await opened.read(lambda tx: load_audit(tx, seq, AT_ONCE, extent.head.seq)):  # noqa: B023
                yield page
                seq = page[-1].seq

        out = sys.stdout.buffer if file is None else os.fdopen(os.open(file, _FRESH, 0o600), "wb")
        try:
            async for lines in make_lines(after, extent.head, pages(), now, masked=mask_numbers):
                out.write(lines)
            out.flush()
            if file is not None:
                os.fsync(out.fileno())
        finally:
            if file is not None:
                out.close()
    return extent.head


_FRESH = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


async def _check(tx: Tx, remembered: Head | None) -> tuple[ChainCheck, Break | None]:
    extent = await load_extent(tx)
    check = ChainCheck(extent.dropped, remembered)
    after = extent.dropped.seq
    while page := await load_audit(tx, after, AT_ONCE, 2**62):
        if (broken := check.take_all(page)) is not None:
            return check, broken
        after = page[-1].seq
    return check, check.end(extent.head)


def _row(entry: AuditEntry) -> tuple[object, ...]:
    details = msgspec.json.decode(entry.details)
    said = " ".join(
        f"{name}={_word(value)}" for name, value in details.items() if value not in (None, [], "")
    )
    when = local_time(entry.at.isoformat())
    return entry.seq, when, entry.actor, entry.action, entry.subject, entry.origin, said


def _word(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _instant(text: str | None, option: str) -> datetime | None:
    past = read_past(text, option)
    return None if past is None else datetime.fromisoformat(past).astimezone(UTC)


def _read_head(text: str | None) -> Head | None:
    if text is None:
        return None
    found = _HEAD.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter("write SEQ:HASH, as `hongyan audit head` prints it", param_hint="--head")
    return Head(int(found[1]), found[2])
