"""The operator's key: what stands in the key file. It opens the store's own keys and nothing else."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from binascii import Error
from hashlib import blake2b
from typing import Final

KEY_OCTETS: Final = 32
_PREFIX: Final = "hongyan-key:"


class OperatorKey:
    """A key that no repr shows.

    Args:
        octets: 32 of them.
    """

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    @classmethod
    def make(cls) -> OperatorKey:
        """A new one."""
        return cls(os.urandom(KEY_OCTETS))

    @classmethod
    def parse(cls, text: str) -> OperatorKey:
        """As `write` wrote it.

        Raises:
            ValueError: it is none; the sentence does not show it.
        """
        try:
            octets = b64decode(text.strip().removeprefix(_PREFIX), validate=True)
        except (Error, ValueError):
            octets = b""
        if not text.strip().startswith(_PREFIX) or len(octets) != KEY_OCTETS:
            raise ValueError("is no key; make one with hongyan db make-key FILE")
        return cls(octets)

    def write(self) -> str:
        """For the key file."""
        return _PREFIX + b64encode(self.octets).decode("ascii")

    @property
    def fingerprint(self) -> str:
        """Tells keys from one another, and nothing about them."""
        return blake2b(self.octets, digest_size=6, person=b"hongyan key").hexdigest()

    def __repr__(self) -> str:
        return f"OperatorKey({self.fingerprint})"
