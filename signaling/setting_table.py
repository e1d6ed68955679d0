"""The rows of the settings table: how each one is read, described and complained about."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import inspect

from sfu.config import Config
from sfu.errors import LocalError

PREFIX = "AIOSFU_"
SHOWN_LENGTH = 100  # characters of a bad value in a message
SECRET = frozenset({"api_secret", "ice_servers", "s3_secret_key"})  # never shown in messages

TRUE = frozenset({"true", "yes", "on", "1"})
FALSE = frozenset({"false", "no", "off", "0"})


class SettingError(LocalError):
    """A setting has a value that it must not have; the message is for the operator."""


class Given(NamedTuple):
    """A value as the operator wrote it.

    Attributes:
        value: Text from a flag or the environment, else what TOML or Python made of it.
        origin: The flag, the variable, the file or the argument, for messages.
    """

    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table, with what is needed to read and to describe it.

    Attributes:
        choices: The only values that it takes; empty where there is no such list.
    """

    name: str
    type: inspect.Type
    default: object
    description: str
    choices: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """For example `--http-port`."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """For example `AIOSFU_HTTP_PORT`."""
        return PREFIX + self.name.upper()

    @property
    def is_switch(self) -> bool:
        """Whether it is true or false."""
        return isinstance(self.type, inspect.BoolType)

    @property
    def is_list(self) -> bool:
        """Whether it takes several values."""
        return isinstance(self.type, inspect.VarTupleType)

    @property
    def allowed(self) -> str:
        """What it takes, to follow "it must be"."""
        kind = self.type
        if isinstance(kind, inspect.BoolType):
            return "true or false"
        if isinstance(kind, inspect.IntType):
            if kind.le is not None:
                return f"a whole number from {kind.ge} to {kind.le}"
            return f"a whole number, {kind.ge} or more"
        if isinstance(kind, inspect.FloatType):
            return "a number greater than 0"
        if self.choices:
            return ", ".join(self.choices[:-1]) + " or " + self.choices[-1]
        if self.name == "ice_servers":
            return (
                'URLs like "stun:stun.example.org:3478", or objects with "urls", "username" and '
                '"credential"'
            )
        return "a list of texts" if self.is_list else "a text"

    def problem(self, given: Given, allowed: str = "") -> SettingError:
        """The error that says that `given` is not allowed."""
        shown = "the value" if self.name in SECRET else _shown(given.value)
        return SettingError(
            f"{self.name}: {shown} (from {given.origin}) is not allowed; "
            f"it must be {allowed or self.allowed}."
        )

    def read(self, given: Given) -> object:
        """The value in its own type.

        Raises:
            SettingError: The value is not of the type or out of bounds.
        """
        value = given.value
        try:
            if self.is_list:
                value = self._list(value)
            elif isinstance(value, str):
                value = self._scalar(value)
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError("not a finite number")
            return getattr(msgspec.convert({self.name: value}, Config), self.name)
        except (ValueError, msgspec.DecodeError) as error:
            raise self.problem(given) from error

    def _scalar(self, text: str) -> object:
        """What a flag, a variable or a careless TOML file wrote as text."""
        kind = self.type
        text = text.strip()
        if isinstance(kind, inspect.IntType):
            return int(text)
        if isinstance(kind, inspect.FloatType):
            return float(text)
        if isinstance(kind, inspect.BoolType) and text.lower() in TRUE | FALSE:
            return text.lower() in TRUE
        return text

    def _list(self, value: object) -> list[object]:
        """Its elements; text is JSON or elements with commas between them."""
        elements: list[object] = []
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, str) and self.name == "ice_servers" and item.lstrip()[:1] in "[{":
                decoded = msgspec.json.decode(item)
                elements += decoded if isinstance(decoded, list) else [decoded]
            elif isinstance(item, str):
                elements += (part.strip() for part in item.split(",") if part.strip())
            else:
                elements.append(item)
        if self.name == "ice_servers":
            elements = [{"urls": (item,)} if isinstance(item, str) else item for item in elements]
        return elements


def _shown(value: object) -> str:
    """A bad value as people would write it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool) else str(value)
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "…"


def _settings() -> dict[str, Setting]:
    settings = {}
    hints = get_type_hints(Config)
    described = inspect.type_info(Config)
    assert isinstance(described, inspect.StructType)
    for field in described.fields:
        kind = field.type
        assert isinstance(kind, inspect.Metadata), f"{field.name} has no description"
        description = (kind.extra_json_schema or {})["description"]
        # `inspect` has the choices too, but sorted: log levels would lose their order.
        choices = get_args(hints[field.name]) if isinstance(kind.type, inspect.LiteralType) else ()
        settings[field.name] = Setting(field.name, kind.type, field.default, description, choices)
    return settings


SETTINGS: Mapping[str, Setting] = _settings()


def markdown_table() -> str:
    """All settings as a Markdown table, for the README."""

    def cell(value: object) -> str:
        if value is None or value in ("", ()):
            return "–"
        if isinstance(value, bool):
            return f"`{str(value).lower()}`"
        if isinstance(value, tuple):
            return ", ".join(f"`{item}`" for item in value)
        return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"

    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    rows += (
        f"| `{setting.name}` | {cell(setting.default)} | {setting.description} |"
        for setting in SETTINGS.values()
    )
    return "\n".join(rows)
