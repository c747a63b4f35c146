"""Opt-out line: texts of marketing say at their end how to get no more of them, once. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Rewrite
from gateway.policy.links import fold_text
from gateway.policy.subject import Subject


class Script(StrEnum):
    """What most letters of a text are written in."""

    HAN = "han"
    KANA = "kana"
    HANGUL = "hangul"
    LATIN = "latin"
    CYRILLIC = "cyrillic"
    GREEK = "greek"
    ARABIC = "arabic"
    HEBREW = "hebrew"
    DEVANAGARI = "devanagari"
    THAI = "thai"


class OptOutLine(NamedTuple):
    """How to opt out, in the words of one brand and script.

    Args:
        text: with whatever is to stand between it and the text before it, such as ``，回T退订``.
        brand: in whose name the messages go; empty for every brand.
        script: of the texts that it is for; None for all.
        accepted: other wordings; a text that has one of them needs no other.
    """

    text: str
    brand: str = ""
    script: Script | None = None
    accepted: tuple[str, ...] = ()


_SCRIPTS: Final = {
    Script.LATIN: "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
    Script.GREEK: "\u0370-\u03ff",
    Script.CYRILLIC: "\u0400-\u052f",
    Script.HEBREW: "\u0590-\u05ff",
    Script.ARABIC: "\u0600-\u077f",
    Script.DEVANAGARI: "\u0900-\u097f",
    Script.THAI: "\u0e00-\u0e7f",
    Script.KANA: "\u3040-\u30ff",
    Script.HAN: "\u3400-\u9fff\U00020000-\U000323af",
    Script.HANGUL: "\uac00-\ud7a3",
}
_LETTERS: Final = re.compile("|".join(f"(?P<{script}>[{chars}]+)" for script, chars in _SCRIPTS.items()))
_HAN: Final = re.compile(f"[{_SCRIPTS[Script.HAN]}]+")
_KANA: Final = re.compile(f"[{_SCRIPTS[Script.KANA]}]")
_FOR_HAN: Final = 5
"""A Chinese letter is a word, as these many others are."""
_MOST_LOOKED_AT: Final = 2_000
_PLAIN: Final = re.compile("[!-~]+")
_USUAL: Final = re.compile(
    "(?:回复?|回覆|发送?|输入)(?:td|t|r|n|q|qx|0000|0)?(?:即可)?(?:退订|退訂|拒收|取消)"
    "|(?:退订|退訂|拒收|取消订阅)请?(?:直接)?(?:回复?|回覆|发送?)(?:td|t|r|n|q|qx|0000|0|退订|拒收)"
    "|(?:reply|text|txt|send)(?:with)?(?:stop|unsubscribe|end|quit)"
    "|(?:stop|unsubscribe|end|quit)(?:to(?:[0-9]{3,6})?)?(?:to)?(?:optout|unsubscribe|stop|end|quit|cancel)"
    "|optout:?(?:reply|text|txt|send)"
)
"""Wordings that people know; of texts without anything between their letters."""
_MAY_BE_USUAL: Final = re.compile("退|拒|取|stop|unsub|opt|end|quit")
_BETWEEN: Final = re.compile(r"[\W_]+")
_GOES_ON: Final = re.compile(r"[A-Za-z0-9/_=&?#%+~-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOutLineAtEnd:
    """Adds the line to texts that say nothing of opting out.

    Args:
        lines: the first that fits a message's brand and script is added.
    """

    lines: tuple[OptOutLine, ...]
    name: ClassVar[str] = "opt_out_line"
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Marketing alone."""
        return category is Category.MARKETING

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        text = subject.text
        if not text:
            return ALLOW
        line = _choose(self.lines, subject.brand, text)
        if line is None or has_way_out(text, (line.text, *line.accepted)):
            return ALLOW
        return Rewrite(
            add_line(text, line.text), "opt_out_line_added", "The way to opt out was added at the end."
        )


def find_script(text: str) -> Script | None:
    """The script of most letters of a text; of Japanese kana, however few. None where there are no letters."""
    text = text[:_MOST_LOOKED_AT]
    n_han = len(text) - len(_HAN.sub("", text))
    if _FOR_HAN * n_han >= len(text) > 0 and not _KANA.search(text):
        return Script.HAN
    return _count_scripts(text)


def _count_scripts(text: str) -> Script | None:
    counts: dict[str, int] = {}
    for run in _LETTERS.finditer(_PLAIN.sub(_without_links, text)):
        script = run.lastgroup or ""
        counts[script] = counts.get(script, 0) + run.end() - run.start()
    if Script.KANA in counts:
        return Script.KANA
    if _FOR_HAN * counts.get(Script.HAN, 0) >= sum(counts.values()) > 0:
        return Script.HAN
    return Script(max(counts, key=lambda script: counts[script])) if counts else None


def _without_links(run: re.Match[str]) -> str:
    return "" if any(sign in run[0] for sign in "./@") else run[0]


def has_way_out(text: str, wordings: Sequence[str] = ()) -> bool:
    """Whether a text says how to opt out: in one of these wordings, or in one that people know.

    >>> has_way_out("新品上市 拒收请回复R"), has_way_out("Sale! Reply STOP to opt out"), has_way_out("订单已退订")
    (True, True, False)
    """
    folded = fold_text(text)
    own = [_fold(one) for one in wordings]
    begun = [one for one in own if one and one[0] in folded]
    may_be_usual = _MAY_BE_USUAL.search(folded) is not None
    if not may_be_usual and not begun:
        return False
    squeezed = _BETWEEN.sub("", folded)
    if may_be_usual and _USUAL.search(squeezed):
        return True
    return any(one in squeezed for one in begun)


def add_line(text: str, line: str) -> str:
    """A text with the line behind it; a link at its end does not grow into the line."""
    text = text.rstrip()
    return f"{text} {line}" if _GOES_ON.fullmatch(text[-1:]) and line[:1].isalnum() else text + line


def _choose(lines: Sequence[OptOutLine], brand: str, text: str) -> OptOutLine | None:
    """The first that fits; the letters of a text are looked at where that depends on them alone."""
    script: Script | None = None
    is_read = False
    for line in lines:
        if line.brand and line.brand != brand:
            continue
        if line.script is None:
            return line
        if not is_read:
            script, is_read = find_script(text), True
        if line.script is script:
            return line
    return None


@lru_cache(maxsize=1_000)
def _fold(wording: str) -> str:
    return _BETWEEN.sub("", fold_text(wording))
