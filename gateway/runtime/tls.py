"""The certificate and key of the API: loaded, or refused in words that say which file is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.errors import SettingsError
from gateway.runtime.settings import SettingsErrors

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from gateway.runtime.settings import HttpSettings


def check_tls(http: HttpSettings, source: Path | None) -> None:
    """Try certificate and key before anything is started for them.

    Args:
        source: the config file, for the complaint.

    Raises:
        SettingsErrors: they can't be used.
    """
    try:
        if http.tls_cert and http.tls_key:
            load_tls(http.tls_cert, http.tls_key)
    except ValueError as error:
        raise SettingsErrors(str(source), [SettingsError("http.tls_cert", str(error))]) from error


def load_tls(cert: Path, key: Path) -> ssl.SSLContext:
    """The context of an HTTPS server.

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
