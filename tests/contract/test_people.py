"""Users and their sessions on either engine: who may come in, for how long, and who may not any more."""

from __future__ import annotations

import msgspec
import pytest

from gateway.access.passwords import hash_login, verify_login
from gateway.access.permissions import Permission
from gateway.access.principal import principal_of_user
from gateway.access.sessions import MOST_OF_USER, Sessions, is_csrf
from gateway.errors import Conflict
from gateway.ids import make_id
from gateway.model.user import Grant, Role, User
from gateway.pipeline.chores import Keeping, make_chores
from gateway.store.users import change_user, end_sessions, find_user, list_sessions, list_users, save_user
from tests.support.api import SettableClock
from tests.support.stores import OpenStore

pytestmark = pytest.mark.contract


async def make_user(store: OpenStore, clock: SettableClock, name: str, *grants: Grant) -> User:
    user = User(id=make_id(), name=name, email=f"{name}@example.com", grants=grants, created_at=clock.now())
    await store.write(lambda tx: save_user(tx, user))
    found = await store.read(lambda tx: find_user(tx, name))
    assert found is not None
    assert found == msgspec.structs.replace(user, created_at=found.created_at)
    return found


async def test_a_user_comes_back_as_stored_and_a_name_is_given_once(store):
    clock = SettableClock()
    anna = await make_user(
        store, clock, "anna", Grant(role=Role.ADMIN), Grant(role=Role.AUTHOR, brand="shop")
    )
    with pytest.raises(Conflict):
        await make_user(store, clock, "anna")
    changed = msgspec.structs.replace(anna, language="zh", disabled_at=anna.created_at)
    assert await store.write(lambda tx: change_user(tx, changed))
    assert await store.read(lambda tx: list_users(tx, 10)) == [changed]


async def test_a_session_opens_until_it_is_idle_or_old_or_ended_or_its_user_is_disabled(store):
    clock = SettableClock()
    sessions = Sessions(store, clock)
    anna = await make_user(store, clock, "anna")
    token, session = await sessions.open(anna, "203.0.113.7", "Firefox")
    found = await sessions.find(token)
    assert found is not None
    assert found.user == anna
    assert is_csrf(token, found.csrf)
    assert not is_csrf(token, "0" * 64)
    assert await sessions.find(token + "x") is None
    assert await sessions.find("") is None

    for _ in range(5):  # used every hour it lives beyond its idle time, but not beyond its end
        clock.jump(3_600)
        assert await sessions.find(token) is not None
    clock.jump(3 * 3_600)
    assert await sessions.find(token) is None, "idle"

    token, _ = await sessions.open(anna, "203.0.113.7", "Firefox")
    for _ in range(11):
        clock.jump(3_600)
        assert await sessions.find(token) is not None
    clock.jump(3_600)
    assert await sessions.find(token) is None, "as old as it may be"

    token, session = await sessions.open(anna, "203.0.113.7", "x" * 10_000)
    assert len((await store.read(lambda tx: list_sessions(tx, anna.id, 1)))[0].agent) == 200
    assert await sessions.end(session.id)
    assert not await sessions.end(session.id)
    assert await sessions.find(token) is None

    token, _ = await sessions.open(anna, "203.0.113.7", "Firefox")
    assert await sessions.find(token) is not None
    disabled = msgspec.structs.replace(anna, disabled_at=clock.now())
    await store.write(lambda tx: change_user(tx, disabled))
    clock.jump(10)
    assert await sessions.find(token) is None
    assert await store.write(lambda tx: end_sessions(tx, anna.id)) > 0


def test_a_role_for_one_brand_says_nothing_of_others_nor_of_what_belongs_to_none():
    clock = SettableClock()
    grants = (Grant(role=Role.OPERATOR, brand="shop"), Grant(role=Role.VIEWER, brand="bank"))
    user = User(id="u", name="anna", grants=grants, created_at=clock.now())
    anna = principal_of_user(user, "console 203.0.113.7")
    assert anna.may(Permission.MESSAGES_SEND, "shop")
    assert not anna.may(Permission.MESSAGES_SEND, "bank")
    assert not anna.may(Permission.CHANNELS_OPERATE)
    assert anna.may_somewhere(Permission.CHANNELS_OPERATE)
    assert anna.brands(Permission.MESSAGES_READ) == frozenset({"shop", "bank"})
    assert anna.brands(Permission.USERS_MANAGE) == frozenset()
    admin = principal_of_user(msgspec.structs.replace(user, grants=(Grant(role=Role.ADMIN),)), "")
    assert admin.brands(Permission.MESSAGES_READ) is None
    assert all(admin.may(one) and admin.may(one, "shop") for one in Permission)


def test_passwords_of_people_are_kept_as_argon2_hashes():
    kept = hash_login("correct horse")
    assert kept.startswith("$argon2id$")
    assert verify_login(kept, "correct horse")
    assert not verify_login(kept, "correct hors")
    assert not verify_login("$argon2id$nonsense", "correct horse")
    assert not verify_login("", "")


async def test_sessions_that_are_over_go_from_the_store_and_one_user_has_so_many_at_most(store):
    clock = SettableClock()
    sessions = Sessions(store, clock)
    anna = await make_user(store, clock, "anna")
    bob = await make_user(store, clock, "bob")
    bobs, _ = await sessions.open(bob, "203.0.113.7", "Firefox")
    opened = [await sessions.open(anna, "203.0.113.7", "Firefox") for _ in range(MOST_OF_USER + 2)]
    kept = await store.read(lambda tx: list_sessions(tx, anna.id, 1_000))
    assert {one.id for one in kept} == {session.id for _, session in opened[2:]}
    assert await sessions.find(bobs) is not None
    (chore,) = [one for one in make_chores(Keeping()) if one.kind == "sessions"]
    await chore.step(store, clock.now(), "")
    assert len(await store.read(lambda tx: list_sessions(tx, anna.id, 1_000))) == MOST_OF_USER
    clock.jump(13 * 3_600)
    await chore.step(store, clock.now(), "")
    assert await store.read(lambda tx: list_sessions(tx, anna.id, 1_000)) == []
    assert await store.read(lambda tx: list_sessions(tx, bob.id, 1_000)) == []
