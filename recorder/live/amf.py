"""AMF0, as far as RTMP's commands need it (Action Message Format, AMF 0, 2007)."""

import struct
from collections.abc import Mapping
from typing import TypeAlias

Value: TypeAlias = "float | bool | str | dict[str, Value] | None"

NUMBER, BOOLEAN, STRING, OBJECT, NULL, UNDEFINED, ECMA_ARRAY, OBJECT_END = 0, 1, 2, 3, 5, 6, 8, 9
MAX_DEPTH = 8  # of objects in objects; commands have two


def encode(*values: float | bool | str | Mapping[str, str | float | bool] | None) -> bytes:
    """Write values one after the other (2.1)."""
    return b"".join(map(_encode_one, values))


def _encode_one(value: float | bool | str | Mapping[str, str | float | bool] | None) -> bytes:
    if value is None:
        return bytes([NULL])
    if isinstance(value, bool):
        return bytes([BOOLEAN, value])
    if isinstance(value, str):
        return bytes([STRING]) + _encode_text(value)
    if isinstance(value, Mapping):
        entries = (_encode_text(name) + _encode_one(one) for name, one in value.items())
        return bytes([OBJECT]) + b"".join(entries) + bytes([0, 0, OBJECT_END])
    return struct.pack(">Bd", NUMBER, value)


def _encode_text(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def decode(data: bytes) -> list[Value]:
    """Read values until the end.

    Raises:
        ValueError: These are not such values.
    """
    reader = _Reader(data)
    values = []
    while reader.left:
        values.append(reader.value())
    return values


class _Reader:
    """Goes through bytes from front to back."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def value(self, depth: int = 0) -> Value:
        marker = self._take(1)[0]
        if marker == NUMBER:
            return float(struct.unpack(">d", self._take(8))[0])
        if marker == BOOLEAN:
            return bool(self._take(1)[0])
        if marker == STRING:
            return self._text()
        if marker in (NULL, UNDEFINED):
            return None
        if marker == ECMA_ARRAY:
            self._take(4)  # a count that is only a hint
        elif marker != OBJECT:
            raise ValueError(f"AMF0 marker {marker} is not known")
        if depth == MAX_DEPTH:
            raise ValueError("AMF0 objects are nested too deeply")
        entries = {}
        while name := self._text():
            entries[name] = self.value(depth + 1)
        if self._take(1)[0] != OBJECT_END:
            raise ValueError("an AMF0 object has no end")
        return entries

    def _text(self) -> str:
        (length,) = struct.unpack(">H", self._take(2))
        return self._take(length).decode(errors="replace")

    def _take(self, length: int) -> bytes:
        if length > self.left:
            raise ValueError("AMF0 data ends in the middle of a value")
        self._at += length
        return self._data[self._at - length : self._at]
