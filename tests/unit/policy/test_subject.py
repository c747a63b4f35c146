"""Subjects: the quick ways to copy one say what the slow ones say."""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime

from gateway.model.message import Category
from gateway.policy.subject import Need, Subject

_AT = datetime(2026, 12, 1, tzinfo=UTC)
_FULL = Subject("+8613800138000", Category.OTP, _AT, "hi", "shop", ("1", "k"), "t", "group", "01m", _AT)


def test_another_text_changes_nothing_else():
    assert _FULL.with_text("ho") == _FULL._replace(text="ho")


def test_of_anybody_names_neither_the_recipient_nor_the_message():
    assert _FULL.of_anybody() == _FULL._replace(recipient="", message_id="", expires_at=None)


def test_needs_are_told_apart_and_found_in_sets():
    assert len(frozenset(Need)) == len(Need)
    assert all(copy(one) in frozenset(Need) and Need[one.name] in frozenset(Need) for one in Need)
