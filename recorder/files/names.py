"""Names of files, from a template and whatever people call themselves.

A template is a path such as `{room}/{date}/{recording}/{identity}-{source}.mkv`. It is cut behind
the component with `{recording}`: what is before is the recording's folder, what is behind names a
file in it. Every value fits into one component: no separator, nothing hidden, nothing that is
special to some file system. The suffix follows the format, whichever one the template has.
"""

import string
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath

FOLDER_FIELDS = frozenset({"room", "date", "time", "recording"})
FILE_FIELDS = FOLDER_FIELDS | {"identity", "name", "source", "kind", "track"}

MAX_TEMPLATE = 500  # characters
MAX_FIELD = 80  # bytes of UTF-8
MAX_COMPONENT = 200  # bytes; file systems take 255, and a number and a suffix are to be added
ID_PREFIX = "RC_"  # of the ids of recordings
SUFFIXES = (".mkv", ".webm", ".mp4")

_FORBIDDEN = frozenset('/\\:*?"<>|~')  # separators, and what other systems refuse or expand
_RESERVED = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in range(10)}
)


class TemplateError(ValueError):
    """The template cannot name recordings; the message says why."""


def check(template: str) -> None:
    """Whether the template can name recordings.

    Raises:
        TemplateError: It cannot.
    """
    whole = folder(template, dict.fromkeys(FOLDER_FIELDS, "x" * MAX_FIELD) | {"recording": "RC_y"})
    if "RC_y" not in whole.name:  # else recordings would share a folder
        raise TemplateError("the folder's name is too long for {recording} to be in it")
    file(template, dict.fromkeys(FILE_FIELDS, "x"))


def folder(template: str, fields: Mapping[str, str]) -> PurePosixPath:
    """The folder of a recording, relative to the folder of all.

    Args:
        template: As above.
        fields: A value for each of `FOLDER_FIELDS`.

    Raises:
        TemplateError: The template is wrong.
    """
    parts, _ = _split(template)
    return PurePosixPath(*(_component(part, FOLDER_FIELDS, fields) for part in parts))


def file(template: str, fields: Mapping[str, str]) -> PurePosixPath:
    """A file of a recording, relative to its folder, without a suffix.

    Args:
        template: As above.
        fields: A value for each of `FILE_FIELDS`.

    Raises:
        TemplateError: The template is wrong.
    """
    _, parts = _split(template)
    return PurePosixPath(*(_component(part, FILE_FIELDS, fields) for part in parts))


def clean(value: str, *, max_bytes: int = MAX_FIELD) -> str:
    """Any text as a part of a file's name: never empty, never more than one component."""
    kept = "".join(
        "_" if character in _FORBIDDEN or unicodedata.category(character)[0] in "CZ" else character
        for character in unicodedata.normalize("NFC", value)
    )
    kept = kept.encode()[:max_bytes].decode(errors="ignore").rstrip(".")
    if kept.startswith((".", "-")):  # hidden, or an option to a command
        kept = "_" + kept[1:]
    if kept.partition(".")[0].lower() in _RESERVED:
        kept = "_" + kept
    return kept or "_"


def _split(template: str) -> tuple[list[str], list[str]]:
    if len(template) > MAX_TEMPLATE:
        raise TemplateError(f"the template has more than {MAX_TEMPLATE} characters")
    path = template
    for suffix in SUFFIXES:
        path = path.removesuffix(suffix)
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        raise TemplateError("the template is not a relative path without '.', '..' and '//'")
    ends = [index for index, part in enumerate(parts) if "{recording}" in part]
    if not ends or ends[0] == len(parts) - 1:
        raise TemplateError("the template has no folder with {recording} in its name")
    if any(ID_PREFIX in part for part in parts[: ends[0]]):
        raise TemplateError(f"the template leads into the folder of a recording, {ID_PREFIX}…")
    return parts[: ends[0] + 1], parts[ends[0] + 1 :]


def _component(part: str, known: frozenset[str], fields: Mapping[str, str]) -> str:
    text = ""
    try:
        for literal, field, specification, conversion in string.Formatter().parse(part):
            text += literal
            if field is None:
                continue
            if field not in known or specification or conversion:
                names = ", ".join(f"{{{name}}}" for name in sorted(known))
                raise TemplateError(f"{{{field}}} is not one of {names} in {part!r}")
            text += clean(fields[field])
    except TemplateError:
        raise
    except ValueError as error:
        raise TemplateError(f"the template is wrong at {part!r}: {error}") from None
    return clean(text, max_bytes=MAX_COMPONENT)
