"""`hongyan suppress`: the list of numbers that get no marketing."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, make_app
from gateway.cli.output import local_time, print_json, print_table

Number = Annotated[str, typer.Argument(help="The person's number.")]


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
    columns = ("number", "since", "source", "keyword", "reason")
    rows = [(e["number"], local_time(e["created_at"]), e["source"], e["keyword"], e["reason"]) for e in found]
    print_table(columns, rows)


def add(
    number: Number,
    url: Url = DEFAULT_URL,
    key: Key = "",
    reason: Annotated[str | None, typer.Option(help="Why the number is on the list; kept with it.")] = None,
    as_json: Json = False,
) -> None:
    """Put a number on the list.

    Marketing messages that wait for the number already do not go out either. Digits that may be one of two
    numbers put both on the list.
    """
    body = {"reason": reason} if reason else {}
    entry = Api(url, key).call("PUT", path_of("suppressions", number), body)
    if as_json:
        print_json(entry)
    else:
        others = [number for number in entry["readings"] if number != entry["number"]]
        also = f", and for {' and '.join(others)}" if others else ""
        print(f"{entry['number']}  on the list since {local_time(entry['created_at'])}{also}")


def remove(number: Number, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Take a number off the list."""
    Api(url, key).call("DELETE", path_of("suppressions", number))
    print(f"{number}  not on the list")
