"""Passwords: of applications as scrypt hashes, ``$scrypt$ln=14,r=8,p=1$SALT$HASH``; of people as argon2id hashes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from typing import Final, NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_LN: Final = 14
_R: Final = 8
_P: Final = 1
_SALT_OCTETS: Final = 16
_HASH_OCTETS: Final = 32
_MOST_MEMORY: Final = 256 * 1024 * 1024
_FORM: Final = re.compile(
    r"\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{8,88})\$([A-Za-z0-9+/]{22,88})"
)

MAX_CHARS: Final = 8
"""What SMPP carries (3.4 5.2.2)."""


class PasswordHash(NamedTuple):
    """A hash, read."""

    ln: int
    r: int
    p: int
    salt: bytes
    digest: bytes


def hash_password(password: str) -> str:
    """A fresh hash of a password, to be kept instead of it."""
    salt = os.urandom(_SALT_OCTETS)
    digest = _derive(password, PasswordHash(_LN, _R, _P, salt, b"\0" * _HASH_OCTETS))
    return f"$scrypt$ln={_LN},r={_R},p={_P}${_encode(salt)}${_encode(digest)}"


def parse_hash(text: str) -> PasswordHash:
    """Read a hash.

    Raises:
        ValueError: it is none, or one that would take too much memory to check.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("not a password hash")
    read = PasswordHash(int(match[1]), int(match[2]), int(match[3]), _decode(match[4]), _decode(match[5]))
    if not 1 <= read.ln <= 20 or not read.r or not read.p or 128 * read.r * 2**read.ln > _MOST_MEMORY:
        raise ValueError("a password hash with parameters out of range")
    return read


def verify_password(kept: PasswordHash, password: str) -> bool:
    """Whether the password is the one that was hashed; takes tens of milliseconds, so call it in a thread."""
    return hmac.compare_digest(_derive(password, kept), kept.digest)


def _derive(password: str, like: PasswordHash) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=like.salt,
        n=2**like.ln,
        r=like.r,
        p=like.p,
        dklen=len(like.digest),
        maxmem=2 * _MOST_MEMORY,
    )


def _encode(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))


_people = PasswordHasher()


def hash_login(word: str) -> str:
    """An argon2id hash of a person's password; takes tens of milliseconds, so call it in a thread."""
    return _people.hash(word)


def verify_login(kept: str, word: str) -> bool:
    """Whether a person's password is the one that was hashed; slow as `hash_login`."""
    try:
        return _people.verify(kept, word)
    except (VerificationError, InvalidHashError):
        return False
