"""Reports of results that are made by hand, so that every part of them is there."""

import io
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from benchmarks.load.metrics import METRICS
from benchmarks.load.model import LoadError, LoadPlan
from benchmarks.load.plots import Axis, Series, line_plot, thin, ticks
from benchmarks.load.progress import LiveProgress, PlainProgress, show, spark
from benchmarks.load.report_html import MAX_ROWS, to_html
from benchmarks.load.report_json import from_json, to_json
from benchmarks.load.report_text import to_text
from benchmarks.load.result import ClientSummary, Point, Result, Step, Verdict
from tests.support.chromium import executable

VOID = {"meta"}
SCRIPT = "<script>alert(1)</script>"

POINT = Point(
    time=0.0,
    measured=True,
    publishers=1,
    subscribers=50,
    packets_sent=240.0,
    packets_received=12000.0,
    bits_sent=2.1e6,
    bits_received=105e6,
    loss=0.0,
    delay_p50=0.0004,
    delay_p95=0.001,
    delay_p99=0.002,
    server_cpu=0.08,
    server_memory=90_000_000,
    tester_cpu=0.1,
)
CLIENT = ClientSummary(
    name="load-s1",
    room="load",
    publishes=False,
    subscribes=True,
    state="connected",
    error="",
    join_time=0.03,
    first_packet_time=0.04,
    first_key_frame_time=0.1,
    packets_sent=0,
    packets_received=2400,
    packets_expected=2400,
    bits_sent=0.0,
    bits_received=2.1e6,
    loss=0.0,
    jitter=0.0002,
    delay_p50=0.0004,
    delay_p99=0.002,
    freezes_short=0,
    freezes_long=0,
    nacks=0,
    plis=1,
    layer="",
)
STEP = Step(30.0, 12000.0, 12000.0, 0.0, 0.0004, 0.002, 0.08, 6.4e-6, 0, passed=True)


def full_result() -> Result:
    """A result with something of everything."""
    plan = LoadPlan("http://127.0.0.1:8080", scenario="ramp", subscribers=50, room=SCRIPT)
    failed = replace(STEP, load=60.0, loss=0.3, passed=False, reason="30 % were lost")
    return Result(
        plan,
        started_at=1767225600.0,
        elapsed=14.0,
        measured=10.0,
        interrupted=f"It broke {SCRIPT}.",
        machine={"cores": "2"},
        metrics=dict.fromkeys(METRICS, 0.5) | {"jitter": None},
        points=[replace(POINT, time=float(n), measured=n > 3) for n in range(14)],
        clients=[CLIENT, replace(CLIENT, name=SCRIPT, state="failed", error=f"No {SCRIPT}")],
        steps=[STEP, failed],
        knee=STEP,
        problems={f"No {SCRIPT}": 1},
        verdicts=[Verdict("loss>1%", "loss", 0.5, failed=True)],
    )


class Outline(HTMLParser):
    """Checks that elements are closed in order, and keeps the text and what is referred to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self.rows = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href")]
        self.rows += tag == "tr"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Elements of SVG that are empty."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


def outline(result: Result) -> Outline:
    parser = Outline()
    page = to_html(result).decode()
    assert page.startswith("<!doctype html>")
    parser.feed(page.removeprefix("<!doctype html>"))
    parser.close()
    assert parser.open == []
    return parser


def test_page_is_whole_and_needs_nothing_else() -> None:
    page = outline(full_result())
    assert page.links == []
    for text in ("12,000/s", "knee", "30 % were lost", "Over time", "load-s1", "1 of 1 thresholds"):
        assert text in page.text


def test_what_others_wrote_is_only_text() -> None:
    assert SCRIPT.encode() not in to_html(full_result())
    assert outline(full_result()).text.count(SCRIPT) >= 4


def test_result_of_which_nothing_came_has_a_page_too() -> None:
    empty = Result(LoadPlan("http://127.0.0.1"), started_at=0.0, interrupted="Nobody is there.")
    assert "Nobody is there." in outline(empty).text


def test_who_lost_and_what_was_not_as_asked_for_is_in_every_report() -> None:
    result = full_result()
    result.losses = ["7 packets are missing.", "The kernel dropped 5."]
    result.notes = {"The server takes no simulcast.": 3}
    result.media = {"vp8": "played as it is"}
    lines = list(to_text(result))
    assert "who lost 7 packets are missing." in lines
    assert "         The kernel dropped 5." in lines
    assert "note     The server takes no simulcast. (3 clients)" in lines
    assert "clip     vp8: played as it is" in lines
    text = outline(result).text
    for told in ("7 packets are missing", "The kernel dropped 5", "takes no simulcast. (3 clients"):
        assert told in text
    assert from_json(to_json(result)) == result


def test_tester_that_was_late_is_named() -> None:
    result = full_result()
    result.metrics["tester_behind"] = 0.4
    assert "The tester was late" in outline(result).text
    assert any("tester was late" in line for line in to_text(result))


def test_table_of_very_many_clients_has_the_worst() -> None:
    result = full_result()
    result.clients = [replace(CLIENT, name=f"c{n}") for n in range(MAX_ROWS * 2)]
    result.clients[-1] = replace(CLIENT, name="unlucky", loss=0.5)
    page = outline(result)
    assert "unlucky" in page.text
    assert f"The {MAX_ROWS} of {MAX_ROWS * 2}" in page.text
    assert MAX_ROWS < page.rows < MAX_ROWS + 100


async def test_page_works_in_a_browser(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_bytes(to_html(full_result()))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=executable(), args=["--no-sandbox"]
        )
        page = await browser.new_page(viewport={"width": 400, "height": 800})
        told: list[str] = []
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(dialog.message))
        await page.goto(file.as_uri())
        first = page.locator("table.sortable tbody td:first-child").first
        assert await first.text_content() == SCRIPT  # it failed, so it comes first
        await page.locator("table.sortable th").first.click()
        assert await first.text_content() == "load-s1"
        assert await page.evaluate("document.documentElement.scrollWidth") <= 400
        await browser.close()
    assert told == []


def test_json_comes_back_as_it_was() -> None:
    assert from_json(to_json(full_result())) == full_result()


def test_json_has_no_secrets() -> None:
    plan = LoadPlan("http://127.0.0.1", token="hush1", api_key="key", api_secret="hush2")
    result = Result(plan, started_at=0.0)
    assert b"hush" not in to_json(result) + to_html(result)


@pytest.mark.parametrize("document", [b"", b"{", b"{}", b'{"plan": 1}'])
def test_what_is_no_result_is_told(document: bytes) -> None:
    with pytest.raises(LoadError, match="no result of a load run"):
        from_json(document)


def test_text_has_the_figures_and_the_verdicts() -> None:
    lines = "\n".join(to_text(full_result()))
    for text in ("p99_delay 500 ms", "no  fps 60", "(30 % were lost)", "knee", "FAILED  loss>1%"):
        assert text in lines


@pytest.mark.parametrize("values", [[], [None, None], [1.0]])
def test_plot_of_nothing_says_so(values: list[float | None]) -> None:
    plot = line_plot("Empty", [Series("a", values)], Axis([1.0] * len(values)), "")
    assert "Nothing was measured" in plot


def test_plot_has_gaps_where_nothing_was_measured() -> None:
    plot = line_plot(
        "Gaps", [Series("a", [1.0, 2.0, None, 3.0, None])], Axis([0.0, 1, 2, 3, 4]), ""
    )
    line = plot.split('class="line s1" d="')[1].split('"')[0]
    assert (line.count("M"), line.count("L")) == (2, 1)
    assert plot.count("<circle") == 1  # the value that stands alone


def test_plot_of_a_whole_day_stays_small() -> None:
    seconds = [float(n) for n in range(86400)]
    plot = line_plot("Day", [Series("a", seconds)], Axis(seconds), "seconds")
    assert len(plot) < 250_000


def test_thinning_keeps_the_highest() -> None:
    values: list[float | None] = [0.0] * 1000
    values[777] = 9.0
    assert max(value or 0 for value in thin(values, 10)) == 9
    assert thin([None] * 20, 2) == [None, None]


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0.0, 1.0, [0, 0.5, 1.0]),
        (0.0, 100.0, [0, 50, 100]),
        (0.0, 7.0, [0, 2, 4, 6, 8]),
        (0.0, 0.003, [0, 0.001, 0.002, 0.003]),
    ],
)
def test_ticks_are_round(low: float, high: float, marks: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(marks)


def test_plain_progress_is_lines_that_are_not_too_many() -> None:
    stream = io.StringIO()
    progress = show("title", stream, quiet=False)
    assert isinstance(progress, PlainProgress)
    progress.phase("Measuring", 10.0)
    for second in range(11):
        progress.update(replace(POINT, time=float(second)))
    progress.close()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "Measuring (10 s)"
    assert len(lines) == 3
    assert "received 12,000/s" in lines[1]


def test_live_display_shows_phase_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LiveProgress("title")
    progress.phase("Measuring", 10.0)
    progress.update(replace(POINT, failures=2, tester_drops=1))
    progress.close()
    shown = capsys.readouterr().err
    for text in ("title", "Measuring", "12,000/s", "failures", "tester lost"):
        assert text in shown


def test_spark_line_is_as_high_as_its_values() -> None:
    assert spark([0, 1, 8]) == "▁▂█"
    assert spark([0, 0]) == ""
