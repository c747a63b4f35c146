"""The console as tests visit it: over a real store and real sockets; `tests.support.browser` has a browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, CookieJar

from gateway.access.passwords import hash_login
from gateway.clock import SystemClock
from gateway.ids import make_id
from gateway.model.user import Grant, Role, User
from gateway.settings.console import ConsoleSettings
from gateway.store.ports import Store
from gateway.store.users import save_user
from tests.support.api import ApiRig, open_api

PASSWORD: Final = "a wild goose flies south"
HASH: Final = hash_login(PASSWORD)
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@dataclass(frozen=True)
class Answer:
    """A page as it came.

    Args:
        location: where it leads next, for a redirect.
    """

    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def location(self) -> str:
        """Where it leads next; empty for nowhere."""
        return self.headers.get("Location", "")


class Visitor:
    """Somebody with a browser of their own, signed in or not."""

    def __init__(self, base: str, session: ClientSession) -> None:
        self._base = base
        self._session = session
        self._csrf = ""

    async def get(self, path: str, **options: Any) -> Answer:
        """A page below ``/console``; redirects are not followed."""
        return await self._call("GET", path, **options)

    async def post(self, path: str, fields: Mapping[str, Any] | None = None, **options: Any) -> Answer:
        """Send a form as a page of ours would; a field may have a list of values."""
        pairs = [("csrf", self._csrf)]
        for name, value in (fields or {}).items():
            pairs += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
        return await self._call("POST", path, data=pairs, **options)

    async def sign_in(self, name: str, password: str = PASSWORD) -> Answer:
        """Open a session."""
        answer = await self.post("/sign-in", {"name": name, "password": password})
        if answer.status == 303:
            found = _CSRF.search((await self.get("/account")).text) or _CSRF.search(
                (await self.get("/")).text
            )
            assert found is not None
            self._csrf = found[1]
        return answer

    async def _call(self, method: str, path: str, **options: Any) -> Answer:
        async with self._session.request(
            method, f"{self._base}/console{path}", allow_redirects=False, **options
        ) as response:
            return Answer(response.status, (await response.read()).decode(), dict(response.headers))


@dataclass
class ConsoleRig:
    """A served console with its API.

    Args:
        api: the rig of the API on the same store.
    """

    api: ApiRig
    base: str

    async def add_user(self, name: str, *roles: Role, brand: str | None = None) -> User:
        """Somebody whose password is ``PASSWORD``."""
        return await add_user(self.api.store, name, *roles, brand=brand)

    @asynccontextmanager
    async def visitor(self, name: str = "", language: str = "en") -> AsyncIterator[Visitor]:
        """A visitor; signed in, if a name is given."""
        headers = {"Accept-Language": language}
        async with ClientSession(cookie_jar=CookieJar(unsafe=True), headers=headers) as session:
            visitor = Visitor(self.base, session)
            if name:
                assert (await visitor.sign_in(name)).status == 303
            yield visitor


async def add_user(store: Store, name: str, *roles: Role, brand: str | None = None) -> User:
    """Store somebody whose password is ``PASSWORD``."""
    grants = tuple(Grant(role=role, brand=brand) for role in roles)
    user = User(id=make_id(), name=name, password=HASH, grants=grants, created_at=SystemClock().now())
    await store.write(lambda tx: save_user(tx, user))
    return user


@asynccontextmanager
async def open_console(folder: Path, *, develops: bool = False, **options: Any) -> AsyncIterator[ConsoleRig]:
    """The console on a fresh store, with a user ``admin``; options as of `open_api`."""
    async with open_api(folder, console=ConsoleSettings(develops=develops), **options) as api:
        rig = ConsoleRig(api, str(api.client.make_url("")).rstrip("/"))
        await rig.add_user("admin", Role.ADMIN)
        yield rig
