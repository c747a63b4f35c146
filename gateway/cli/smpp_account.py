"""`hongyan smpp-account`: a password for an application that binds to us, and the table that goes into the config."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from gateway.access.passwords import MAX_CHARS, hash_password
from gateway.cli.options import Json, example
from gateway.cli.output import Failure, print_json, say

_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without those that look alike."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="smpp-account", epilog=example("hongyan smpp-account shop"))(smpp_account)


def smpp_account(
    system_id: Annotated[
        str, typer.Argument(metavar="SYSTEM_ID", help="The application's name, as it binds.")
    ],
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask for the password instead of making one.", show_default=False)
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an SMPP account.

    Prints the password alone on its line, and to stderr the table to put into the config; only the hash is kept.
    """
    if not system_id.isascii() or not 0 < len(system_id) <= 15:
        raise typer.BadParameter("write 1 to 15 characters, ASCII only", param_hint="SYSTEM_ID")
    password = typer.prompt("Password", hide_input=True, err=True) if ask else make_password()
    if not password.isascii() or not 0 < len(password) <= MAX_CHARS:
        raise Failure(f"SMPP carries passwords of 1 to {MAX_CHARS} ASCII characters; choose another")
    kept = hash_password(password)
    if as_json:
        print_json({"system_id": system_id, "password": password, "password_hash": kept})
        return
    if not ask:
        print(password)
    say(f'\n[[smpp_accounts]]\nsystem_id = "{system_id}"\npassword_hash = "{kept}"')


def make_password() -> str:
    """As long as SMPP allows."""
    return "".join(secrets.choice(_LETTERS) for _ in range(MAX_CHARS))
