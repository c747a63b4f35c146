"""The console in Debian's Chromium: every page, in both languages and sizes, without a complaint or a barrier."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import expect

from gateway.console.page import Page
from gateway.console.table import PAGES
from tests.support.browser import PHONE, WIDE, find_barriers, open_browser, open_window
from tests.support.console import PASSWORD, open_console

_UNSEEN: Final = frozenset({"/live", "/{tail:.*}", "/welcome"})
"""No pages to look at."""


def _plain_pages() -> list[Page]:
    return [
        page for page in PAGES if page.method == "GET" and "{" not in page.path and page.path not in _UNSEEN
    ]


@pytest.mark.parametrize(
    ("language", "size", "dark"),
    [("en", WIDE, False), ("en", PHONE, True), ("zh", WIDE, True), ("zh", PHONE, False)],
    ids=["en-wide-light", "en-phone-dark", "zh-wide-dark", "zh-phone-light"],
)
async def test_every_page_can_be_used_and_asks_nobody_else(
    tmp_path: Path, language: str, size: dict[str, int], dark: bool
) -> None:
    async with open_console(tmp_path, develops=True) as rig, open_browser() as browser:
        await rig.api.send(text="验证码 123456")
        async with open_window(browser, rig.base, size=size, language=language, dark=dark) as window:
            await window.go("/sign-in")
            barriers = await find_barriers(window)
            await window.sign_in("admin", PASSWORD)
            assert window.page.url == f"{rig.base}/console/"
            for page in _plain_pages():
                await window.go(page.path)
                barriers += await find_barriers(window)
                sideways = await window.page.evaluate("document.documentElement.scrollWidth > innerWidth")
                assert not sideways, f"{page.path} is wider than the window"
                assert await window.page.locator("h1").count() == 1, page.path
            assert barriers == []
            assert window.complaints == []
            assert window.strangers == []


async def test_a_page_follows_what_happens(tmp_path: Path) -> None:
    async with (
        open_console(tmp_path) as rig,
        open_browser() as browser,
        open_window(browser, rig.base) as window,
    ):
        await window.sign_in("admin", PASSWORD)
        waiting = window.page.locator(".tile", has_text="Waiting").locator(".tile-value")
        assert await waiting.inner_text() == "0"
        await window.page.wait_for_selector("#live:not([hidden])")
        await rig.api.send()
        await expect(waiting).to_have_text("1", timeout=20_000)
        assert window.complaints == []


async def test_the_keyboard_alone_reaches_every_page(tmp_path: Path) -> None:
    async with (
        open_console(tmp_path) as rig,
        open_browser() as browser,
        open_window(browser, rig.base) as window,
    ):
        await window.sign_in("admin", PASSWORD)
        keyboard = window.page.keyboard
        await keyboard.press("?")
        assert await window.page.locator("#keys").is_visible()
        await keyboard.press("Escape")
        await keyboard.press("g")
        await keyboard.press("Tab")
        place = await window.page.evaluate("document.activeElement.getAttribute('href')")
        await keyboard.press("Enter")
        await window.page.wait_for_url(f"**{place}")
        assert window.complaints == []
