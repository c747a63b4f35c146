"""Class lock: advertising has no place in messages that are no marketing; they go out whoever opted out. Pure.

Signs of advertising have points, and a text with so many is held for a person or refused:

| sign | points |
| --- | --- |
| words that only advertising has (``[strong]`` of a lexicon), each | 2, at most 4 |
| words that advertising is fond of (``[weak]``), each | 1, at most 2 |
| a discount: 5折, 满300减50, 立减30, 30% off | 2 |
| a line that says how to opt out: 回T退订 | 2 |
| a price | 1 |
| a link | 1 |

A receipt with an amount and a link (2) passes, one that also names a coupon (4) does not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse, Review
from gateway.policy.lexicon import Finder, Lexicon, compile_lexicons
from gateway.policy.subject import Subject

CODE: Final = "advertising"
STRONG: Final = "strong"
WEAK: Final = "weak"
SCORED: Final = (STRONG, WEAK)
"""The classes of words that a lexicon of this rule has."""
THRESHOLD: Final = 3
LOCKED: Final = (Category.TRANSACTIONAL, Category.OTP, Category.EMERGENCY)
"""What is no marketing."""

_SIGNS: Final = (
    (
        "a discount",
        2,
        re.compile(
            r"(?:\d(?:\.\d)?|[一二三四五六七八九])\s?折"
            r"|满\s?\d+\s?元?[,，]?\s?(?:立?减|返|送|赠)\s?\d*"
            r"|(?:立减|直降|立省|最高减|省)\s?[¥$]?\s?\d+"
            r"|\d{1,2}\s?%\s?(?:off|rabatt|discount|de descuento|de réduction)|(?:save|up to)\s?\d{1,2}\s?%"
        ),
    ),
    (
        "a line to opt out",
        2,
        re.compile(
            r"(?:回复?|拒收请?回?复?)\s?[\"“”'']?(?:td|t|r|n|qx|0000)[\"“”'']?(?:退订|退訂|拒收|取消)?(?![a-z0-9])"
            r"|(?:reply|text|send)\s+[\"“”'']?stop\b|to (?:unsubscribe|opt[ -]out)"
        ),
    ),
    (
        "a price",
        1,
        re.compile(
            r"[¥$€£]\s?\d|\d\s?(?:元|块钱|[¥€£])|\b(?:rmb|cny|usd|eur|gbp)\s?\d|\d\s?(?:rmb|cny|usd|eur|gbp)\b"
        ),
    ),
    (
        "a link",
        1,
        re.compile(
            r"https?:/|\bwww\.|[a-z0-9]\.(?:com|cn|net|org|top|xyz|shop|vip|cc|io|co|me|ly|app|link)(?![a-z0-9-])"
        ),
    ),
)
_MOST: Final = {STRONG: (2, 4), WEAK: (1, 2)}
"""Points of a word, and of all words of its class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassLock:
    """See the module; made by `of`.

    Args:
        refuses: whether a text is refused; it is held for a person otherwise.
        threshold: points from which a text is advertising.
        category: of the messages that are looked at.
        lexicons: their words have the classes `SCORED`.
    """

    name: ClassVar[str] = "class_lock"
    fixed: ClassVar[bool] = False

    refuses: bool
    threshold: int
    category: frozenset[Category]
    lexicons: tuple[Lexicon, ...]
    finder: Finder = field(repr=False, compare=False)

    @classmethod
    def of(
        cls,
        lexicons: tuple[Lexicon, ...],
        *,
        refuses: bool = False,
        threshold: int = THRESHOLD,
        category: frozenset[Category] = frozenset(LOCKED),
    ) -> ClassLock:
        """With what finds the words of the lexicons."""
        return cls(
            refuses=refuses,
            threshold=threshold,
            category=category,
            lexicons=lexicons,
            finder=compile_lexicons(lexicons),
        )

    def concerns(self, category: Category) -> bool:
        """Those of the setting; marketing never."""
        return category in self.category and category is not Category.MARKETING

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        if subject.text is None:
            return ALLOW
        signs = list(self._signs(subject.text))
        points = sum(n for _, n in signs)
        if points < self.threshold:
            return ALLOW
        seen = ", ".join(f"{sign} ({n})" for sign, n in signs)
        what = f"It is {subject.category.value} and looks like advertising"
        detail = f"{what}, {points} points of {self.threshold}: {seen}."
        return Refuse(CODE, detail) if self.refuses else Review(CODE, detail)

    def _signs(self, text: str) -> Iterator[tuple[str, int]]:
        words = {(hit.kind, hit.word) for hit in self.finder.find(text)}
        for kind, (each, most) in _MOST.items():
            if n := sum(one == kind for one, _ in words):
                yield f"{kind} words", min(n * each, most)
        narrow = unicodedata.normalize("NFKC", text).casefold()
        for sign, points, pattern in _SIGNS:
            if pattern.search(narrow):
                yield sign, points
