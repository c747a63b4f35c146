"""What an inbound text asks of us: opt-out, opt-in, help. Pure.

People write the words in every form: full width, in quotes, with the 回 of the printed hint, with a full stop, with
"please" before it. A text that is no such word and still sounds like no is a near miss.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from drivers.codec.ucs2 import is_common
from gateway.model.message import Keyword
from gateway.policy.folding import bare, fold_phrase, fold_word

MAX_REPLIES_PER_HOUR = 200
"""Of one channel: senders are easily forged, and each answer costs money and the good name of the number."""
_MAX_CHARS = 32
"""Longer texts are letters to a person, not commands."""
_MAX_NEAR_CHARS = 320
"""Longer texts are looked at no more for what sounds like no."""
_MOST_LINES = 5
_MOST_FORMS = 20
_FIRST_CJK = "\u2e80"
_AROUND = " \t\r\n.,!?\"'"
"""What people and their handsets put around a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What may stand around a word and changes nothing of it, each in its matching form.

    The printed hint says 回T退订 (reply T to opt out); many send the hint's own words back.

    Args:
        leads: before a word.
        tails: behind a word that means no.
        polite_leads, polite_tails: the same, of words that mean no and have more than one letter.
    """

    leads: frozenset[str] = frozenset()
    tails: frozenset[str] = frozenset()
    polite_leads: frozenset[str] = frozenset()
    polite_tails: frozenset[str] = frozenset()


PLAIN_FRAME = Frame(leads=frozenset({"回复", "回"}), tails=frozenset({"退订"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """The words in force, each in its matching form.

    Args:
        opt_out: words that stop marketing.
        opt_in: words that allow it again.
        help: words that ask who we are.
        frame: what may stand around them.
        near: parts of a longer text that sound like no: as words between spaces, or as they stand in scripts that have
            none.
    """

    opt_out: frozenset[str]
    opt_in: frozenset[str]
    help: frozenset[str] = frozenset()
    frame: Frame = PLAIN_FRAME
    near: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        opt_out: Iterable[str],
        opt_in: Iterable[str],
        help_: Iterable[str] = (),
        *,
        frame: Frame = PLAIN_FRAME,
        near: Iterable[str] = (),
    ) -> Keywords:
        """From words as people write them."""
        return cls(
            opt_out=fold_all(opt_out),
            opt_in=fold_all(opt_in),
            help=fold_all(help_),
            frame=frame,
            near=tuple(sorted({_fold_near(phrase) for phrase in near if fold_word(phrase)})),
        )


def fold_all(words: Iterable[str]) -> frozenset[str]:
    """Words in their matching form, without those that can't match."""
    return frozenset(bare(folded) for word in words if (folded := fold_word(word)))


def _fold_near(phrase: str) -> str:
    return fold_word(phrase) if _has_no_spaces(phrase) else fold_phrase(phrase)


def _has_no_spaces(phrase: str) -> bool:
    return any(char >= _FIRST_CJK for char in phrase)


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
    word, frame = bare(fold_word(text)), keywords.frame
    if not (word in keywords.opt_out or word in keywords.opt_in or word in keywords.help):
        word = _once(word)
    for form in _without(word, frame.leads):
        if (
            form in keywords.opt_in and form not in keywords.opt_out
        ):  # 取消退订 takes one back, and ends like one
            return Keyword.OPT_IN, form
        for said in _without(form, frame.tails, behind=True):
            if said in keywords.opt_out:
                return Keyword.OPT_OUT, said
        if form in keywords.help:
            return Keyword.HELP, form
    for form in _without(word, frame.leads | frame.polite_leads):
        for said in _without(form, frame.tails | frame.polite_tails, behind=True):
            if len(said) > 1 and said in keywords.opt_out:
                return Keyword.OPT_OUT, said
    return None


def _once(word: str) -> str:
    """A word of more than one letter that is said again and again, as once.

    >>> _once("stopstopstop"), _once("tt")
    ('stop', 'tt')
    """
    size = (word + word).find(word, 1)
    return word[:size] if size > 1 else word


def _without(word: str, around: frozenset[str], *, behind: bool = False) -> Iterator[str]:
    """A word as it is, and without one or two of what may stand before or behind it."""
    seen = [word]
    yield word
    for form in seen:
        cuts = (
            form[: -len(one)] if behind else form[len(one) :] for one in around if _ends(form, one, behind)
        )
        for cut in cuts:
            if cut and cut not in seen:
                if len(seen) > _MOST_FORMS:
                    return
                seen.append(cut)
                yield cut


def _ends(form: str, one: str, behind: bool) -> bool:
    return form.endswith(one) if behind else form.startswith(one)


def find_near(text: str, keywords: Keywords) -> str | None:
    """What in a text that is no keyword sounds like no to marketing; a person is to look at it.

    >>> find_near("Please STOP sending me these!", Keywords.of([], [], near=["stop sending"]))
    'stop sending'
    >>> find_near("I can't stop laughing", Keywords.of([], [], near=["stop sending"])) is None
    True
    """
    if len(text) > _MAX_NEAR_CHARS or not keywords.near:
        return None
    lines = text.split("\n", _MOST_LINES)[:_MOST_LINES]
    for line in lines if len(lines) > 1 else ():
        found = find_keyword(line, keywords)
        if found is not None and found[0] is Keyword.OPT_OUT:
            return found[1]
    words, whole = fold_phrase(text), fold_word(text)
    return next(
        (near.strip() for near in keywords.near if near in (words if near[0] == " " else whole)), None
    )


def find_mislabelled(text: str, keywords: Keywords) -> tuple[Keyword, str] | None:
    """The opt-out word that a text of UCS-2 is when its octets are read as ASCII; None for any other text.

    Some carriers copy the number of the alphabet from the message that a person answers. When in doubt, we do not send.

    >>> find_mislabelled("協佐", Keywords.of(["STOP"], []))
    (<Keyword.OPT_OUT: 'opt_out'>, 'stop')
    """
    plain = read_mislabelled(text).strip(_AROUND)
    if not plain.isalnum() or plain.isdigit() or (len(text) == 1 and is_common(text)):
        return None  # one character may well be meant: NO is 乏; and 0000 is a wavy line
    found = find_keyword(plain, keywords)
    return found if found is not None and found[0] is Keyword.OPT_OUT else None


def read_mislabelled(text: str) -> str:
    """A text of UCS-2 as if its octets were ASCII; empty if they can't be."""
    octets = text.encode("utf-16-be", "replace")
    return octets.decode("ascii") if octets.isascii() else ""
