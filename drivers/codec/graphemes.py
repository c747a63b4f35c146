"""Where a text may be cut: between what people see as characters, never inside one.

A flag, a skin tone, a family joined by ZWJ, a letter with its marks, a Hangul or Indic syllable are one
such character and several code points (extended grapheme clusters).

Spec: Unicode Standard Annex #29, section 3.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from regex import Pattern

_PLAIN: Final = (
    "\n\x20-\x7e\xa1-\xac\xae-\u02ff\u0370-\u0482\u048a-\u052f"  # Latin, Greek, Cyrillic
    "\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2190-\u23ff\u2460-\u27bf"  # punctuation, currencies, symbols
    "\u3000-\u3029\u3030-\u303d\u3041-\u3096\u309b-\u30ff\u3105-\u312f\u3200-\u33ff"  # CJK punctuation, kana
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uff01-\uff9d"  # Han, Hangul syllables, full width
    "\U0001f300-\U0001f3fa\U0001f400-\U0001f64f\U0001f680-\U0001f6ff\U0001f900-\U0001f9ff"  # emoji, no tones
    "\U00020000-\U0003ffff"  # more Han
)
"""Characters of which no two that stand side by side are one cluster: what nearly all texts are made of."""

_PLAIN_PAIR: Final = re.compile(f"[{_PLAIN}]{{2}}")


class Cluster(NamedTuple):
    """A cluster's place in its text: ``text[start:end]``."""

    start: int
    end: int


def find_torn(text: str, at: int, since: int = 0) -> Cluster | None:
    """The cluster that a cut before ``text[at]`` would tear; None where the text may be cut.

    The segmentation library is only loaded (once, about 70 ms) and asked for characters that may combine.

    Args:
        text: no lone surrogates.
        at: 1..len(text) - 1.
        since: a place before ``at`` where a cluster begins; the nearer, the faster.

    Spec: UAX #29, 3.1.1.

    >>> find_torn("ab", 1), find_torn("e\u0301a", 1), find_torn("\U0001f1e8\U0001f1f3", 1)
    (None, Cluster(start=0, end=2), Cluster(start=0, end=2))
    """
    if _PLAIN_PAIR.match(text, at - 1):
        return None
    for cluster in _clusters().finditer(text, since):
        if cluster.end() >= at:
            return None if cluster.end() == at else Cluster(cluster.start(), cluster.end())
    return None


@cache
def _clusters() -> Pattern[str]:
    import regex  # noqa: PLC0415 - 70 ms and 10 MB that most processes never need

    return regex.compile(r"\X")
