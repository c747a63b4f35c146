"""Words: texts with words of the installation's lists go with a warning, wait for a person, or do not go. Pure.

It checks and stops. No text is changed to get past anybody's filter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse, Review, Warn
from gateway.policy.lexicon import Finder, Lexicon, compile_lexicons
from gateway.policy.subject import Subject

LISTED: Final = "listed_word"


class Level(StrEnum):
    """What becomes of a text that has a word; the gravest first."""

    REFUSE = "refuse"
    REVIEW = "review"
    WARN = "warn"


_GRAVITY: Final = tuple(Level)
_AS: Final[dict[Level, type[Refuse | Review | Warn]]] = {
    Level.REFUSE: Refuse,
    Level.REVIEW: Review,
    Level.WARN: Warn,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WordList:
    """One list, and whose texts are compared with it. Empty conditions are met by all.

    Args:
        lexicon: its words, each with the `Level` as its class.
    """

    lexicon: Lexicon
    category: frozenset[Category] = frozenset()
    brand: frozenset[str] = frozenset()

    def meets(self, subject: Subject) -> bool:
        """Whether a message is compared with it."""
        return (not self.category or subject.category in self.category) and (
            not self.brand or subject.brand in self.brand
        )


@dataclass(frozen=True, slots=True)
class Words:
    """See the module; made by `of`."""

    name: ClassVar[str] = "words"
    fixed: ClassVar[bool] = False

    lists: tuple[WordList, ...]
    finder: Finder = field(repr=False, compare=False)

    @classmethod
    def of(cls, lists: Sequence[WordList]) -> Words:
        """With what finds the words of these lists."""
        return cls(tuple(lists), compile_lexicons(tuple(one.lexicon for one in lists)))

    def concerns(self, category: Category) -> bool:
        """Those that a list is for."""
        return any(not one.category or category in one.category for one in self.lists)

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        if subject.text is None or not (hits := self.finder.find(subject.text)):
            return ALLOW
        gravest: dict[str, Level] = {}
        for hit in hits:
            one = self.lists[hit.number]
            if one.meets(subject):
                name, level = one.lexicon.name, Level(hit.kind)
                gravest[name] = min(gravest.get(name, level), level, key=_GRAVITY.index)
        if not gravest:
            return ALLOW
        level = min(gravest.values(), key=_GRAVITY.index)
        named = ", ".join(f'"{name}" ({said})' for name, said in sorted(gravest.items()))
        return _AS[level](LISTED, f"The text has a word of the list {named}.")
