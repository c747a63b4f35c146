"""`hongyan inbound`: what people wrote to us, and with ``-f`` what they write from now on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import typer

from gateway.cli.client import Api
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, read_past
from gateway.cli.output import local_time, print_json, print_table
from gateway.cli.tail import follow_events

_COLUMNS = ("received", "from", "to", "channel", "keyword", "text", "id")
_NEWEST = 1_000
"""Of those that came at once, so many are looked at."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan inbound -f --from +8613900139000"))(inbound)


def inbound(
    url: Url = DEFAULT_URL,
    key: Key = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on: show new messages as they come.")
    ] = False,
    sender: Annotated[str | None, typer.Option("--from", help="Only messages from this number.")] = None,
    to: Annotated[str | None, typer.Option(help="Only messages to this number of ours.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only what is not older than this: 2026-12-24T08:00, or 2h for two hours ago."),
    ] = None,
    near: Annotated[
        bool, typer.Option("--near", help="Only what sounds like no to marketing and is for you to look at.")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many past messages at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List inbound messages, also live.

    Newest first; with -f oldest first, so that what comes next stands below.
    """
    api = Api(url, key)
    wanted = {
        "from": sender,
        "to": to,
        "since": read_past(since, "--since"),
        "flag": "near_opt_out" if near else None,
    }
    if not follow:
        _show(list(api.list("/inbound", limit, **wanted)), as_json=as_json)
        return
    for message in _live(api, limit, wanted):
        _show_one(message, as_json=as_json)


def _live(api: Api, n_past: int, wanted: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    """Those of the past, oldest first, and each that comes; the gateway does the filtering."""
    shown: set[str] = set()
    first = True
    for _ in follow_events(api, 1, forever=True, type="inbound.received"):
        found = list(api.list("/inbound", n_past if first else _NEWEST, **wanted))
        first = False
        for message in reversed(found):
            if message["id"] not in shown:
                shown.add(message["id"])
                yield message


def _show(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for message in found:
            print_json(message)
    else:
        print_table(_COLUMNS, [_row(message) for message in found])


def _show_one(message: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(message)
    else:
        print("  ".join(str(cell) for cell in _row(message) if cell), flush=True)


def _row(message: dict[str, Any]) -> tuple[object, ...]:
    return (
        local_time(message["received_at"]),
        message["from"],
        message["to"],
        message["channel"],
        message["keyword"] or message["flag"],
        " ".join((message["text"] or message["data"] or "").split()),
        message["id"],
    )
