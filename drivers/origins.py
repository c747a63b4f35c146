"""Under what the address of a peer is counted."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address


def origin_of(address: str) -> str:
    """The address; of IPv6 its network, for whoever has one address of it has 2**64.

    >>> origin_of("2001:db8:0:7::1") == origin_of("2001:db8:0:7:ffff::2")
    True
    >>> origin_of("::ffff:192.0.2.1")
    '192.0.2.1'
    """
    try:
        read = ip_address(address)
    except ValueError:
        return address
    if isinstance(read, IPv4Address):
        return address
    return str(read.ipv4_mapped) if read.ipv4_mapped else read.packed[:8].hex()
