"""`hongyan suppress`: the list of numbers that get no marketing."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode

import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, make_app
from gateway.cli.output import local_time, print_json, print_table

Number = Annotated[str, typer.Argument(help="The person's number.")]
Brand = Annotated[str | None, typer.Option(help="Only marketing in the name of this brand.")]
Sender = Annotated[str | None, typer.Option(help="Only marketing that comes from this number of yours.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("The opt-out list: who gets no marketing.", "hongyan suppress add +8613800138000")
    group.command("list", epilog=example("hongyan suppress list --limit 1000"))(list_numbers)
    group.command("add", epilog=example("hongyan suppress add +8613800138000 --reason 'asked by phone'"))(add)
    group.command("remove", epilog=example("hongyan suppress remove +8613800138000"))(remove)
    app.add_typer(group, name="suppress")


def list_numbers(
    url: Url = DEFAULT_URL,
    key: Key = "",
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: Json = False,
) -> None:
    """List the numbers, in order."""
    found = Api(url, key).list("/suppressions", limit)
    if as_json:
        for entry in found:
            print_json(entry)
        return
    columns = ("number", "since", "scope", "source", "keyword", "reason")
    rows = [
        (e["number"], local_time(e["created_at"]), e["scope"], e["source"], e["keyword"], e["reason"])
        for e in found
    ]
    print_table(columns, rows)


def add(
    number: Number,
    url: Url = DEFAULT_URL,
    key: Key = "",
    reason: Annotated[str | None, typer.Option(help="Why the number is on the list; kept with it.")] = None,
    brand: Brand = None,
    sender: Sender = None,
    as_json: Json = False,
) -> None:
    """Put a number on the list.

    Marketing messages that wait for the number already do not go out either. Digits that may be one of two
    numbers put both on the list.
    """
    given = {"reason": reason, "brand": brand, "sender": sender}
    body = {name: value for name, value in given.items() if value}
    entry = Api(url, key).call("PUT", path_of("suppressions", number), body)
    if as_json:
        print_json(entry)
    else:
        others = [number for number in entry["readings"] if number != entry["number"]]
        also = f", and for {' and '.join(others)}" if others else ""
        since = local_time(entry["created_at"])
        what = "" if entry["scope"] == "everything" else f" ({entry['scope']})"
        print(f"{entry['number']}  on the list since {since}{what}{also}")


def remove(
    number: Number, url: Url = DEFAULT_URL, key: Key = "", brand: Brand = None, sender: Sender = None
) -> None:
    """Take a number off the list.

    All of its entries, or the one from a brand or a sender.
    """
    scope = urlencode({name: value for name, value in (("brand", brand), ("sender", sender)) if value})
    Api(url, key).call("DELETE", path_of("suppressions", number) + (f"?{scope}" if scope else ""))
    print(f"{number}  not on the list")
