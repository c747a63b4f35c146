"""Tables of consents in files: CSV as spreadsheets of any country write it, read row by row.

A row that can't be read is told, with its line; it never spoils the others. Memory holds a batch of rows and no more.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from gateway.cli.output import Failure

_PIECE: Final = 1 << 20
MOST_OCTETS: Final = 512 << 20
_MOST_CELL_CHARS: Final = 100_000

ALIASES: Final[Mapping[str, str]] = {
    alias: field
    for field, aliases in {
        "number": "number phone mobile msisdn tel telephone 手机 手机号 手机号码 号码 电话 电话号码",
        "state": "state status 状态",
        "brand": "brand 品牌",
        "purpose": "purpose 用途",
        "source": "source channel 来源 渠道",
        "at": "at time date said_at consented_at 时间 日期 同意时间",
        "wording": "wording text 文字 条款 内容 同意内容 告知内容",
        "reference": "reference order id 编号 订单号",
        "form": "form url page 页面 表单",
        "document": "document file 文件",
        "inbound": "inbound",
        "note": "note remark 备注",
        "expires_at": "expires_at expires expiry 到期 到期时间 有效期",
    }.items()
    for alias in aliases.split()
}
"""What a column may be called, in lower case -> what it is."""
EVIDENCE: Final = ("reference", "form", "document", "inbound", "note")
COLUMNS: Final = (
    "number", "brand", "purpose", "state", "source", "at", "expires_at", "wording", *EVIDENCE,
)  # fmt: skip
_STATES: Final = {
    "同意": "given",
    "已同意": "given",
    "拒绝": "refused",
    "退订": "withdrawn",
    "待确认": "pending",
}
_DATE: Final = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[ T]+(\d{1,2})[:时](\d{1,2})(?:[:分](\d{1,2})(?:\.\d+)?秒?)?分?)?"
)


class Row(NamedTuple):
    """One row.

    Args:
        line: where it begins in the file; the head is line 1.
        cells: as they stand there.
        consent: as the API takes it; None where it can't be read.
        fault: why not.
    """

    line: int
    cells: Sequence[str]
    consent: dict[str, Any] | None
    fault: str = ""


class Table(NamedTuple):
    """A file that can be read.

    Args:
        sha256: of its octets.
        encoding: that its octets are text in.
        head: its columns as it names them; made up where it names none.
        fields: what each column is; None for one that means nothing here.
        has_head: its first row names columns.
    """

    path: Path
    sha256: str
    encoding: str
    delimiter: str
    head: Sequence[str]
    fields: Sequence[str | None]
    has_head: bool

    def rows(self, common: Mapping[str, Any]) -> Iterator[Row]:
        """Its rows, empty ones left out.

        Args:
            common: what holds for rows that say nothing else.
        """
        with self.path.open(encoding=self.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter, strict=True)
            begin = 1
            while True:
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    yield Row(begin, (), None, _name_fault(error, begin, reader.line_num))
                    begin = reader.line_num + 1
                    continue
                line, begin = begin, reader.line_num + 1
                if (line == 1 and self.has_head) or not any(cell.strip() for cell in cells):
                    continue
                yield _read_row(line, cells, self.fields, common)


def open_table(path: Path) -> Table:
    """Look at a file: its hash, its encoding, its columns.

    Raises:
        Failure: it can't be read, is too large, or holds no numbers.
    """
    csv.field_size_limit(_MOST_CELL_CHARS)
    try:
        digest, encoding = _look(path)
        if encoding != "utf-8-sig":
            _read_through(path, encoding)
        with path.open(encoding=encoding, newline="") as file:
            first = file.readline(_MOST_CELL_CHARS)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(path, error) from None
    except OSError as error:
        raise Failure(f"cannot read {path}: {error.strerror}") from None
    delimiter = max(",;\t", key=first.count)
    head = next(csv.reader([first], delimiter=delimiter), [])
    fields = [ALIASES.get(cell.strip().strip("﻿").lower()) for cell in head]
    if "number" in fields:
        return Table(path, digest, encoding, delimiter, head, fields, has_head=True)
    if head and re.fullmatch(r"'?\+?[0-9 ()-]{3,24}", head[0].strip()):
        named = ["number", *(f"column {n}" for n in range(2, len(head) + 1))]
        return Table(
            path, digest, encoding, delimiter, named, ["number", *[None] * (len(head) - 1)], has_head=False
        )
    raise Failure(f'{path} has no column of numbers; call it "number", "phone" or 手机号 in the first line')


def _read_through(path: Path, encoding: str) -> None:
    """Find out before the first row is sent whether the last one is text, too."""
    with path.open(encoding=encoding, newline="") as file:
        while file.read(_PIECE):
            pass


def _wrong_encoding(path: Path, error: UnicodeDecodeError) -> Failure:
    """Without the octets, which are people's numbers."""
    return Failure(f"{path} is neither UTF-8, UTF-16 nor GBK ({error.reason}); save it as UTF-8")


def _name_fault(error: csv.Error, first: int, last: int) -> str:
    """Why rows can't be told from one another, and which lines are lost by it: a quote that is not closed takes all."""
    if last <= first:
        return f"this is no row of a CSV file: {error}"
    return f"lines {first} to {last} are not read, a quote is not closed or stands in a cell: {error}"


def _look(path: Path) -> tuple[str, str]:
    """The hash of a file, and its encoding: what its mark says, else UTF-8, else what Chinese Excel writes."""
    digest, size = sha256(), 0
    decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
    encoding = "utf-8-sig"
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if not size and piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                encoding, decoder = "utf-16", None
            digest.update(piece)
            size += len(piece)
            if size > MOST_OCTETS:
                raise Failure(f"{path} is larger than {MOST_OCTETS >> 20} MB; cut it into several files")
            if decoder is not None:
                try:
                    decoder.decode(piece)
                except UnicodeDecodeError:
                    encoding, decoder = "gb18030", None
    if decoder is not None:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            encoding = "gb18030"
    return digest.hexdigest(), encoding


def _read_row(
    line: int, cells: Sequence[str], fields: Sequence[str | None], common: Mapping[str, Any]
) -> Row:
    values: dict[str, str] = {}
    for field, cell in zip(fields, cells, strict=False):
        if field is not None and (text := cell.strip().removeprefix("'").strip()):
            values.setdefault(field, text)
    if "number" not in values:
        return Row(line, cells, None, "there is no number")
    consent: dict[str, Any] = {**common, "line": line}
    evidence = {name: values.pop(name) for name in EVIDENCE if name in values}
    for name in ("at", "expires_at"):
        if name in values:
            at = read_time(values.pop(name))
            if at is None:
                return Row(
                    line, cells, None, f"{name}: write a time such as 2026-05-01 or 2026-05-01T08:00:00+08:00"
                )
            consent[name] = at
    if "state" in values:
        values["state"] = _STATES.get(values["state"], values["state"].lower())
    consent |= values
    if evidence:
        consent["evidence"] = evidence
    return Row(line, cells, consent)


def read_time(text: str) -> str | None:
    """A time as people and spreadsheets write it, by this machine's clock where it names no zone; None for none.

    >>> read_time("2026-05-01T08:00:00+08:00")
    '2026-05-01T08:00:00+08:00'
    >>> read_time("tomorrow")
    """
    try:
        if match := _DATE.fullmatch(text.strip()):
            parts = [int(part) for part in match.groups(default="0")]
            return datetime(*parts).astimezone().isoformat()  # type: ignore[arg-type]
        return (
            datetime.fromisoformat(text).astimezone().isoformat() if "T" in text and _has_zone(text) else None
        )
    except (ValueError, OverflowError):
        return None


def _has_zone(text: str) -> bool:
    return datetime.fromisoformat(text).tzinfo is not None
