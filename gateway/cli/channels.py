"""`hongyan channels` and `hongyan channel NAME ...`: what the channels do, and what an operator may do to them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from gateway.cli.client import TIMEOUT_S, Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import local_time, paint, print_json, print_table, say
from gateway.model.channel_test import DEFAULT_TEXT, MOST_WAIT_S

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
    TEST = "test"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=example("hongyan channels --json"))(channels)
    app.command(epilog=example("hongyan channel sim-1 test +8613800138000"))(channel)


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
            "trace: write down what is said to the modem, masked. test: send test messages TO numbers and time them.",
            metavar="pause|resume|drain|reset|ussd|trace|test",
        ),
    ],
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="For ussd the code, such as '*100#'; for trace on or off; for test the numbers.",
            metavar="[CODE|on|off|TO...]",
        ),
    ] = None,
    text: Annotated[str, typer.Option(help="For test: what is sent.")] = DEFAULT_TEXT,
    wait: Annotated[
        int,
        typer.Option(min=0, max=MOST_WAIT_S, help="For test: seconds to wait for delivery reports at most."),
    ] = 30,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Do something to one channel.

    Pauses, resumes, drains or resets it, sends a USSD code by it, switches its AT trace, or tests it: each test message
    is one that you pay for. A test exits 1 unless all of its messages arrived.
    """
    body = _body(action, what or [], text, wait)
    timeout_s = USSD_TIMEOUT_S if action in {Action.USSD, Action.TEST} else TIMEOUT_S
    answer = Api(url, key).call("POST", path_of("channels", name, action.value), body, timeout_s=timeout_s)
    if as_json:
        print_json(answer)
    elif action is Action.TEST:
        _show_test(answer)
    elif action is Action.USSD:
        print(answer["text"])
        if answer["expects_reply"]:
            say(f"a reply is expected: hongyan channel {name} ussd CHOICE")
    elif action is Action.TRACE:
        print(f"{name}  trace on: {answer['file']}" if answer["on"] else f"{name}  trace off")
    else:
        print(f"{answer['name']}  {paint(answer['state'])}")
    if action is Action.TEST and answer["n_delivered"] < len(answer["messages"]):
        raise typer.Exit(1)


def _show_test(test: dict[str, Any]) -> None:
    columns = ("id", "status", "accepted", "answered", "delivered", "error")
    times = ("accepted_s", "answered_s", "delivered_s")
    rows = [
        (one["id"], paint(one["status"]), *(_seconds(one[time]) for time in times), one["error"])
        for one in test["messages"]
    ]
    print_table(columns, rows)
    n = len(test["messages"])
    print(f"{test['n_answered']} of {n} taken by the network, {test['n_delivered']} of {n} delivered")


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.3f} s"


def _body(action: Action, what: list[str], text: str, wait: int) -> dict[str, object] | None:
    match action, what:
        case Action.USSD, [code]:
            return {"code": code}
        case Action.USSD, []:
            raise typer.BadParameter("is missing; write the code, such as '*100#'", param_hint="CODE")
        case Action.TRACE, ["on" | "off" as switch]:
            return {"on": switch == "on"}
        case Action.TRACE, _:
            raise typer.BadParameter("write on or off", param_hint="on|off")
        case Action.TEST, []:
            raise typer.BadParameter("is missing; write the numbers to send to", param_hint="TO")
        case Action.TEST, _:
            return {"to": what, "text": text, "wait": wait}
        case _, [_, *_]:
            raise typer.BadParameter(
                f"belongs to ussd, trace or test, not to {action.value}", param_hint=what[-1]
            )
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
