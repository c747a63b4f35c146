"""Content: what texts may have in them: links, contact details, dates, how many segments, a template. Pure.

Each is a rule of its own, so that ``[[policy]]`` switches them one by one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from drivers.base import Encoding
from drivers.codec.segment import NOTHING, measure_room
from drivers.errors import EncodeError
from gateway.model.message import Category
from gateway.policy.decision import ALLOW, Decision, Refuse, Warn
from gateway.policy.links import count_contacts, find_links, fold_text, is_listed
from gateway.policy.subject import Subject
from gateway.policy.text import TextRules, plan_text

_MARKETING: Final = frozenset({Category.MARKETING})
_HAS_LINK: Final = re.compile("[.\u3002\uff0e\uff61\u2024]|://|：／／")


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
        if not subject.text:
            return ALLOW
        text = fold_text(subject.text)
        if not (_CONTACT_FIGURES.search(text) or _CONTACT_WORDS.search(text)):
            return ALLOW
        n = count_contacts(subject.text)
        if n <= self.most:
            return ALLOW
        return Refuse("too_many_contacts", f"It names {n} contact details; {self.most} may be in it.")


_CONTACT_FIGURES: Final = re.compile("[0-9](?:[0-9]{2}|[ ()-])")
_CONTACT_WORDS: Final = re.compile(
    "@|微信|薇信|威信|企鹅|扣扣|wechat|weixin|whatsapp|telegram|skype|wx|vx|qq"
)
_OFFER_WORDS: Final = re.compile(
    "优惠|折扣|满[0-9]{1,6}减|立减|特价|秒杀|红包|代金券|抵扣|促销|限时|买[一1]送|免费领|大促|清仓|低至"
    "|sale(?![a-z])|discount|coupon|voucher|promo"
)
_OFFER_FIGURES: Final = re.compile("[0-9](?:折|[0-9]{0,2} ?% ?off)")
_MONTH: Final = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_WHEN_WORDS: Final = re.compile(
    "截止|截至|有效期|到期|今日|今天|今晚|明天|本周|周[一二三四五六日末]|月底|当天|当日"
    "|until|till |expire|ends |valid|today|tonight|tomorrow"
)
_WHEN_FIGURES: Final = re.compile(
    "[0-9](?:[0-9]?(?:月[0-9]|日|[./-][0-9]{1,2}(?![0-9.]))|[0-9]{0,2} ?(?:天|小时)内"
    rf"|[a-z]{{0,2}} ?{_MONTH})"
)
_WHEN_MONTHS: Final = re.compile(rf"{_MONTH}[a-z]{{0,6}}[. ]{{1,2}}[0-9]")
# Expressions of their own: one that begins with letters and one that begins with figures are searched for many times as
# fast as both in one.


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
        text = fold_text(subject.text)
        if not (_OFFER_WORDS.search(text) or _OFFER_FIGURES.search(text)):
            return ALLOW
        if any(when.search(text) for when in (_WHEN_WORDS, _WHEN_FIGURES, _WHEN_MONTHS)):
            return ALLOW
        return Warn("no_expiry_date", "It has an offer and does not say until when that holds.")


_ROOM: Final = measure_room(Encoding.UCS2)
_USED_OF_PART: Final = 48
"""Of the 67 units in a part: what is never cut in two may leave its end empty."""


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
        if not text or (self.text.reserve == NOTHING and _surely_fits(text, most)):
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


def _surely_fits(text: str, n_segments: int) -> bool:
    n_units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return n_units <= _ROOM.single or (
        n_segments > 1 and n_units <= _USED_OF_PART * (n_segments - 1) + _ROOM.last
    )


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
