"""What people write back in ten languages: nobody is opted out by ordinary talk, and nobody has to know our words."""

from __future__ import annotations

from collections import Counter

import pytest

from gateway.policy.optout import Keywords, find_keyword, find_near
from gateway.settings.replies import HelpSettings, OptInSettings, OptOutSettings, gather_keywords
from tests.support.vectors import load_vectors

pytestmark = pytest.mark.unit

REPLIES = load_vectors("replies", "reply")
SHIPPED = gather_keywords(OptOutSettings(), OptInSettings(), HelpSettings())


def read(text: str, keywords: Keywords) -> str:
    """What a text is, in the words of the table."""
    if (found := find_keyword(text, keywords)) is not None:
        return found[0].value
    return "talk" if find_near(text, keywords) is None else "near"


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: f"{reply['language']}-{reply['text']}")
def test_a_reply_is_read_as_it_is_meant(reply: dict[str, str]):
    assert read(reply["text"], SHIPPED) == reply["answer"]


def test_the_table_is_large_enough():
    answers = Counter(reply["answer"] for reply in REPLIES)
    assert len(REPLIES) >= 120
    assert set(answers) == {"opt_out", "opt_in", "help", "near", "talk"}
    assert len({reply["language"] for reply in REPLIES}) >= 8


def test_what_the_config_says_of_a_word_goes_before_what_a_file_says():
    keywords = gather_keywords(
        OptOutSettings(keywords=("HALT",)), OptInSettings(keywords=("R",)), HelpSettings(keywords=("END",))
    )
    assert [read(text, keywords) for text in ("halt", "R", "end", "quit")] == [
        "opt_out",
        "opt_in",
        "help",
        "opt_out",
    ]


def test_without_languages_only_the_words_of_the_config_count():
    keywords = gather_keywords(
        OptOutSettings(keywords=("TD",), languages=()), OptInSettings(), HelpSettings()
    )
    assert [read(text, keywords) for text in ("TD", "回复TD退订", "quit", "please stop sending")] == [
        "opt_out",
        "opt_out",
        "talk",
        "talk",
    ]


def test_no_word_means_two_things():
    meanings = Counter([*SHIPPED.opt_out, *SHIPPED.opt_in, *SHIPPED.help])
    assert [word for word, n in meanings.items() if n > 1] == []
