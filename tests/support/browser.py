"""A real browser, Debian's Chromium, driven by Playwright: what it shows, asks for, and complains about."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, ConsoleMessage, Page, Request, async_playwright

from tests.support.peers import need_peer

CHROMIUM: Final = shutil.which("chromium")
WIDE: Final = {"width": 1280, "height": 900}
PHONE: Final = {"width": 390, "height": 844}
_AXE: Final = Path(__file__).parents[1] / "interop/node/node_modules/axe-core/axe.min.js"


@dataclass
class Window:
    """One window of a browser with its own cookies.

    Attributes:
        complaints: what the browser's console said as a warning or an error, and scripts that broke.
        strangers: addresses of other hosts that the pages asked for.
    """

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    async def go(self, path: str) -> None:
        """Open a page below ``/console``."""
        await self.page.goto(f"{self.base}/console{path}")

    async def sign_in(self, name: str, password: str) -> None:
        """Fill in the form of the page that is shown, or of the first one."""
        if "/sign-in" not in self.page.url:
            await self.go("/sign-in")
        await self.page.fill("[name=name]", name)
        await self.page.fill("[name=password]", password)
        await self.page.click("main button.strong")
        await self.page.wait_for_load_state()


@asynccontextmanager
async def open_browser() -> AsyncIterator[Browser]:
    """Chromium, without a display."""
    need_peer("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def open_window(
    browser: Browser, base: str, *, size: Any = WIDE, language: str = "en", dark: bool = False
) -> AsyncIterator[Window]:
    """A window of its own.

    Args:
        base: the gateway's address, without a path.
        size: in CSS pixels.
    """
    context = await browser.new_context(
        viewport=size,
        locale={"en": "en-GB", "zh": "zh-CN"}[language],
        color_scheme="dark" if dark else "light",
        timezone_id="Asia/Shanghai",
    )
    try:
        page = await context.new_page()
        window = Window(page, base)
        page.set_default_timeout(20_000)
        page.on("pageerror", lambda error: window.complaints.append(str(error)))

        def note_complaint(said: ConsoleMessage) -> None:
            if said.type in {"error", "warning"}:
                window.complaints.append(said.text)

        page.on("console", note_complaint)

        def note(request: Request) -> None:
            if not request.url.startswith((base, "data:")):
                window.strangers.append(request.url)

        page.on("request", note)
        yield window
    finally:
        await context.close()


async def find_barriers(window: Window) -> list[str]:
    """What axe finds on the page that is serious or worse: rule and place."""
    need_peer("axe-core of npm", present=_AXE.exists())
    # What fades in has little contrast for a moment.
    await window.page.evaluate("Promise.all(document.getAnimations().map(one => one.finished)).then(() => 0)")
    await window.page.evaluate(_AXE.read_text("utf-8"))
    found = await window.page.evaluate(
        "async () => (await axe.run()).violations"
        ".filter(one => ['serious', 'critical'].includes(one.impact))"
        ".map(one => one.id + ': ' + one.nodes.map(node => node.html.slice(0, 160)).slice(0, 3).join(' | '))"
    )
    return [f"{window.page.url}: {one}" for one in found]
