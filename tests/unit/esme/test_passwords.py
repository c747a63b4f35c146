"""Passwords are kept as hashes that verify, and nothing else passes for one."""

from __future__ import annotations

import pytest

from gateway.access.passwords import hash_password, parse_hash, verify_password

pytestmark = pytest.mark.unit


def test_a_hash_knows_its_password_and_no_other():
    kept = parse_hash(hash_password("secret12"))
    assert verify_password(kept, "secret12")
    assert not verify_password(kept, "secret13")
    assert not verify_password(kept, "")


def test_two_hashes_of_one_password_differ_and_do_not_show_it():
    one, other = hash_password("secret12"), hash_password("secret12")
    assert one != other
    assert "secret12" not in one


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret12",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo",
        pytest.param(hash_password("x").replace("ln=14", "ln=30"), id="too much work"),
        pytest.param(hash_password("x").replace("r=8", "r=0"), id="no memory"),
        pytest.param(hash_password("x") + "$", id="something behind it"),
    ],
)
def test_what_is_no_hash_is_refused(text):
    with pytest.raises(ValueError, match="password hash"):
        parse_hash(text)
