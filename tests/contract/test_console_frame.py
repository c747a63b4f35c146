"""The console's frame: who gets in, whose forms are taken, what is refused as a page, and how tables are taken out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.model.user import Role
from tests.support.console import open_console


async def test_a_stranger_is_asked_to_sign_in_and_comes_back_to_the_page(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor() as visitor:
        asked = await visitor.get("/?range=month")
        assert asked.status == 303
        assert asked.location == "/console/sign-in?next=%2Fconsole%2F%3Frange%3Dmonth"
        form = await visitor.get("/sign-in")
        assert form.status == 200
        assert "Sign in" in form.text
        wrong = await visitor.post("/sign-in", {"name": "admin", "password": "wrong"})
        assert wrong.status == 403
        assert "The name or the password is wrong." in wrong.text
        right = await visitor.sign_in("Admin")
        assert right.status == 303
        page = await visitor.get("/")
        assert page.status == 200
        assert "Overview" in page.text


async def test_signing_in_never_leads_to_another_site(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor() as visitor:
        answer = await visitor.post(
            "/sign-in?next=https://elsewhere.example/",
            {"name": "admin", "password": "a wild goose flies south"},
        )
        assert answer.location == "/console/"


async def test_a_form_without_the_sessions_token_is_refused(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        forged = await visitor.post("/sign-out", {"csrf": "0" * 64})
        assert forged.status == 403
        assert "forged_form" in forged.text
        assert (await visitor.get("/")).status == 200


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_a_form_of_another_site_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        forged = await visitor.post("/sign-out", headers=headers)
        assert forged.status == 403
        assert (await visitor.get("/")).status == 200


async def test_signing_out_ends_the_session(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert (await visitor.post("/sign-out")).location == "/console/sign-in"
        assert (await visitor.get("/")).status == 303


async def test_a_page_one_may_not_see_says_so(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig:
        await rig.add_user("nobody")
        async with rig.visitor("nobody", "zh") as visitor:
            refused = await visitor.get("/channels")
            assert refused.status == 403
            assert "channels.read" in refused.text


async def test_pages_load_nothing_from_elsewhere_and_nobody_frames_them(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        page = await visitor.get("/")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Referrer-Policy"] == "same-origin"
        assert page.headers["Cache-Control"] == "no-store"
        assert not re.search(r'(?:src|href)="(?:https?:)?//', page.text)
        assert " style=" not in page.text
        assert " onclick=" not in page.text
        for path in re.findall(r'(?:src|href)="/console(/static/[^"]+)"', page.text):
            asset = await visitor.get(path)
            assert asset.status == 200
            assert "immutable" in asset.headers["Cache-Control"]


async def test_a_first_visit_needs_little(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        page = await visitor.get("/")
        paths = set(re.findall(r'(?:src|href)="/console(/static/[^"]+)"', page.text))
        octets = len(page.text.encode())
        for path in paths:
            octets += len((await visitor.get(path)).text.encode())
        assert octets <= 100_000


async def test_unknown_pages_are_pages(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        missing = await visitor.get("/nothing/here")
        assert missing.status == 404
        assert "There is no such page." in missing.text


async def test_a_disabled_user_is_out_at_once_after_seconds(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig:
        await rig.add_user("eve", Role.VIEWER)
        async with rig.visitor("eve") as visitor:
            await rig.api.store.write(
                lambda tx: tx.execute("UPDATE users SET disabled_at = 1 WHERE name = 'eve'")
            )
            rig.api.clock.jump(6)
            assert (await visitor.get("/")).status == 303


async def test_the_components_are_shown_in_development(tmp_path: Path) -> None:
    async with open_console(tmp_path, develops=True) as rig, rig.visitor("admin") as visitor:
        page = await visitor.get("/_components")
        assert page.status == 200
        file = await visitor.get("/_components?format=csv")
        assert file.headers["Content-Type"].startswith("text/csv")
        assert file.text.splitlines()[0] == "\ufefftext,code,badge,figure,time,link,lines"


async def test_the_components_are_not_shown_elsewhere(tmp_path: Path) -> None:
    async with open_console(tmp_path) as rig, rig.visitor("admin") as visitor:
        assert (await visitor.get("/_components")).status == 404
