"""`hongyan costs`: what was spent, by day, key, tag and channel."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.client import Api
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan costs --since 2026-11-01 --by day,channel"))(costs)


def costs(
    url: Url = DEFAULT_URL,
    key: Key = "",
    by: Annotated[
        str, typer.Option(help="What to sum by: day, key, tag, channel, joined by commas; '' for one sum.")
    ] = "day",
    since: Annotated[str | None, typer.Option(help="The first day: 2026-11-01.")] = None,
    until: Annotated[str | None, typer.Option(help="The last day.")] = None,
    as_json: Json = False,
) -> None:
    """Show what messages have cost.

    Prices are in [[prices]] of the config. What may or may not have gone out is counted apart.
    """
    found = Api(url, key).get("/costs", by=by or None, since=since, until=until)["items"]
    if as_json:
        for one in found:
            print_json(one)
        return
    names = [name for name in ("day", "key", "tag", "channel") if name in by.split(",")]
    columns = (*names, "segments", "amount", "currency", "uncertain")
    print_table(columns, [(*(one[name] for name in names), *_figures(one)) for one in found])


def _figures(one: dict[str, Any]) -> tuple[object, ...]:
    n_uncertain = one["uncertain_segments"]
    uncertain = f"{one['uncertain_amount']} ({n_uncertain} segments)" if n_uncertain else ""
    return one["segments"], one["amount"], one["currency"], uncertain
