"""The console's pages of people: one's own account, and users, which only admins may see."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.model.user import Role
from tests.support.console import PASSWORD, open_console

NEW = "another one of four words"


async def test_an_admin_adds_a_user_changes_their_roles_and_ends_their_access(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as admin, rig.visitor() as bob:
        fields = {"name": "bob", "password": "password1234", "role": ["viewer"], "of_brands": "author@shop"}
        weak = await admin.post("/users", fields)
        assert weak.status == 422
        assert "guessed soon" in weak.text
        assert 'value="author@shop"' in weak.text, "what was typed stays"
        wrong = await admin.post("/users", {**fields, "password": PASSWORD, "of_brands": "king@shop"})
        assert wrong.status == 422
        assert "write roles of" in wrong.text
        made = await admin.post("/users", {**fields, "password": PASSWORD})
        assert made.status == 303
        page = made.location.removeprefix("/console")
        assert 'value="viewer" checked' in (await admin.get(page)).text
        taken = await admin.post("/users", {**fields, "password": PASSWORD})
        assert taken.status == 409
        listed = await admin.get("/users")
        assert "author@shop" in listed.text

        assert (await bob.sign_in("bob")).status == 303
        assert (await bob.get("/users")).status == 403
        assert (await bob.post(f"{page}/roles", {"role": ["admin"]})).status == 403
        assert (await admin.post(f"{page}/roles", {"role": ["viewer", "admin"]})).status == 303
        assert (await bob.get("/users")).status == 200
        assert (await admin.post(f"{page}/password", {"password": NEW})).status == 303
        assert (await bob.get("/users")).status == 303, "the session is over"
        assert (await bob.sign_in("bob")).status == 403
        assert (await bob.sign_in("bob", NEW)).status == 303
        assert (await admin.post(f"{page}/disable")).status == 303
        assert (await bob.get("/users")).status == 303
        assert (await bob.sign_in("bob", NEW)).status == 403
        assert (await admin.post(f"{page}/enable")).status == 303
        assert (await bob.sign_in("bob", NEW)).status == 303
        assert (await admin.post(f"{page}/end")).status == 303
        assert (await bob.get("/users")).status == 303
        assert (await admin.post(f"{page}/remove")).location == "/console/users"
        assert (await admin.get(page)).status == 404


async def test_the_last_admin_can_not_shut_everybody_out(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as admin:
        user = await rig.add_user("eve", Role.VIEWER)
        assert (await admin.get(f"/users/{user.id}")).status == 200
        listed = (await admin.get("/users")).text
        found = re.search(r'/console/users/(\w+)">admin</a>', listed)
        assert found is not None
        own = found[1]
        for act, fields in (("disable", {}), ("remove", {}), ("roles", {"role": ["viewer"]})):
            assert (await admin.post(f"/users/{own}/{act}", fields)).status == 303
            assert "last admin" in (await admin.get(f"/users/{own}")).text


async def test_everybody_changes_their_own_password_and_ends_their_own_sessions_alone(tmp_path: Path) -> None:
    async with (
        open_console(tmp_path) as rig,
        rig.visitor("admin") as admin,
        rig.visitor() as eve,
        rig.visitor() as elsewhere,
    ):
        await rig.add_user("eve", Role.VIEWER)
        assert (await eve.sign_in("eve")).status == 303
        assert (await elsewhere.sign_in("eve")).status == 303
        page = await eve.get("/account")
        other = page.text.split('name="id" value="')[1].split('"')[0]
        assert (await admin.post("/account/end", {"id": other})).status == 404, "not their own"
        assert (await elsewhere.get("/account")).status == 200
        wrong = await eve.post("/account/password", {"old": "wrong", "password": NEW})
        assert (wrong.status, "This is not your password." in wrong.text) == (403, True)
        weak = await eve.post("/account/password", {"old": PASSWORD, "password": "eve-eve-1234"})
        assert weak.status == 422
        assert (await eve.post("/account/password", {"old": PASSWORD, "password": NEW})).status == 303
        assert (await eve.get("/account")).status == 200
        assert (await elsewhere.get("/account")).status == 303
        assert (await elsewhere.sign_in("eve")).status == 403
        assert (await elsewhere.sign_in("eve", NEW)).status == 303
        assert (await eve.post("/account/looks", {"language": "zh", "theme": "dark"})).status == 303
        dark = (await eve.get("/account")).text
        assert 'data-theme="dark"' in dark
        assert "您的账户" in dark
        assert "您的账户" in (await elsewhere.get("/account")).text


async def test_the_page_of_the_first_admin_is_closed_where_there_is_a_user(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor() as visitor:
        fields = {"name": "mallory", "password": NEW}
        for path in ("/welcome", "/welcome?token=", "/welcome?token=x"):
            assert (await visitor.get(path)).status == 403
            assert (await visitor.post(path, fields)).status == 403
        assert (await visitor.sign_in("mallory", NEW)).status == 403
