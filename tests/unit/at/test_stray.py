"""What a log shows of lines that belong to nothing."""

import logging

import pytest

from drivers.at.stray import StrayLog
from drivers.at.trace import mask_words
from drivers.paced_log import MOST

pytestmark = pytest.mark.unit


@pytest.fixture
def log(caplog):
    caplog.set_level(logging.INFO)
    return StrayLog("sim-1")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("starting power off the module!", "starting power off the module! (30 characters)"),
        ("_OSIGQ: 12,0", "_OSIGQ: 12,0"),
        ("call of 13800138000", "call of 00000000000 (19 characters)"),
        ('+CLIP: "+8613800138000",145', '+CLIP: "x0000000000000",145'),
        ("0891683108200805F0", "000000000000000000 (18 characters)"),
    ],
)
def test_the_words_are_shown_and_numbers_are_not(log, caplog, line, shown):
    log.note(line)
    assert caplog.messages == [f"sim-1: stray line: {shown}"]


@pytest.mark.parametrize("text", ["Hello Bob", "+ bonus for Bob", "Attention Bob", "*Bob*", "OK Bob"])
def test_nothing_is_shown_of_a_message_that_came_as_text(log, caplog, text):
    log.note_others('+CMT: "+8613800138000",,"26/11/29,20:00:00+32"')
    log.note(text)
    log.note("and Bob's second line")
    assert "Bob" not in caplog.text
    log.note("+QIND: SMS DONE")
    log.note("all is well")
    assert "all is well" in caplog.text


def test_a_stick_that_chatters_fills_no_log(log, caplog):
    for n in range(10_000):
        log.note(f"noise {n % 7}")
    assert len(caplog.messages) == MOST


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ('no such number "Bob" 13800138000', 'no such number "xxx" 00000000000'),
        ("a\x00b\x1b", "a?b?"),
        ("long " * 40, f"{('long ' * 40)[:60]}..."),
        ("error 350", "error 350"),
    ],
)
def test_words_fit_for_people(words, shown):
    assert mask_words(words) == shown
