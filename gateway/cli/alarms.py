"""`hongyan alarms`: what needs a person now, and how to say that it has been seen to."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import local_time, print_json, print_table


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan alarms --json"))(alarms)


def alarms(
    url: Url = DEFAULT_URL,
    key: Key = "",
    clear: Annotated[
        str | None, typer.Option(help="Close the alarm with this id.", metavar="ID", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 100,
    as_json: Json = False,
) -> None:
    """List the alarms that are open, newest first, or close one."""
    api = Api(url, key)
    if clear is not None:
        alarm = api.call("POST", path_of("alarms", clear, "clear"))
        if as_json:
            print_json(alarm)
        else:
            print(f"{alarm['kind']}  {alarm['subject']}  closed")
        return
    found = list(api.list("/alarms", limit))
    if as_json:
        for alarm in found:
            print_json(alarm)
        return
    rows = [(local_time(a["raised_at"]), a["kind"], a["subject"], a["detail"], a["id"]) for a in found]
    print_table(("since", "kind", "subject", "detail", "id"), rows)
