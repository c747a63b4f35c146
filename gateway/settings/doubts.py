"""What a config may say and hardly anybody means: warnings of `hongyan check`, which keep no gateway from its work.

Faults, which do, are found where the settings are read.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from gateway.errors import SettingsError
from gateway.model.message import DEFAULT_BRAND, Category
from gateway.settings.config import Settings
from gateway.settings.forms import Listen
from gateway.settings.hours import ends_soon
from gateway.settings.reader import read_document, table_kind
from gateway.settings.secrets import Secret, secret_keys
from gateway.settings.store import store_path, store_target
from gateway.store.target import has_password

_DEFAULT_GROUP = "default"


def find_doubts(settings: Settings, path: Path) -> list[SettingsError]:
    """Everything there is to warn of.

    Args:
        settings: what `path` holds.
        path: the config file.
    """
    found = [
        *_open_doors(settings),
        *_open_database(settings),
        *_no_way_out(settings),
        *_unlocked(settings),
        *_no_such_brand(settings),
        *_unsigned(settings),
        *ends_soon(settings.hours, datetime.now(UTC)),
        *_sleepless(settings),
        *_open_files(settings, path),
    ]
    return [SettingsError(key, reason) for key, reason in found]


def _open_doors(settings: Settings) -> Iterator[tuple[str, str]]:
    """Servers that other machines reach in the clear, and links that anybody may listen to."""
    if _is_reachable(settings.http.listen) and settings.http.tls_cert is None:
        yield (
            "http.listen",
            (
                f"{settings.http.listen} is open to other machines without TLS, and API keys and texts go over it in "
                "the clear; write tls_cert and tls_key, or 127.0.0.1 behind a proxy"
            ),
        )
    for i, server in enumerate(settings.smpp_server):
        if _is_reachable(server.listen) and server.tls_cert is None:
            yield (
                f"smpp_server[{i}].listen",
                (
                    f"{server.listen} is open to other machines without TLS, and passwords and texts go over it in the "
                    "clear; write tls_cert and tls_key, or an address of a network of yours alone"
                ),
            )
    for i, bind in enumerate(settings.smpp):
        if bind.tls and not bind.tls_verify:
            yield (
                f"smpp[{i}].tls_verify",
                "any certificate is trusted, so anybody on the way can read and change everything; write tls_ca",
            )


def _open_database(settings: Settings) -> Iterator[tuple[str, str]]:
    """A password in a place that is shown and copied, and a server on another machine that anybody may play."""
    target = store_target(settings.store)
    if target is None:
        return
    if has_password(target.url):
        yield (
            "store.url",
            "holds a password; write it as store.password_file or password_env, and leave the URL without it",
        )
    if target.is_remote and not target.is_verified:
        yield (
            "store.url",
            (
                "nobody checks that the server is the right one, so anybody on the way can read and change everything; "
                "write sslmode=verify-full&sslrootcert=FILE behind a ? at its end"
            ),
        )


def _no_way_out(settings: Settings) -> Iterator[tuple[str, str]]:
    """A gateway that can send nothing, or only to those who know its groups."""
    if not settings.channels:
        yield (
            "",
            "there is no [[modems]] and no [[smpp]]: nothing can be sent or received; `hongyan doctor` finds modems",
        )
        return
    senders = [c for c in settings.channels if getattr(c, "bind", None) != "receiver"]
    if not senders:
        yield "smpp", 'every account is bind = "receiver": nothing can be sent; write transceiver'
    elif not any(_DEFAULT_GROUP in channel.groups for channel in senders):
        yield (
            "",
            f'no channel sends for the group "{_DEFAULT_GROUP}": messages that name no sender or channel are refused',
        )
    if not settings.opt_out.keywords:
        yield (
            "opt_out.keywords",
            "is empty: nobody can opt out by a text, which the law of most countries asks for",
        )


def _unlocked(settings: Settings) -> Iterator[tuple[str, str]]:
    """Texts that only look like service messages, where a law forbids that and the gateway keeps rules already."""
    checked = settings.words or settings.punctuation.action != "off"
    if settings.numbers.region == "CN" and checked and settings.class_lock.action == "off":
        yield (
            "class_lock.action",
            (
                "is off: nothing looks for advertising in messages that are no marketing, which China forbids; write "
                '"review" or "refuse"'
            ),
        )


def _no_such_brand(settings: Settings) -> Iterator[tuple[str, str]]:
    """Rules for a brand that there is not: no message ever meets them."""
    known = {DEFAULT_BRAND, *(table.name for table in settings.brands)}
    named = [
        *(("policy", i, one.brand) for i, one in enumerate(settings.policy)),
        *(("hours", i, one.brand) for i, one in enumerate(settings.hours)),
        *(("caps", i, one.brand) for i, one in enumerate(settings.caps)),
        *(("repeats", i, one.brand) for i, one in enumerate(settings.repeats)),
        *(("words", i, one.brand) for i, one in enumerate(settings.words)),
    ]
    for table, i, brands in named:
        for brand in brands:
            if brand not in known:
                yield (
                    f"{table}[{i}].brand",
                    f'there is no brand "{brand}", so no message meets it; write a [[brands]] table, or mend it',
                )


def _unsigned(settings: Settings) -> Iterator[tuple[str, str]]:
    """What the gateway itself writes, without the signature that all else has."""
    if not settings.signatures:
        return
    own = {
        "opt_out.reply": settings.opt_out.reply,
        "opt_in.reply": settings.opt_in.reply,
        "help.reply": settings.help.reply,
        "consent.question": settings.consent.question,
    }
    for key, text in own.items():
        if text and "【" not in text:
            signature = settings.signatures[0].text
            yield key, f"has no signature, and is not given one; write 【{signature}】 in front"


def _sleepless(settings: Settings) -> Iterator[tuple[str, str]]:
    """Advertising in China that would go at night, in a config that speaks of advertising."""
    named = [table.category for table in settings.caps] + [table.category for table in settings.routes]
    if (
        settings.numbers.region == "CN"
        and any(Category.MARKETING.value in categories for categories in named)
        and not any(table.concerns(Category.MARKETING) for table in settings.hours)
    ):
        yield (
            "hours",
            'has no table for marketing, which goes at night, too; write one, such as windows = ["08:00-21:00"]',
        )


def _open_files(settings: Settings, path: Path) -> Iterator[tuple[str, str]]:
    """Files with secrets in them that every user of this machine may read."""
    document = read_document(path)
    secrets = list(_given_secrets(Settings, document, ""))
    inline = next((key for key, name, _ in secrets if not name.endswith(("_file", "_env"))), None)
    if inline is not None and _is_for_all(path):
        yield inline, f"stands in a file that every user of this machine may read; run `chmod o= {path}`"
    for key, name, value in secrets:
        if name.endswith("_file") and _is_for_all(Path(value)):
            yield key, f"every user of this machine may read {value}; run `chmod o= {value}`"
    for key, file in (
        ("http.tls_key", settings.http.tls_key),
        *((f"smpp_server[{i}].tls_key", server.tls_key) for i, server in enumerate(settings.smpp_server)),
        *((f"smpp[{i}].tls_key", bind.tls_key) for i, bind in enumerate(settings.smpp)),
        ("store.url", None if store_target(settings.store) else store_path(settings.store)),
    ):
        if file is not None and _is_for_all(file):
            yield key, f"every user of this machine may read {file}; run `chmod o= {file}`"


def _given_secrets(
    kind: type[msgspec.Struct], table: Mapping[str, object], path: str
) -> Iterator[tuple[str, str, str]]:
    """Each secret that the file gives: where, under which spelling of its key, and what stands there."""
    for field in msgspec.structs.fields(kind):
        key, where = field.encode_name, f"{path}.{field.encode_name}" if path else field.encode_name
        value = table.get(key)
        if (inner := table_kind(field.type)) is not None:
            tables = [(where, value)]
            if isinstance(value, list):
                tables = [(f"{where}[{i}]", element) for i, element in enumerate(value)]
            for place, element in tables:
                if isinstance(element, Mapping):
                    yield from _given_secrets(inner[0], element, place)
        elif Secret in (field.type, *getattr(field.type, "__args__", ())):
            for name in secret_keys(key):
                if isinstance(given := table.get(name), str):
                    yield (f"{path}.{name}" if path else name), name, given


def _is_reachable(listen: Listen) -> bool:
    """Whether other machines reach it; a name is taken for one that they know unless it is this machine's own."""
    try:
        return not ipaddress.ip_address(listen.host).is_loopback
    except ValueError:
        return listen.host != "localhost"


def _is_for_all(path: Path) -> bool:
    try:
        return bool(os.stat(path).st_mode & stat.S_IROTH)  # noqa: PTH116 - a path may hold anything
    except (OSError, ValueError):
        return False
