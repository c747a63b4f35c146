"""What an inbound text asks of us: opt-out, opt-in, help. Pure.

People write the words in every form: full width, in quotes, with the 回 of the printed hint, with a full stop.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from drivers.codec.ucs2 import is_common
from gateway.model.message import Category, Keyword

_LEADS = ("回复", "回")
"""The printed hint says 回T退订 (reply T to opt out); many send the hint's own words back."""
_TAIL = "退订"
MAX_REPLIES_PER_HOUR = 200
"""Of one channel: senders are easily forged, and each answer costs money and the good name of the number."""
_MAX_CHARS = 32
"""Longer texts are letters to a person, not commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """The configured words, each in its matching form.

    Args:
        opt_out: words that stop marketing.
        opt_in: words that allow it again.
        help: words that ask who we are.
    """

    opt_out: frozenset[str]
    opt_in: frozenset[str]
    help: frozenset[str] = frozenset()

    @classmethod
    def of(cls, opt_out: Iterable[str], opt_in: Iterable[str], help_: Iterable[str] = ()) -> Keywords:
        """From words as configured."""
        return cls(
            opt_out=_fold_all(opt_out),
            opt_in=_fold_all(opt_in),
            help=_fold_all(help_),
        )


def _fold_all(words: Iterable[str]) -> frozenset[str]:
    return frozenset(folded for word in words if (folded := fold_word(word)))


def fold_word(text: str) -> str:
    """A text in the form in which words are compared.

    NFKC (full width becomes ASCII), case folded, without white space, quotes, punctuation, symbols and
    invisible characters.

    >>> fold_word("“ＴＤ。”")
    'td'
    >>> fold_word(" 退 订! ")
    '退订'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(c for c in folded if unicodedata.category(c)[0] not in "PSZC" and c not in _VARIANTS)
    return unicodedata.normalize("NFKC", kept)  # what was removed may have kept an accent from its letter


_VARIANTS = frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Variation selectors: phones put one after many a symbol, and they are seen as marks of the letter before."""


def find_fault(word: str) -> str | None:
    """Why no text can ever be this word, and what to write instead; None when one can."""
    folded = fold_word(word)
    if not folded:
        return "can never match, as signs and spaces don't count; write letters or digits"
    if min(len(word), len(folded)) > _MAX_CHARS:
        return f"can never match, as longer texts are letters; write at most {_MAX_CHARS} characters"
    return None


def find_keyword(text: str, keywords: Keywords) -> tuple[Keyword, str] | None:
    """What a text asks for, with the word in its matching form; None for any other text.

    Opt-out wins where a word was configured twice: when in doubt, we do not send.
    """
    if len(text) > _MAX_CHARS:
        return None
    word = fold_word(text)
    for form in (word, *(word.removeprefix(lead) for lead in _LEADS if word.startswith(lead))):
        for said in (form, form.removesuffix(_TAIL)):
            if said in keywords.opt_out:
                return Keyword.OPT_OUT, said
        if form in keywords.opt_in:
            return Keyword.OPT_IN, form
        if form in keywords.help:
            return Keyword.HELP, form
    return None


def find_mislabelled(text: str, keywords: Keywords) -> tuple[Keyword, str] | None:
    """The opt-out word that a text of UCS-2 is when its octets are read as ASCII; None for any other text.

    Some carriers copy the number of the alphabet from the message that a person answers. When in doubt, we do not send.

    >>> find_mislabelled("協佐", Keywords.of(["STOP"], []))
    (<Keyword.OPT_OUT: 'opt_out'>, 'stop')
    """
    plain = read_mislabelled(text)
    if not plain.isalnum() or (len(text) == 1 and is_common(text)):
        return None  # one character may well be meant: NO is 乏
    found = find_keyword(plain, keywords)
    return found if found is not None and found[0] is Keyword.OPT_OUT else None


def read_mislabelled(text: str) -> str:
    """A text of UCS-2 as if its octets were ASCII; empty if they can't be."""
    octets = text.encode("utf-16-be", "replace")
    return octets.decode("ascii") if octets.isascii() else ""


def is_stopped(category: Category, *, suppressed: bool) -> bool:
    """Whether the opt-out list forbids a message (INTERFACE section 5)."""
    return suppressed and category is Category.MARKETING
