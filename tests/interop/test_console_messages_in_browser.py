"""What an operator does with messages, by keyboard, on a screen and on a phone, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.support.browser import PHONE, WIDE, Window, find_barriers, open_browser, open_window
from tests.support.console import PASSWORD, open_console

NUMBER = "13800138000"
TEXT = "您好 https://t.cn/abc "


async def _type(window: Window, field: str, text: str) -> None:
    await window.page.focus(f"[name={field}]")
    await window.page.keyboard.type(text)


async def _press(window: Window, button: str) -> None:
    """Press a button by keyboard, and see the page that answers."""
    await window.page.locator(button).focus()
    async with window.page.expect_navigation():
        await window.page.keyboard.press("Enter")


async def _look(window: Window) -> list[str]:
    """What is wrong with the page that is shown."""
    sideways = await window.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [
        *await find_barriers(window),
        *([f"{window.page.url} is wider than the window"] if sideways else []),
    ]


@pytest.mark.parametrize(
    ("language", "size", "dark"),
    [("en", WIDE, True), ("zh", PHONE, False)],
    ids=["en-wide-dark", "zh-phone-light"],
)
async def test_a_message_is_previewed_sent_found_answered_and_canceled(
    tmp_path: Path, language: str, size: dict[str, int], dark: bool
) -> None:
    async with (
        open_console(tmp_path) as rig,
        open_browser() as browser,
        open_window(browser, rig.base, size=size, language=language, dark=dark) as window,
    ):
        page = window.page
        await window.sign_in("admin", PASSWORD)
        await window.go("/send")
        await _type(window, "to", NUMBER)
        await _type(window, "text", TEXT)
        await _press(window, "button[formaction]")
        await expect(page.locator(".phone mark")).to_have_text("https://t.cn/abc")
        wrong = await _look(window)
        await _press(window, "form[action='/console/send'] button.strong")
        story = page.url
        await expect(page.locator("pre.text")).to_contain_text("t.cn/abc")
        wrong += await _look(window)

        await window.go("/messages")
        await _type(window, "to", NUMBER)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        await expect(page.locator(f"a[href='{story.removeprefix(rig.base)}']")).to_be_visible()

        await window.go(f"/conversations/%2B86{NUMBER}")
        await _type(window, "text", "second")
        await _press(window, "form[action^='/console/conversations'] button.strong")
        await expect(page.locator(".bubble").first).to_have_text("second")
        assert await page.locator(".bubble").count() == 2
        wrong += await _look(window)

        await page.goto(story)
        await page.locator("form[action$='/cancel'] button").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#sure")).to_be_visible()
        await _press(window, "#sure button[value=yes]")
        await expect(page.locator("form[action$='/cancel']")).to_have_count(0)
        wrong += await _look(window)
        assert wrong == []
        assert window.complaints == []
        assert window.strangers == []
