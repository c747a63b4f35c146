"""`hongyan preview`: what a text would cost, and why. Asks no gateway: the plan is the same everywhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from drivers.errors import EncodeError
from gateway.cli.options import Json, example, read_text
from gateway.cli.output import Failure, print_json, print_table
from gateway.model.message import DEFAULT_BRAND, Category
from gateway.policy.chain import Chain
from gateway.policy.subject import Subject
from gateway.policy.text import DEFAULT_RULES, Preview, preview_text
from gateway.runtime.content_rules import ADDED, added_rules
from gateway.settings.brands import brands_of
from gateway.settings.config import Settings, load_settings

_ENCODINGS = {"gsm7": "GSM-7", "ucs2": "UCS-2"}
_CATEGORIES = tuple(category.value for category in Category)
_MOST_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=example("hongyan preview 'It’s “10 €” – really…' --smart"))(preview)


def preview(
    text: Annotated[str, typer.Argument(help="The text; - reads it from stdin.")],
    encoding: Annotated[str, typer.Option(help="auto, gsm7 or ucs2.")] = "auto",
    smart: Annotated[
        bool | None,
        typer.Option(
            "--smart/--no-smart",
            help="Write curly quotes and the like plainly where that saves segments.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            "-c",
            help="Config file, for its [text] and what it adds to texts.",
            show_default=False,
            readable=False,
        ),
    ] = None,
    category: Annotated[
        str, typer.Option(help="What kind of message it is: marketing has a line to opt out, with --config.")
    ] = Category.TRANSACTIONAL.value,
    brand: Annotated[
        str | None, typer.Option(help="In whose name it goes, with --config: whose signature it has.")
    ] = None,
    sent_by: Annotated[
        str, typer.Option("--as", help="API key or account that sends it, by name, with --config.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Show what a text would cost, and why.

    With a config file also what its [[signatures]] and [[opt_out_lines]] add to it.
    """
    if category not in _CATEGORIES:
        raise typer.BadParameter(f"write {', '.join(_CATEGORIES)}", param_hint="--category")
    if config is None and (brand or sent_by or category != Category.TRANSACTIONAL):
        said = "what is added to a text stands in the config; name it with --config"
        raise typer.BadParameter(said, param_hint="--brand, --as, --category")
    if encoding not in {"auto", *_ENCODINGS}:
        raise typer.BadParameter("write auto, gsm7 or ucs2", param_hint="--encoding")
    # Octets of the command line that are no UTF-8 come as lone surrogates, which no terminal can show.
    text = read_text(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    rules = DEFAULT_RULES
    if config is not None:
        settings = load_settings(config, only=ADDED)
        rules = settings.text.rules()
        text = _write_out(text, settings, Category(category), brand, sent_by)
    try:
        shown = preview_text(text, encoding, rules, smart=smart)
    except EncodeError as error:
        raise Failure(f"it can't be sent: {error.reason}") from None
    if as_json:
        print_json(shown)
    else:
        _show(shown)


def _write_out(text: str, settings: Settings, category: Category, brand: str | None, key: str) -> str:
    """A text as it would go out."""
    brands = brands_of(settings.brands).get(key, [DEFAULT_BRAND])
    subject = Subject("", category, datetime.now(UTC), text, brand or brands[0], (key,))
    return Chain(texts=tuple(added_rules(settings))).judge_text(subject).text or text


def _show(preview: Preview) -> None:
    n = len(preview.segments)
    print(
        f"{_count(n)} in {_ENCODINGS[preview.encoding]}: {preview.characters} characters, {preview.units} units"
        f" of {preview.units_per_segment} a segment, room for {preview.units_left} more"
    )
    print_table(("part", "units", "text"), ((s.part, s.units, repr(s.text)) for s in preview.segments))
    if preview.forced_ucs2:
        foreign = [(repr(c.char), c.positions[0]) for c in preview.forced_ucs2]
        print(f"not in GSM-7: {_list([f'{char} at {position}' for char, position in foreign])}")
    if preview.national:
        print(f"with the tables of {_list(list(preview.national.values()))}")
    if preview.replacements:
        print(f"replaced: {_list([f'{r.original!r} by {r.replacement!r}' for r in preview.replacements])}")
    if preview.smart:
        smart = preview.smart
        changed = _list([f"{r.original!r} by {r.replacement!r}" for r in smart.replacements])
        cheaper = f"{_count(smart.segments)} in {_ENCODINGS[smart.encoding]}"
        print(f"--smart would make it {cheaper}, replacing {changed}")


def _count(n: int) -> str:
    return f"{n} segment{'' if n == 1 else 's'}"


def _list(words: list[str]) -> str:
    unique = list(dict.fromkeys(words))
    more = len(unique) - _MOST_SHOWN
    return ", ".join(unique[:_MOST_SHOWN]) + (f" and {more} more" if more > 0 else "")
