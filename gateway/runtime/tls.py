"""Certificates and keys of our servers: loaded, or refused in words that say which file is wrong."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from gateway.errors import SettingsError
from gateway.settings.config import SettingsErrors

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from gateway.settings.config import Settings
    from gateway.settings.http import HttpSettings
    from gateway.settings.smpp_server import SmppServerSettings


def check_tls(settings: Settings, source: Path | None) -> None:
    """Try certificates and keys before anything is started for them.

    Args:
        source: the config file, for the complaint.

    Raises:
        SettingsErrors: they can't be used.
    """
    faults = []
    servers: dict[str, HttpSettings | SmppServerSettings] = {"http": settings.http}
    servers |= {f"smpp_server[{i}]": server for i, server in enumerate(settings.smpp_server)}
    for name, server in servers.items():
        try:
            if server.tls_cert and server.tls_key:
                load_tls(server.tls_cert, server.tls_key)
        except ValueError as error:
            faults.append(SettingsError(f"{name}.tls_cert", str(error)))
    if faults:
        raise SettingsErrors(str(source), faults)


def renew_tls(context: ssl.SSLContext, server: HttpSettings | SmppServerSettings) -> None:
    """Have a server that runs show what its files hold now, from its next connection on.

    What can't be used any more leaves the certificate as it was; `check_tls` finds that beforehand.
    """
    if server.tls_cert and server.tls_key:
        with contextlib.suppress(OSError, ValueError):
            load_tls(server.tls_cert, server.tls_key)
            context.load_cert_chain(server.tls_cert, server.tls_key, password=lambda: b"")


def load_tls(cert: Path, key: Path) -> ssl.SSLContext:
    """The context of a server with TLS.

    Args:
        cert, key: files in PEM.

    Raises:
        ValueError: they can't be used; the sentence says why and what to write.
    """
    import ssl  # noqa: PLC0415 - commands that read a config without HTTPS need not load it

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")  # nobody is there to be asked for one
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None)
        if reason == "KEY_VALUES_MISMATCH":
            raise ValueError("does not belong to tls_key; write the key it was made for") from error
        raise ValueError(
            "cannot be used with tls_key: one of them is no PEM file, or the key asks for a pass phrase"
        ) from error
    return context
