"""`hongyan channels` and `hongyan channel NAME ...`: what the channels do, and what an operator may do to them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from gateway.cli.client import TIMEOUT_S, Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import local_time, paint, print_json, print_table, say

USSD_TIMEOUT_S = 120.0
"""The gateway itself waits for the network, perhaps behind another question."""


class Action(StrEnum):
    """What may be done to a channel."""

    PAUSE = "pause"
    RESUME = "resume"
    DRAIN = "drain"
    RESET = "reset"
    USSD = "ussd"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("hongyan channels --json"))(channels)
    app.command(epilog=example("hongyan channel sim-1 ussd '*100#'"))(channel)


def channels(url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """List the channels: state, signal, load."""
    found = Api(url, key).get("/channels")["items"]
    if as_json:
        for each in found:
            print_json(each)
        return
    columns = (
        "name",
        "kind",
        "state",
        "since",
        "operator",
        "signal",
        "load",
        "sent",
        "failed",
        "received",
        "error",
    )
    print_table(columns, [_row(each) for each in found])


def channel(
    name: Annotated[str, typer.Argument(help="The channel's name.")],
    action: Annotated[
        Action,
        typer.Argument(
            help="pause: take nothing new. resume: undo that. drain: finish, then pause. "
            "reset: close and start anew. ussd: ask the network with a CODE.",
            metavar="pause|resume|drain|reset|ussd",
        ),
    ],
    code: Annotated[str | None, typer.Argument(help="For ussd, such as '*100#'.")] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Do something to one channel.

    Pauses, resumes, drains or resets it, or sends a USSD code by it.
    """
    if (code is not None) != (action is Action.USSD):
        raise typer.BadParameter("a code belongs to ussd, and only to it", param_hint="CODE")
    body = {"code": code} if code else None
    timeout_s = USSD_TIMEOUT_S if action is Action.USSD else TIMEOUT_S
    answer = Api(url, key).call("POST", path_of("channels", name, action.value), body, timeout_s=timeout_s)
    if as_json:
        print_json(answer)
    elif action is Action.USSD:
        print(answer["text"])
        if answer["expects_reply"]:
            say(f"a reply is expected: hongyan channel {name} ussd CHOICE")
    else:
        print(f"{answer['name']}  {paint(answer['state'])}")


def _row(snapshot: dict[str, Any]) -> tuple[object, ...]:
    facts = snapshot["facts"]
    signal = facts.get("signal_dbm")
    return (
        snapshot["name"],
        snapshot["kind"],
        snapshot["state"],
        local_time(snapshot["since"]),
        facts.get("operator") or facts.get("peer"),
        f"{signal} dBm" if signal is not None else None,
        f"{snapshot['in_flight']}/{snapshot['capacity']}",
        snapshot["sent"],
        snapshot["failed"],
        snapshot["received"],
        snapshot["error"] or _rest(snapshot),
    )


def _rest(snapshot: dict[str, Any]) -> str | None:
    """What keeps a channel from work though it is up."""
    if snapshot["cooldown_s"] > 0:
        why = "throttled" if snapshot["breaker"] == "closed" else "failed in series"
        return f"{why}: rests {snapshot['cooldown_s']:g} s"
    used_up = [a for a in snapshot["budgets"] if a["used"] >= a["limit"]]
    return "; ".join(f"{a['limit']} {a['what']} a {a['period']} used up" for a in used_up) or None
