"""A result as JSON, and back: what other programs read, and what reports are made of later."""

from dataclasses import replace
from pathlib import Path

import msgspec

from benchmarks.load.model import LoadError
from benchmarks.load.result import Result


def without_secrets(result: Result) -> Result:
    """The same result, without what must not get into a report."""
    return replace(result, plan=replace(result.plan, token="", api_secret=""))


def to_json(result: Result) -> bytes:
    """The result as an indented JSON document; names and units as in `model.py`."""
    return msgspec.json.format(msgspec.json.encode(without_secrets(result)), indent=1) + b"\n"


def from_json(document: bytes) -> Result:
    """The result that a document holds.

    Raises:
        LoadError: It holds none.
    """
    try:
        return msgspec.json.decode(document, type=Result)
    except msgspec.MsgspecError as error:
        raise LoadError(f"This is no result of a load run: {error}.") from error


def write(path: str, document: bytes) -> None:
    """Write a report to a file.

    Raises:
        LoadError: That is not possible.
    """
    try:
        Path(path).write_bytes(document)
    except OSError as error:
        raise LoadError(f"{path} cannot be written: {error.strerror}.") from error
