"""Logging: structured events that go through the standard library.

Our modules log with `get_logger`. Their events are records of `logging` loggers, so that a program
that embeds us decides where they go; `aiosfu serve` calls `setup` and decides for itself.
"""

import io
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import IO, Any, Literal, TextIO, cast

import structlog

Event = MutableMapping[str, Any]

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # terminals obey these, or break lines
SESSION = re.compile(r"(/(?:whip|whep)/[^/]+/)[^/]+")
FIELDS = "aiosfu_fields"  # attribute of a record that holds the event as it was, for our formatter


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger for events with fields: `log.info("participant joined", room=name)`."""
    return cast(
        structlog.stdlib.BoundLogger,
        structlog.wrap_logger(
            logging.getLogger(name),
            processors=[structlog.stdlib.filter_by_level, _to_record],
            wrapper_class=structlog.stdlib.BoundLogger,
            cache_logger_on_first_use=True,
        ),
    )


def setup(*, format: Literal["console", "json"], level: str, stream: IO[str] | None = None) -> None:
    """Send all records of the process to `stream`, one line each (more with a traceback).

    Args:
        format: "console" for people, "json" for machines.
        level: Least severe level that is shown, in lower case.
        stream: Standard error where None.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_Formatter(format, colors=stream.isatty()))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # What is below us, and must not import us, logs with structlog's own `get_logger`.
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, _to_record],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    # Chatty below "warning" about every packet and candidate; only of use to their developers.
    for name in ("aioice", "aiortc", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def loggable_path(raw_path: str) -> str:
    """A request's path without the ids of WHIP and WHEP sessions, which nobody is to know.

    Args:
        raw_path: Percent-encoded, so that a slash in a room's name does not look like its end.
    """
    return SESSION.sub(r"\1***", raw_path)


def _to_record(_logger: object, _method: str, event: Event) -> tuple[tuple[str], dict[str, Any]]:
    """Last processor: the arguments of the `logging` call."""
    arguments = {
        name: event.pop(name) for name in ("exc_info", "stack_info", "stacklevel") if name in event
    }
    fields = dict(event)
    text = str(event.pop("event", ""))
    rest = " ".join(f"{name}={value!r}" for name, value in event.items())
    message = f"{text} {rest}" if rest else text
    arguments["extra"] = {FIELDS: fields}
    # Without arguments `logging` does not look for "%" in the message.
    return (message,), arguments


def _escape(text: str) -> str:
    return CONTROL.sub(lambda found: repr(found[0])[1:-1], text)


def _escape_fields(_logger: object, _method: str, event: Event) -> Event:
    """What clients and other libraries gave, made fit for a terminal."""
    return {
        name: value
        if name == "exc_info"
        else _escape(value if isinstance(value, str) else repr(value))
        for name, value in event.items()
    }


def _escape_json(_logger: object, _method: str, line: str) -> str:
    """JSON has its own escapes for C0; for the others they stand in strings alone, too."""
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def _write_traceback(stream: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """Messages of exceptions can quote anything; the lines of a traceback are kept."""
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    stream.write("\n".join(map(_escape, plain.getvalue().split("\n"))))


class _Formatter(logging.Formatter):
    """One record as a line of text or JSON."""

    def __init__(self, format: Literal["console", "json"], *, colors: bool) -> None:
        super().__init__()
        self._processors: tuple[structlog.typing.Processor, ...]
        if format == "json":
            self._processors = (
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
                cast(structlog.typing.Processor, _escape_json),
            )
        else:
            self._processors = (
                structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
                _escape_fields,
                structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_write_traceback),
            )

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, FIELDS, None)
        event: Any = dict(fields) if fields is not None else {"event": record.getMessage()}
        event["level"] = record.levelname.lower()
        event["logger"] = record.name
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for process in self._processors:
            event = process(None, record.levelname.lower(), event)
        return str(event)
