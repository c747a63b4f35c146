"""Signatures: who speaks, in 【】 at the very front of a text, and what the carriers know of it. Pure."""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from gateway.model.message import Category
from gateway.policy.subject import Subject

FEWEST_CHARS, MOST_CHARS = 2, 18
ALL_CARRIERS: Final = "*"
_BLANK: Final = (
    " \t\n\v\f\r\x85\xa0\u00ad\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
"""What nobody sees at either end of a text; a carrier does."""
_BRACKETED: Final = re.compile(r"【([^【】\r\n]{0,64})】")
_LONGEST: Final = 66
_NEUTRAL_WORDS: Final = (
    "温馨提示 友情提示 系统提示 重要提示 提示 提醒 温馨提醒 通知 重要通知 系统通知 公告 消息 信息 短信 验证码"
    " 客服 客服中心 在线客服 活动 促销 优惠 测试 系统 平台 公司 商城 官网 官方 官方网站 会员 会员中心 快递 物流"
    " 中国"
)
_NEUTRAL: Final = frozenset(_NEUTRAL_WORDS.split())
"""They name nobody. Carriers file none of them."""


class FilingState(StrEnum):
    """How far the filing of a signature with one carrier is."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    FILED = "filed"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Filing(NamedTuple):
    """What one carrier knows of a signature.

    Args:
        carrier: as the carrier files name it; `ALL_CARRIERS` for all that have no filing of their own.
        since: the first day on which it holds.
        until: the last.
    """

    carrier: str
    state: FilingState
    since: date | None = None
    until: date | None = None

    def on(self, day: date) -> FilingState:
        """The state on a day."""
        if self.state is not FilingState.FILED:
            return self.state
        if self.until is not None and day > self.until:
            return FilingState.EXPIRED
        return FilingState.SUBMITTED if self.since is not None and day < self.since else self.state


class Signature(NamedTuple):
    """One signature, and whose it is.

    Args:
        text: without the brackets.
        brand: in whose name the messages go; empty for every brand.
        key: who sends them; empty for all.
        category: of the messages; empty for all.
        keeps_others: a text that comes with another signature keeps it; else it is refused.
        refuses_unfiled: a message to a carrier that has not filed it is refused; else it gets a warning.
        filings: none where nobody watches over them.
    """

    text: str
    brand: str = ""
    key: str = ""
    category: frozenset[Category] = frozenset()
    keeps_others: bool = False
    refuses_unfiled: bool = False
    filings: tuple[Filing, ...] = ()

    def meets(self, subject: Subject) -> bool:
        """Whether it is one for this message."""
        return (
            (not self.brand or self.brand == subject.brand)
            and (not self.key or self.key in subject.key)
            and (not self.category or subject.category in self.category)
        )

    def state_with(self, carrier: str, day: date) -> FilingState | None:
        """How far its filing is; None where nobody watches over that."""
        named = [one for one in self.filings if one.carrier in {carrier, ALL_CARRIERS}]
        if not self.filings:
            return None
        best = next((one for one in named if one.carrier == carrier), next(iter(named), None))
        return FilingState.DRAFT if best is None else best.on(day)


class Opening(NamedTuple):
    """How a text begins.

    Args:
        signature: what stands in the first brackets; None where none stand in front.
        rest: the text behind them.
    """

    signature: str | None
    rest: str


def read_opening(text: str) -> Opening:
    """The signature in front of a text, and the text without it.

    >>> read_opening(" 【好店】您好")
    Opening(signature='好店', rest='您好')
    """
    bare = text.lstrip(_BLANK)
    found = _BRACKETED.match(bare)
    return Opening(None, text) if found is None else Opening(found[1], bare[found.end() :])


def same_signature(one: str, other: str) -> bool:
    """Whether two are the same but for width, case and spaces."""
    return one == other or _fold(one) == _fold(other)


def sign_text(text: str, signature: str) -> str:
    """A text with its signature in front, once, wherever and however often it stands at either end already.

    >>> sign_text("【好店】【好店】您好【好店】", "好店")
    '【好店】您好'
    """
    if "【" not in text:
        return f"【{signature}】{text.lstrip(_BLANK)}"
    opening = read_opening(text)
    while opening.signature is not None and same_signature(opening.signature, signature):
        text = opening.rest
        opening = read_opening(text)
    while (start := _find_closing(text, signature)) is not None:
        text = text[:start].rstrip(_BLANK)
    return f"【{signature}】{text.lstrip(_BLANK)}"


def find_signature_fault(text: str) -> str | None:
    """Why carriers would not file it; None where nothing is known against it.

    >>> find_signature_fault("温馨提示")
    'names nobody; write the name of the company, trademark or application'
    """
    if text != text.strip("【】"):
        return "has brackets of its own; write the name alone"
    if not FEWEST_CHARS <= len(text) <= MOST_CHARS:
        return f"has {len(text)} characters; carriers take {FEWEST_CHARS} to {MOST_CHARS}"
    if any(unicodedata.category(char)[0] not in {"L", "M", "N"} for char in text):
        return "has a space or a sign; write letters and digits alone"
    if text.isdecimal():
        return "is a number; write the name of the company, trademark or application"
    if _fold(text) in _NEUTRAL:
        return "names nobody; write the name of the company, trademark or application"
    return None


def _find_closing(text: str, signature: str) -> int | None:
    """Where a signature begins with which a text ends."""
    bare = text.rstrip(_BLANK)
    start = bare.rfind("【", max(0, len(bare) - _LONGEST))
    found = _BRACKETED.fullmatch(bare, start) if start >= 0 else None
    return start if found is not None and same_signature(found[1], signature) else None


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
