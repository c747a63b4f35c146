"""`hongyan reload`: the running gateway reads its config file anew."""

from __future__ import annotations

import msgspec
import typer

from gateway.cli.client import Api, ApiRefusal
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import print_json, say
from gateway.views.reloaded import Reloaded

FAULTY = "faulty_config"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan reload"))(reload)


def reload(url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Read the config file anew.

    The gateway goes by it without a restart. Prints what changed. Channels that did not change are not touched. A
    file with faults changes nothing: they are printed as `hongyan check` does, and it exits 1. What holds only after
    a restart is named. Needs a key with the scope admin.
    """
    try:
        done = Api(url, key).call("POST", "/reload")
    except ApiRefusal as refusal:
        if refusal.code != FAULTY:
            raise
        for fault in refusal.errors:
            print(fault["detail"])
        say("the config has faults: nothing was changed")
        raise typer.Exit(1) from None
    if as_json:
        print_json(done)
        return
    for warning in done["warnings"]:
        say(f"warning: {warning}")
    for line in msgspec.convert(done, Reloaded).describe():
        print(line)
