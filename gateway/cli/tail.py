"""`hongyan tail`: the latest state changes, and with ``-f`` those to come."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from http.client import HTTPException
from itertools import chain
from typing import Annotated, Any

import msgspec
import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import Failure, local_time, paint, print_json, say
from gateway.model.message import MessageStatus

RETRY_S = 2.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan tail -f --to +8613800138000 --json"))(tail)


def tail(
    url: Url = DEFAULT_URL,
    key: Key = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens from now.")] = False,
    to: Annotated[str | None, typer.Option(help="Only messages to this number.")] = None,
    status: Annotated[str | None, typer.Option(help="Only changes to this state.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only this channel's.")] = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, max=1000, help="How many of the past.")] = 10,
    as_json: Json = False,
) -> None:
    """Show the delivery log, also live.

    Every change of every message, one a line.
    """
    if status is not None and status not in set(MessageStatus):
        raise typer.BadParameter(f"write one of {', '.join(MessageStatus)}", param_hint="--status")
    api = Api(url, key)
    wanted = {"to": to, "status": status, "channel": channel}
    show = print_json if as_json else _print_event
    if not follow:
        for event in past(api, lines, wanted):
            show(event)
        return
    for event in live(api, lines, wanted):
        show(event)


def past(api: Api, n_lines: int, wanted: dict[str, str | None]) -> list[dict[str, Any]]:
    """The latest events, oldest first: those of the latest messages, inbound ones included."""
    if n_lines == 0:
        return []
    query = {name: value for name, value in wanted.items() if name != "status"}
    latest = api.list("/messages", n_lines, **query)
    timelines = (api.get(path_of("messages", message["id"]))["events"] for message in latest)
    events = [event for event in chain.from_iterable(timelines) if _keeps(event, wanted)]
    if wanted["status"] is None:
        inbound = api.list("/inbound", n_lines, to=wanted["to"])
        received = [{"type": "inbound.received", "timestamp": i["received_at"], "data": i} for i in inbound]
        events += [event for event in received if _keeps(event, wanted)]
    return sorted(events, key=lambda event: datetime.fromisoformat(event["timestamp"]))[-n_lines:]


def live(api: Api, n_past: int, wanted: dict[str, str | None]) -> Iterator[dict[str, Any]]:
    """Past events, then each new one; a stream that breaks is taken up where it was.

    Raises:
        Failure: it can't be opened in the first place.
    """
    last_id: str | None = None
    opened = told = False
    while True:
        try:
            for event in api.stream("/events", last_event_id=last_id, **wanted):
                if event is None:
                    told = False
                    if not opened:  # the stream is open, so nothing falls between the past and it
                        opened = True
                        yield from past(api, n_past, wanted)
                    continue
                last_id = event.id
                yield msgspec.json.decode(event.data)
        except (OSError, HTTPException) as error:
            if not opened:
                raise Failure(api.explain(error)) from None
        if not told:
            say("the stream ended; opening it again ...")
            told = True
        time.sleep(RETRY_S)


def _keeps(event: dict[str, Any], wanted: dict[str, str | None]) -> bool:
    """The filters that the look-ups don't know; numbers are compared there, where the region is known."""
    data = event["data"]
    return all(data.get(name) == wanted[name] for name in ("status", "channel") if wanted[name])


def _print_event(event: dict[str, Any]) -> None:
    print(format_event(event), flush=True)


def format_event(event: dict[str, Any]) -> str:
    """One event in one line, for people."""
    kind, data = str(event["type"]), event["data"]
    subject, _, what = kind.partition(".")
    cells = [local_time(event["timestamp"], "%m-%d %H:%M:%S")]
    match subject:
        case "message":
            part = f"part {data['part']}/{data.get('segments', 1)}" if data.get("part") else ""
            cells += [
                f"{paint(what)}",
                f"to {data.get('to', '')}",
                data.get("channel") or "",
                part,
                data.get("error") or "",
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
            ]
        case _:
            cells += [kind, str(data.get("number") or data.get("to") or "")]
    return "  ".join(cell for cell in cells if cell)
