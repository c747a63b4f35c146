"""`hongyan alerts`: what monitoring tools reported, and who was told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.client import Api
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import local_time, print_json, print_table

_COLUMNS = ("began", "status", "table", "told", "times", "text")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan alerts --status firing"))(alerts)


def alerts(
    url: Url = DEFAULT_URL,
    key: Key = "",
    status: Annotated[
        str | None, typer.Option(help="Only those that are firing, or resolved.", metavar="STATUS")
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(help="Only those of this table [[alerts]]; '' for those that no table takes."),
    ] = None,
    held: Annotated[bool, typer.Option("--held", help="Only those that will be told in one text.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List what Alertmanager and Grafana sent, newest first."""
    wanted = {"status": status, "receiver": table, "held": "true" if held else None}
    found = list(Api(url, key).list("/alerts", limit, **wanted))
    if as_json:
        for alert in found:
            print_json(alert)
        return
    print_table(_COLUMNS, [_row(alert) for alert in found])


def _row(alert: dict[str, Any]) -> tuple[object, ...]:
    told = "held" if alert["held"] else local_time(alert["told_at"]) if alert["told_at"] else "never"
    began = local_time(alert["starts_at"] or alert["heard_at"])
    return (began, alert["status"], alert["receiver"] or "-", told, alert["times"], alert["text"])
