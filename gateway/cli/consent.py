"""`hongyan consent`: who agreed to what, and the proof of it."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated, Any

import typer

from gateway.cli import consent_import, consent_proof
from gateway.cli.client import Api, path_of
from gateway.cli.consent_table import COLUMNS, EVIDENCE
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, make_app, read_instant
from gateway.cli.output import Failure, local_time, open_private, print_json, print_table, say
from gateway.views.sheets import as_cell

_EVERYTHING = 100_000_000
Number = Annotated[str, typer.Argument(help="The person's number.")]
Brand = Annotated[str | None, typer.Option(help="To whom; the default brand if left out.")]
Purpose = Annotated[str | None, typer.Option(help="To what; that of the config if left out.")]
AnyBrand = Annotated[str | None, typer.Option("--brand", help="Only of this brand.")]
State = Annotated[str | None, typer.Option(help="Only: given, refused, withdrawn or pending.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app(
        "Consents: who agreed to what, and the proof of it.",
        "hongyan consent add +8613800138000 --source paper --wording 'Offers by SMS'",
    )
    commands = (
        (list_all, "list", "list --state pending --brand shop"),
        (show, "show", "show +8613800138000"),
        (add, "add", "add +8613800138000 --source paper --wording 'Offers by SMS' --reference form-17"),
        (withdraw, "withdraw", "withdraw +8613800138000 --note 'asked by telephone'"),
        (export, "export", "export --out consents.csv"),
    )
    for command, name, line in commands:
        group.command(name, epilog=example(f"hongyan consent {line}"))(command)
    consent_import.register(group)
    consent_proof.register(group)
    app.add_typer(group, name="consent")


def list_all(
    number: Annotated[str | None, typer.Option(help="Only of this number.")] = None,
    brand: AnyBrand = None,
    state: State = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List what holds, number by number."""
    _print(
        list(Api(url, key).list("/consents", limit, number=number, brand=brand, state=state)), as_json=as_json
    )


def show(number: Number, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show all that a number said, the first first."""
    found = list(Api(url, key).list(path_of("consents", number), 10_000))
    if not found and not as_json:
        raise Failure("nothing is on record of this number")
    _print(found, as_json=as_json)


def add(
    number: Number,
    state: Annotated[str, typer.Option(help="given, refused, withdrawn or pending.")] = "given",
    brand: Brand = None,
    purpose: Purpose = None,
    source: Annotated[str | None, typer.Option(help="How it came about, such as form, paper, phone.")] = None,
    at: Annotated[str | None, typer.Option(help="When the person said so; now if left out.")] = None,
    wording: Annotated[str | None, typer.Option(help="The text that the person agreed to.")] = None,
    reference: Annotated[str | None, typer.Option(help="The entry in your own records.")] = None,
    form: Annotated[str | None, typer.Option(help="The address of the form or page.")] = None,
    document: Annotated[str | None, typer.Option(help="What was signed: its hash, or where it is.")] = None,
    note: Annotated[str | None, typer.Option(help="Whatever else there is to say.")] = None,
    expires: Annotated[str | None, typer.Option(help="When it holds no more.")] = None,
    ask: Annotated[
        bool | None,
        typer.Option("--ask/--no-ask", help="Ask the person by a message first.", show_default=False),
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Record what a person said."""
    now = datetime.now(UTC)
    evidence = {"reference": reference, "form": form, "document": document, "note": note}
    body = {
        "number": number,
        "state": state,
        "brand": brand,
        "purpose": purpose,
        "source": source,
        "at": at and read_instant(at, "--at", now).isoformat(),
        "wording": wording,
        "expires_at": expires and read_instant(expires, "--expires", now).isoformat(),
        "ask": ask,
        "evidence": {name: value for name, value in evidence.items() if value},
    }
    _record(Api(url, key), body, as_json=as_json)


def withdraw(
    number: Number,
    brand: Brand = None,
    purpose: Purpose = None,
    source: Annotated[str | None, typer.Option(help="How it came about, such as phone.")] = None,
    note: Annotated[str | None, typer.Option(help="Whatever else there is to say.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Record that a person took a consent back.

    Marketing that waits for the number does not go out. To stop it whatever consents come later,
    use hongyan suppress add.
    """
    evidence = {"note": note} if note else {}
    body = {"number": number, "state": "withdrawn", "brand": brand, "purpose": purpose, "source": source}
    _record(Api(url, key), {**body, "evidence": evidence}, as_json=as_json)


def export(
    out: Annotated[Path | None, typer.Option(help="The file; stdout if left out.")] = None,
    brand: AnyBrand = None,
    state: State = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Write what holds as CSV, as import reads it."""
    columns = (*COLUMNS, "recorded_at", "by")
    n = 0
    with _opened(out) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for one in Api(url, key).list("/consents", _EVERYTHING, brand=brand, state=state):
            flat = one | {name: one["evidence"].get(name) for name in EVIDENCE}
            writer.writerow(["" if flat[column] is None else as_cell(flat[column]) for column in columns])
            n += 1
    say(f"{n} consents")


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[str]]:
    if out is None:
        yield sys.stdout
        return
    try:
        file = open_private(out, "w", encoding="utf-8", newline="")
    except OSError as error:
        raise Failure(f"cannot write {out}: {error.strerror}") from None
    with file:
        yield file


def _record(api: Api, body: dict[str, Any], *, as_json: bool) -> None:
    done = api.call("POST", "/consents", {name: value for name, value in body.items() if value is not None})
    if as_json:
        print_json(done)
        return
    for one in done["results"]:
        print(f"{one['number']}  {one['state']}  {one['verdict']}")


def _print(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        for one in found:
            print_json(one)
        return
    columns = (
        "number",
        "brand",
        "purpose",
        "state",
        "since",
        "source",
        "expires",
        "by",
        "evidence",
        "wording",
    )
    rows = [
        (
            one["number"],
            one["brand"],
            one["purpose"],
            one["state"],
            local_time(one["at"]),
            one["source"],
            local_time(one["expires_at"]),
            one["by"],
            ", ".join(f"{name} {value}" for name, value in one["evidence"].items()),
            one["wording"],
        )
        for one in found
    ]
    print_table(columns, rows)
