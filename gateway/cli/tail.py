"""`hongyan tail`: the latest state changes, and with ``-f`` those to come."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from http.client import HTTPException
from shutil import get_terminal_size
from typing import Annotated, Any

import msgspec
import typer

from gateway.cli.client import Api, ServerEvent, need_channel
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import Failure, fold, local_time, paint, print_json, say
from gateway.model.message import MessageStatus

RETRY_S = 2.0
_CAUGHT_UP = "caught up"
"""The gateway's comment behind all that had happened when the stream was opened."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan tail -f --to +8613800138000 --json"))(tail)


def tail(
    url: Url = DEFAULT_URL,
    key: Key = "",
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on: show new changes as they happen.")
    ] = False,
    to: Annotated[str | None, typer.Option(help="Only messages to this number.")] = None,
    status: Annotated[str | None, typer.Option(help="Only changes to this state.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only changes by this channel.")] = None,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=1000, help="How many past changes to show first.")
    ] = 10,
    as_json: Json = False,
) -> None:
    """Show the delivery log, also live.

    Every change of every message, one a line. With --json in the shape of the delivery log's own lines.
    """
    if status is not None and status not in set(MessageStatus):
        raise typer.BadParameter(f"write one of {', '.join(MessageStatus)}", param_hint="--status")
    api = Api(url, key)
    if channel is not None:
        need_channel(api, channel)
    show = _print_line if as_json else _print_event
    for event in follow_events(api, lines, forever=follow, to=to, status=status, channel=channel):
        show(event)


def follow_events(api: Api, n_past: int, *, forever: bool, **wanted: str | None) -> Iterator[ServerEvent]:
    """The latest events, oldest first, and those to come; a stream that breaks is taken up where it was.

    Args:
        n_past: how many of the past.
        forever: go on with those to come.
        wanted: filters, as ``GET /v1/events`` knows them.

    Raises:
        Failure: the stream can't be opened in the first place.
    """
    if not (forever or n_past):
        return
    last_id: str | None = None
    opened = told = False
    while True:
        try:
            last = n_past or None if not opened else None
            for event in api.stream("/events", last_event_id=last_id, last=last, **wanted):
                told = False
                if isinstance(event, ServerEvent):
                    last_id = event.id
                    yield event
                elif event == _CAUGHT_UP or not last:
                    opened = True
                    if not forever:
                        return
        except (OSError, HTTPException) as error:
            if not opened and last_id is None:
                raise Failure(api.explain(error)) from None
        if not told:
            say("the stream ended; opening it again ...")
            told = True
        time.sleep(RETRY_S)


def flatten(event: ServerEvent) -> dict[str, Any]:
    """An event in the shape of the delivery log's lines: ``seq``, ``at``, ``type``, and what there is to say."""
    told = msgspec.json.decode(event.data)
    kind, data = told["type"], told["data"]
    subject, _, verb = kind.partition(".")
    line: dict[str, Any] = {"seq": int(event.id), "at": told["timestamp"], "type": kind}
    match subject:
        case "inbound":
            names = ("id", "from", "channel", "parts", "keyword")
            return line | {name: data[name] for name in names}
        case "subscription":
            return line | {"number": data["number"], "status": verb, "source": data.get("source")}
        case _:
            return {**line, **data}


def _print_line(event: ServerEvent) -> None:
    print_json(flatten(event))


def _print_event(event: ServerEvent) -> None:
    cells = event_cells(msgspec.json.decode(event.data))
    width = get_terminal_size().columns if sys.stdout.isatty() else 10_000
    print("\n    ".join(fold(cells, width - 4)), flush=True)


def format_event(event: dict[str, Any], *, with_id: bool = True) -> str:
    """One event in one line, for people."""
    cells = event_cells(event)
    if not with_id and event["type"].startswith("message."):
        cells = cells[:-1]
    return "  ".join(cells)


def event_cells(event: dict[str, Any]) -> list[str]:
    """What there is to say of an event, part by part; a message's id is the last."""
    kind, data = str(event["type"]), event["data"]
    subject, _, what = kind.partition(".")
    cells = [local_time(event["timestamp"], "%m-%d %H:%M:%S")]
    by = name_actor(data)
    match subject:
        case "message":
            part = f"part {data['part']}/{data.get('segments', 1)}" if data.get("part") else ""
            cells += [
                f"{paint(what)}",
                f"to {data.get('to', '')}",
                data.get("channel") or "",
                part,
                data.get("error") or "",
                by,
            ]
            cells.append(data.get("id", ""))
        case "inbound":
            text = data.get("text")
            cells += ["received", f"from {data.get('from', '')}", data.get("channel") or ""]
            cells += [repr(text) if text else "", data.get("keyword") or ""]
        case "channel":
            cells += [
                paint(what),
                f"channel {data.get('name') or data.get('channel') or ''}",
                data.get("error") or "",
                by,
            ]
        case _:
            cells += [kind, str(data.get("number") or data.get("to") or data.get("name") or ""), by]
    return [cell for cell in cells if cell]


def name_actor(data: dict[str, Any]) -> str:
    """Who caused an event, such as ``by key:billing``; empty where nobody did."""
    return f"by {data['by']}" if data.get("by") else ""
