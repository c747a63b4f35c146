"""Opt-out line: texts of marketing say at their end how to get no more of them, once. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final, NamedTuple

from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Rewrite
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


_RANGES: Final = (
    (0x41, 0x24F, Script.LATIN),
    (0x370, 0x3FF, Script.GREEK),
    (0x400, 0x52F, Script.CYRILLIC),
    (0x590, 0x5FF, Script.HEBREW),
    (0x600, 0x77F, Script.ARABIC),
    (0x900, 0x97F, Script.DEVANAGARI),
    (0xE00, 0xE7F, Script.THAI),
    (0x1E00, 0x1EFF, Script.LATIN),
    (0x3040, 0x30FF, Script.KANA),
    (0x3400, 0x9FFF, Script.HAN),
    (0xAC00, 0xD7A3, Script.HANGUL),
    (0x20000, 0x323AF, Script.HAN),
)
_MOST_LOOKED_AT: Final = 2_000
_PLAIN: Final = re.compile("[!-~]+")
_USUAL: Final = re.compile(
    "(?:回复?|回覆|发送?|输入)(?:td|t|r|n|q|qx|0000|0)?(?:即可)?(?:退订|退訂|拒收|取消)"
    "|(?:退订|退訂|拒收|取消订阅)请?(?:直接)?(?:回复?|回覆|发送?)(?:td|t|r|n|q|qx|0000|0|退订|拒收)"
    "|(?:reply|text|txt|send)(?:with)?(?:stop|unsubscribe|end|quit)"
    "|(?:stop|unsubscribe|end|quit)(?:to(?:[0-9]{3,6})?)?(?:to)?(?:optout|unsubscribe|stop|end|quit|cancel)"
    "|optout:?(?:reply|text|txt|send)"
)
"""Wordings that people know; of texts as `_fold` leaves them."""
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
        script = find_script(text)
        line = next((one for one in self.lines if _fits(one, subject.brand, script)), None)
        if line is None or has_way_out(text, (line.text, *line.accepted)):
            return ALLOW
        return Rewrite(
            add_line(text, line.text), "opt_out_line_added", "The way to opt out was added at the end."
        )


def find_script(text: str) -> Script | None:
    """The script of most letters of a text; of Japanese kana, however few. None where there are no letters."""
    counts: dict[Script, int] = {}
    for char in _PLAIN.sub(_without_links, text[:_MOST_LOOKED_AT]):
        if char.isalpha():
            code = ord(char)
            for low, high, script in _RANGES:
                if low <= code <= high:
                    counts[script] = counts.get(script, 0) + 1
                    break
    if Script.KANA in counts:
        return Script.KANA
    if 5 * counts.get(Script.HAN, 0) >= sum(counts.values()) > 0:
        return Script.HAN  # a letter of it is as much as four or five others
    return max(counts, key=lambda script: counts[script], default=None)


def _without_links(run: re.Match[str]) -> str:
    return "" if any(sign in run[0] for sign in "./@") else run[0]


def has_way_out(text: str, wordings: Sequence[str] = ()) -> bool:
    """Whether a text says how to opt out: in one of these wordings, or in one that people know.

    >>> has_way_out("新品上市 拒收请回复R"), has_way_out("Sale! Reply STOP to opt out"), has_way_out("订单已退订")
    (True, True, False)
    """
    folded = _fold(text)
    return _USUAL.search(folded) is not None or any(_fold(one) in folded for one in wordings if _fold(one))


def add_line(text: str, line: str) -> str:
    """A text with the line behind it; a link at its end does not grow into the line."""
    text = text.rstrip()
    return f"{text} {line}" if _GOES_ON.fullmatch(text[-1:]) and line[:1].isalnum() else text + line


def _fits(line: OptOutLine, brand: str, script: Script | None) -> bool:
    return (not line.brand or line.brand == brand) and line.script in {None, script}


def _fold(text: str) -> str:
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text).casefold())
