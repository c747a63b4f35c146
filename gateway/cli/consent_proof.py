"""`hongyan consent proof`, `verify` and `key`: the proof for whoever asks for it, and its check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.cli.client import Api
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import Failure, plain, print_json, say

_TIMEOUT_S: Final = 600.0
_MOST_NUMBERS: Final = 200_000
_COUNTED: Final = {"yes": "covered", "no": "not covered", "not_needed": "that need none"}
"""What a proof's sums are called; the others as they are."""


def register(group: typer.Typer) -> None:
    """Add the commands."""
    group.command("proof", epilog=example("hongyan consent proof --tag may-sale --out proof.zip"))(prove)
    line = "hongyan consent verify proof.zip --public-key 'BASE64'"
    group.command("verify", epilog=example(line))(verify)
    group.command("key", epilog=example("hongyan consent key"))(show_key)


def prove(
    batch: Annotated[str | None, typer.Option(help="Of the messages of this batch.")] = None,
    tag: Annotated[str | None, typer.Option(help="Of the messages with this tag.")] = None,
    numbers: Annotated[
        Path | None, typer.Option(help="Of the numbers in this file, one a line, as they are now.")
    ] = None,
    brand: Annotated[str | None, typer.Option(help="With --numbers: to whom.")] = None,
    purpose: Annotated[str | None, typer.Option(help="To what; that of the config if left out.")] = None,
    out: Annotated[Path, typer.Option(help="The archive.")] = Path("proof.zip"),
    url: Url = DEFAULT_URL,
    key: Key = "",
) -> None:
    """Make a signed archive that shows who agreed.

    Each message or number has a row: source, time, wording and evidence of the consent that covers it.
    """
    if sum(one is not None for one in (batch, tag, numbers)) != 1:
        raise typer.BadParameter("name one of --batch, --tag and --numbers", param_hint="proof")
    api = Api(url, key)
    if numbers is None:
        n = api.download(
            "GET", "/consents/proof", out, timeout_s=_TIMEOUT_S, batch=batch, tag=tag, purpose=purpose
        )
    else:
        wanted: dict[str, Any] = {"numbers": _read_numbers(numbers), "brand": brand, "purpose": purpose}
        body = {name: value for name, value in wanted.items() if value is not None}
        n = api.download("POST", "/consents/proof", out, body, timeout_s=_TIMEOUT_S)
    print(f"{out}  {n} octets")
    say(
        "hongyan consent verify checks it; whoever gets it needs the key of hongyan consent key by another way"
    )


def verify(
    file: Annotated[Path, typer.Argument(help="The archive.")],
    public_key: Annotated[
        str | None, typer.Option(help="The sender's public key, as he told it to you; or @FILE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check a proof, without a gateway.

    Is it whole, unchanged, and signed by its sender? Exit 1 if not. Every row that was changed, is missing or was
    added is named.
    """
    from gateway.consents.check import check_pack  # noqa: PLC0415 - others need no cryptography
    from gateway.consents.signing import read_public  # noqa: PLC0415

    pinned = None
    if public_key is not None:
        pinned = read_public(_read_key(public_key))
        if pinned is None:
            raise typer.BadParameter(
                "that is no public key; hongyan consent key shows one", param_hint="--public-key"
            )
    try:
        report = check_pack(file, pinned)
    except OSError as error:
        raise Failure(f"cannot read {file}: {error.strerror}") from None
    if as_json:
        print_json(report._asdict())
    else:
        for fault in report.faults:
            print(plain(fault))
    if report.faults:
        raise Failure(
            f"{file} is not good: {len(report.faults)} fault{'s' if len(report.faults) > 1 else ''}"
        )
    if not as_json:
        counted = ", ".join(f"{n} {_COUNTED.get(what, what)}" for what, n in report.sums.items())
        print(plain(f"{file}  good, made {report.made_at}: {counted}"))
        print(f"signed by {report.fingerprint}")
        if not report.is_pinned:
            say("the key is the archive's own; compare it with the sender's, or name it by --public-key")


def show_key(url: Url = DEFAULT_URL, key: Key = "", as_json: Json = False) -> None:
    """Show the key that proofs are checked with."""
    found = Api(url, key).get("/consents/key")
    if as_json:
        print_json(found)
        return
    print(found["public_key"])
    say(f"{found['algorithm']}, fingerprint {found['fingerprint']}")


def _read_key(given: str) -> str:
    if not given.startswith("@"):
        return given
    path = Path(given[1:])
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise typer.BadParameter(f"cannot read {path}: {reason}", param_hint="--public-key") from None


def _read_numbers(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Failure(f"cannot read {path}: {reason}") from None
    numbers = [line.strip()[:64] for line in lines if line.strip()]
    if not 1 <= len(numbers) <= _MOST_NUMBERS:
        raise Failure(f"{path} holds {len(numbers)} numbers; write 1 to {_MOST_NUMBERS}, one a line")
    return numbers
