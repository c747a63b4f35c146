"""Other protocols, known by the first octets that a peer sends: for words that help who mistook a port. Pure."""

from __future__ import annotations

from typing import Final

_BEGINNINGS: Final = (
    (b"HTTP/", "HTTP"),
    (b"GET ", "HTTP"),
    (b"POST", "HTTP"),
    (b"PUT ", "HTTP"),
    (b"HEAD", "HTTP"),
    (b"OPTI", "HTTP"),
    (b"CONN", "HTTP"),
    (b"DELE", "HTTP"),
    (b"PATC", "HTTP"),
    (b"PRI ", "HTTP/2"),
    (b"<htm", "HTTP"),
    (b"<!do", "HTTP"),
    (b"<!DO", "HTTP"),
    (b"SSH-", "SSH"),
    (b"220 ", "SMTP or FTP"),
    (b"220-", "SMTP or FTP"),
    (b"EHLO", "SMTP"),
    (b"HELO", "SMTP"),
    (b"PROX", "the PROXY protocol"),
    (b"\r\n\r\n\0\r\nQUIT\n", "the PROXY protocol"),
    (b"\x16\x03", "TLS"),
    (b"\x15\x03", "TLS"),
)
_TEXT_OCTETS: Final = 16
"""So many printable characters at the beginning are no chance."""
_PRINTABLE: Final = frozenset(range(0x20, 0x7F)) | {0x09, 0x0A, 0x0D}


def name_protocol(octets: bytes) -> str | None:
    """What octets that are no SMPP are instead; None if nobody knows.

    >>> name_protocol(b"HTTP/1.1 400 Bad Request")
    'HTTP'
    """
    for beginning, name in _BEGINNINGS:
        if octets.startswith(beginning):
            return name
    head = octets[:_TEXT_OCTETS]
    return "plain text" if len(head) == _TEXT_OCTETS and _PRINTABLE.issuperset(head) else None
