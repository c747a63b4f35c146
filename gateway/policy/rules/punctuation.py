"""Punctuation: signs that shout, such as ！！！ and $$$, which carriers take for spam. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from gateway.model.message import Category
from gateway.policy.chain import Action
from gateway.policy.decision import ALLOW, Decision, Refuse, Review, Warn
from gateway.policy.subject import Subject

CODE: Final = "exaggerated_punctuation"
_SIGNS: Final = "!?！？﹗﹖❗❕❓❔‼⁉$＄﹩¥￥€£★☆✨🔥❤♥"
"""Not those that stand in rows for good reasons: asterisks hide digits, dots and dashes leave something out."""
_AS: Final[Mapping[Action, type[Refuse | Review | Warn]]] = {
    Action.WARN: Warn,
    Action.REVIEW: Review,
    Action.REFUSE: Refuse,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Punctuation:
    """See the module.

    Args:
        action: what becomes of a text that shouts.
        most: signs that may stand in a row, with or without white space between.
        category: of the messages that are looked at; empty for all.
    """

    name: ClassVar[str] = "punctuation"
    fixed: ClassVar[bool] = False

    action: Action
    most: int
    category: frozenset[Category] = frozenset()

    def concerns(self, category: Category) -> bool:
        """Those of the setting."""
        return not self.category or category in self.category

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        if subject.text is None or not _has_row(subject.text, self.most + 1):
            return ALLOW
        return _AS[self.action](
            CODE, f"The text has more than {self.most} exclamation or money signs in a row."
        )


_ROW: Final = re.compile(rf"[{_SIGNS}](?:[\s\ufe0f\u200b-\u200d\u2060]*[{_SIGNS}])+")
_SIGN: Final = re.compile(f"[{_SIGNS}]")


def _has_row(text: str, n_signs: int) -> bool:
    return any(len(_SIGN.findall(row[0])) >= n_signs for row in _ROW.finditer(text))
