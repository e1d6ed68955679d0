import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from signaling.logs import get_logger, loggable_path, setup


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {
        name: logging.getLogger(name).level for name in ("aioice", "aiortc", "asyncio", "aiohttp")
    }
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in levels.items():
        logging.getLogger(name).setLevel(old)
    structlog.reset_defaults()


def lines(format: Literal["console", "json"], level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    setup(format=format, level=level, stream=stream)
    return stream


def test_json_has_one_object_a_line() -> None:
    stream = lines("json")
    get_logger("signaling.test").info("participant joined", room="a", count=2, name="Zoë")
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert event.pop("timestamp")
    assert event == {
        "event": "participant joined",
        "room": "a",
        "count": 2,
        "name": "Zoë",
        "level": "info",
        "logger": "signaling.test",
    }


def test_what_other_packages_log_goes_the_same_way() -> None:
    log = structlog.get_logger("recorder.test")
    stream = lines("json")
    log.info("recorder started", pid=5)
    log.debug("not shown")
    (line,) = stream.getvalue().splitlines()
    event = json.loads(line)
    assert (event["event"], event["pid"], event["logger"]) == (
        "recorder started",
        5,
        "recorder.test",
    )


def test_console_is_text_without_colors_where_there_is_no_terminal() -> None:
    stream = lines("console")
    get_logger("signaling.test").warning("room closed", room="a")
    text = stream.getvalue()
    assert "room closed" in text
    assert "room=a" in text
    assert "\x1b" not in text


def test_level_is_kept() -> None:
    stream = lines("json", "warning")
    get_logger("signaling.test").info("quiet")
    get_logger("signaling.test").warning("loud")
    assert "quiet" not in stream.getvalue()
    assert "loud" in stream.getvalue()


@pytest.mark.parametrize("format", ["console", "json"])
def test_control_characters_are_escaped(format: Literal["console", "json"]) -> None:
    stream = lines(format)
    evil = "\x1b[31m\x9b2J\x7f\r\n12:00:00 [info] forged\u2028"
    logger = get_logger("signaling.test")
    logger.info("joined", identity=evil, hosts=(evil,))
    logger.info("joined", identity="\x1b[31mred", room="a")
    logging.getLogger("somebody").info("hello %s", evil)
    try:
        raise ValueError(evil)
    except ValueError:
        logger.exception("failed")
    text = stream.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028]", text)
    assert text.count("forged") == 4
    if format == "json":
        events = [json.loads(line) for line in text.splitlines()]
        assert events[0]["identity"] == evil
    else:
        assert "identity=\\x1b[31mred " in text


@pytest.mark.parametrize("format", ["console", "json"])
def test_exception_has_its_traceback(format: Literal["console", "json"]) -> None:
    stream = lines(format)
    try:
        raise ValueError("100 % wrong")
    except ValueError:
        get_logger("signaling.test").exception("failed", rate="5 %s")
    assert "ValueError: 100 % wrong" in stream.getvalue()
    if format == "json":
        assert len(stream.getvalue().splitlines()) == 1


def test_records_of_other_libraries_look_the_same() -> None:
    stream = lines("json")
    logging.getLogger("somebody").info("hello %s", "world")
    assert json.loads(stream.getvalue())["event"] == "hello world"


def test_embedding_program_gets_readable_records(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        get_logger("signaling.test").info("participant joined", room="a")
    assert caplog.messages == ["participant joined room='a'"]


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/whip/room/Zk3v0aTq9xRb", "/whip/room/***"),
        ("/whep/a%2Fb/Zk3v0aTq9xRb", "/whep/a%2Fb/***"),
        ("/mounted/whip/room/Zk3v0aTq9xRb", "/mounted/whip/room/***"),
        ("/whip/room", "/whip/room"),
        ("/r/whip", "/r/whip"),
        ("/api/v1/rooms/a/participants/b", "/api/v1/rooms/a/participants/b"),
    ],
)
def test_ids_of_sessions_are_not_logged(path: str, shown: str) -> None:
    assert loggable_path(path) == shown
