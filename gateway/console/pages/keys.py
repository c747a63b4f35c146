"""API keys: who has which, one more with its secret shown once, and how one is revoked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from gateway.access.keys import add_key, end_key
from gateway.access.permissions import Permission
from gateway.console.cells import Badge, Code
from gateway.console.listing import Column, Listing, show_list
from gateway.console.page import Handler, Page, Visit
from gateway.errors import Conflict
from gateway.ids import KeyId, make_id
from gateway.model.message import ApiKey, Scope
from gateway.store.keys import hash_secret, list_keys, make_secret

_MOST_NAME_CHARS: Final = 64


async def show_keys(visit: Visit) -> web.StreamResponse:
    """All of them, revoked ones too, the newest first."""
    return await _show(visit)


async def add(visit: Visit) -> web.StreamResponse:
    """Make one. Its secret is on the page that answers, and on no other."""
    form, t = visit.form, visit.t
    name = form.text("name")
    scopes = frozenset(scope for scope in Scope if scope.value in form.texts("scope"))
    if not 0 < len(name) <= _MOST_NAME_CHARS or not name.isprintable():
        form.faults["name"] = t("Give it a name of 64 characters at most.")
    if not scopes:
        form.faults["scope"] = t("Choose what it may do.")
    if form.faults:
        return await _show(visit, 422)
    key = ApiKey(id=KeyId(make_id()), name=name, scopes=scopes, created_at=visit.product.clock.now())
    secret, by = make_secret(), visit.actor
    try:
        await visit.product.store.write(lambda tx: add_key(tx, key, hash_secret(secret), by=by))
    except Conflict as error:
        form.faults["name"] = str(error)
        return await _show(visit, 409)
    return await _show(visit, secret=secret)


async def revoke(visit: Visit) -> web.StreamResponse:
    """End one."""
    key_id, by, now = visit.request.match_info["id"], visit.actor, visit.product.clock.now()
    if await visit.product.store.write(lambda tx: end_key(tx, key_id, by=by, at=now)):
        return visit.go("/keys", visit.t("The key is revoked; within seconds it opens nothing any more."))
    return visit.go("/keys", visit.t("There is no such key that is still good."), failed=True)


async def _show(visit: Visit, status: int = 200, *, secret: str = "") -> web.StreamResponse:
    async def load(limit: int, after: str | None) -> Sequence[ApiKey]:
        keys = (await visit.product.store.read(list_keys))[::-1]
        return [one for one in keys if after is None or one.id < after][:limit]

    listing = Listing[ApiKey](
        name="keys",
        columns=(
            Column("name", "Name", lambda k: k.name, main=True),
            Column("id", "Id", lambda k: Code(k.id)),
            Column("scopes", "May", lambda k: ", ".join(sorted(k.scopes))),
            Column("created_at", "Made", lambda k: k.created_at),
            Column(
                "state", "State", lambda k: Badge("revoked", "bad") if k.revoked_at else Badge("good", "good")
            ),
        ),
        load=load,
        key=lambda one: one.id,
        empty="There is no key yet.",
    )
    response = await show_list(
        visit, listing, "keys.html", secret=secret, scopes=[one.value for one in Scope]
    )
    if isinstance(response, web.Response):
        response.set_status(status)
    return response


def _page(method: str, path: str, handler: Handler) -> Page:
    return Page(method=method, path=path, handler=handler, permission=Permission.KEYS_MANAGE, menu="keys")


PAGES: Final = (
    _page("GET", "/keys", show_keys),
    _page("POST", "/keys", add),
    _page("POST", "/keys/{id}/revoke", revoke),
)
