"""`hongyan reviews`: messages that wait for a person's decision."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.client import Api, path_of
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example, make_app
from gateway.cli.output import local_time, plain, print_json, print_table

_BY = ("message", "text", "batch")
_SHOWN_CHARS = 60

MessageId = Annotated[str, typer.Argument(metavar="ID", help="The message.")]


def _one_of(*choices: str) -> Any:
    def check(value: str) -> str:
        if value not in choices:
            raise typer.BadParameter(f"write one of {', '.join(choices)}")
        return value

    return check


AllOf = Annotated[
    str,
    typer.Option(
        callback=_one_of(*_BY),
        help="What is decided with it: text (all that wait with the same text), or batch.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = make_app("Messages that wait for a person's decision.", "hongyan reviews list --by text")
    commands = (
        (list_reviews, "list", "list --by text"),
        (show, "show", "show 00000000000w3hq2m7k4c9t0ab"),
        (
            approve,
            "approve",
            "approve 00000000000w3hq2m7k4c9t0ab --all-of text --reason 'checked with legal'",
        ),
        (reject, "reject", "reject 00000000000w3hq2m7k4c9t0ab 'no absolute terms, please'"),
    )
    for command, name, line in commands:
        group.command(name, epilog=example(f"hongyan reviews {line}"))(command)
    app.add_typer(group, name="reviews")


def list_reviews(
    state: Annotated[
        str,
        typer.Option(
            callback=_one_of("open", "approved", "rejected"),
            help="open (oldest first), approved or rejected (newest first).",
        ),
    ] = "open",
    by: Annotated[
        str, typer.Option(callback=_one_of(*_BY), help="What is listed as one: message, text or batch.")
    ] = "text",
    rule: Annotated[str | None, typer.Option(help="Only what this rule holds.")] = None,
    batch: Annotated[str | None, typer.Option(help="Only messages of this batch.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")] = 50,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """List messages that wait, or were decided on."""
    found = list(Api(url, key).list("/reviews", limit, state=state, by=by, rule=rule, batch=batch))
    if as_json:
        for one in found:
            print_json(one)
        return
    rows = [
        (local_time(r["asked_at"]), r["id"], str(r["messages"]), r["category"], r["code"], _who(r), _text(r))
        for r in found
    ]
    print_table(("since", "id", "messages", "category", "code", "decided by", "text"), rows)


def show(message: MessageId, url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show one: its text, and what rules said of it."""
    review = Api(url, key).call("GET", path_of("reviews", message))
    if as_json:
        print_json(review)
        return
    _print(review)


def approve(
    message: MessageId,
    all_of: AllOf = "message",
    reason: Annotated[str, typer.Option(help="Why; it is kept.")] = "",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Let a message go, or all that are like it."""
    body = {"all_of": all_of, "reason": reason}
    _decided(Api(url, key).call("POST", path_of("reviews", message, "approve"), body), as_json=as_json)


def reject(
    message: MessageId,
    reason: Annotated[str, typer.Argument(help="Why; the sender finds it in the message's error.")],
    all_of: AllOf = "message",
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """End a message without sending it, or all that are like it."""
    body = {"all_of": all_of, "reason": reason}
    _decided(Api(url, key).call("POST", path_of("reviews", message, "reject"), body), as_json=as_json)


def _decided(answer: Any, *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
    else:
        n = answer["decided"]
        print(f"{answer['review']['state']}  {n} message{'s' if n != 1 else ''}")


def _print(review: Any) -> None:
    print(f"{review['id']}  {review['state']}  to {review['to']}")
    print(f"category {review['category']}, brand {review['brand']}, {review['messages']} with this text")
    print(plain(f"text: {review['text'] if review['text'] is not None else '(binary)'}"))
    for finding in review["policy"]:
        print(
            f"{finding['rule']}: {finding['outcome']} {finding.get('code', '')}: {finding.get('detail', '')}"
        )
    if review["decided_by"]:
        said = f": {review['reason']}" if review["reason"] else ""
        print(f"{review['state']} by {review['decided_by']} at {local_time(review['decided_at'])}{said}")


def _who(review: Any) -> str:
    return review["decided_by"] or ""


def _text(review: Any) -> str:
    text = (review["text"] or "").replace("\n", " ")
    return text if len(text) <= _SHOWN_CHARS else f"{text[: _SHOWN_CHARS - 1]}…"
