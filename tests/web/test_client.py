"""The browser client's types, its own tests, and its agreement with the server's messages.

Nothing here is skipped: where Node.js is missing, `make test` brings its own.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from signaling.messages import DISCONNECT_REASONS, ERROR_NAMES, SERVER_MESSAGES, snake_case

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "web" / "client"
TSC = ROOT / "node_modules" / ".bin" / "tsc"
DEADLINE = 120  # s


def tool(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} is missing: run `make test`, or install Node.js 20 or newer"
    return path


def run(*command: str) -> str:
    """The output of a command that must succeed."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def node() -> str:
    return tool("node")


def test_types_are_right(node: str) -> None:
    if not TSC.exists():
        run(tool("npm"), "ci", "--no-audit", "--no-fund")
    run(str(TSC), "--project", "tsconfig.json")


def test_pure_parts(node: str) -> None:
    tests = sorted(str(path) for path in Path(__file__).parent.glob("*.test.js"))
    assert tests
    run(node, "--test", *tests)


def test_library_imports_nothing_from_elsewhere() -> None:
    modules = {path.name: path.read_text() for path in CLIENT.glob("*.js")}
    assert "room.js" in modules
    for name, text in modules.items():
        for imported in re.findall(r'(?:from|import)\s*\(?"([^"]+)"', text):
            if imported.startswith("wss:"):
                continue
            assert imported.removeprefix("./") in modules, f"{name} imports {imported}"


def test_library_knows_every_error_of_the_protocol() -> None:
    text = (CLIENT / "errors.js").read_text()
    declared = text[text.index("Names that the server sends") : text.index("RequestErrorCode")]
    assert set(re.findall(r'"(\w+)"', declared)) == set(ERROR_NAMES)


def test_library_knows_every_message_of_the_server() -> None:
    text = (CLIENT / "protocol.js").read_text()
    declared = set(re.findall(r'(?:type: |property \{)"(\w+)"', text))
    events = {snake_case(message.__name__) for message in SERVER_MESSAGES}
    replies = {"ok", "error", "track_added", "publisher_answer", "pong"}  # of type Reply
    replies |= {"recording_started", "recording_list"}
    assert events - replies <= declared


def test_page_has_words_for_every_reason_to_be_disconnected(node: str) -> None:
    script = (
        'import { explain } from "./web/page/words.js";'
        "const unknown = process.argv.slice(1)"
        '.filter((code) => explain(code).title === explain("?").title);'
        'process.stdout.write(unknown.join(" "));'
    )
    joining = ("unauthorized", "room_full", "server_full", "room_not_found", "rate_limited")
    ours = ("connection_failed", "connection_lost", "timeout", "media_failed")
    names = (*DISCONNECT_REASONS, *joining, *ours)
    assert run(node, "--input-type=module", "-e", script, *names) == ""


@pytest.mark.parametrize("page", ["index.html", "example.html"])
def test_pages_obey_their_policy(page: str) -> None:
    text = (ROOT / "web" / page).read_text()
    assert "style=" not in text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text), "no inline scripts"
    assert not re.search(r"\son\w+=", text), "no inline handlers"
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text), "nothing from elsewhere"


def test_nothing_of_others_becomes_markup() -> None:
    for path in (ROOT / "web").rglob("*.js"):
        text = path.read_text()
        for name in ("innerHTML =", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert name not in text, path
