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
    TRACE = "trace"


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
        "load",
        "sent",
        "failed",
        "received",
        "signal",
        "operator",
        "since",
        "error",
    )
    print_table(columns, [_row(each) for each in found])


def channel(
    name: Annotated[str, typer.Argument(help="The channel's name.")],
    action: Annotated[
        Action,
        typer.Argument(
            help="pause: take nothing new. resume: undo that. drain: finish, then pause. "
            "reset: close it and start it anew, also after it stopped. ussd: ask the network with a CODE. "
            "trace: write down what is said to the modem, masked.",
            metavar="pause|resume|drain|reset|ussd|trace",
        ),
    ],
    what: Annotated[
        str | None,
        typer.Argument(
            help="For ussd the code, such as '*100#'; for trace on or off.", metavar="[CODE|on|off]"
        ),
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Do something to one channel.

    Pauses, resumes, drains or resets it, sends a USSD code by it, or switches its AT trace.
    """
    body = _body(action, what)
    timeout_s = USSD_TIMEOUT_S if action is Action.USSD else TIMEOUT_S
    answer = Api(url, key).call("POST", path_of("channels", name, action.value), body, timeout_s=timeout_s)
    if as_json:
        print_json(answer)
    elif action is Action.USSD:
        print(answer["text"])
        if answer["expects_reply"]:
            say(f"a reply is expected: hongyan channel {name} ussd CHOICE")
    elif action is Action.TRACE:
        print(f"{name}  trace on: {answer['file']}" if answer["on"] else f"{name}  trace off")
    else:
        print(f"{answer['name']}  {paint(answer['state'])}")


def _body(action: Action, what: str | None) -> dict[str, object] | None:
    match action:
        case Action.USSD if what:
            return {"code": what}
        case Action.USSD:
            raise typer.BadParameter("is missing; write the code, such as '*100#'", param_hint="CODE")
        case Action.TRACE if what in {"on", "off"}:
            return {"on": what == "on"}
        case Action.TRACE:
            raise typer.BadParameter("write on or off", param_hint="on|off")
        case _ if what is not None:
            raise typer.BadParameter(f"belongs to ussd or trace, not to {action.value}", param_hint=what)
        case _:
            return None


def _row(snapshot: dict[str, Any]) -> tuple[object, ...]:
    facts = snapshot["facts"]
    signal = facts.get("signal_dbm")
    return (
        snapshot["name"],
        snapshot["kind"],
        snapshot["state"],
        f"{snapshot['in_flight']}/{snapshot['capacity']}",
        snapshot["sent"],
        snapshot["failed"],
        snapshot["received"],
        f"{signal} dBm" if signal is not None else None,
        facts.get("operator") or facts.get("peer"),
        local_time(snapshot["since"]),
        _rest(snapshot),
    )


def _rest(snapshot: dict[str, Any]) -> str | None:
    """What keeps a channel from work."""
    error: str | None = snapshot["error"]
    if snapshot["cooldown_s"] > 0:
        why = "throttled" if snapshot["breaker"] == "closed" else "failed in series"
        return f"{why}: rests {snapshot['cooldown_s']:g} s" + (f"; {error}" if error else "")
    if error:
        return error
    used_up = [a for a in snapshot["budgets"] if a["used"] >= a["limit"]]
    return "; ".join(f"{a['limit']} {a['what']} a {a['period']} used up" for a in used_up) or None
