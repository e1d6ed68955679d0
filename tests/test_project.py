"""The project around the code: versions agree, documents name what exists, nothing is left over."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DIRECTORIES = ("sfu", "signaling", "recorder", "web", "tests", "benchmarks", ".ci")
SUFFIXES = {".py", ".js", ".html", ".css", ".md", ".toml", ".json", ".sdp", ""}
IGNORED = {"__pycache__", "corpus", "LICENSE", "core"}  # the last where a program crashed

FILES = sorted(
    path
    for path in (
        *(file for file in ROOT.iterdir() if file.is_file() and not file.name.startswith(".")),
        *(file for directory in DIRECTORIES for file in (ROOT / directory).rglob("*")),
    )
    if path.is_file() and path.suffix in SUFFIXES and not IGNORED & set(path.parts)
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

# Written so that these patterns do not find themselves.
MACHINE_PATH = re.compile(r"(?<![\w.:<])/(?:work|home|farm|root|Users|tmp)/[\w.-]+")
UNFINISHED = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X]|raise NotImplemented[E]rror)\b")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", FILES, ids=name)
def test_file_names_no_machine_and_leaves_no_loose_end(path: Path) -> None:
    content = path.read_text(encoding="utf-8")
    assert not MACHINE_PATH.findall(content)
    assert not UNFINISHED.findall(content)
    assert "\t" not in content or path.name == "Makefile"
    assert content.endswith("\n") or not content
    assert not re.search(r"[ ]+$", content, re.MULTILINE), "trailing space"


def test_versions_agree() -> None:
    newest = re.search(r"^## \[?([\d.]+)", text("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert PROJECT["version"] == newest[1] == version("aiosfu")


@pytest.mark.parametrize("command", ["make run", "make test"])
def test_readme_names_the_commands(command: str) -> None:
    assert command in text("README.md")


def test_readme_has_the_settings_as_they_are() -> None:
    command = [sys.executable, "-m", "signaling.settings"]
    table = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"<!-- settings -->\n{table}<!-- /settings -->" in text("README.md")


def test_make_has_every_target_that_documents_name() -> None:
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    for document in ("README.md", "CONTRIBUTING.md"):
        assert set(re.findall(r"`make ([a-z]+)", text(document))) <= targets


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")), ids=name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("dependency", PROJECT["dependencies"])
def test_runtime_lock_has_every_dependency(dependency: str) -> None:
    wanted = re.split(r"[<>=!~ ]", dependency)[0].lower()
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert re.search(rf"^{re.escape(wanted)}==", text(lock), re.MULTILINE), lock


def test_gate_is_executable_and_runs_the_documented_command() -> None:
    gate = ROOT / ".ci" / "run"
    assert gate.stat().st_mode & 0o111
    assert "make test" in gate.read_text(encoding="utf-8")
