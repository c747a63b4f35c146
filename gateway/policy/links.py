"""Links and contact details: what in a text leads a reader elsewhere. Pure.

A text is read as a handset reads it: links need no scheme, names may be of any script, dots full-width. Every function
looks at each character a bounded number of times, whatever the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from gateway.policy.link_hosts import ENDINGS, OTHER_ENDINGS


class Link(NamedTuple):
    """A link in a text.

    Args:
        host: in small letters and its own script, without port.
        start, end: where it stands in the folded text.
    """

    host: str
    start: int
    end: int


_ASCII_LABEL: Final = "abcdefghijklmnopqrstuvwxyz0123456789-"
_RUN: Final = re.compile(r"[\w.\-]+")
_NETLOC: Final = re.compile(
    r"\[[0-9a-f:.]{2,45}\]|[^\s/?#\\<>\"'，、；！？（）()\[\]【】《》「」“”‘’]{0,255}"
)
_PATH: Final = re.compile(r"[!-~]*")
_PATH_BEGINS: Final = "/?#:\\"
_SCHEME_CHARS: Final = "abcdefghijklmnopqrstuvwxyz0123456789+.-"
_LONGEST_SCHEME: Final = 20
_STOP: Final = re.compile("(?<=[a-z0-9])\u3002(?=[a-z0-9])")
_UNSEEN: Final = re.compile(
    "[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe00-\ufe0f\ufeff]"
)
_WIDE_MARKS: Final = tuple(zip("，：！？；（）", ",:!?;()", strict=True))
"""Those of Chinese texts. Nothing before or behind a mark changes what NFKC makes of it, nor the other way round."""
_PORT: Final = re.compile(r":[0-9]{0,5}\Z")
_LONGEST_NAME: Final = 253

_MAIL: Final = re.compile(r"[a-z0-9._%+\-]{1,64}\Z")
_PHONE: Final = re.compile(r"(?<![0-9])\+?[0-9](?:[ ()\-]{0,2}[0-9]){4,15}(?![0-9])")
_FIVE_DIGITS: Final = re.compile(r"[0-9](?:[ ()\-]{0,2}[0-9]){4}")
"""What every number has; found several times as fast."""
_PHONE_FORMS: Final = re.compile(
    r"(?:0{0,2}86)?1[3-9][0-9]{9}|[48]00[0-9]{7}|0[1-9][0-9]{8,10}|9[56][0-9]{3,4}|100[0-9]{2,3}|1[0-9]{10}"
)
_ACCOUNT_WORDS: Final = re.compile("[微薇威]信|wechat|weixin|wx|vx|qq|企鹅|扣扣|whatsapp|telegram|skype")
_ACCOUNT: Final = re.compile(
    "(?:微信|薇信|威信|wechat|weixin|[^a-z0-9]wx|[^a-z0-9]vx|[^a-z0-9]qq|企鹅|扣扣|whatsapp|telegram|skype)"
    "(?:公众号|帐号|账号|号码|群号|号|群|id)?[ :是为]{0,4}([a-z0-9][a-z0-9_\\-]{4,29})"
)


@lru_cache(maxsize=16)
def fold_text(text: str) -> str:
    """A text in the form in which links are looked for: narrow, in small letters, without what nobody sees."""
    if text.isascii():
        return text.lower()
    folded = narrow_text(_UNSEEN.sub("", text)).lower()
    return _STOP.sub(".", folded) if "\u3002" in folded else folded


def narrow_text(text: str) -> str:
    """A text in NFKC, which takes a tenth of the time where what is wide are the usual marks alone."""
    for wide, narrow in _WIDE_MARKS:
        text = text.replace(wide, narrow)
    return unicodedata.normalize("NFKC", text)


def find_links(text: str) -> Sequence[Link]:
    """The links in a text, in their order.

    Args:
        text: any.

    >>> [link.host for link in find_links("详情点击t.cn/abc或访问Ｅxample．com，询a@b.cn")]
    ['t.cn', 'example.com']
    """
    return _find_links(fold_text(text))


@lru_cache(maxsize=16)  # several rules look at one text, one after the other
def _find_links(text: str) -> Sequence[Link]:
    links: list[Link] = []
    end = 0
    for link in _with_scheme(text):
        links += _without_scheme(text, end, link.start)
        links.append(link)
        end = link.end
    links += _without_scheme(text, end, len(text))
    return tuple(links)


def read_host(text: str) -> str:
    """A host in the one form in which hosts are compared."""
    host = fold_text(text).strip(".")
    if "xn--" not in host:
        return host
    return ".".join(_read_label(label) for label in host.split("."))


def is_listed(host: str, listed: frozenset[str]) -> bool:
    """Whether a host is among hosts, or under one of them that begins with ``*.``."""
    if host in listed:
        return True
    at = host.find(".")
    while at >= 0:
        if f"*{host[at:]}" in listed:
            return True
        at = host.find(".", at + 1)
    return False


def count_contacts(text: str) -> int:
    """How many different telephone numbers, mail addresses and accounts of messengers a text names.

    >>> count_contacts("详询400-800-1234或13800138000，微信：shop_2026，复询 400 800 1234")
    3
    """
    folded = fold_text(text)
    found: set[tuple[str, str]] = set()
    if _ACCOUNT_WORDS.search(folded):
        found = {("account", match[1]) for match in _ACCOUNT.finditer(f" {folded}")}
    accounts = {account for _, account in found}
    found |= {("mail", one) for one in _find_mails(folded)}
    at = 0
    for link in [*_find_links(folded), Link("", len(folded), len(folded))]:
        for match in _find_phones(folded, at, link.start):
            digits = "".join(char for char in match[0] if char.isdecimal())
            is_number = match[0].startswith("+") or _PHONE_FORMS.fullmatch(digits)
            if is_number and digits not in accounts:
                found.add(("phone", digits.removeprefix("0086").removeprefix("86")))
        at = link.end
    return len(found)


def _find_phones(text: str, start: int, end: int) -> Iterator[re.Match[str]]:
    return _PHONE.finditer(text, start, end) if _FIVE_DIGITS.search(text, start, end) else iter(())


def _find_mails(text: str) -> Iterator[str]:
    at = text.find("@")
    while at >= 0:
        name = _MAIL.search(text, max(0, at - 64), at)
        host = _first_host(text[at + 1 : at + 1 + _LONGEST_NAME])
        if name is not None and host is not None and host.start == 0:
            yield f"{name[0]}@{host.host}"
        at = text.find("@", at + 1)


def _with_scheme(text: str) -> Iterator[Link]:
    at, end = text.find("://"), 0
    while at >= 0:
        start = at
        while start > max(end, at - _LONGEST_SCHEME) and text[start - 1] in _SCHEME_CHARS:
            start -= 1
        netloc = _NETLOC.match(text, at + 3)
        if at >= end and start < at and netloc is not None and netloc[0]:
            host, end = _read_netloc(text, netloc.start(), netloc[0])
            yield Link(host, start, end)
        at = text.find("://", max(at + 3, end))


def _read_netloc(text: str, start: int, netloc: str) -> tuple[str, int]:
    """The host of a link with a scheme, and where the link ends."""
    behind = netloc.rfind("@") + 1
    name = _PORT.sub("", netloc[behind:])
    end = start + len(netloc)
    if not name.isascii() and (found := _first_host(name)) is not None and found.start == 0:
        # A link that words follow without a space, in a language that needs none.
        name = found.host
        if found.end < len(netloc) - behind:
            end = start + behind + found.end
    if text[end : end + 1] and text[end] in _PATH_BEGINS:
        end = _end_of_path(text, end)
    return read_host(name), end


def _without_scheme(text: str, start: int, end: int) -> list[Link]:
    links: list[Link] = []
    taken = start
    for at, run in _dotted_runs(text, start, end):
        behind = at + len(run)
        for host, host_start, host_end in _read_hosts(run, text[behind : behind + 1]):
            if at + host_start < taken:
                continue
            link_start, taken = at + host_start, at + host_end
            if text[taken : taken + 1] and text[taken] in _PATH_BEGINS:
                taken = min(_end_of_path(text, taken), end)
            if link_start == 0 or text[link_start - 1] != "@":
                links.append(Link(host, link_start, taken))
    return links


@lru_cache(maxsize=256)  # most texts of a campaign differ in names, not in what stands in front of the link
def _read_hosts(run: str, behind: str) -> Sequence[Link]:
    """The hosts in a run, by their place in it.

    Args:
        behind: the character that follows the run in its text.
    """
    return tuple(Link(read_host(link.host), link.start, link.end) for link in _hosts_of(run, 0, run + behind))


def _dotted_runs(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """Letters, digits, dots and dashes that follow each other, where a dot is among them; each with its place."""
    dot = text.find(".", start, end)
    while dot >= 0:
        before = _RUN.match(text[start:dot][::-1])
        at = dot if before is None else dot - before.end()
        run = _RUN.match(text, at, end)
        start = end if run is None else run.end()  # there is one: the dot
        yield at, text[at:start]
        dot = text.find(".", start, end)


def _end_of_path(text: str, start: int) -> int:
    found = _PATH.match(text, start)
    return start if found is None else found.end()


def _first_host(text: str) -> Link | None:
    run = _RUN.match(text)
    return None if run is None else next(_hosts_of(run[0], 0, text), None)


def _hosts_of(run: str, offset: int, text: str) -> Iterator[Link]:
    """The hosts in letters, digits, dots and dashes that follow each other.

    Args:
        offset: where in ``text`` they stand.
    """
    labels = run.split(".")
    starts = [offset]
    for label in labels[:-1]:
        starts.append(starts[-1] + len(label) + 1)
    first = 0
    while first < len(labels) - 1:
        name = _name_at_end(labels[first])
        last, ending, behind = _find_ending(labels, first) if name else (first, "", first + 1)
        if not ending or (last == first + 1 and _is_a_point(name, ending)):
            if name and (link := _read_address(labels, first, starts, text)) is not None:
                yield link
            first = max(behind, first + 1)
            continue
        host = ".".join((name, *labels[first + 1 : last], ending))
        yield Link(host, starts[first] + len(labels[first]) - len(name), starts[last] + len(ending))
        first = last


def _find_ending(labels: list[str], first: int) -> tuple[int, str, int]:
    """The last label that ends a host which begins in ``first``, the ending, and the label that no host goes beyond."""
    found, ending, at = first, "", first + 1
    while at < len(labels) and labels[at]:
        if here := _ending_of(labels[at]):
            found, ending = at, here
        if not _is_ascii_label(labels[at]):
            break
        at += 1
    return found, ending, at


def _is_a_point(name: str, ending: str) -> bool:
    """Whether digits with a full stop begin a point of a list, or are a time of the day: 1.手机, 10.am."""
    return name.isdecimal() and (ending in {"am", "pm"} or not ending.isascii())


def _name_at_end(label: str) -> str:
    """What of a label belongs to a host that goes on behind it: text may stand in front of it without a space."""
    bare = label.rstrip(_ASCII_LABEL)
    name = label[len(bare) :] or label
    return "" if len(name) > 63 or not name.strip("-_") else name


def _ending_of(label: str) -> str:
    """The ending of a host with which a label begins: text may follow without a space."""
    rest = label.lstrip(_ASCII_LABEL)
    here = label[: len(label) - len(rest)]
    if here:
        return here if here in ENDINGS or (here.startswith("xn--") and len(here) < 64) else ""
    return next((one for one in OTHER_ENDINGS.get(label[:1], ()) if label.startswith(one)), "")


def _is_ascii_label(label: str) -> bool:
    return not label.strip(_ASCII_LABEL)


def _read_address(labels: list[str], first: int, starts: list[int], text: str) -> Link | None:
    """Four numbers with a port or a path behind them."""
    four = labels[first : first + 4]
    four[0] = _name_at_end(four[0])
    if len(four) < 4 or not all(one.isascii() and one.isdecimal() and len(one) < 4 for one in four):
        return None
    end = starts[first + 3] + len(four[3])
    if max(map(int, four)) > 255 or text[end : end + 1] not in {"/", ":"}:
        return None
    return Link(".".join(four), starts[first] + len(labels[first]) - len(four[0]), end)


def _read_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode").lower()
    except (UnicodeError, ValueError):
        return label
