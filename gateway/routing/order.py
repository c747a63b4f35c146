"""In which order waiting messages are taken: one number a message, the smallest first. Pure."""

from __future__ import annotations

from typing import Final

from gateway.model.message import Category

CLASSES: Final = (Category.EMERGENCY, Category.OTP, Category.TRANSACTIONAL, Category.MARKETING)
"""A message of an earlier class goes before all of a later one. The store keeps the place in this list."""
_CLASS_BITS: Final = 60
_PRIORITY_BITS: Final = 56
_HIGHEST_PRIORITY: Final = 9

URGENT_CLASSES: Final = CLASSES.index(Category.OTP)
"""Classes up to this one are what a budget's reserve is kept for; see `gateway.routing.budgets.URGENT`."""
URGENT_BELOW: Final = (URGENT_CLASSES + 1) << _CLASS_BITS
"""Every urgent message has a smaller rank."""


def class_of(category: Category) -> int:
    """The place of a category among `CLASSES`."""
    return CLASSES.index(category)


def make_rank(category: Category, priority: int, tag: int) -> int:
    """The place of a message in its queue: by class, then by priority, then by tag.

    Args:
        category: gives the class.
        priority: 0..9, 9 first.
        tag: what grows from message to message, below 2**56: milliseconds since 1970, say.

    Returns:
        A number that a signed column of 64 bits holds. Equal ones are taken in the order of their ids.
    """
    return class_of(category) << _CLASS_BITS | (_HIGHEST_PRIORITY - priority) << _PRIORITY_BITS | tag
