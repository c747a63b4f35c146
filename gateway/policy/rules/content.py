"""Content: what texts may have in them: links, contact details, dates, how many segments, a template. Pure.

Each is a rule of its own, so that ``[[policy]]`` switches them one by one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from drivers.base import Encoding
from drivers.codec.segment import NOTHING, measure_room
from drivers.errors import EncodeError
from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse, Warn
from gateway.policy.links import count_contacts, find_links, is_listed
from gateway.policy.subject import Subject
from gateway.policy.text import TextRules, plan_text

_MARKETING: Final = frozenset({Category.MARKETING})
_HAS_LINK: Final = re.compile("[.\u3002\uff0e\uff61\u2024]|://|：／／")
_CONTACT: Final = re.compile(
    "[0-9@]|微信|薇信|威信|企鹅|扣扣|wechat|weixin|whatsapp|telegram|skype", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Links lead to listed hosts alone, and marketing has few of them.

    Args:
        hosts: as `gateway.policy.links.read_host` leaves them; ``*.`` in front stands for all under a host. None where
            links may lead anywhere.
        most: in a text of marketing; None for any number.
    """

    hosts: frozenset[str] | None = None
    most: int | None = None
    name: ClassVar[str] = "links"
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """All, where hosts are listed."""
        return self.hosts is not None or category is Category.MARKETING

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        text = subject.text
        if not text or not _HAS_LINK.search(text):
            return ALLOW
        links = find_links(text)
        hosts = self.hosts
        if hosts is not None and (n := sum(not is_listed(link.host, hosts) for link in links)):
            detail = f"{n} of its links lead to hosts that [content] hosts does not list."
            return Refuse("link_not_allowed", detail)
        if self.most is not None and subject.category in _MARKETING and len(links) > self.most:
            return Refuse("too_many_links", f"It has {len(links)} links; {self.most} may be in it.")
        return ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactDetails:
    """Marketing names few telephone numbers, mail addresses and accounts.

    Args:
        most: that a text may name.
    """

    most: int
    name: ClassVar[str] = "contact_details"
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Marketing alone."""
        return category in _MARKETING

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        if not subject.text or not _CONTACT.search(unicodedata.normalize("NFKC", subject.text)):
            return ALLOW
        n = count_contacts(subject.text)
        if n <= self.most:
            return ALLOW
        return Refuse("too_many_contacts", f"It names {n} contact details; {self.most} may be in it.")


_OFFER: Final = re.compile(
    "优惠|折扣|[0-9.]折|满[0-9]{1,6}减|立减|特价|秒杀|红包|代金券|抵扣|促销|限时|买[一1]送|免费领|大促|清仓|低至"
    r"|[0-9]{1,3} ?% ?off|\bsale\b|\bdiscount|\bcoupon|\bvoucher|\bpromo"
)
_MONTH: Final = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_WHEN: Final = re.compile(
    "[0-9]{1,2}月[0-9]{1,2}|[0-9]{1,2}日|[0-9]{1,2}[./-][0-9]{1,2}(?![0-9.])|截止|截至|有效期|到期|今日|今天|今晚|明天"
    "|本周|周[一二三四五六日末]|月底|当天|当日|[0-9]{1,3} ?(?:天|小时)内"
    r"|\b(?:until|till|expires?|ends?|valid|today|tonight|tomorrow|by [0-9])\b"
    rf"|\b{_MONTH}[a-z]{{0,6}} ?[0-9]|[0-9] ?{_MONTH}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryDate:
    """An offer says until when it holds."""

    name: ClassVar[str] = "expiry_date"
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Marketing alone."""
        return category in _MARKETING

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        if not subject.text:
            return ALLOW
        text = unicodedata.normalize("NFKC", subject.text).casefold()
        if not _OFFER.search(text) or _WHEN.search(text):
            return ALLOW
        return Warn("no_expiry_date", "It has an offer and does not say until when that holds.")


_UNITS_OF_ONE: Final = measure_room(Encoding.UCS2).single
_UNITS_OF_PART: Final = 48
"""Of the 67 in a part: what is never cut in two may leave the end of one empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentLimit:
    """Texts of a category have a few segments at most, with what the gateway adds.

    Args:
        most: by category; others have no limit here.
        text: how texts are encoded and cut.
    """

    most: Mapping[Category, int] = field(hash=False)
    text: TextRules
    name: ClassVar[str] = "segment_limit"
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """Those with a limit."""
        return category in self.most

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        text, most = subject.text, self.most[subject.category]
        if not text or (self.text.reserve == NOTHING and 2 * len(text) <= _room(most)):
            return ALLOW  # so short that it fits in any encoding
        try:
            n = len(plan_text(text, "auto", self.text).segments)
        except EncodeError:
            return ALLOW  # planning says what is wrong
        if n <= most:
            return ALLOW
        return Refuse(
            "too_many_segments", f"It has {n} segments; {most} may be in a message of its category."
        )


def _room(n_segments: int) -> int:
    return _UNITS_OF_ONE if n_segments == 1 else _UNITS_OF_PART * n_segments


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRequired:
    """Some senders send texts of templates alone.

    Args:
        keys: of them.
    """

    keys: frozenset[str]
    name: ClassVar[str] = "template"
    fixed: ClassVar[bool] = False

    def concerns(self, category: Category) -> bool:
        """All."""
        return True

    def decide(self, subject: Subject) -> Decision:
        """See `gateway.policy.chain.TextRule`."""
        if subject.template is not None or self.keys.isdisjoint(subject.key):
            return ALLOW
        return Refuse("template_required", "Its sender sends texts of templates alone, and it names none.")
