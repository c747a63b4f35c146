"""Where calls may go: by the address that is really connected to, however it was written."""

from __future__ import annotations

import socket
from ipaddress import ip_network

import pytest

from gateway.outbox.egress import Egress, TargetRefused, has_fixed_host

pytestmark = pytest.mark.unit

OURS = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.1", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001::1", "2001:db8::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "100::1", "5f00::1", "nonsense", "",
)  # fmt: skip
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "64:ff9b::808:808",
    "::ffff:8.8.8.8",
)


@pytest.mark.parametrize("address", OURS)
def test_what_is_not_public_is_not_called(address: str) -> None:
    with pytest.raises(TargetRefused, match="allow_targets"):
        Egress().check(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is(address: str) -> None:
    Egress().check(address)


@pytest.mark.parametrize(
    ("allowed", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "::ffff:127.0.0.1"),
        ("10.0.0.0/8", "10.200.3.4"),
        ("::1", "::1"),
        ("fd00::/8", "fd12::1"),
        ("fe80::/10", "fe80::1%eth0"),
    ],
)
def test_what_the_config_allows_is(allowed: str, address: str) -> None:
    egress = Egress([ip_network(allowed)])
    egress.check(address)
    for other in ("127.0.0.2", "192.168.0.1", "::ffff:127.0.0.2"):
        with pytest.raises(TargetRefused):
            egress.check(other)


def test_the_socket_is_made_for_an_address_that_was_checked() -> None:
    egress = Egress()
    for info in socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM):
        with pytest.raises(TargetRefused):
            egress.open_socket(info)


@pytest.mark.parametrize(
    ("url", "fixed"),
    [
        ("http://app.example/?t=%a", True),
        ("http://app.example:80/%p", True),
        ("http://app.example?%p", True),
        ("http://%p.example/", False),
        ("http://%a@app.example/", False),
        ("http://app.example:%p/", False),
    ],
)
def test_a_host_that_an_escape_code_makes_is_not_fixed(url: str, fixed: bool) -> None:
    assert has_fixed_host(url) is fixed
