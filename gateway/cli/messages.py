"""`hongyan messages`, `show`, `cancel` and `resend`: look-ups and the two verbs on a message."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.check_message import describe_rule
from gateway.cli.client import Api, need_channel, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, read_past
from gateway.cli.output import align, describe_error, local_time, paint, plain, print_json, print_table
from gateway.cli.send import describe
from gateway.cli.tail import name_actor

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The message's id.")]
_TEXT_CHARS = 30


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("hongyan messages --status failed --since 2026-12-24T08:00 --json"))(messages)
    app.command(epilog=example("hongyan show 01kb3e5q7x8m2v9k4n6p0r1s2t"))(show)
    app.command(epilog=example("hongyan cancel 01kb3e5q7x8m2v9k4n6p0r1s2t"))(cancel)
    app.command(epilog=example("hongyan resend 01kb3e5q7x8m2v9k4n6p0r1s2t"))(resend)


def messages(
    url: Url = DEFAULT_URL,
    key: Key = "",
    status: Annotated[str | None, typer.Option(help="Only messages in this state.")] = None,
    to: Annotated[str | None, typer.Option(help="Only messages to this number.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only messages of this channel.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only messages with this tag.")] = None,
    reference: Annotated[str | None, typer.Option(help="Only messages with this id of your own.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only messages of this batch.")] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Only what is not older than this: 2026-12-24T08:00, or 2h for two hours ago."),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(help="Only what is older than this: 2026-12-24T08:00, or 2h for two hours ago."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    as_json: Json = False,
) -> None:
    """List messages, newest first."""
    api = Api(url, key)
    found = list(
        api.list(
            "/messages",
            limit,
            status=status,
            to=to,
            channel=channel,
            tag=tag,
            reference=reference,
            batch=batch,
            since=read_past(since, "--since"),
            until=read_past(until, "--until"),
        )
    )
    if channel is not None and not found:  # one that was taken out of the config still has its messages
        need_channel(api, channel)
    if as_json:
        for message in found:
            print_json(message)
        return
    columns = ("id", "created", "to", "status", "channel", "parts", "text", "waits for", "error")
    print_table(columns, [_row(message) for message in found])


def show(message_id: MessageId, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show one message with its segments and its timeline."""
    message = Api(url, key).get(path_of("messages", message_id))
    if as_json:
        print_json(message)
        return
    print(describe(message))
    for name in (
        "text",
        "data",
        "category",
        "brand",
        "template",
        "sender",
        "channel",
        "sequence",
        "reference",
        "tags",
        "batch_id",
        "callback_url",
    ):
        if message[name]:
            value = message[name]
            print(plain(f"  {name}: {', '.join(value) if isinstance(value, list) else value}"))
    for name in ("created_at", "schedule_at", "sent_at", "delivered_at", "expires_at"):
        if message[name]:
            print(f"  {name}: {local_time(message[name])}")
    print("segments:")
    for line in align([_segment_cells(segment) for segment in message["segments"]]):
        print(f"  {line}")
    if message["policy"]:
        print("rules:")
        for said in message["policy"]:
            print(f"  {describe_rule(said)}")
    if message.get("waiting_for"):
        print("waiting for:")
        for line in align([_reason_cells(reason) for reason in message["waiting_for"]]):
            print(f"  {line}")
    print("timeline:")
    for line in align([_event_cells(event) for event in message["events"]]):
        print(f"  {line}")


def cancel(message_id: MessageId, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Cancel a message that is not on its way yet."""
    _do("cancel", message_id, Api(url, key), as_json=as_json)


def resend(message_id: MessageId, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Send a message again.

    For a message that failed or expired, or one that is uncertain: nobody knows whether that one went out, so the
    recipient may get it twice.
    """
    _do("resend", message_id, Api(url, key), as_json=as_json)


def _do(verb: str, message_id: str, api: Api, *, as_json: bool) -> None:
    message = api.call("POST", path_of("messages", message_id, verb))
    if as_json:
        print_json(message)
    else:
        print(describe(message))


def _row(message: dict[str, Any]) -> tuple[object, ...]:
    text = " ".join((message["text"] or message["data"] or "").split())
    return (
        message["id"],
        local_time(message["created_at"]),
        message["to"],
        message["status"],
        message["channel"],
        len(message["segments"]),
        text if len(text) <= _TEXT_CHARS else text[: _TEXT_CHARS - 1] + "…",
        _name_reasons(message.get("waiting_for") or []),
        describe_error(message["error"]),
    )


def _name_reasons(reasons: list[dict[str, Any]]) -> str | None:
    """All codes in a word or two, with the first end that is known: ``hongyan show`` has the sentences."""
    codes = ", ".join(dict.fromkeys(reason["code"] for reason in reasons))
    ends = sorted(reason["until"] for reason in reasons if reason["until"])
    return f"{codes} until {local_time(ends[0])}" if ends else codes or None


def _segment_cells(segment: dict[str, Any]) -> list[str]:
    attempts = segment["attempts"]
    return [
        f"part {segment['part']}",
        paint(segment["status"]),
        segment["channel"] or "-",
        f"ref {segment['ref']}" if segment["ref"] else "-",
        f"{attempts} attempt{'' if attempts == 1 else 's'}",
        describe_error(segment["error"]),
    ]


def _reason_cells(reason: dict[str, Any]) -> list[str]:
    until = f"until {local_time(reason['until'])}" if reason["until"] else "-"
    return [reason["channel"] or "-", reason["code"], until, reason["detail"]]


def _event_cells(event: dict[str, Any]) -> list[str]:
    data = event["data"]
    part = f"part {data['part']}" if data.get("part") else ""
    return [
        local_time(event["timestamp"]),
        event["type"],
        part,
        data.get("channel") or "",
        data.get("error") or "",
        name_actor(data),
    ]
