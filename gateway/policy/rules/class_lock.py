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
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final, NamedTuple

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse, Review
from gateway.policy.lexicon import Finder, Lexicon, compile_lexicons
from gateway.policy.links import find_links, narrow_text
from gateway.policy.normal import fold
from gateway.policy.subject import Subject

CODE: Final = "advertising"
STRONG: Final = "strong"
WEAK: Final = "weak"
SCORED: Final = (STRONG, WEAK)
"""The classes of words that a lexicon of this rule has."""
THRESHOLD: Final = 3
LOCKED: Final = (Category.TRANSACTIONAL, Category.OTP, Category.EMERGENCY)
"""What is no marketing."""


class _Sign(NamedTuple):
    """Something that a text may have.

    Args:
        chars: without any of these, or their wide forms, the pattern finds nothing,
        words: or without any of these in the folded text; so it need not be tried.
    """

    name: str
    points: int
    chars: re.Pattern[str]
    words: tuple[str, ...]
    pattern: re.Pattern[str]


_SIGNS: Final = (
    _Sign(
        "a discount",
        2,
        re.compile("[折满滿减減降省%％﹪]"),
        (),
        re.compile(
            r"(?:[0-9](?:\.[0-9])?|[一二三四五六七八九])\s?折"
            r"|[满滿]\s?[0-9]+\s?元?[,，]?\s?(?:立?[减減]|返|送|[赠贈])"
            r"|(?:立[减減]|直降|立省|最高[减減省])\s?[¥$]?\s?[0-9]"
            r"|[0-9]{1,2}\s?%\s?(?:off|rabatt|discount|de descuento|de réduction)|(?:save|up to)\s?[0-9]{1,2}\s?%"
        ),
    ),
    _Sign(
        "a line to opt out",
        2,
        re.compile("[回拒]"),
        ("stop", "unsubscribe", "toopt"),
        re.compile(
            r"(?:回[复覆復]?|拒收请?回?复?)\s?[\"“”']?(?:td|t|r|n|qx|0000)[\"“”']?(?:退订|退訂|拒收|取消)?(?![a-z0-9])"
            r"|(?:reply|text|send)\s+[\"“”']?stop\b|to (?:unsubscribe|opt[ -]out)"
        ),
    ),
    _Sign(
        "a price",
        1,
        re.compile("[¥$€£元块￥＄￡﹩]"),
        ("rmb", "cny", "usd", "eur", "gbp"),
        re.compile(
            r"[¥$€£]\s?[0-9]|[0-9]\s?(?:元|块钱|[¥€£])"
            r"|\b(?:rmb|cny|usd|eur|gbp)\s?[0-9]|[0-9]\s?(?:rmb|cny|usd|eur|gbp)\b"
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
        for kind, (each, most) in _MOST.items() if words else ():
            if n := sum(one == kind for one, _ in words):
                yield f"{kind} words", min(n * each, most)
        folded, narrow = fold(text), ""
        has_folded = folded.__contains__
        for sign in _SIGNS:
            if not sign.chars.search(text) and not any(map(has_folded, sign.words)):
                continue
            narrow = narrow or narrow_text(text).lower()
            if sign.pattern.search(narrow):
                yield sign.name, sign.points
        if ("." in text or "．" in text) and find_links(text):
            yield "a link", 1
