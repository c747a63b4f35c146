"""Signatures of proofs: Ed25519 over the octets of a manifest.

Spec: RFC 8032.
"""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.store.consent_keys import ProofKey

_KEY_OCTETS = 32


def make_proof_key(at: datetime) -> ProofKey:
    """A new pair."""
    private = Ed25519PrivateKey.generate()
    return ProofKey(private.private_bytes_raw(), private.public_key().public_bytes_raw(), at)


def sign(private: bytes, octets: bytes) -> bytes:
    """The signature, 64 octets."""
    return Ed25519PrivateKey.from_private_bytes(private).sign(octets)


def is_signed(public: bytes, octets: bytes, signature: bytes) -> bool:
    """Whether the owner of the public key signed these octets."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, octets)
    except (InvalidSignature, ValueError):
        return False
    return True


def show_public(public: bytes) -> str:
    """A public key as people hand it on: base 64."""
    return base64.b64encode(public).decode()


def fingerprint(public: bytes) -> str:
    """What two people compare by eye or telephone: the SHA-256 of a public key, in groups of four digits."""
    digits = sha256(public).hexdigest()
    return " ".join(digits[i : i + 4] for i in range(0, 64, 4))


def read_public(text: str) -> bytes | None:
    """A public key as `show_public` writes it; None for anything else."""
    try:
        octets = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if len(octets) == _KEY_OCTETS else None
