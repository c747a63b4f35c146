"""`hongyan webhooks`: who is called for which events, and what they were told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, make_app, read_duration
from gateway.cli.output import Failure, local_time, print_json, print_table, say

_CALLBACKS = "callbacks"
_TYPES_HELP = 'Types of events, joined by commas: "message.*,inbound.received", or "*" for all.'

Which = Annotated[str, typer.Argument(metavar="NAME|ID", help="The webhook.")]
WhichOrCallbacks = Annotated[
    str,
    typer.Argument(
        metavar="NAME|ID", help='The webhook; "callbacks" for the callback URLs of a key\'s messages.'
    ),
]
OfKey = Annotated[
    str | None, typer.Option("--of-key", help="With callbacks: the id of the API key; your own if left out.")
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app(
        "Webhooks: who is called for which events.",
        "hongyan webhooks add --name shop --to https://shop.example/sms --types message.*",
    )
    commands = (
        (list_all, "list", "list"),
        (
            add,
            "add",
            "add --name shop --to https://shop.example/sms --types message.delivered,inbound.received",
        ),
        (show, "show", "show shop"),
        (update, "update", "update shop --to https://shop.example/new --enable"),
        (remove, "remove", "remove shop"),
        (deliveries, "deliveries", "deliveries shop --status dead"),
        (retry, "retry", "retry shop 00000000000w3hq2m7k4c9t0ab"),
        (try_out, "test", "test shop"),
        (rotate, "rotate", "rotate shop --overlap 2d"),
    )
    for command, name, line in commands:
        group.command(name, epilog=example(f"hongyan webhooks {line}"))(command)
    app.add_typer(group, name="webhooks")


def list_all(url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """List the webhooks."""
    found = list(Api(url, key).list("/webhooks", 1_000))
    if as_json:
        for one in found:
            print_json(one)
        return
    rows = [
        (one["name"], one["id"], _state(one), one["pending"], ",".join(one["types"]), one["url"])
        for one in found
    ]
    print_table(("name", "id", "state", "pending", "types", "to"), rows)


def add(
    name: Annotated[str, typer.Option(help="A name to know it by; unique.")],
    to: Annotated[str, typer.Option(help="The address that events are posted to.")],
    types: Annotated[str, typer.Option(help=_TYPES_HELP)] = "*",
    tag: Annotated[
        list[str] | None, typer.Option(help="Only messages with this tag; may be repeated.")
    ] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only of this channel; may be repeated.")] = None,
    batch: Annotated[int, typer.Option(min=1, max=100, help="Up to so many events in one call.")] = 1,
    disabled: Annotated[bool, typer.Option("--disabled", help="Do not call it yet.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Have an address called for events from now on.

    Prints the secret that calls are signed with, this once, alone on its line.
    """
    body = {
        "name": name,
        "url": to,
        "types": _split(types),
        "tags": tag or [],
        "channels": channel or [],
        "batch": batch,
        "enabled": not disabled,
    }
    made = Api(url, key).call("POST", "/webhooks", body)
    _print_secret(made, as_json=as_json)


def show(webhook: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show a webhook.

    Whether it is called, since when it fails, how many events it is owed.
    """
    _print(_find(Api(url, key), webhook), as_json=as_json)


def update(
    webhook: Which,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    to: Annotated[str | None, typer.Option(help="Another address; what is owed goes there at once.")] = None,
    types: Annotated[str | None, typer.Option(help=_TYPES_HELP)] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="Only messages with this tag; may be repeated.")
    ] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only of this channel; may be repeated.")] = None,
    batch: Annotated[
        int | None, typer.Option(min=1, max=100, help="Up to so many events in one call.")
    ] = None,
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Call it again, or no more.", show_default=False)
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Change a webhook. What is left out stays."""
    wanted: dict[str, Any] = {
        "name": name,
        "url": to,
        "types": None if types is None else _split(types),
        "tags": tag,
        "channels": channel,
        "batch": batch,
        "enabled": enable,
    }
    body = {field: value for field, value in wanted.items() if value is not None}
    if not body:
        raise typer.BadParameter("say what is to change, such as --to or --enable", param_hint="update")
    api = Api(url, key)
    path = path_of("webhooks", _find(api, webhook)["id"])
    _print(api.call("PATCH", path, body), as_json=as_json)


def remove(webhook: Which, url: Url = DEFAULT_URL, key: Key = "") -> None:
    """Delete a webhook; what it is owed is dropped."""
    api = Api(url, key)
    api.call("DELETE", path_of("webhooks", _find(api, webhook)["id"]))
    print(f"{webhook}  deleted")


def deliveries(
    webhook: WhichOrCallbacks,
    status: Annotated[str | None, typer.Option(help="pending, dead or delivered.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    of_key: OfKey = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List what a webhook was told and is owed.

    The newest event first.
    """
    api = Api(url, key)
    found = api.list(f"{_path(api, webhook)}/deliveries", limit, status=status, key=of_key)
    if as_json:
        for one in found:
            print_json(one)
        return
    rows = [
        (one["id"], one["type"], one["about"], one["status"], one["attempts"], _when(one), one["fault"])
        for one in found
    ]
    print_table(("id", "type", "about", "status", "attempts", "at", "fault"), rows)


def retry(
    webhook: WhichOrCallbacks,
    delivery: Annotated[
        str | None, typer.Argument(help="The delivery's id; all dead letters if left out.")
    ] = None,
    of_key: OfKey = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Tell it of an event again.

    Without an id: of all events that were given up.
    """
    api = Api(url, key)
    path = _path(api, webhook)
    query = f"?key={of_key}" if of_key else ""
    ids = [delivery] if delivery else [d["id"] for d in _all_dead(api, path, of_key)]
    for one in ids:
        done = api.call("POST", f"{path}{path_of('deliveries', one)}/retry{query}")
        if as_json:
            print_json(done)
    if not as_json:
        print(f"{len(ids)} will be told again")


def try_out(webhook: Which, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Call it now, and say what came of it.

    The event is of type webhook.test. Exit 1 if it was not heard.
    """
    api = Api(url, key)
    trial = api.call("POST", f"{path_of('webhooks', _find(api, webhook)['id'])}/test", timeout_s=90.0)
    if as_json:
        print_json(trial)
    elif trial["heard"]:
        print(f"heard: status {trial['status']} after {trial['seconds']:.2f} s")
    if not trial["heard"]:
        raise Failure(f"{webhook} was not heard: {trial['fault']}")


def rotate(
    webhook: Which,
    overlap: Annotated[str, typer.Option(help="How long the old secret signs, too; at most 7d.")] = "24h",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Make a new secret and print it, alone on its line."""
    api = Api(url, key)
    body = {"overlap": int(read_duration(overlap, "--overlap"))}
    path = path_of("webhooks", _find(api, webhook)["id"])
    _print_secret(api.call("POST", f"{path}/secret", body), as_json=as_json)


def _find(api: Api, name_or_id: str) -> dict[str, Any]:
    found = [one for one in api.list("/webhooks", 1_000) if name_or_id in {one["name"], one["id"]}]
    if not found:
        raise Failure(f"there is no webhook {name_or_id}; see hongyan webhooks list")
    return dict(found[0])


def _path(api: Api, name_or_id: str) -> str:
    return path_of("webhooks", _CALLBACKS if name_or_id == _CALLBACKS else _find(api, name_or_id)["id"])


def _all_dead(api: Api, path: str, of_key: str | None) -> list[dict[str, Any]]:
    """The oldest first, so that they are told in order."""
    return list(api.list(f"{path}/deliveries", 100_000, status="dead", key=of_key))[::-1]


def _split(types: str) -> list[str]:
    return [word.strip() for word in types.split(",") if word.strip()]


def _state(webhook: dict[str, Any]) -> str:
    if not webhook["enabled"]:
        return "disabled"
    return "failing" if webhook["failing_since"] else "enabled"


def _when(delivery: dict[str, Any]) -> str:
    at = delivery["delivered_at"] or delivery["dead_at"] or delivery["next_at"]
    return local_time(at) if at else ""


def _print(webhook: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(webhook)
        return
    for field, value in webhook.items():
        text = ", ".join(value) if isinstance(value, list) else value
        if value not in (None, []):
            print(f"{field:<14}{local_time(text) if field.endswith(('_at', '_since')) else text}")


def _print_secret(webhook: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(webhook)
        return
    print(webhook["secret"])
    say(f"webhook {webhook['name']} ({webhook['id']}); keep its secret safe, it is not shown again")
