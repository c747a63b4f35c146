"""Signing in: who gets in, what guessers and strangers can do to others, and what is on record."""

from __future__ import annotations

import msgspec
import pytest

from gateway.access.passwords import hash_login
from gateway.access.people import (
    add_first_admin,
    add_user,
    disable_user,
    drop_user,
    enable_user,
    find_password_fault,
    read_grants,
    set_grants,
    set_password,
)
from gateway.access.sessions import Sessions
from gateway.access.sign_in import Admitted, Refusal, SignIn, is_device_of
from gateway.access.turnstile import Turnstile
from gateway.access.welcome import Welcome
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.model.actor import SYSTEM
from gateway.store.audit import AuditQuery, list_audit
from gateway.store.users import find_user
from tests.support.api import SettableClock
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract
PASSWORD = "a wild goose flies south"
HASH = hash_login(PASSWORD)


class Pauses:
    """Waits by writing down for how long."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, pause_s: float) -> None:
        self.taken.append(pause_s)


async def make_anna(store: OpenStore, clock: SettableClock) -> None:
    now = clock.now()
    await store.write(lambda tx: add_first_admin(tx, "anna", HASH, SYSTEM, now))


async def actions(store: OpenStore) -> list[tuple[str, str]]:
    entries = await store.read(lambda tx: list_audit(tx, AuditQuery(), 100))
    return sorted((one.action, one.subject) for one in entries)


async def test_who_knows_the_password_gets_in_and_all_tries_are_on_record(store):
    clock = SettableClock()
    sessions = Sessions(store, clock)
    sign_in = SignIn(store, clock, sessions, Turnstile(clock, Pauses()))
    await make_anna(store, clock)
    for name, word in (("anna", "wrong"), ("anna", "x" * 100_000), ("nobody", PASSWORD), ("", PASSWORD)):
        assert await sign_in.attempt(name, word, address="203.0.113.7") is Refusal.WRONG
    found = await sign_in.attempt(" Anna ", PASSWORD, address="203.0.113.7", agent="Firefox")
    assert isinstance(found, Admitted)
    signed_in = await sessions.find(found.token)
    assert signed_in is not None
    assert signed_in.user.name == "anna"
    assert await actions(store) == [
        ("user.added", "anna"),
        ("user.sign_in_failed", ""),
        ("user.sign_in_failed", "anna"),
        ("user.signed_in", "anna"),
    ]


async def test_an_id_signs_nobody_in_nor_does_a_disabled_user(store):
    clock = SettableClock()
    sign_in = SignIn(store, clock, Sessions(store, clock), Turnstile(clock, Pauses()))
    await make_anna(store, clock)
    anna = await store.read(lambda tx: find_user(tx, "anna"))
    assert anna is not None
    assert await sign_in.attempt(anna.id, PASSWORD, address="203.0.113.7") is Refusal.WRONG
    now = clock.now()
    bob = msgspec.structs.replace(anna, id="b", name="bob", grants=read_grants(["viewer"]))
    await store.write(lambda tx: add_user(tx, bob, SYSTEM, now))
    assert isinstance(await sign_in.attempt("bob", PASSWORD, address="203.0.113.7"), Admitted)
    await store.write(lambda tx: disable_user(tx, "bob", SYSTEM, now))
    assert await sign_in.attempt("bob", PASSWORD, address="203.0.113.7") is Refusal.WRONG
    await store.write(lambda tx: enable_user(tx, "bob", SYSTEM, now))
    assert isinstance(await sign_in.attempt("bob", PASSWORD, address="203.0.113.7"), Admitted)


async def test_a_guesser_waits_longer_each_time_and_nobody_else_does(store):
    clock, pauses = SettableClock(), Pauses()
    sign_in = SignIn(store, clock, Sessions(store, clock), Turnstile(clock, pauses))
    await make_anna(store, clock)
    first = await sign_in.attempt("anna", PASSWORD, address="203.0.113.7")
    assert isinstance(first, Admitted)
    for _ in range(12):
        assert await sign_in.attempt("anna", "guess", address="203.0.113.7") is Refusal.WRONG
    assert max(pauses.taken) >= 4
    pauses.taken.clear()
    assert isinstance(await sign_in.attempt("anna", PASSWORD, address="198.51.100.1"), Admitted)
    again = await sign_in.attempt("anna", PASSWORD, address="203.0.113.7", device=first.device)
    assert isinstance(again, Admitted)
    assert pauses.taken == [], "neither from elsewhere, nor with a known browser behind the guesser's address"
    assert again.device == first.device
    forged = "x" * 22 + "." + "0" * 64
    assert isinstance(await sign_in.attempt("anna", PASSWORD, address="203.0.113.7", device=forged), Admitted)
    assert pauses.taken


async def test_another_password_ends_sessions_and_marks_of_browsers(store):
    clock = SettableClock()
    sessions = Sessions(store, clock)
    sign_in = SignIn(store, clock, sessions, Turnstile(clock, Pauses()))
    await make_anna(store, clock)
    found = await sign_in.attempt("anna", PASSWORD, address="203.0.113.7")
    assert isinstance(found, Admitted)
    now, new = clock.now(), hash_login("another one of four words")
    anna = await store.write(lambda tx: set_password(tx, "anna", new, SYSTEM, now))
    sessions.forget()
    assert await sessions.find(found.token) is None
    assert not is_device_of(anna, found.device)
    assert await sign_in.attempt("anna", PASSWORD, address="203.0.113.7") is Refusal.WRONG


async def test_the_link_of_the_first_admin_holds_once_for_a_day_and_not_when_there_is_a_user(store):
    clock = SettableClock()
    welcome = Welcome(store, clock)
    assert not welcome.holds("")
    old = await welcome.offer()
    assert old is not None
    clock.jump(25 * 3_600)
    assert not welcome.holds(old)
    first, token = await welcome.offer(), await welcome.offer()
    assert first is not None
    assert token is not None
    assert not welcome.holds(first)
    assert not welcome.holds(token + "x")
    assert welcome.holds(token)
    user = await welcome.take("anna", HASH, SYSTEM)
    assert [one.role.value for one in user.grants] == ["admin"]
    assert not welcome.holds(token)
    assert await welcome.offer() is None


async def test_the_last_admin_stays_and_the_first_is_made_once(store):
    clock = SettableClock()
    await make_anna(store, clock)
    now = clock.now()
    with pytest.raises(Conflict, match="there is a user already"):
        await store.write(lambda tx: add_first_admin(tx, "mallory", HASH, SYSTEM, now))
    for change in (
        lambda tx: set_grants(tx, "anna", read_grants(["viewer", "admin@shop"]), SYSTEM, now),
        lambda tx: disable_user(tx, "anna", SYSTEM, now),
        lambda tx: drop_user(tx, "anna", SYSTEM, now),
    ):
        with pytest.raises(Conflict, match="last admin"):
            await store.write(change)
    with pytest.raises(NotFound):
        await store.write(lambda tx: enable_user(tx, "nobody", SYSTEM, now))


@pytest.mark.parametrize(
    "word",
    [
        "short",
        "password1234",
        "Qwerty-12345",
        "annaannaanna",
        "anna-anna-1234",
        "aaaaaaaaaaaaaaaa",
        "x" * 300,
    ],
)
def test_passwords_that_are_guessed_soon_are_refused(word: str) -> None:
    assert find_password_fault(word, "anna") is not None


@pytest.mark.parametrize("text", ["king", "author@", ""])
def test_roles_that_there_are_not_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_grants([text])
