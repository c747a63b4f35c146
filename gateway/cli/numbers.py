"""`hongyan numbers dead`: numbers of which networks said that nobody has them."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, make_app
from gateway.cli.output import local_time, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("What is learned of numbers.", "hongyan numbers dead list")
    dead = make_app("Numbers that nobody has, by what networks said.", "hongyan numbers dead list")
    dead.command("list", epilog=example("hongyan numbers dead list --failures 3"))(list_dead)
    dead.command("clear", epilog=example("hongyan numbers dead clear +8613800138000"))(clear)
    group.add_typer(dead, name="dead")
    app.add_typer(group, name="numbers")


def list_dead(
    url: Url = DEFAULT_URL,
    key: Key = "",
    failures: Annotated[int, typer.Option(min=1, help="Only those that failed so often at least.")] = 1,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: Json = False,
) -> None:
    """List the numbers, in order."""
    found = Api(url, key).list("/numbers/dead", limit, failures=failures)
    if as_json:
        for entry in found:
            print_json(entry)
        return
    rows = [
        (e["number"], str(e["failures"]), e["code"], local_time(e["last_at"]), local_time(e["dead_until"]))
        for e in found
    ]
    print_table(("number", "failures", "code", "last", "left alone until"), rows)


def clear(
    number: Annotated[str, typer.Argument(help="The number.")], url: Url = DEFAULT_URL, key: Key = ""
) -> None:
    """Forget what networks said of a number: messages go to it again."""
    Api(url, key).call("DELETE", path_of("numbers", "dead", number))
    print(f"{number}  not taken for dead")
