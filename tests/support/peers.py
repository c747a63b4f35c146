"""Programs by others that interop tests need."""

from __future__ import annotations

import os
import shutil

import pytest

_REMEDIES = {
    "axe-core of npm": "run npm ci in tests/interop/node",
    "bearerbox": "apt install kannel",
    "chromium": "apt install chromium",
    "curl": "apt install curl",
    "gammu": "apt install gammu",
    "mount": "let root mount a tmpfs",
    "node": "apt install nodejs npm",
    "openssl": "apt install openssl",
    "postgres": "apt install postgresql",
    "prometheus-alertmanager": "apt install prometheus-alertmanager",
    "python3-gammu": "apt install python3-gammu",
    "smpp of npm": "run npm ci in tests/interop/node",
    "smsd": "apt install smstools",
    "standardwebhooks of npm": "run npm ci in tests/interop/node",
    "systemd-analyze": "apt install systemd",
    "tshark": "apt install tshark",
}


def need_peer(name: str, *, present: bool | None = None) -> None:
    """Skip the test when a peer is missing, or fail it where peers are required (``HONGYAN_REQUIRE_PEERS``).

    Args:
        name: a program on the PATH, or what to call the peer when ``present`` is given; one of those that we can
            tell a remedy for.
        present: whether it is there, for peers that are not programs.
    """
    remedy = _REMEDIES[name]
    if present is None:
        present = shutil.which(name) is not None
    if present:
        return
    if os.environ.get("HONGYAN_REQUIRE_PEERS"):
        pytest.fail(f"{name} is required here and missing: {remedy}")
    pytest.skip(f"{name} is missing: {remedy}")
