"""`hongyan route`: why a message would go where; `hongyan carriers`: whose numbers are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, make_app, read_instant, read_text
from gateway.cli.output import local_time, print_json, print_table

Number = Annotated[str, typer.Argument(help="The number.")]


def register(app: typer.Typer) -> None:
    """Add the command and the group."""
    app.command(epilog=example("hongyan route +8613800138000 --category marketing --tag vip"))(route)
    group = make_app("Whose numbers are: ranges and exceptions.", "hongyan carriers show +8613800138000")
    group.command("list", epilog=example("hongyan carriers list --limit 1000"))(list_numbers)
    group.command("show", epilog=example("hongyan carriers show +8613800138000"))(show)
    group.command("set", epilog=example("hongyan carriers set +8613800138000 unicom"))(set_number)
    group.command("unset", epilog=example("hongyan carriers unset +8613800138000"))(unset)
    app.add_typer(group, name="carriers")


def route(
    to: Annotated[str, typer.Argument(help="The recipient's number.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
    text: Annotated[str | None, typer.Option(help="The text; - reads it from stdin.")] = None,
    category: Annotated[str | None, typer.Option(help="transactional, otp, marketing or emergency.")] = None,
    sender: Annotated[str | None, typer.Option(help="The channel group that the message names.")] = None,
    channel: Annotated[str | None, typer.Option(help="The channel that the message is pinned to.")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A tag of the message; may be given several times.")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Alphabet: auto, gsm7 or ucs2.")] = None,
    sent_by: Annotated[
        str | None,
        typer.Option("--as", help="API key that sends it (name or id), or account such as smpp:NAME."),
    ] = None,
    at: Annotated[str | None, typer.Option(help="When it is to go: 2026-12-24T08:00, or +2h.")] = None,
    as_json: Json = False,
) -> None:
    """Say why a message would go where.

    Rule by rule, with what it would cost. Nothing is sent.
    """
    body = {
        "to": to,
        "text": None if text is None else read_text(text),
        "category": category,
        "sender": sender,
        "channel": channel,
        "tags": tag or None,
        "encoding": encoding,
        "key": sent_by,
        "schedule_at": read_instant(at, "--at", datetime.now(UTC)) if at else None,
    }
    given = {name: value for name, value in body.items() if value is not None}
    explained = Api(url, key).call("POST", "/routes/explain", given)
    if as_json:
        print_json(explained)
    else:
        print("\n".join(describe(explained)))


def describe(explained: dict[str, Any]) -> list[str]:
    """An answer of ``POST /v1/routes/explain``, for people."""
    n = explained["segments"]
    lines = [f"{explained['to']}  {n} segment{'' if n == 1 else 's'} ({explained['encoding']})"]
    carrier = explained["carrier"]
    names = " ".join(filter(None, (carrier["carrier"], carrier["title"], carrier["kind"])))
    lines.append(f"carrier  {f'{names}: ' if names else ''}{carrier['detail']}")
    lines += [
        f"{'  takes it' if one['matched'] else '  no      '}  {one['rule']}: {one['detail']}"
        for one in explained["rules"]
    ]
    if explained["rules_left"]:
        lines.append(f"  not asked: {explained['rules_left']} more")
    lines.append(f"way  {', then '.join(explained['way'])}. {explained['detail']}")
    if explained["sticky"]:
        lines.append(f"sticky  {explained['sticky']}")
    for one in explained["channels"]:
        cost = f", {one['cost']}" if one["cost"] else ""
        lines.append(
            f"  {'->' if one['takes'] else '  '} {one['channel']} ({one['place']}{cost}): {one['detail']}"
        )
    if explained["channel"] is None:
        lines.append("It would wait:")
        lines += [
            f"  {reason['code']}: {_whose(reason)}{reason['detail']}" for reason in explained["waits_for"]
        ]
    lines.append(f"cost  {explained['cost'] or 'no price is known'}")
    return lines


def _whose(reason: dict[str, Any]) -> str:
    return f"{reason['channel']}: " if reason["channel"] else ""


def list_numbers(
    url: Url = DEFAULT_URL,
    key: Key = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: Json = False,
) -> None:
    """List numbers that were set or learned."""
    found = Api(url, key).list("/carriers", limit)
    if as_json:
        for entry in found:
            print_json(entry)
        return
    rows = [(e["number"], e["carrier"], e["source"], local_time(e["changed_at"])) for e in found]
    print_table(("number", "carrier", "source", "since"), rows)


def show(number: Number, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Say whose a number is, and why."""
    fact = Api(url, key).call("GET", path_of("carriers", number))
    if as_json:
        print_json(fact)
    else:
        print(f"{fact['carrier'] or 'not known'}  {fact['detail']}")


def set_number(
    number: Number,
    carrier: Annotated[str, typer.Argument(help="The carrier, such as cmcc, unicom, telecom or cbn.")],
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Set the carrier of a ported number."""
    entry = Api(url, key).call("PUT", path_of("carriers", number), {"carrier": carrier})
    if as_json:
        print_json(entry)
    else:
        print(f"{entry['number']}  {entry['carrier']}")


def unset(number: Number, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Forget what was set or learned."""
    Api(url, key).call("DELETE", path_of("carriers", number))
    print(f"{number}  its range tells again")
