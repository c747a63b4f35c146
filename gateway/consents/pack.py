"""The archive of a proof: tables that grow line by line, a manifest with the hash of each file, its signature.

Every table stands in it twice: as it is, and as the hashes of its lines, by which a check can tell which line was
changed, which is missing and which was added. Files are written to a folder first, so that memory holds a page of
them and no more.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final, Self

import msgspec

from gateway.consents.signing import show_public, sign
from gateway.store.consent_keys import ProofKey
from gateway.views.sheets import as_cell

FORMAT: Final = "hongyan-consent-proof/1"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
README: Final = "README.txt"
LINES: Final = ".lines"
"""Ends the name of the file with the hashes of a table's lines."""
HASH_DIGITS: Final = 32
"""Of a line's hash; the whole table has a full one."""
_ABOUT: Final = """Proof of consent, made by hongyan ({format}).

records.csv      a line for each message or number: who agreed to what, when, how, and what shows it
records.jsonl    the same for programs
history.jsonl    everything on record of these numbers, in the order in which it was said
wordings.jsonl   the texts that people agreed to, by their SHA-256 (wording_hash)
files.jsonl      the files that records were imported from, by their SHA-256, each with its statement
*.lines          the first 32 hex digits of the SHA-256 of each line of a table, without its line feed
manifest.json    the SHA-256 of each file
manifest.sig     Ed25519 signature of the octets of manifest.json, in base 64

To check it: hongyan consent verify FILE --public-key KEY
The key is also in manifest.json, but whoever changed the archive could have changed it there. Have the sender tell it
to you by another way.
Without hongyan: compare sha256sum of each file with the manifest, and the signature with any tool that knows Ed25519.
Times are RFC 3339 in UTC.
"""
_encode = msgspec.json.Encoder().encode


def hash_line(line: bytes) -> str:
    """What a file of hashes has for a line."""
    return sha256(line).hexdigest()[:HASH_DIGITS]


class _File:
    """A file that is being written, and its hash."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.path = folder / name
        self.n_rows = 0
        self.n_octets = 0
        self._hash = sha256()
        self._file: IO[bytes] = self.path.open("wb")

    def write(self, octets: bytes) -> None:
        self._hash.update(octets)
        self._file.write(octets)
        self.n_octets += len(octets)

    def close(self) -> None:
        self._file.close()

    def describe(self) -> dict[str, Any]:
        return {"sha256": self._hash.hexdigest(), "octets": self.n_octets, "rows": self.n_rows}


class _Table:
    """Rows with a number in front, as JSON or CSV, one line each.

    Args:
        columns: of CSV; none for JSON.
    """

    def __init__(self, folder: Path, name: str, columns: Sequence[str] = ()) -> None:
        self.file, self.lines = _File(folder, name), _File(folder, name + LINES)
        self._columns = columns
        if columns:
            self._write([_as_csv(["row", *columns])])

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        first = self.file.n_rows + 1
        self.file.n_rows += len(rows)
        if self._columns:
            columns = self._columns
            self._write([_as_csv([n, *[row[c] for c in columns]]) for n, row in enumerate(rows, first)])
        else:
            self._write([_encode({"row": n, **row}) for n, row in enumerate(rows, first)])

    def _write(self, lines: Sequence[bytes]) -> None:
        if lines:
            self.file.write(b"\n".join(lines) + b"\n")
            self.lines.write("\n".join(map(hash_line, lines)).encode() + b"\n")
            self.lines.n_rows += len(lines)


class Pack:
    """One archive; its methods take their time and touch the disk, so they belong in a thread.

    Args:
        folder: where its files are put together; the caller's to remove.
        columns: of the table of records.
    """

    def __init__(self, folder: Path, columns: Sequence[str]) -> None:
        self._folder = folder
        self._as_csv = _Table(folder, "records.csv", columns)
        self._records = _Table(folder, "records.jsonl")
        self._history = _Table(folder, "history.jsonl")
        self._wordings = _Table(folder, "wordings.jsonl")
        self._files = _Table(folder, "files.jsonl")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for table in self._tables:
            table.file.close()
            table.lines.close()

    @property
    def _tables(self) -> Sequence[_Table]:
        return self._as_csv, self._records, self._history, self._wordings, self._files

    @property
    def n_records(self) -> int:
        """How many there are so far."""
        return self._records.file.n_rows

    def add_records(self, records: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]]) -> None:
        """Add a page."""
        self._as_csv.add(records)
        self._records.add(records)
        self._history.add(history)

    def add_wordings(self, wordings: Mapping[str, str]) -> None:
        """Add texts by their hashes."""
        self._wordings.add([{"sha256": one, "text": text} for one, text in sorted(wordings.items())])

    def add_files(self, files: Sequence[Mapping[str, Any]]) -> None:
        """Add notes of imported files."""
        self._files.add(files)

    def seal(self, to: Path, key: ProofKey, made_at: datetime, what: Mapping[str, Any]) -> None:
        """Sign it and put it together.

        Args:
            to: the archive.
            what: it is proof of, and its sums.
        """
        about = _File(self._folder, README)
        about.write(_ABOUT.format(format=FORMAT).encode())
        files = [about, *(file for table in self._tables for file in (table.file, table.lines))]
        for file in files:
            file.close()
        manifest = {
            "format": FORMAT,
            "made_at": made_at.isoformat(),
            "public_key": show_public(key.public),
            **what,
            "files": {file.name: file.describe() for file in files},
        }
        octets = json.dumps(manifest, ensure_ascii=False, indent=1).encode()
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(MANIFEST, octets)
            archive.writestr(SIGNATURE, b64encode(sign(key.private, octets)) + b"\n")
            for file in files:
                archive.write(file.path, file.name)


def _as_csv(values: Sequence[object]) -> bytes:
    """One line, whatever the values hold."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([as_cell(value) for value in values])
    return " ".join(out.getvalue().splitlines()).encode("utf-8", "replace")
