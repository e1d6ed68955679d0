"""Reads trace files; `sfu.room.trace_format` says what is in them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfu.room.trace_format import TABLES, VERSION

Records = NDArray[Any]


class TraceError(Exception):
    """A file is not a trace that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What a trace file holds.

    Attributes:
        about: What its head says: room, participant, identity, wall.
        tables: All records, by the name of the table; those that are never there are empty.
        cut: Bytes at the end that were not whole, as after a crash.
    """

    about: Mapping[str, Any]
    tables: Mapping[str, Records]
    cut: int

    @property
    def start(self) -> float:
        """Monotonic seconds of the first record."""
        times = [t["time"][0] for t in self.tables.values() if _timed(t)]
        return float(min(times)) if times else 0.0

    @property
    def end(self) -> float:
        """Monotonic seconds of the last piece."""
        return float(self.tables["end"]["time"][-1]) if len(self.tables["end"]) else 0.0


def read(path: str | Path) -> Recording:
    """Read a file.

    Raises:
        TraceError: It cannot be read, or is no trace.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise TraceError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        return parse(data)
    except TraceError as error:
        raise TraceError(f"{path}: {error}") from error


def parse(data: bytes) -> Recording:
    """Read the bytes of a file.

    Raises:
        TraceError: They are no trace.
    """
    file = BytesIO(data)
    blocks = _blocks(file)
    first = next(blocks, None)
    if first is None or first.dtype.names != ("head",) or not len(first):
        raise TraceError("it does not begin as a trace does.")
    try:
        about = json.loads(first["head"][0])
    except ValueError:
        raise TraceError("its head is not JSON.") from None
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise TraceError(f"it is not of version {VERSION}.")
    parts: dict[str, list[Records]] = {name: [] for name in TABLES}
    piece: list[tuple[str, Records]] = []
    whole = file.tell()
    for block in blocks:
        name = block.dtype.names[0] if block.dtype.names else ""
        if name in parts:  # later versions may have more
            piece.append((name, block))
        if name == "end":
            for known, records in piece:
                parts[known].append(records)
            piece.clear()
            whole = file.tell()
    tables = {
        name: np.concatenate(found) if found else _empty(name) for name, found in parts.items()
    }
    return Recording(about, tables, len(data) - whole)


def _blocks(file: BytesIO) -> Iterator[Records]:
    """All arrays up to the first that is not whole."""
    while True:
        try:
            yield np.lib.format.read_array(file, allow_pickle=False)
        except (EOFError, ValueError, SyntaxError, TypeError):
            return


def _empty(name: str) -> Records:
    fields = [tuple(field.split()) for field in TABLES[name].split(",")]
    return np.empty(0, dtype=fields)


def _timed(table: Records) -> bool:
    return "time" in (table.dtype.names or ()) and len(table) > 0
