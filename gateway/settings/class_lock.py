"""``[class_lock]`` and ``[punctuation]``: rules for what texts look like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec

from gateway.model.message import Category
from gateway.policy.chain import Action
from gateway.policy.lexicon import Lexicon, compile_lexicons
from gateway.policy.rules.class_lock import LOCKED, SCORED, THRESHOLD, ClassLock
from gateway.policy.rules.punctuation import Punctuation
from gateway.settings.forms import BadValue, Form, list_of, one_of, show, whole_number
from gateway.settings.policy import Categories
from gateway.settings.words import WordFile, find_word_file, read_word_file

SHIPPED = "promotion"
"""The lexicon that comes with the gateway."""
_MOST_FILES = 20
_ACTIONS = ("off", "review", "refuse")
_LOCKED = tuple(category.value for category in LOCKED)


def _parse_lexicons(value: object) -> tuple[WordFile, ...]:
    if not isinstance(value, list):
        raise BadValue(f"{show(value)} is not a list; write it in brackets: [{show(value)}]")
    if len(value) > _MOST_FILES:
        raise BadValue(f"names {len(value)} files; write at most {_MOST_FILES}")
    files = tuple(read_word_file(find_word_file(element), SCORED) for element in value)
    for file in files:
        if homeless := next((word for word, section in file.words if not section), None):
            raise BadValue(
                f"{file.name}: {show(homeless)} is in no section; write [strong] or [weak] above it"
            )
    return files


class ClassLockSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[class_lock]``: advertising in messages that are no marketing.

    Args:
        action: off, or what becomes of such a message: review or refuse.
        threshold: points from which a text is advertising; `gateway.policy.rules.class_lock` says what has how many.
        category: of the messages that are looked at.
        lexicons: files of words, or names of shipped ones.
    """

    action: Annotated[Literal["off", "review", "refuse"], Form(one_of(*_ACTIONS))] = "off"
    threshold: Annotated[int, Form(whole_number(1, 20))] = THRESHOLD
    category: Annotated[tuple[str, ...], Form(list_of(one_of(*_LOCKED)))] = _LOCKED
    lexicons: Annotated[tuple[WordFile, ...], Form(_parse_lexicons)] | None = None

    def faults(self) -> Iterator[tuple[str, str]]:
        """It looks at something."""
        if not self.category:
            yield "category", 'is empty; write one at least, or action = "off"'
        elif self.action != "off":
            # Compiled here, beside the event loop, and remembered: the chain then gets it for nothing.
            compile_lexicons(self._lexicons())

    def _lexicons(self) -> tuple[Lexicon, ...]:
        files = _parse_lexicons([SHIPPED]) if self.lexicons is None else self.lexicons
        return tuple(Lexicon(file.name, file.words) for file in files)

    def rule(self) -> ClassLock | None:
        """The rule; None when it is off."""
        if self.action == "off":
            return None
        return ClassLock.of(
            self._lexicons(),
            refuses=self.action == "refuse",
            threshold=self.threshold,
            category=frozenset(map(Category, self.category)),
        )


_SHOUTING = tuple(action.value for action in Action)


class PunctuationSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[punctuation]``: exclamation and money signs in rows.

    Args:
        action: off, or what becomes of such a message: warn, review or refuse.
        most: signs that may stand in a row.
        category: of the messages that are looked at; empty for all.
    """

    action: Annotated[Literal["off", "warn", "review", "refuse"], Form(one_of(*_SHOUTING))] = "off"
    most: Annotated[int, Form(whole_number(1, 100))] = 2
    category: Categories = ("marketing",)

    def rule(self) -> Punctuation | None:
        """The rule; None when it is off."""
        action = Action(self.action)
        if action is Action.OFF:
            return None
        return Punctuation(action=action, most=self.most, category=frozenset(map(Category, self.category)))
