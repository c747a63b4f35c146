"""The console's words: written in English where they are used, and said in the visitor's language.

``words/LANGUAGE/*.toml`` have what each English text is in another language. A text that none of them has is said in
English; a test finds those.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

LANGUAGES: Final[Mapping[str, str]] = {"en": "English", "zh": "中文"}
"""Code -> what speakers call it."""


class Translator:
    """Says words in one language.

    >>> Translator("en")("{n} messages", n=3)
    '3 messages'
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._words = load_words(language)

    def __call__(self, text: str, **values: object) -> str:
        """A text in this language, with values in the places that it names."""
        said = self._words.get(text, text)
        return said.format_map(values) if values else said


def mark(text: str) -> str:
    """Mark a text that is said elsewhere, so that the test of translations finds it."""
    return text


@cache
def load_words(language: str) -> Mapping[str, str]:
    """English -> this language, of all files; empty for English."""
    words: dict[str, str] = {}
    if language != "en":
        folder = files("gateway.console") / "words" / language
        for file in sorted(folder.iterdir(), key=lambda one: one.name):
            if file.name.endswith(".toml"):
                words |= tomllib.loads(file.read_text("utf-8"))
    return words


def choose_language(wanted: str, accepted: str) -> str:
    """The language of a visit.

    Args:
        wanted: what the person chose; empty for nothing.
        accepted: the header Accept-Language.

    >>> choose_language("", "zh-CN,zh;q=0.9,en;q=0.8"), choose_language("", "fr,de;q=0.5"), choose_language("zh", "")
    ('zh', 'en', 'zh')
    """
    if wanted in LANGUAGES:
        return wanted
    for part in accepted[:200].split(","):
        if (code := part.partition(";")[0].strip()[:2].lower()) in LANGUAGES:
            return code
    return "en"
