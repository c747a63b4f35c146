"""`hongyan consent import`: consents out of a file, with a verdict on every row."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from gateway.cli.client import Api, ApiRefusal
from gateway.cli.consent_table import Row, Table, open_table
from gateway.cli.options import DEFAULT_URL, Json, Key, Url, example
from gateway.cli.output import Failure, open_private, print_json, say

_AT_ONCE: Final = 1_000
_MOST_SHOWN: Final = 20
"""Bad rows that are told one by one; --bad has them all."""
_TIMEOUT_S: Final = 120.0


def register(group: typer.Typer) -> None:
    """Add the command."""
    line = "hongyan consent import may.csv --statement 'Joined in our shops in May' --dry-run"
    group.command("import", epilog=example(line))(import_file)


def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV file with a column of numbers.")],
    statement: Annotated[
        str, typer.Option(help="Where the rows come from, and that they are true; kept with each of them.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would become of it; record nothing.")
    ] = False,
    bad: Annotated[
        Path | None, typer.Option(help="Write the rows that are not taken here, each with the reason.")
    ] = None,
    brand: Annotated[
        str | None, typer.Option(help="Of rows that name none; a message of another brand is not covered.")
    ] = None,
    purpose: Annotated[str | None, typer.Option(help="Of rows that name none.")] = None,
    source: Annotated[str | None, typer.Option(help="Of rows that name none.")] = None,
    wording: Annotated[str | None, typer.Option(help="Of rows that have none.")] = None,
    ask: Annotated[
        bool | None,
        typer.Option("--ask/--no-ask", help="Ask each person by a message first.", show_default=False),
    ] = None,
    url: Url = DEFAULT_URL,
    key: Key = "",
    as_json: Json = False,
) -> None:
    """Import consents from a CSV file: UTF-8, UTF-16 or GBK.

    Columns: number, and if there are any: brand, purpose, state, source, at, expires_at, wording, reference, form,
    document, note; Chinese names will do, too. A bad row never spoils the others. A row counts once, however often
    the same file is imported: after a failure run it again.
    """
    api, table = Api(url, key), open_table(file)
    given = {"brand": brand, "purpose": purpose, "source": source, "wording": wording, "ask": ask}
    common = {name: value for name, value in given.items() if value is not None}
    noted = {"sha256": table.sha256, "name": file.name[:255], "statement": statement}
    ignored = [name for name, field in zip(table.head, table.fields, strict=True) if field is None]
    if ignored:
        say(f"columns that are not read: {', '.join(ignored)}")
    with ExitStack() as stack:
        tally = _Tally(stack, bad, table)
        rows = table.rows(common)
        while batch := list(islice(rows, _AT_ONCE)):
            body = {"file": noted, "dry_run": dry_run}
            try:
                tally.add(batch, _send(api, batch, body))
            except Failure as failure:
                raise Failure(
                    f"{failure}\n{tally.n} rows were done; import the file again to go on"
                ) from None
    tally.show(dry_run=dry_run, as_json=as_json)


class _Verdict(NamedTuple):
    word: str
    detail: str = ""


def _send(api: Api, batch: Sequence[Row], body: dict[str, Any]) -> list[_Verdict]:
    """What becomes of each row."""
    sent = [row for row in batch if row.consent is not None]
    verdicts = {row.line: _Verdict("bad", row.fault) for row in batch}
    if sent:
        try:
            done = api.call(
                "POST", "/consents", {**body, "consents": [row.consent for row in sent]}, timeout_s=_TIMEOUT_S
            )
        except ApiRefusal as refusal:
            raise Failure(str(refusal)) from None
        for one in done["results"]:
            verdicts[sent[one["index"]].line] = _Verdict(one["verdict"])
        for one in done["rejected"]:
            verdicts[sent[one["index"]].line] = _Verdict("bad", one["detail"])
    return [verdicts[row.line] for row in batch]


class _Tally:
    """Counts verdicts, and writes bad rows down."""

    def __init__(self, stack: ExitStack, bad: Path | None, table: Table) -> None:
        self._counts: Counter[str] = Counter()
        self._shown: list[str] = []
        self._writer = None
        if bad is not None:
            try:
                file = stack.enter_context(open_private(bad, "w", encoding="utf-8-sig", newline=""))
            except OSError as error:
                raise Failure(f"cannot write {bad}: {error.strerror}") from None
            self._writer = csv.writer(file)
            self._writer.writerow([*table.head, "line", "reason"])

    @property
    def n(self) -> int:
        """Rows so far."""
        return self._counts.total()

    def add(self, batch: Sequence[Row], verdicts: Sequence[_Verdict]) -> None:
        """Take a batch."""
        for row, verdict in zip(batch, verdicts, strict=True):
            self._counts[verdict.word] += 1
            if verdict.word != "bad":
                continue
            if len(self._shown) < _MOST_SHOWN:
                self._shown.append(f"line {row.line}: {verdict.detail}")
            if self._writer is not None:
                self._writer.writerow([*row.cells, row.line, verdict.detail])

    def show(self, *, dry_run: bool, as_json: bool) -> None:
        """Print the sums."""
        words = ("new", "changed", "older", "unchanged", "said_no", "bad")
        counts = {word: self._counts[word] for word in words}
        if as_json:
            print_json({"dry_run": dry_run, **counts})
        else:
            print(
                ", ".join(f"{n} {word.replace('_', ' ')}" for word, n in counts.items())
                + self._note(dry_run=dry_run)
            )
        for line in self._lines():
            say(line)

    def _note(self, *, dry_run: bool) -> str:
        return "; nothing was recorded" if dry_run else ""

    def _lines(self) -> Iterator[str]:
        yield from self._shown
        if (more := self._counts["bad"] - len(self._shown)) > 0:
            yield f"and {more} more; --bad FILE writes all of them down"
