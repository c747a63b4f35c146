"""From what a person opts out: a scope is a text: ``everything``, ``brand:shop`` or ``sender:+8613800138000``."""

from __future__ import annotations

from typing import Final

EVERYTHING: Final = "everything"
"""All marketing, whoever sends it."""
_BRAND: Final = "brand:"
_SENDER: Final = "sender:"


def brand_scope(brand: str) -> str:
    """Marketing in the name of one brand."""
    return f"{_BRAND}{brand}"


def sender_scope(number: str) -> str:
    """Marketing that comes from one number of ours."""
    return f"{_SENDER}{number}"


def is_sender_scope(scope: str) -> bool:
    """Whether it names a number of ours."""
    return scope.startswith(_SENDER)


def brand_of(scope: str) -> str | None:
    """The brand that it names; None where it names none."""
    return scope.removeprefix(_BRAND) if scope.startswith(_BRAND) else None
