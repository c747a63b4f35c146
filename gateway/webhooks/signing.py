"""Signatures as Standard Webhooks has them. Pure.

Spec: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (symmetric, ``v1``).
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence

PREFIX = "whsec_"
_FEWEST_OCTETS, _MOST_OCTETS = 24, 64
"""Of a secret, as the specification asks."""


def sign(secrets: Sequence[bytes], call_id: str, at_s: int, body: bytes) -> str:
    """The value of ``webhook-signature``: one signature for each secret.

    Args:
        secrets: the newest first.
        call_id: the value of ``webhook-id``; the same whenever the same is sent again.
        at_s: that of ``webhook-timestamp``: seconds since 1970, of this attempt.
        body: the octets as they are sent.
    """
    signed = b"%b.%d.%b" % (call_id.encode(), at_s, body)
    return " ".join("v1," + b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in secrets)


def show_secret(secret: bytes) -> str:
    """A secret as receivers write it.

    >>> show_secret(bytes(24))
    'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    """
    return PREFIX + b64encode(secret).decode()


def read_secret(text: str) -> bytes:
    """The other way round.

    Raises:
        ValueError: it is none, and says what one looks like. It does not quote what came.
    """
    try:
        secret = b64decode(text.removeprefix(PREFIX), validate=True)
    except (Base64Error, ValueError):
        secret = b""
    if not (text.startswith(PREFIX) and _FEWEST_OCTETS <= len(secret) <= _MOST_OCTETS):
        raise ValueError(
            f"is no secret; write {PREFIX} and {_FEWEST_OCTETS} to {_MOST_OCTETS} octets in base 64"
        )
    return secret
