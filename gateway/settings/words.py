"""``[[words]]``, and the files of words that it and ``[class_lock]`` name: shipped ones, and one's own."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from gateway.files import decode_text, open_plain, why_unreadable
from gateway.model.message import Category
from gateway.policy.lexicon import EXCEPTION, Lexicon, compile_lexicons, find_fault
from gateway.policy.rules.words import Level, WordList
from gateway.settings.forms import BadValue, Flag, Form, Words, one_of, parse_filled, show
from gateway.settings.policy import Categories, Names

MAX_OCTETS: Final = 16_000_000
MAX_WORDS: Final = 200_000
"""Of one file."""
MAX_LISTS: Final = 100
LEVELS: Final = tuple(level.value for level in Level)
_SHIPPED: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SECTION: Final = re.compile(r"\[(.*)\]")
DEFAULT: Final = ""
"""The section of words that stand before any other."""


class WordFile(msgspec.Struct, frozen=True):
    """What stands in a file of words.

    Args:
        name: of the file, without its ending.
        words: each with the section that it stands in; `DEFAULT` before the first.
    """

    name: str
    words: tuple[tuple[str, str], ...]


def read_word_file(path: Path, sections: Collection[str]) -> WordFile:
    """Read a file of words: one a line, with sections such as ``[refuse]`` and remarks behind ``#``.

    Args:
        sections: that it may have beside ``[exceptions]``.

    Raises:
        BadValue: it can't be read or has faults; the first with its line.
    """
    try:
        with open_plain(path) as file:
            octets = file.read(MAX_OCTETS + 1)
        text = decode_text(octets[:MAX_OCTETS])
    except (OSError, ValueError) as error:
        reason = str(error) if type(error) is ValueError and "\0" not in str(path) else None
        raise BadValue(f"cannot read {path}: {reason or why_unreadable(path, error)}") from None
    if len(octets) > MAX_OCTETS:
        raise BadValue(f"{path} has more than {MAX_OCTETS // 1_000_000} MB; write several files")
    words: dict[tuple[str, str], None] = {}
    faults: list[str] = []
    section = DEFAULT
    for number, line in enumerate(text.split("\n"), 1):
        written = line.strip()
        if not written or written.startswith("#"):
            continue
        if (head := _SECTION.fullmatch(written)) is not None:
            section, fault = _section(head[1].strip(), sections)
        else:
            words[written, section] = None
            fault = find_fault(written)
        if fault is not None:
            faults.append(f"{path}:{number}: {show(written)} {fault}")
    if len(words) > MAX_WORDS:
        faults.append(f"{path} has more than {MAX_WORDS} words; write several files")
    if faults:
        more = f" (and {len(faults) - 1} more faults)" if len(faults) > 1 else ""
        raise BadValue(faults[0] + more)
    return WordFile(path.stem, tuple(words))


def _section(name: str, known: Collection[str]) -> tuple[str, str | None]:
    if name in known or name == EXCEPTION:
        return name, None
    heads = ", ".join(f"[{one}]" for one in (*known, EXCEPTION))
    return DEFAULT, f"is no section that such a file may have; write {heads}"


def shipped_words() -> Path:
    """The folder of the lists that come with the gateway: beside the package, or where pip has put it."""
    beside = Path(__file__).parents[2] / "config" / "words"
    return beside if beside.is_dir() else Path(sysconfig.get_path("data")) / "share" / "hongyan" / "words"


def find_word_file(value: object) -> Path:
    """The file that a setting means: a path, or the name of a shipped list."""
    text = parse_filled(value)
    return shipped_words() / f"{text}.txt" if _SHIPPED.fullmatch(text) else Path(text)


def _parse_levels(value: object) -> WordFile:
    return read_word_file(find_word_file(value), LEVELS)


class WordSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[[words]]``: a list of words, and what becomes of texts that have one.

    Args:
        file: a path, or the name of a shipped list.
        level: of words that stand in no section of the file.
        exceptions: words that excuse listed ones inside them, beside those of the file.
        digits_for_letters: digits and signs may stand for letters in a text.
        category: of the messages that are compared; empty for all.
        brand: in whose name they go; empty for all.
    """

    file: Annotated[WordFile, Form(_parse_levels)]
    level: Annotated[Literal["refuse", "review", "warn"], Form(one_of(*LEVELS))] = "review"
    exceptions: Words = ()
    digits_for_letters: Flag = False
    category: Categories = ()
    brand: Names = ()

    def faults(self) -> Iterator[tuple[str, str]]:
        """Exceptions are words."""
        for word in self.exceptions:
            if (fault := find_fault(word)) is not None:
                yield "exceptions", f"{show(word)} {fault}"

    def word_list(self) -> WordList:
        """The same as the rule has it."""
        listed = [(word, section or self.level) for word, section in self.file.words]
        excused = [(word, EXCEPTION) for word in self.exceptions]
        return WordList(
            lexicon=Lexicon(self.file.name, (*listed, *excused), self.digits_for_letters),
            category=frozenset(map(Category, self.category)),
            brand=frozenset(self.brand),
        )


def word_faults(tables: Sequence[WordSettings]) -> Iterator[tuple[str, str]]:
    """Too many lists, or two that a finding could not tell apart."""
    if len(tables) > MAX_LISTS:
        yield "words", f"has {len(tables)} tables; write at most {MAX_LISTS}"
    first: dict[str, int] = {}
    for i, table in enumerate(tables):
        if first.setdefault(table.file.name, i) != i:
            other = first[table.file.name]
            yield f"words[{i}].file", f"has the name of words[{other}].file; findings name it: rename one"
    # Compiled here, beside the event loop, and remembered: the chain then gets it for nothing.
    compile_lexicons(tuple(table.word_list().lexicon for table in tables))
