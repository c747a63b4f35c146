"""The check of a proof, without a gateway or a network: is it whole, unchanged, and signed by whom we think?"""

from __future__ import annotations

import base64
import binascii
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from gateway.consents.pack import FORMAT, HASH_DIGITS, LINES, MANIFEST, SIGNATURE, hash_line
from gateway.consents.signing import fingerprint, is_signed, read_public

_MOST_FILES: Final = 64
_MOST_HEAD_OCTETS: Final = 1 << 20
"""Of the manifest, and of the signature."""
_MOST_OCTETS: Final = 8 << 30
"""Of one file: what claims to be more is not unpacked."""
_MOST_RATIO: Final = 200
"""Of a large file's octets to those in the archive."""
_SMALL_OCTETS: Final = 16 << 20
_MOST_ADDED: Final = 100_000
"""Lines more than there should be that are looked at."""
_MOST_LINE_OCTETS: Final = 1 << 20
_MOST_HASHES_OCTETS: Final = 256 << 20
"""Of a file with the hashes of lines: it is read as a whole."""
_MOST_NAMED: Final = 20
"""Lines of one kind that are named one by one."""
_ROW: Final = re.compile(rb'(?:\{"row":)?(\d{1,12}),')
_PIECE: Final = 1 << 20


class _File(msgspec.Struct):
    sha256: str
    octets: int
    rows: int = 0


class _Manifest(msgspec.Struct):
    format: str
    made_at: str
    public_key: str
    files: dict[str, _File]
    selection: dict[str, Any] = {}
    sums: dict[str, int] = {}


class Report(NamedTuple):
    """What a check found.

    Args:
        faults: none for a proof that is good.
        fingerprint: of the key that signed it.
        is_pinned: that is the key that the caller named.
        sums: what the proof counts.
    """

    faults: list[str]
    made_at: str = ""
    fingerprint: str = ""
    is_pinned: bool = False
    selection: dict[str, Any] = {}  # noqa: RUF012 - never changed
    sums: dict[str, int] = {}  # noqa: RUF012 - never changed


class _NoProof(Exception):
    """It can't be checked at all."""


def check_pack(path: Path, public: bytes | None = None) -> Report:
    """Check an archive. Total: whatever the file holds, the report says what is wrong with it.

    Args:
        public: the key of who is believed to have made it; None for the one that the archive itself names.

    Raises:
        OSError: it can't be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _check(archive, public)
    except _NoProof as error:
        return Report([str(error)])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        return Report([f"this is no archive that can be read: {error}"])


def _check(archive: zipfile.ZipFile, public: bytes | None) -> Report:
    names = Counter(member.filename for member in archive.infolist())
    if len(names) > _MOST_FILES:
        raise _NoProof("the archive holds far more files than a proof")
    for member in archive.infolist():
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise _NoProof("the archive is packed in another way than a proof")
        if member.file_size > max(_SMALL_OCTETS, _MOST_RATIO * member.compress_size):
            raise _NoProof("the archive holds a file that unpacks to far more than any proof does")
    octets = _read_head(archive, names, MANIFEST)
    manifest = _read_manifest(octets)
    named = read_public(manifest.public_key)
    if named is None:
        raise _NoProof(f"{MANIFEST} names no public key")
    faults = []
    if public is not None and public != named:
        faults.append("it is signed with another key than the one that you named")
    try:
        signature = base64.b64decode(_read_head(archive, names, SIGNATURE).strip(), validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if not is_signed(named, octets, signature):
        faults.append(f"the signature is not that of {MANIFEST}: it was changed, or signed with another key")
    faults += _check_names(names, manifest)
    for name, file in manifest.files.items():
        if names[name] and not name.endswith(LINES):
            faults += _check_file(archive, name, file, manifest)
    return Report(
        faults, manifest.made_at, fingerprint(named), public == named, manifest.selection, manifest.sums
    )


def _read_head(archive: zipfile.ZipFile, names: Counter[str], name: str) -> bytes:
    if not names[name]:
        raise _NoProof(f"{name} is missing; this is no proof of consent")
    with archive.open(name) as file:
        octets = file.read(_MOST_HEAD_OCTETS + 1)
    if len(octets) > _MOST_HEAD_OCTETS:
        raise _NoProof(f"{name} is too long")
    return octets


def _read_manifest(octets: bytes) -> _Manifest:
    try:
        manifest = msgspec.json.decode(octets, type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _NoProof(f"{MANIFEST} can't be read: {error}") from None
    if manifest.format != FORMAT:
        raise _NoProof(f"{MANIFEST} is not of the format {FORMAT}")
    return manifest


def _check_names(names: Counter[str], manifest: _Manifest) -> Iterator[str]:
    expected = {MANIFEST, SIGNATURE, *manifest.files}
    yield from (f"{name}: is missing" for name in sorted(expected - names.keys()))
    yield from (f"{name}: was added" for name in sorted(names.keys() - expected))
    yield from (f"{name}: stands in the archive {n} times" for name, n in sorted(names.items()) if n > 1)


def _check_file(archive: zipfile.ZipFile, name: str, file: _File, manifest: _Manifest) -> list[str]:
    """A file, and the one with the hashes of its lines."""
    lines = name + LINES
    hashes = manifest.files.get(lines)
    lines_fault = None
    if hashes is not None and lines in archive.NameToInfo and not _is_as(archive, lines, hashes):
        lines_fault = f"{lines}: was changed"
    faults = [lines_fault] if lines_fault else []
    if _is_as(archive, name, file):
        return faults
    if hashes is None or lines_fault or lines not in archive.NameToInfo:
        return [*faults, f"{name}: was changed"]
    return [*faults, *_name_lines(archive, name, file.rows)]


def _is_as(archive: zipfile.ZipFile, name: str, file: _File) -> bool:
    """Whether a file has the hash that the manifest says."""
    most = _MOST_HASHES_OCTETS if name.endswith(LINES) else _MOST_OCTETS
    if archive.getinfo(name).file_size > most:
        return False
    found = sha256()
    with archive.open(name) as member:
        while piece := member.read(_PIECE):
            found.update(piece)
    return found.hexdigest() == file.sha256


def _name_lines(archive: zipfile.ZipFile, name: str, n_rows: int) -> Iterator[str]:
    """What is wrong with a table that was changed, line by line."""
    with archive.open(name + LINES) as member:
        expected = member.read().split(b"\n")[:-1]
    head = len(expected) - n_rows  # 1 for a table with names of columns, else 0
    if n_rows < 0 or head not in {0, 1} or any(len(one) != HASH_DIGITS for one in expected):
        yield f"{name}: was changed"
        return
    wrong: dict[str, list[str]] = {"was changed": [], "was added": [], "is missing": []}
    seen = bytearray(n_rows + 1)
    for place, line in enumerate(_lines(archive, name, n_rows + _MOST_ADDED)):
        if head and place == 0:
            if hash_line(line).encode() != expected[0]:
                yield f"{name}: the names of its columns were changed"
            continue
        found = _ROW.match(line)
        row = int(found[1]) if found else 0
        if not 1 <= row <= n_rows or seen[row]:
            wrong["was added"].append(f"line {place + 1}" if not found else f"row {row} (line {place + 1})")
            continue
        seen[row] = 1
        if hash_line(line).encode() != expected[head + row - 1]:
            wrong["was changed"].append(f"row {row}")
    wrong["is missing"] = [f"row {row}" for row in range(1, n_rows + 1) if not seen[row]]
    if not any(wrong.values()):
        yield f"{name}: its lines are in another order, or end otherwise"
    for what, rows in wrong.items():
        yield from (f"{name}: {row} {what}" for row in rows[:_MOST_NAMED])
        if len(rows) > _MOST_NAMED:
            yield f"{name}: {len(rows) - _MOST_NAMED} more: {what}"


def _lines(archive: zipfile.ZipFile, name: str, most: int) -> Iterator[bytes]:
    with archive.open(name) as member:
        while most and (line := member.readline(_MOST_LINE_OCTETS)):
            most -= 1
            yield line.removesuffix(b"\n")
