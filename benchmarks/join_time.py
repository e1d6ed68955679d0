"""Time from clicking Join to the first decoded frame of somebody else, in Chromium.

    python -m benchmarks.join_time [--runs 10]

A tab publishes Chromium's fake camera; another opens the same page, has its preview running, and
clicks Join. Both tabs and the server share the machine, so this is an upper bound.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--disable-background-networking",
)
# Looks every 5 ms whether a video has come.
MEASURE = """
() => new Promise((resolve, reject) => {
  const start = performance.now();
  const look = async () => {
    const stats = await window.aiosfu?.room?.getStats();
    for (const report of stats?.subscriber?.values() ?? []) {
      if (report.type === "inbound-rtp" && report.framesDecoded > 0) {
        return resolve(performance.now() - start);
      }
    }
    if (performance.now() - start > 20000) return reject(new Error("no frame within 20 s"));
    setTimeout(look, 5);
  };
  document.getElementById("join").click();
  look();
})
"""


def lobby(browser: Browser, url: str, name: str) -> Page:
    """A page in front of the room, with its preview running."""
    page = browser.new_context(bypass_csp=True).new_page()
    page.goto(f"{url}/r/bench")
    page.fill("#name", name)
    page.wait_for_function("document.getElementById('preview').videoWidth > 0")
    return page


def main() -> None:
    """Run and print the median."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    command = [str(Path(sys.executable).with_name("aiosfu")), "serve", "--dev"]
    command += ["--http-port", "0", "--udp-port", "0", "--tcp-port", "0", "--log-level", "error"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        found = re.search(r"http://[\d.]+:\d+", server.stdout.readline())
        assert found, "the server did not start"
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
            publisher = lobby(browser, found[0], "publisher")
            publisher.click("#join")
            publisher.wait_for_timeout(3000)
            times = []
            for number in range(runs):
                page = lobby(browser, found[0], f"viewer {number}")
                times.append(page.evaluate(MEASURE))
                print(f"{times[-1]:6.0f} ms")
                page.context.close()
                publisher.wait_for_timeout(500)
            print(f"median of {runs}: {statistics.median(times):.0f} ms")
            browser.close()
    finally:
        server.terminate()
        server.wait(10)


if __name__ == "__main__":
    main()
