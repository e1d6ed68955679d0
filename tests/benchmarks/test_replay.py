"""The command that replays traces prints a comparison and writes a page."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.replay import main
from tests.support.capacity import Capacity
from tests.support.story import Story
from tests.support.traced import TracedScenario


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    story = Story(seconds=16, capacity=Capacity(((0, 3e6), (8, 6e5))), publishers=2)
    path = tmp_path_factory.mktemp("traces") / "a.trace"
    path.write_bytes(TracedScenario(story).record())
    return path


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def test_the_same_settings_are_told_to_be_the_same(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(trace), "--html", str(tmp_path / "x.html")]) == 0
    text = capsys.readouterr().out
    assert "The same choices for 4 of 4 tracks; estimates differ by nothing at most." in text
    (recorded,) = re.findall(r"\| all +\| recorded \| +(.*?) \|", text)
    (replayed,) = re.findall(r"\| +\| replayed \| +([0-9].*?) \|", text)
    assert recorded == replayed
    page = Page((tmp_path / "x.html").read_text())
    assert page.tags.count("svg") == 5  # estimate, delays, loss, and two cameras


def test_other_settings_show_in_both(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = tmp_path / "x.html"
    options = ["--start", "200k", "--set", "allocator.HEADROOM=3", "--html", str(html)]
    assert main([str(trace), str(trace), *options]) == 0
    text = capsys.readouterr().out
    assert text.count("The same choices for 2 of 4 tracks") == 2  # those of the microphones
    assert "start=200000, allocator.HEADROOM=3" in html.read_text()


def test_a_reason_is_told_for_a_pause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.trace"
    path.write_bytes(TracedScenario(Story(seconds=8, capacity=110_000)).record())
    assert main([str(path), "--html", str(tmp_path / "x.html")]) == 0
    assert re.search(
        r"recorded: camera TR_\w+: paused: [\d,]+ kb/s available, the lowest layer needs",
        capsys.readouterr().out,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["/nowhere"], "/nowhere cannot be read"),
        (["{trace}", "--set", "NOTHING=1"], "no constant NOTHING"),
        (["{trace}", "--html", "/nowhere/x.html"], "/nowhere/x.html cannot be written"),
    ],
)
def test_mistakes_are_one_line(
    trace: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(trace=trace) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_constants_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert "allocator.STICKINESS=" in capsys.readouterr().out
