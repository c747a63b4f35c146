"""Lexicons: lists of words, and an automaton that finds the words of many lists in a text at once. Pure.

Text and words are compared in the form that `gateway.policy.normal` gives them, so a word is found in any width, case,
script form and with anything in between that is no letter. Letters of alphabets (Latin, Greek, Cyrillic, Armenian) and
digits make words with ends: "sex" is not found in "Essex", nor "5折" in "15折". Chinese and other scripts that write no
spaces have none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import ahocorasick

from gateway.policy.normal import AS_LETTERS, Folding

EXCEPTION: Final = "exceptions"
"""The class of words that excuse listed ones inside them."""
MAX_WORD_CHARS: Final = 64
OPEN: Final = "*"
"""At an end of a word: other letters may follow there, or stand before it."""
_LAST_OF_ALPHABETS: Final = "\u058f"


class Lexicon(NamedTuple):
    """One list.

    Args:
        name: as people know it.
        words: each with its class: a level, say, or `EXCEPTION`; see `find_fault` for what is a word.
        digits_for_letters: digits and signs may stand for letters: "fr33" is "free".
    """

    name: str
    words: tuple[tuple[str, str], ...]
    digits_for_letters: bool = False


class Hit(NamedTuple):
    """A listed word in a text.

    Args:
        number: of the lexicon, in the order of the finder.
        kind: the word's class.
        word: its folded form.
    """

    number: int
    kind: str
    word: str


class _Entry(NamedTuple):
    """A word of a lexicon, under its folded form.

    Args:
        breaks: where white space may stand in it, where all its letters are those of alphabets; None if anywhere.
    """

    number: int
    kind: str
    folded: str
    open_start: bool
    open_end: bool
    breaks: frozenset[int] | None


_PLAIN: Final = Folding()
_DIGITS: Final = Folding(AS_LETTERS)


def find_fault(word: str) -> str | None:
    """Why something can't be a listed word, and what to write; None when it can."""
    if len(word) > MAX_WORD_CHARS:
        return f"has {len(word)} characters; write at most {MAX_WORD_CHARS}"
    folded = _PLAIN.fold(word)
    if not folded:
        return "can never match, as signs and spaces don't count; write letters or digits"
    if len(folded) == 1 and _is_of_alphabet(folded):
        return "is a single letter or digit; write a longer word"
    return None


class Finder:
    """Finds the words of some lexicons."""

    def __init__(self, lexicons: Sequence[Lexicon]) -> None:
        numbered = list(enumerate(lexicons))
        both = [
            (folding, [(i, one) for i, one in numbered if one.digits_for_letters is digits])
            for folding, digits in ((_PLAIN, False), (_DIGITS, True))
        ]
        self._parts = [_Part(folding, some) for folding, some in both if any(one.words for _, one in some)]

    def find(self, text: str) -> list[Hit]:
        """All listed words of a text, but for those that an exception of their list excuses; may name one twice."""
        hits: list[Hit] = []
        for part in self._parts:
            hits += part.find(text)
        return hits


class _Part:
    """Lexicons that are compared under one folding."""

    def __init__(self, folding: Folding, lexicons: Iterable[tuple[int, Lexicon]]) -> None:
        self._folding = folding
        entries: dict[str, list[_Entry]] = {}
        for index, lexicon in lexicons:
            for word, kind in lexicon.words:
                entry = _entry(folding, index, word, kind)
                if entry.folded:
                    entries.setdefault(entry.folded, []).append(entry)
        self._automaton = ahocorasick.Automaton()
        for folded, same in entries.items():
            self._automaton.add_word(_octets(folded), tuple(same))
        self._automaton.make_automaton()

    def find(self, text: str) -> Iterator[Hit]:
        octets = _octets(self._folding.fold(text))
        found = list(self._automaton.iter(octets))
        if not found:
            return
        page = _Page(self._folding, text)
        spans = [
            (entry, end - len(entry.folded), end)
            for last, entries in found
            for end in (_n_chars(octets, last + 1),)
            for entry in entries
            if page.is_word(entry, end - len(entry.folded), end)
        ]
        excused = [(entry.number, start, end) for entry, start, end in spans if entry.kind == EXCEPTION]
        for entry, start, end in spans:
            if entry.kind != EXCEPTION and not _is_excused(entry.number, start, end, excused):
                yield Hit(entry.number, entry.kind, entry.folded)


def _octets(folded: str) -> str:
    """As UTF-8, an octet a character: the automaton tries the children of a node one after the other.

    Chinese lists begin with thousands of characters, and a text of 70 took 200 us; with octets it takes 3.
    """
    return folded.encode().decode("latin-1")


def _n_chars(octets: str, end: int) -> int:
    return len(octets[:end].encode("latin-1").decode())


class _Page:
    """A text in which something was found: what stands around it."""

    def __init__(self, folding: Folding, text: str) -> None:
        self._folding = folding
        self._text = text
        self._folded, self._offsets = folding.fold_text(text)

    def is_word(self, entry: _Entry, start: int, end: int) -> bool:
        """Whether what was found is the listed word, and not a part of another one."""
        first, last = self._offsets[start], self._offsets[end - 1]
        if not entry.open_start and self._joins(entry.folded[0], self._before(start, first)):
            return False
        if not entry.open_end and self._joins(entry.folded[-1], self._behind(end, last)):
            return False
        return entry.breaks is None or self._is_unbroken(entry.breaks, self._text[first : last + 1])

    def _joins(self, letter: str, neighbour: str) -> bool:
        """Whether two characters that stand side by side are of one word."""
        return (
            _is_of_alphabet(letter)
            and _is_of_alphabet(neighbour)
            and letter.isdecimal() == neighbour.isdecimal()
        )

    def _before(self, start: int, first: int) -> str:
        if start and self._offsets[start - 1] == first:
            return self._folded[start - 1]
        at = first - 1
        while at >= 0 and _is_invisible(self._text[at]):
            at -= 1
        return self._folding.fold(self._text[at])[-1:] if at >= 0 else ""

    def _behind(self, end: int, last: int) -> str:
        if end < len(self._folded) and self._offsets[end] == last:
            return self._folded[end]
        at = last + 1
        while at < len(self._text) and _is_invisible(self._text[at]):
            at += 1
        return self._folding.fold(self._text[at])[:1] if at < len(self._text) else ""

    def _is_unbroken(self, breaks: frozenset[int], piece: str) -> bool:
        """White space stands in a word only where its list has it, or between all its letters: "f r e e"."""
        sizes = _sizes(self._folding, piece)
        return len(sizes) == 1 or set(sizes) == {1} or breaks.issuperset(_sums(sizes))


def _entry(folding: Folding, index: int, word: str, kind: str) -> _Entry:
    bare = word.strip()
    folded = folding.fold(bare)
    breaks = None
    if all(map(_is_of_alphabet, folded)):
        spaced = "".join(" " if _separates(char) else char for char in bare)
        breaks = _sums(_sizes(folding, spaced))
    return _Entry(index, kind, folded, bare.startswith(OPEN), bare.endswith(OPEN), breaks)


def _sizes(folding: Folding, text: str) -> list[int]:
    return [n for piece in text.split() if (n := len(folding.fold(piece)))]


def _sums(sizes: Sequence[int]) -> frozenset[int]:
    """Where pieces of these sizes end, but for the last."""
    total, ends = 0, set()
    for size in sizes[:-1]:
        total += size
        ends.add(total)
    return frozenset(ends)


def _separates(char: str) -> bool:
    return unicodedata.category(char)[0] in "PZ"


def _is_of_alphabet(char: str) -> bool:
    return bool(char) and char <= _LAST_OF_ALPHABETS and char.isalnum()


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) in {"Cf", "Mn", "Me"}


def _is_excused(index: int, start: int, end: int, excused: Sequence[tuple[int, int, int]]) -> bool:
    return any(i == index and s <= start and end <= e for i, s, e in excused)


@lru_cache(maxsize=8)
def compile_lexicons(lexicons: tuple[Lexicon, ...]) -> Finder:
    """The finder of some lexicons; the same one again for the same words.

    Ten thousand words take some hundredths of a second: whoever reads a file of them calls it there, so that it costs
    nothing any more where the words are put to use.
    """
    return Finder(lexicons)
