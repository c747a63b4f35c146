"""`hongyan send`: one message over the API, and following it to its end."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, read_duration, read_instant, read_text
from gateway.cli.output import Failure, describe_error, paint, print_json, say
from gateway.model.request import IDEMPOTENCY_KEY_FORM, IDEMPOTENCY_KEY_PATTERN

FINAL = frozenset({"delivered", "undelivered", "failed", "expired", "canceled", "blocked", "uncertain"})
_POLL_FIRST_S, _POLL_CAP_S = 0.1, 2.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan send +8613800138000 'Your code is 4711' --category otp --wait"))(send)


def send(
    to: Annotated[str, typer.Argument(help="The recipient's number.")],
    text: Annotated[str | None, typer.Argument(help="The text; - reads it from stdin.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    category: Annotated[
        str | None, typer.Option(help="What kind of message: transactional, otp, marketing or emergency.")
    ] = None,
    brand: Annotated[str | None, typer.Option(help="In whose name it goes.")] = None,
    template: Annotated[str | None, typer.Option(help="Name of the template that it was made from.")] = None,
    sender: Annotated[str | None, typer.Option(help="Channel group to send from.")] = None,
    channel: Annotated[str | None, typer.Option(help="The one channel to send from.")] = None,
    priority: Annotated[
        int | None, typer.Option(min=0, max=9, help="0 to 9; 9 goes first, 5 is usual.")
    ] = None,
    sequence: Annotated[
        str | None,
        typer.Option(help="Messages to one number with the same name here go one after the other."),
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Alphabet: auto, gsm7 or ucs2.")] = None,
    smart: Annotated[
        bool | None,
        typer.Option(
            "--smart/--no-smart",
            help="Write curly quotes and the like plainly where that saves segments.",
            show_default=False,
        ),
    ] = None,
    flash: Annotated[
        bool,
        typer.Option("--flash", help="A flash message: the phone shows it at once and does not keep it."),
    ] = False,
    at: Annotated[str | None, typer.Option(help="Send it later: 2026-12-24T08:00, or +2h.")] = None,
    valid_for: Annotated[
        str | None, typer.Option(help="Give the message up if it was not sent within this time, such as 10m.")
    ] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Ask for a delivery report.")] = True,
    callback_url: Annotated[
        str | None, typer.Option(help="Kept with the message (posting to it comes with webhooks).")
    ] = None,
    reference: Annotated[str | None, typer.Option(help="Your own id for the message.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A word to find the message by; may be given several times.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Octets in hex instead of a text.")] = None,
    udh: Annotated[str | None, typer.Option(help="User data header in hex, with --data.")] = None,
    idempotency_key: Annotated[
        str | None,
        typer.Option(help="A key of your choice: a second call with the same key sends nothing new."),
    ] = None,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Follow the message to its final state; exit 1 if it was not delivered."),
    ] = False,
    timeout: Annotated[str, typer.Option(help="How long --wait waits at most.")] = "10m",
    as_json: Json = False,
) -> None:
    """Send one message."""
    if (text is None) == (data is None):
        raise typer.BadParameter("give a text, or --data", param_hint="TEXT")
    if idempotency_key is not None and not IDEMPOTENCY_KEY_PATTERN.fullmatch(idempotency_key):
        raise typer.BadParameter(f"write {IDEMPOTENCY_KEY_FORM}", param_hint="--idempotency-key")
    timeout_s = read_duration(timeout, "--timeout")
    body = {
        "to": to,
        "text": None if text is None else read_text(text),
        "category": category,
        "brand": brand,
        "template": template,
        "sender": sender,
        "channel": channel,
        "priority": priority,
        "sequence": sequence,
        "encoding": encoding,
        "smart": smart,
        "flash": flash or None,
        "schedule_at": read_instant(at, "--at", datetime.now(UTC)) if at else None,
        "valid_for": int(read_duration(valid_for, "--valid-for")) if valid_for else None,
        "report": None if report else False,
        "callback_url": callback_url,
        "reference": reference,
        "tags": tag or None,
        "data": data,
        "udh": udh,
    }
    api = Api(url, key)
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    given = {name: value for name, value in body.items() if value is not None}
    message = api.call("POST", "/messages", given, headers)
    if wait:
        message = follow(api, message, timeout_s, tell=None if as_json else _tell)
    if as_json:
        print_json(message)
    else:
        print(describe(message))
    if wait and not is_good(message):
        raise typer.Exit(1)


def follow(
    api: Api, message: dict[str, Any], timeout_s: float, tell: Callable[[dict[str, Any]], None] | None
) -> dict[str, Any]:
    """Ask for a message until it has reached its end.

    Args:
        tell: is given the message at each change of its state but the last.

    Raises:
        Failure: it did not in time.
    """
    deadline = time.monotonic() + timeout_s
    pause_s, shown = _POLL_FIRST_S, ""
    while not is_final(message):
        if tell and message["status"] != shown:
            tell(message)
            shown = message["status"]
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise Failure(
                f"{message['id']} is still {message['status']} after {timeout_s:g} s; see hongyan show {message['id']}"
            )
        time.sleep(min(pause_s, left_s))
        pause_s = min(pause_s * 1.5, _POLL_CAP_S)
        message = api.get(path_of("messages", message["id"]))
    return message


def is_final(message: dict[str, Any]) -> bool:
    """Whether nothing more will happen to it, as far as we are told."""
    return message["status"] in FINAL or (message["status"] == "sent" and not message["report"])


def is_good(message: dict[str, Any]) -> bool:
    """Whether it arrived, or went out without anybody asking for a report."""
    return message["status"] == "delivered" or (message["status"] == "sent" and not message["report"])


def describe(message: dict[str, Any]) -> str:
    """A message in one line: its id first, for scripts that cut."""
    n = len(message["segments"])
    parts = f"{n} segment{'' if n == 1 else 's'} ({message['encoding']})"
    why = describe_error(message["error"])
    return f"{message['id']}  {paint(message['status'])}  to {message['to']}, {parts}" + (
        f"; {why}" if why else ""
    )


def _tell(message: dict[str, Any]) -> None:
    say(f"{message['status']} ...")
