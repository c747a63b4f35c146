"""`hongyan check-message`: what the rules would say of a message, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.client import Api
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, read_instant, read_text
from gateway.cli.output import local_time, print_json

_WORDS = {
    "allow": "may go",
    "warn": "warns",
    "rewrite": "rewrites",
    "later": "later",
    "review": "review",
    "refuse": "refuses",
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    epilog = example("hongyan check-message +8613800138000 '周末满减' --category marketing --as shop")
    app.command("check-message", epilog=epilog)(check)


def check(
    to: Annotated[str, typer.Argument(help="The recipient's number.")],
    text: Annotated[str, typer.Argument(help="The text; - reads it from stdin.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
    category: Annotated[str | None, typer.Option(help="transactional, otp, marketing or emergency.")] = None,
    brand: Annotated[str | None, typer.Option(help="In whose name it would go.")] = None,
    template: Annotated[str | None, typer.Option(help="Name of the template that it was made from.")] = None,
    sender: Annotated[str | None, typer.Option(help="The channel group that the message names.")] = None,
    sent_by: Annotated[
        str | None,
        typer.Option("--as", help="API key that would send it (name or id), or account such as smpp:NAME."),
    ] = None,
    at: Annotated[str | None, typer.Option(help="When it would go: 2026-12-24T08:00, or +2h.")] = None,
    as_json: Json = False,
) -> None:
    """Say what would become of a message, rule by rule.

    Nothing is sent. Ends with 1 if it would be refused.
    """
    body = {
        "to": to,
        "text": read_text(text),
        "category": category,
        "brand": brand,
        "template": template,
        "sender": sender,
        "key": sent_by,
        "schedule_at": read_instant(at, "--at", datetime.now(UTC)) if at else None,
    }
    given = {name: value for name, value in body.items() if value is not None}
    checked = Api(url, key).call("POST", "/messages/check", given)
    if as_json:
        print_json(checked)
    else:
        print("\n".join(describe(checked)))
    if checked["outcome"] == "refuse":
        raise typer.Exit(1)


def describe(checked: dict[str, Any]) -> Iterator[str]:
    """An answer of ``POST /v1/messages/check``, for people."""
    n = checked["segments"]
    yield f"{checked['to']}  {checked['category']}, brand {checked['brand']}, {n} segment{'' if n == 1 else 's'}"
    if checked["text"] is not None:
        yield f"text     {checked['text']}"
    for said in checked["rules"]:
        yield describe_rule(said)
    yield f"=> {_WORDS[checked['outcome']]}{_why(checked)}"


def describe_rule(said: dict[str, Any]) -> str:
    """What one rule says, in one line."""
    return f"{_WORDS[said['outcome']]:<9}{said['rule']}{_why(said)}"


def _why(said: dict[str, Any]) -> str:
    until = f" (until {local_time(said['until'])})" if said.get("until") else ""
    return f": {said['code']}: {said['detail']}{until}" if said.get("code") else ""
