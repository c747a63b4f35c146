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


TAG_BITS: Final = _PRIORITY_BITS
"""The lower bits of a rank; those above are its band: the class and the priority."""
FIRST_AFTER_EMERGENCY: Final = 1 << _CLASS_BITS
"""The rank before which there is nothing but emergencies."""


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
    return band_of(category, priority) << TAG_BITS | tag


def band_of(category: Category, priority: int) -> int:
    """Class and priority in one number: messages of one band are taken by their tags."""
    return class_of(category) << (_CLASS_BITS - TAG_BITS) | (_HIGHEST_PRIORITY - priority)


def split_rank(rank: int) -> tuple[int, int]:
    """Band and tag.

    >>> split_rank(make_rank(Category.OTP, 5, 77)) == (band_of(Category.OTP, 5), 77)
    True
    """
    return rank >> TAG_BITS, rank & (1 << TAG_BITS) - 1
