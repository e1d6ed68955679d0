import random
import unicodedata
from pathlib import PurePosixPath

import pytest

from recorder.files.names import (
    FILE_FIELDS,
    FOLDER_FIELDS,
    MAX_COMPONENT,
    MAX_FIELD,
    TemplateError,
    check,
    clean,
    file,
    folder,
)
from sfu.config import Config

DEFAULT_TEMPLATE = Config().recording_template
FIELDS = {
    "room": "lobby",
    "date": "2026-01-01",
    "time": "12-00-00",
    "recording": "RC_1",
    "identity": "ann",
    "name": "Ann",
    "source": "camera",
    "kind": "video",
    "track": "TR_1",
}
NASTY = (
    *(
        "../../etc/passwd",
        "..",
        ".",
        "",
        "/",
        "//",
        "\\..\\",
        "a/b",
        "C:\\x",
        "~root",
        "-rf",
        ".ssh",
    ),
    *(
        "con",
        "NUL.txt",
        "com1",
        "a\0b",
        "a\nb",
        "a\u202eb",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
    ),
    *(
        "x" * 1000,
        "ü" * 1000,
        "{recording}",
        "{",
        "}",
        "{}",
        "%2e%2e",
        "a.",
        "a ",
        " a",
        "...",
        "\u2028",
    ),
)


def test_the_default_names_files_as_documented() -> None:
    check(DEFAULT_TEMPLATE)

    assert folder(DEFAULT_TEMPLATE, FIELDS) == PurePosixPath("lobby/2026-01-01/RC_1")
    assert file(DEFAULT_TEMPLATE, FIELDS) == PurePosixPath("ann-camera")


def test_files_may_have_folders_of_their_own() -> None:
    template = "all/{recording}-{time}/{identity}/{kind}/{track}.webm"

    assert folder(template, FIELDS) == PurePosixPath("all/RC_1-12-00-00")
    assert file(template, FIELDS) == PurePosixPath("ann/video/TR_1")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ann", "ann"),
        ("Jürgen Ü", "Jürgen_Ü"),
        ("u\u0308", "ü"),
        ("日本語", "日本語"),
        ("a/b\\c:d", "a_b_c_d"),
        ("..", "_"),
        ("", "_"),
        (".hidden", "_hidden"),
        ("-rf", "_rf"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("a\u202etxt.exe", "a_txt.exe"),
        ("ü" * 100, "ü" * 40),
        ("a.", "a"),
    ],
)
def test_values_become_parts_of_names(value: str, expected: str) -> None:
    assert clean(value) == expected


def test_no_name_leads_out_of_its_folder() -> None:
    picker = random.Random(1)
    letters = "./\\-~ aA.{}:%\0\n\u00fc\u0301\u202e\u2028\ud800\U0001f600"
    values = [*NASTY, *("".join(picker.choices(letters, k=9)) for _ in range(2000))]
    for value in values:
        fields = dict.fromkeys(FIELDS, value)
        for template in (DEFAULT_TEMPLATE, "{recording}/{identity}{name}{source}{track}{room}"):
            path = folder(template, fields) / file(template, fields)
            assert len(path.parts) == template.count("/") + 1
            for part in path.parts:
                assert part not in (".", "..")
                assert not part.startswith((".", "-"))
                assert not set(part) & set('/\\:*?"<>|~\0\n')
                assert 0 < len(part.encode()) <= MAX_COMPONENT
                assert unicodedata.is_normalized("NFC", part)
        assert len(clean(value).encode()) <= MAX_FIELD


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{room}/{identity}.mkv", "no folder with {recording}"),
        ("{recording}.mkv", "no folder with {recording}"),
        ("{room}/{recording}", "no folder with {recording}"),
        ("../{recording}/{identity}", "not a relative path"),
        ("/{recording}/{identity}", "not a relative path"),
        ("{recording}//{identity}", "not a relative path"),
        ("{recording}/./{identity}", "not a relative path"),
        ("{recording}/{identity}/", "not a relative path"),
        ("", "not a relative path"),
        ("{identity}/{recording}/x", r"\{identity\} is not one of \{date\}, \{recording\}, "),
        ("{recording}/{user}", r"\{user\} is not one of"),
        ("{recording}/{identity.__class__}", "is not one of"),
        ("{recording}/{identity[0]}", "is not one of"),
        ("{recording}/{identity!r}", "is not one of"),
        ("{recording}/{identity:>10000000}", "is not one of"),
        ("{recording}/{}", "is not one of"),
        ("{recording}/{identity", "the template is wrong at"),
        ("{recording}/}", "the template is wrong at"),
        ("{recording}/" + "x" * 600, "more than 500 characters"),
        ("lobby/2026-01-01/RC_other/{recording}/x", "the folder of a recording"),
        ("{room}-RC_other/{recording}/x", "the folder of a recording"),
        ("{room}{room}{room}{recording}/x", "too long for {recording}"),
        ("x" * 250 + "{recording}/x", "too long for {recording}"),
    ],
)
def test_templates_that_cannot_work_are_refused(template: str, reason: str) -> None:
    with pytest.raises(TemplateError, match=reason):
        check(template)


def test_every_field_is_known() -> None:
    assert set(FIELDS) == FILE_FIELDS
    check("{recording}/" + "-".join(f"{{{name}}}" for name in sorted(FILE_FIELDS)))
    check("-".join(f"{{{name}}}" for name in sorted(FOLDER_FIELDS)) + "/x")
