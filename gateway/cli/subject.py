"""`hongyan subject`: what a person may ask of their data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, make_app
from gateway.cli.output import Failure, open_private, print_json, say

_TIMEOUT_S: Final = 300.0
Number = Annotated[str, typer.Argument(help="The person's number.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("What a person may ask of their data.", "hongyan subject export +8613800138000")
    line = "hongyan subject export +8613800138000 --out person.json"
    group.command("export", epilog=example(line))(export)
    group.command("erase", epilog=example("hongyan subject erase +8613800138000 --yes"))(erase)
    app.add_typer(group, name="subject")


def export(
    number: Number,
    out: Annotated[Path | None, typer.Option(help="The file; stdout if left out.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Write all that is kept of a number, as JSON.

    Messages, what came from it, the opt-out list, consents.
    """
    found = Api(url, key).call("GET", path_of("subjects", number), timeout_s=_TIMEOUT_S)
    if out is None:
        print_json(found)
        return
    try:
        with open_private(out, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    except OSError as error:
        raise Failure(f"cannot write {out}: {error.strerror}") from None
    kinds = ("messages", "inbound", "suppressions", "consents")
    say(f"{out}: " + ", ".join(f"{len(found[kind])} {kind}" for kind in kinds))


def erase(
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Erase what is kept of a number.

    The opt-out list and the history of consents stay, and what is still on its way: it says what was kept and why.
    """
    api = Api(url, key)
    if not yes and not typer.confirm("Erase what is kept of this number? Nobody can bring it back", err=True):
        raise Failure("nothing was erased")
    done = api.call("DELETE", path_of("subjects", number), timeout_s=_TIMEOUT_S)
    if as_json:
        print_json(done)
        return
    kinds = ("messages", "inbound", "events", "other")
    print("erased: " + ", ".join(f"{done[kind]} {kind}" for kind in kinds))
    for one in done["kept"]:
        print(f"kept: {one['count']} {one['what'].replace('_', ' ')}: {one['why']}")
