"""Egress: where calls may go whose addresses came from outside, such as with a request.

A name may come to mean any address, and a different one a moment later; numbers have many spellings. So no URL is
looked at here: what is checked is the address of each connection, at the moment when its socket is made. Redirects are
not followed by anybody who calls through here, for they could lead anywhere.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC: Final = tuple(
    map(
        ip_network,
        (
            # "This network", private, shared (RFC 6598), loopback, link-local with the clouds' metadata.
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
            "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/3",
            # Of IPv6 only 2000::/3 is public, and of that not: special, documentation, 6to4 (which holds an IPv4).
            "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
        ),
    )
)  # fmt: skip
"""Written out: what Python's own `is_global` takes for public has changed between its versions."""
_PUBLIC_6: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")


class TargetRefused(OSError):
    """A connection that may not be made."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"{address} is not public; if it may be called, write it into allow_targets of [webhooks] in the config"
        )


class Egress:
    """Decides on addresses.

    Args:
        allowed: addresses that are not public and may be called all the same.
    """

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)

    def adopt(self, allowed: Iterable[Network]) -> None:
        """Let others pass from now on; connections that are open stay."""
        self._allowed = tuple(allowed)

    def check(self, address: str) -> None:
        """Let an address pass.

        Args:
            address: of IPv4 or IPv6, as the system writes it.

        Raises:
            TargetRefused: it is not public and not allowed.
        """
        try:
            read = ip_address(address.partition("%")[0])
        except ValueError:
            raise TargetRefused(address) from None
        meant = _meant_by(read)
        if not (
            is_public(meant) or any(one in network for network in self._allowed for one in (read, meant))
        ):
            raise TargetRefused(address)

    def open_socket(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for one address that a name or a number was found to mean; see `socket.getaddrinfo`.

        Raises:
            TargetRefused: it may not be connected to.
        """
        family, kind, protocol, _, place = info
        self.check(place[0])
        return socket.socket(family, kind, protocol)


def is_public(address: Address) -> bool:
    """Whether anybody may be there, and none of our own."""
    if isinstance(address, IPv6Address) and address not in _PUBLIC_6:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _meant_by(address: Address) -> Address:
    """The address of IPv4 that one of IPv6 holds, where it leads there; else the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def has_fixed_host(url: str) -> bool:
    """Whether no escape code of a URL stands where its host does: then nobody outside can change where it leads."""
    authority = url.partition("://")[2]
    for mark in "/?#":
        authority = authority.partition(mark)[0]
    return "%" not in authority
