"""What is required of bad paths, and what comes of it: `benchmarks/README.md`, "Scenarios".

    python -m benchmarks.scenarios [TEXT …] [--seeds 6]

The stories are those of the tests, told in virtual time: the same seeds give the same figures on
every machine. TEXT takes the rows whose links contain it.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from benchmarks.table import table
from tests.congestion import paths
from tests.scenarios import stories
from tests.support.figures import Figures
from tests.support.scenario import tell
from tests.support.story import Story

HEAD = ("link", "must hold", "median", "worst", "seeds that hold it")

Measured = tuple[str, str, float]
"""(what, what it must be: "≥ 0.85" or "≤ 0.1 s", what it was)."""


@dataclass(frozen=True)
class Row:
    """One link, and what is measured of it with a seed."""

    link: str
    measure: Callable[[int], Iterator[Measured]]


def _room(figures: Figures) -> Iterator[Measured]:
    video = figures.video
    yield "top layer after", "≤ 5 s", video.reached("f")
    yield "time at the top layer", "≥ 0.98", video.share("f", 5)
    yield "freezes", "≤ 0", len(video.freezes(0.2, 5))
    yield "queue p95", "≤ 0.05 s", figures.bottleneck.queue_delay(95, 5)
    yield "audio lost", "≤ 0", figures.audio_loss()


def _steps(figures: Figures) -> Iterator[Measured]:
    video, path = figures.video, figures.bottleneck
    last = max((end for _, end, rid in video.spans(30, 60) if rid == "f"), default=30.0)
    yield "down: top layer gone after", "≤ 1.2 s", last - 30
    yield "down: longest freeze", "≤ 0.49 s", _longest(figures, 5)
    yield "up: top layer after", "≤ 10 s", video.reached("f", 60)
    spans = ((5.0, 30.0), (31.5, 60.0), (70.0, 90.0))
    used = [video.use(path, since, until, audio=True) for since, until in spans]
    yield "best layer that fits, share", "≥ 0.85", min(used)
    changes = max(video.changes(since, since + 30) for since in (0, 30, 60))
    yield "changes of layer each step", "≤ 3", changes
    yield "audio lost", "≤ 0.003", figures.audio_loss()


def _thin(figures: Figures) -> Iterator[Measured]:
    yield "time at the lowest layer", "≥ 0.95", figures.video.share("q")
    yield "longest freeze", "≤ 0.5 s", _longest(figures)
    yield "queue p95", "≤ 0.2 s", figures.bottleneck.queue_delay(95)
    yield "audio lost", "≤ 0", figures.audio_loss()


def _reports(figures: Figures) -> Iterator[Measured]:
    yield "top layer after", "≤ 3 s", figures.video.reached("f")
    yield "time at the top layer", "≥ 1", figures.video.share("f", 3)


def _remb(figures: Figures) -> Iterator[Measured]:
    video = figures.video
    yield "top layer after", "≤ 10 s", video.reached("f")
    yield "time at the top layer", "≥ 0.95", video.share("f", 10)
    yield "freezes", "≤ 0", len(video.freezes(0.2))
    yield "queue p95", "≤ 0.1 s", figures.bottleneck.queue_delay(95, 5)


def _lossy(least: float, figures: Figures) -> Iterator[Measured]:
    yield "frames decodable", f"≥ {least}", figures.video.decodable()
    if least > 0.99:
        yield "estimate p10 / capacity", "≥ 0.85", figures.estimate(5, 10) / stories.LOSSY
        yield "time at the top layer", "≥ 1", figures.video.share("f", 5)


def _outages(figures: Figures) -> Iterator[Measured]:
    video = figures.video
    ends = [period + 0.5 for period in (10, 20, 30, 40, 50)]
    backs = []
    seconds = []
    for end in ends:
        freezes = video.freezes(0.2, end - 0.6, end + 9)
        backs.append(max(start + gap - end for start, gap in freezes if start < end))
        seconds += [gap for start, gap in freezes if start >= end]
    yield "picture back after", "≤ 0.3 s", max(backs)
    yield "freezes after it", "≤ 0", len(seconds)
    yield "longest of those", "≤ 0.2 s", max(seconds, default=0.0)
    yield "time at the top layer", "≥ 0.95", video.share("f", 5)


def _jittery(figures: Figures) -> Iterator[Measured]:
    video = figures.video
    yield "top layer after", "≤ 10 s", video.reached("f")
    yield "changes of layer", "≤ 0", video.changes(10)
    yield "freezes", "≤ 0", len(video.freezes(0.2))
    yield "frames decodable", "≥ 0.995", video.decodable()


def _cellular(figures: Figures) -> Iterator[Measured]:
    video, path = figures.video, figures.bottleneck
    yield "longest queue", "≤ 1 s", path.queue_delay(100)
    yield "time frozen", "≤ 0.02", video.freeze_ratio()
    yield "best layer that fits, share", "≥ 0.5", video.use(path, 0, 120, audio=True)
    yield "audio lost", "≤ 0.01", figures.audio_loss()


def _shared(figures: Figures) -> Iterator[Measured]:
    path = figures.bottleneck
    turns = ((20, 40), (60, 80))
    yield "our share of a turn", "≥ 0.25", min(path.share(*turn) for turn in turns)
    yield "the download's", "≥ 0.25", min(path.share(*turn, flow="tcp") for turn in turns)
    yield "queue p95 between them", "≤ 0.1 s", path.queue_delay(95, 45, 60)
    yield "audio lost", "≤ 0.02", figures.audio_loss()


def _stepping(seed: int) -> Iterator[Measured]:
    path = paths.stepping(seed)
    yield "below 0.7 Mb/s after", "≤ 1 s", path.fell(700e3, after=30)
    yield "above 85 % of 2 Mb/s after", "≤ 10 s", path.reached(0.85 * 2e6, after=60)
    yield "queue p95 at 0.6 Mb/s", "≤ 0.15 s", path.queue_p95(33, 60)


def _losing(loss: float, least: float, seed: int) -> Iterator[Measured]:
    yield "mean / capacity", f"≥ {least}", paths.losing(seed, loss).mean(10, 60) / 2.5e6


def _silent(seed: int) -> Iterator[Measured]:
    path = paths.silent(seed)
    yield "mean / capacity", "≥ 0.85", path.mean(10, 60) / 2.5e6
    yield "least / capacity", "≥ 0.65", path.estimates(10, 60)[0] / 2.5e6


def _jitter(seed: int) -> Iterator[Measured]:
    yield "least / capacity", "≥ 0.85", paths.jittery(seed).estimates(10, 120)[0] / 2.5e6


def _beside_tcp(queue: float, seed: int) -> Iterator[Measured]:
    path = paths.beside_tcp(seed, queue)
    yield "our share", "≥ 0.25", path.throughput(20, 90) / 3e6
    yield "the TCP's", "≥ 0.25", path.throughput(20, 90, "tcp") / 3e6


def _wandering(seed: int) -> Iterator[Measured]:
    path, mean = paths.wandering(seed)
    yield "queue p95", "≤ 0.3 s", path.queue_p95(5, 120)
    yield "longest queue", "≤ 1 s", max(queue for _, queue in path.queues)
    yield "throughput / capacity", "≥ 0.6", path.throughput(5, 120) / mean


def _longest(figures: Figures, since: float = 0.0) -> float:
    return max((gap for _, gap in figures.video.freezes(0.2, since)), default=0.0)


def _story(
    story: Callable[[int], Story], measure: Callable[[Figures], Iterator[Measured]]
) -> Callable[[int], Iterator[Measured]]:
    return lambda seed: measure(tell(story(seed)))


def _row_of_loss(loss: float, least: float) -> Row:
    story = partial(stories.lossy, loss=loss)
    link = f"2.5 Mb/s, {loss:.0%} random loss, 50 ms each way"
    return Row(link, _story(story, partial(_lossy, least)))


def _row_of_turns(capacity: float, temporal_layers: int) -> Row:
    story = partial(stories.shared, capacity=capacity, temporal_layers=temporal_layers)
    link = f"{capacity / 1e6:g} Mb/s with a TCP in turns, {temporal_layers} temporal layers"
    return Row(link, _story(story, _shared))


ROWS = (
    Row("2.5 Mb/s", _story(stories.room, _room)),
    Row("3, 0.6, 2 Mb/s, 30 s each", _story(stories.steps, _steps)),
    Row("0.25 Mb/s", _story(stories.thin, _thin)),
    Row("3 Mb/s, receiver reports alone", _story(stories.reports, _reports)),
    Row("2.5 Mb/s, REMB alone", _story(stories.remb, _remb)),
    _row_of_turns(2e6, 1),
    _row_of_turns(3e6, 3),
    _row_of_loss(0.02, 0.995),
    _row_of_loss(0.05, 0.99),
    _row_of_loss(0.1, 0.97),
    Row("3 Mb/s, nothing for 0.5 s every 10 s", _story(stories.outages, _outages)),
    Row("3 Mb/s, ± 30 ms, 3 % reordered", _story(stories.jittery, _jittery)),
    Row("cellular, 0.2 to 5 Mb/s", _story(stories.cellular, _cellular)),
    Row("estimator: 3, 0.6, 2 Mb/s", _stepping),
    *(
        Row(f"estimator: {loss:.0%} loss", partial(_losing, loss, least))
        for loss, least in ((0.02, 0.85), (0.05, 0.8), (0.1, 0.75))
    ),
    Row("estimator: nothing for 0.5 s every 10 s", _silent),
    Row("estimator: ± 30 ms, 3 % reordered", _jitter),
    *(
        Row(f"estimator: a TCP, {queue:g} s of queue", partial(_beside_tcp, queue))
        for queue in (0.1, 0.2, 0.3)
    ),
    Row("estimator: wandering, 0.2 to 8 Mb/s", _wandering),
)


def lines(row: Row, seeds: Sequence[int]) -> list[list[str]]:
    """The lines of a row's table, over these seeds."""
    measured = sorted(
        (place, what, must, value)
        for seed in seeds
        for place, (what, must, value) in enumerate(row.measure(seed))
    )
    result: list[list[str]] = []
    for (_, what, must), group in groupby(measured, key=lambda one: one[:3]):
        values = [value for *_, value in group]
        least = must.startswith("≥")
        bound = float(must.split()[1])
        held = sum(value >= bound if least else value <= bound for value in values)
        worst = min(values) if least else max(values)
        cells = [f"{value:.3g}" for value in (statistics.median(values), worst)]
        link = "" if result else row.link
        result.append([link, f"{what} {must}", *cells, f"{held} of {len(values)}"])
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("links", nargs="*", metavar="TEXT", help="only rows whose link has this")
    parser.add_argument("--seeds", type=int, default=6, help="1 up to this one (default 6)")
    options = parser.parse_args(arguments)
    chosen = [r for r in ROWS if not options.links or any(t in r.link for t in options.links)]
    if not chosen:
        raise SystemExit("No row has a link with that. All of them:\n" + "\n".join(_links()))
    seeds = range(1, options.seeds + 1)
    print(table(HEAD, [line for row in chosen for line in lines(row, seeds)]))


def _links() -> list[str]:
    return [row.link for row in ROWS]


if __name__ == "__main__":
    main()
