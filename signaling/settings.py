"""Settings from where operators write them: flags, then the environment, then a TOML file.

`sfu.config.Config` is the one table of settings. This module reads the three places and puts them
together; `python -m signaling.settings` prints the table for the documentation.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from sfu.config import Config
from signaling.setting_checks import check
from signaling.setting_table import PREFIX, SETTINGS, Given, SettingError, markdown_table

FILE_VARIABLE = "AIOSFU_CONFIG"
TOKEN_VARIABLE = "AIOSFU_TOKEN"  # noqa: S105 - of `aiosfu record`; no setting

# What is set for a service: `…_SERVICE_HOST`, `…_SERVICE_PORT_HTTP`, `…_PORT_80_TCP_ADDR`, and
# `…_PORT` with an address that looks like none of our settings.
SERVICE = re.compile(r"_SERVICE_(HOST$|PORT($|_))|_PORT_\d+_(TCP|UDP|SCTP)($|_)")
SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def _unknown(name: str, origin: str, known: Iterable[str]) -> SettingError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return SettingError(f"{name} (from {origin}) is not a setting.{hint}")


def from_arguments(arguments: Mapping[str, object]) -> dict[str, Given]:
    """What a Python program gave as keyword arguments.

    Raises:
        SettingError: There is no such setting.
    """
    for name in arguments:
        if name not in SETTINGS:
            raise _unknown(name, "an argument", SETTINGS)
    return {name: Given(value, f"argument {name}") for name, value in arguments.items()}


def from_flags(flags: Mapping[str, object]) -> dict[str, Given]:
    """What was given on the command line, by setting name."""
    return {name: Given(value, SETTINGS[name].flag) for name, value in flags.items()}


def from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """What the environment says. Empty variables count as not set.

    Raises:
        SettingError: A variable has our prefix and is no setting.
    """
    known = [FILE_VARIABLE, TOKEN_VARIABLE, *(setting.variable for setting in SETTINGS.values())]
    for name, text in environ.items():
        if name.startswith(PREFIX) and name not in known and not _is_service(name, text):
            raise _unknown(name, "the environment", known)
    return {
        name: Given(environ[setting.variable], setting.variable)
        for name, setting in SETTINGS.items()
        if environ.get(setting.variable)
    }


def from_file(path: str | Path) -> dict[str, Given]:
    """What a TOML file says.

    Raises:
        SettingError: It cannot be read, is not TOML, or names a setting that there is not.
    """
    try:
        with Path(path).open("rb") as file:
            table = tomllib.load(file)
    except OSError as error:
        raise SettingError(f"The settings file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"The settings file {path} is not TOML: {error}.") from error
    for name in table:
        if name not in SETTINGS:
            raise _unknown(name, str(path), SETTINGS)
    return {name: Given(value, str(path)) for name, value in table.items()}


def _is_service(name: str, text: str) -> bool:
    """Whether Kubernetes or Docker has set this variable by itself, beside a service "aiosfu"."""
    return bool(SERVICE.search(name) or SERVICE_ADDRESS.match(text))


def resolve(*layers: Mapping[str, Given]) -> Config:
    """The configuration that these layers make, the first of them first.

    Raises:
        SettingError: A value is not allowed, by itself or beside the others.
    """
    given: dict[str, Given] = {}
    for layer in reversed(layers):
        given.update(layer)
    values = {name: SETTINGS[name].read(one) for name, one in given.items()}
    origins = {name: one.origin for name, one in given.items()}
    return check(msgspec.convert(values, Config), origins)


def load(
    flags: Mapping[str, object], *, environ: Mapping[str, str], file: str | Path | None = None
) -> Config:
    """The configuration of `aiosfu serve`: flags, then the environment, then the file.

    Args:
        flags: Values of those flags that were given, by setting name.
        environ: The environment; `AIOSFU_CONFIG` names a file where `file` does not.
        file: A TOML file.

    Raises:
        SettingError: Something is wrong; the message names it.
    """
    path = file or environ.get(FILE_VARIABLE) or None
    return resolve(
        from_flags(flags), from_environment(environ), from_file(path) if path is not None else {}
    )


def configure(config: Config | None, arguments: Mapping[str, object]) -> Config:
    """The configuration of an embedded server, checked like that of `aiosfu serve`.

    Args:
        config: Where to start from; None for the defaults.
        arguments: Settings that differ from it.

    Raises:
        SettingError: A value is not allowed, or there is no such setting.
    """
    base = {} if config is None else msgspec.structs.asdict(config)
    return resolve(from_arguments(arguments), from_arguments(base))


if __name__ == "__main__":
    print(markdown_table())
