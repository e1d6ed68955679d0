"""Constants of the estimator and the allocator, set to other values for a replay."""

import ast
import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType

import sfu.congestion
from sfu.forward import allocator, patience, track_share
from sfu.room import bandwidth, reception

Number = int | float

PARTS = {patience: "allocator", track_share: "allocator"}  # modules that go by another's name


class OverrideError(Exception):
    """There is no such constant; the message says what there is."""


def constants() -> dict[str, Number]:
    """All that can be set, as "module.NAME", with their values."""
    found: dict[str, Number] = {}
    for module in _modules():
        for name in _defined(module):
            value = getattr(module, name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                found[f"{_short(module)}.{name}"] = value
    return found


def parse(texts: Sequence[str]) -> dict[str, Number]:
    """The constants that "NAME=VALUE" or "module.NAME=VALUE" mean.

    Raises:
        OverrideError: There is none of that name, or there are several, or the value is no number.
    """
    known = constants()
    found: dict[str, Number] = {}
    for text in texts:
        name, _, value = text.partition("=")
        matching = [k for k in known if name in (k, k.partition(".")[2])]
        if not matching:
            near = difflib.get_close_matches(name.upper(), [k.partition(".")[2] for k in known])
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise OverrideError(f"There is no constant {name}.{hint}")
        if len(matching) > 1:
            raise OverrideError(f"{name} can be {' or '.join(matching)}.")
        try:
            number = float(value)
        except ValueError:
            raise OverrideError(f"{text}: {value!r} is not a number.") from None
        found[matching[0]] = int(number) if isinstance(known[matching[0]], int) else number
    return found


@contextmanager
def overridden(values: Mapping[str, Number]) -> Iterator[None]:
    """Meanwhile these constants have these values, also where they were imported to.

    What was worked out from them while modules were loaded stays as it is.
    """
    changed: list[tuple[ModuleType, str, Number]] = []
    try:
        for key, value in values.items():
            owner, _, name = key.partition(".")
            for module in _modules():
                owned = _short(module) == owner and name in vars(module)
                if owned or _imports(module, owner, name):
                    changed.append((module, name, getattr(module, name)))
                    setattr(module, name, value)
        yield
    finally:
        for module, name, value in reversed(changed):
            setattr(module, name, value)


def _modules() -> list[ModuleType]:
    names = [found.name for found in pkgutil.iter_modules(sfu.congestion.__path__)]
    congestion = [importlib.import_module(f"sfu.congestion.{name}") for name in names]
    return [*congestion, allocator, *PARTS, bandwidth, reception]


def _short(module: ModuleType) -> str:
    return PARTS.get(module, module.__name__.rpartition(".")[2])


def _defined(module: ModuleType) -> list[str]:
    """Names in capitals that the module itself gives values to."""
    names: list[str] = []
    for node in ast.parse(inspect.getsource(module)).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            names += [part.id for part in parts if isinstance(part, ast.Name)]
    return [name for name in names if name.isupper() and not name.startswith("_")]


def _imports(module: ModuleType, owner: str, name: str) -> bool:
    """Whether the module has the constant from the one named `owner`."""
    return any(
        isinstance(node, ast.ImportFrom)
        and (node.module or "").rpartition(".")[2] == owner
        and any(alias.name == name and alias.asname is None for alias in node.names)
        for node in ast.parse(inspect.getsource(module)).body
    )
