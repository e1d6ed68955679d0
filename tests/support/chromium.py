"""Real browsers: headless Chromium with a fake camera, driven by Playwright."""

import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from tests.support.polling import until

ARGUMENTS = (
    "--no-sandbox",  # there is none for root, in containers
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
)

# Keeps what a page makes, so that tests can look at it whatever library made it.
SCRIPT = """
window.connections = [];
window.sockets = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(...args) { super(...args); connections.push(this); }
};
window.offline = false;
window.WebSocket = class extends WebSocket {
  constructor(url, ...rest) {
    super(offline ? "ws://127.0.0.1:9/" : url, ...rest);  // nobody listens on "discard"
    sockets.push(this);
  }
};
window.told = [];  // the page's messages, which are gone after some seconds
new MutationObserver((changes) => {
  for (const { target, addedNodes } of changes) {
    if (target.id === "toasts") told.push(...[...addedNodes].map((node) => node.textContent));
  }
}).observe(document, { childList: true, subtree: true });
window.statistics = async (type) => {
  const found = [];
  for (const connection of connections) {
    if (connection.connectionState === "closed") continue;
    const report = await connection.getStats();
    for (const one of report.values()) {
      if (one.type !== type) continue;
      const codec = report.get(one.codecId);
      found.push({ ...one, mimeType: codec?.mimeType });
    }
  }
  return found;
};
"""


def executable() -> str:
    """The browser to run.

    Raises:
        RuntimeError: There is none.
    """
    names = (os.environ.get("CHROMIUM") or "chromium", "chromium-browser", "google-chrome")
    for name in names:
        if path := shutil.which(name):
            return path
    raise RuntimeError("These tests need Chromium. On Debian: apt-get install chromium")


class Tab:
    """One page, in a profile of its own.

    Attributes:
        page: Playwright's page.
        errors: What went wrong in it: errors on the console, exceptions that nobody caught.
    """

    def __init__(self, context: BrowserContext, page: Page) -> None:
        self.context = context
        self.page = page
        self.errors: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    async def evaluate(self, script: str, argument: Any = None) -> Any:
        return await self.page.evaluate(script, argument)

    async def until(self, script: str, what: str, *, deadline: float = 20.0) -> Any:
        """The first true value of a JavaScript expression."""
        return await until(lambda: self.evaluate(script), what, deadline=deadline, interval=0.1)

    async def is_told(self, text: str) -> None:
        """Wait until our page has shown a message, since it was loaded, with this in it."""
        what = f"a message with {text!r}"
        await self.until(f"told.some((one) => one.includes({json.dumps(text)}))", what)

    async def statistics(self, type: str, **fields: Any) -> list[dict[str, Any]]:
        """W3C statistics objects of all connections of the page that have these fields."""
        found = await self.evaluate("(type) => statistics(type)", type)
        return [one for one in found if fields.items() <= one.items()]

    async def decodes(
        self, count: int, *, more: int = 15, codec: str = "", deadline: float = 30.0
    ) -> list[dict[str, Any]]:
        """Wait until `count` videos have each decoded `more` frames; returns their statistics."""
        before: dict[str, int] = {}

        async def check() -> list[dict[str, Any]]:
            growing = []
            for one in await self.statistics("inbound-rtp", kind="video"):
                decoded = one.get("framesDecoded", 0)
                start = before.setdefault(one["id"], decoded)
                if (
                    decoded >= start + more
                    and one.get("frameWidth")
                    and (not codec or one["mimeType"] == codec)
                ):
                    growing.append(one)
            return growing if len(growing) >= count else []

        found: list[dict[str, Any]] = await until(
            check, f"{count} decoded videos {codec}", deadline=deadline, interval=0.2
        )
        return found

    async def hears(self, count: int, *, deadline: float = 30.0) -> list[dict[str, Any]]:
        """Wait until the energy of `count` audio streams grows; returns their statistics."""
        before: dict[str, float] = {}

        async def check() -> list[dict[str, Any]]:
            growing = []
            for one in await self.statistics("inbound-rtp", kind="audio"):
                energy = one.get("totalAudioEnergy", 0.0)
                if energy > before.setdefault(one["id"], energy):
                    growing.append(one)
            return growing if len(growing) >= count else []

        found: list[dict[str, Any]] = await until(
            check, f"{count} audible streams", deadline=deadline, interval=0.2
        )
        return found

    async def close(self) -> None:
        await self.context.close()


class Chromium:
    """A running browser that opens tabs."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    async def open(self, url: str) -> Tab:
        """A new tab, with camera and microphone allowed."""
        context = await self._browser.new_context(permissions=["camera", "microphone"])
        await context.add_init_script(SCRIPT)
        tab = Tab(context, await context.new_page())
        await tab.page.goto(url)
        return tab


@asynccontextmanager
async def running_chromium(*arguments: str) -> AsyncIterator[Chromium]:
    """A browser; its tabs end with it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(), args=[*ARGUMENTS, *arguments]
        )
        try:
            yield Chromium(browser)
        finally:
            await browser.close()
