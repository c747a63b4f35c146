"""Users: who may sign in, as what, for which brands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final

from aiohttp import web

from gateway.access.passwords import hash_login
from gateway.access.people import (
    add_user,
    check_password,
    disable_user,
    drop_user,
    enable_user,
    end_all_sessions,
    read_grants,
    read_user_name,
    set_grants,
    set_password,
    show_grants,
)
from gateway.access.permissions import Permission
from gateway.access.sessions import MOST_OF_USER
from gateway.console.cells import Badge, Lines, Link
from gateway.console.listing import Column, Listing, show_list
from gateway.console.page import Handler, Page, Visit, make_deeds
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.ids import make_id
from gateway.model.user import Grant, Role, User
from gateway.store.ports import Tx
from gateway.store.users import find_user, list_sessions, list_users


async def show_users(visit: Visit) -> web.StreamResponse:
    """All of them, and the form for another one."""
    return await _list(visit)


async def add(visit: Visit) -> web.StreamResponse:
    """Let somebody new sign in."""
    form = visit.form
    try:
        name, grants = read_user_name(form.text("name")), _read_roles(visit)
        word = form.raw("password")
        check_password(word, name)
    except InvalidRequest as error:
        form.blame(error)
        return await _list(visit, 422)
    kept = await asyncio.to_thread(hash_login, word)
    now, by = visit.product.clock.now(), visit.actor
    called = form.text("display_name")[:100]
    user = User(id=make_id(), name=name, display_name=called, password=kept, grants=grants, created_at=now)
    try:
        await visit.product.store.write(lambda tx: add_user(tx, user, by, now))
    except Conflict as error:
        form.faults["name"] = str(error)
        return await _list(visit, 409)
    return visit.go(f"/users/{user.id}", visit.t("{name} may sign in now.", name=name))


async def show_user(visit: Visit) -> web.StreamResponse:
    """One user, with what can be done."""
    return await _show(visit, await _find(visit))


async def change_roles(visit: Visit) -> web.StreamResponse:
    """Other roles; they replace those there were."""
    try:
        grants = _read_roles(visit)
    except InvalidRequest as error:
        visit.form.blame(error)
        return await _show(visit, await _find(visit), 422)
    return await _do(visit, partial(set_grants, grants=grants), visit.t("The roles are changed."))


async def change_password(visit: Visit) -> web.StreamResponse:
    """Another password, for somebody who forgot theirs."""
    user, word = await _find(visit), visit.form.raw("password")
    try:
        check_password(word, user.name)
    except InvalidRequest as error:
        visit.form.blame(error)
        return await _show(visit, user, 422)
    kept = await asyncio.to_thread(hash_login, word)
    said = visit.t("The password is changed, and all sessions are over.")
    return await _do(visit, partial(set_password, password=kept), said)


async def disable(visit: Visit) -> web.StreamResponse:
    """Let them in no more."""
    return await _do(visit, disable_user, visit.t("The user is disabled, and all sessions are over."))


async def enable(visit: Visit) -> web.StreamResponse:
    """Let them in again."""
    return await _do(visit, enable_user, visit.t("The user may sign in again."))


async def end_sessions(visit: Visit) -> web.StreamResponse:
    """End all their sessions."""
    return await _do(visit, end_all_sessions, visit.t("All sessions are over."))


async def remove(visit: Visit) -> web.StreamResponse:
    """Forget them."""
    return await _do(visit, drop_user, visit.t("The user is removed."), "/users")


async def _do(
    visit: Visit, change: Callable[..., Awaitable[Any]], said: str, path: str = ""
) -> web.StreamResponse:
    """Have a change made to the user that the address names, and say so."""
    user_id, by, now = visit.request.match_info["id"], visit.actor, visit.product.clock.now()
    back = f"/users/{user_id}"

    async def op(tx: Tx) -> None:
        await change(tx, user_id, by=by, at=now)

    try:
        await visit.product.store.write(op)
    except Conflict as error:
        return visit.go(back, str(error), failed=True)
    visit.console.sessions.forget()
    return visit.go(path or back, said)


async def _list(visit: Visit, status: int = 200) -> web.StreamResponse:
    async def load(limit: int, after: str | None) -> Sequence[User]:
        return await visit.product.store.read(partial(list_users, limit=limit, after=after))

    listing = Listing[User](
        name="users",
        columns=(
            Column("name", "Name", lambda u: Link(u.name, f"/console/users/{u.id}"), main=True),
            Column("display_name", "Called", lambda u: u.display_name or None),
            Column("roles", "Roles", lambda u: Lines(tuple(show_grants(u.grants)))),
            Column("state", "State", _state),
            Column("created_at", "Added", lambda u: u.created_at),
        ),
        load=load,
        key=lambda one: one.id,
        by_id=True,
        empty="There is no user.",
    )
    response = await show_list(visit, listing, "users/list.html", **_roles_of(visit, ()))
    if status != 200 and isinstance(response, web.Response):
        response.set_status(status)
    return response


async def _show(visit: Visit, user: User, status: int = 200) -> web.StreamResponse:
    sessions = await visit.product.store.read(partial(list_sessions, user_id=user.id, limit=MOST_OF_USER))
    shown = _roles_of(visit, user.grants)
    return visit.render("users/one.html", status, user=user, sessions=sessions, state=_state(user), **shown)


async def _find(visit: Visit) -> User:
    user = await visit.product.store.read(partial(find_user, id_or_name=visit.request.match_info["id"]))
    if user is None:
        raise NotFound(visit.t("There is no such user."))
    return user


def _state(user: User) -> Badge:
    return Badge("disabled", "bad") if user.disabled_at else Badge("good", "good")


def _read_roles(visit: Visit) -> tuple[Grant, ...]:
    of_brands = visit.form.text("of_brands").replace(",", " ").split()
    return read_grants([*visit.form.texts("role"), *of_brands])


def _roles_of(visit: Visit, grants: Sequence[Grant]) -> dict[str, Any]:
    """What the boxes and the field for roles show: what was posted, or else what holds."""
    everywhere = [one.role.value for one in grants if one.brand is None]
    posted = visit.form.texts("role") if "name" in visit.form or "of_brands" in visit.form else everywhere
    return {
        "all_roles": [role.value for role in Role],
        "ticked": posted,
        "of_brands": " ".join(show_grants(one for one in grants if one.brand)),
    }


def _page(method: str, path: str, handler: Handler) -> Page:
    return Page(method=method, path=path, handler=handler, permission=Permission.USERS_MANAGE, menu="users")


_DEEDS: Final = {
    "roles": change_roles,
    "password": change_password,
    "disable": disable,
    "enable": enable,
    "end": end_sessions,
    "remove": remove,
}
PAGES: Final = (
    _page("GET", "/users", show_users),
    _page("POST", "/users", add),
    _page("GET", "/users/{id}", show_user),
    *make_deeds("/users/{id}", _DEEDS, permission=Permission.USERS_MANAGE, menu="users"),
)
