"""PROTOCOL.md says all that there is, and nothing that is not."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from recorder.values import (
    Format,
    Layout,
    Mode,
    OutputState,
    OutputStatus,
    RecordingRequest,
    State,
    Storage,
)
from sfu import errors
from sfu.config import Config, IceServer
from sfu.forward.allocation import Decision, Layer
from sfu.room.wishes import on_the_wire
from signaling import messages
from signaling.messages import CLIENT_MESSAGES, SERVER_MESSAGES, snake_case
from signaling.schema import json_schema
from signaling.tokens import VideoGrant

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "PROTOCOL.md").read_text()
WEBSOCKET = TEXT.partition("\n## HTTP\n")[0]
MESSAGES = {snake_case(kind.__name__): kind for kind in (*CLIENT_MESSAGES, *SERVER_MESSAGES)}
OBJECTS = {
    "Participant": (messages.ParticipantInfo, messages.PermissionsInfo),
    "Track": (messages.TrackInfo,),
    "Media": (messages.MediaInfo, messages.EstimateInfo),
    "ReceivedTrack": (
        messages.ReceivedTrackInfo,
        messages.SettingsInfo,
        messages.ChoiceInfo,
    ),
    "Layer": (messages.LayerInfo,),
    "Room": (messages.RoomInfo,),
    "RoomRecording": (messages.RoomRecordingInfo,),
    "Recording": (messages.RecordingInfo,),
    "Output": (OutputStatus,),
    "RecordingRequest": (RecordingRequest,),
    "IceServer": (IceServer,),
}
SCHEMA = json_schema()


def section(title: str) -> str:
    """What stands below a heading, up to the next of any level."""
    found = re.findall(rf"^#+ {re.escape(title)}\n(.*?)(?=^#|\Z)", TEXT, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"{len(found)} sections about {title}"
    return str(found[0])


def table(title: str) -> dict[str, list[str]]:
    """The rows of the table in a section, by their first cell."""
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in section(title).splitlines()
        if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows[2:]}


def examples(text: str) -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


def fields(kind: type) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


def known(value: Any, kind: Any) -> Any:
    """`value` without what its type does not have."""
    return json.loads(msgspec.json.encode(msgspec.convert(value, kind)))


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_has_its_section_with_all_fields(name: str) -> None:
    text = section(name)
    for field in fields(MESSAGES[name]):
        assert f"`{field}`" in text, f"{field} of {name}"


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_has_an_example_with_all_fields(name: str) -> None:
    found = [example for example in examples(section(name)) if example["type"] == name]
    missing = set(fields(MESSAGES[name])) - {field for example in found for field in example}
    assert not missing


@pytest.mark.parametrize("example", examples(WEBSOCKET), ids=lambda example: example["type"])
def test_every_example_is_a_message(example: dict[str, Any]) -> None:
    kind = MESSAGES[example["type"]]
    jsonschema.validate(example, SCHEMA)
    jsonschema.validate(example, {"$ref": f"#/$defs/{kind.__name__}", "$defs": SCHEMA["$defs"]})
    assert example.items() <= known(example, kind).items(), "fields that do not exist"
    if kind in CLIENT_MESSAGES:
        assert isinstance(messages.decode(json.dumps(example)), kind)


@pytest.mark.parametrize("title", OBJECTS)
def test_every_object_has_its_section_with_all_fields(title: str) -> None:
    for kind in OBJECTS[title]:
        for field in fields(kind):
            assert f"`{field}`" in section(title), f"{field} of {title}"


def test_announced_layers_are_described() -> None:
    for field in fields(messages.AnnouncedLayer):
        assert f"`{field}`" in section("add_track")


def test_wanted_layers_are_described() -> None:
    for field in fields(messages.WantedLayer):
        assert f"`{field}`" in section("layers_wanted")


def test_files_of_recordings_are_described() -> None:
    for field in fields(messages.RecordingFileInfo):
        assert f"`{field}`" in section("GET /api/v1/recordings/{recording}/files")


def test_candidates_are_described() -> None:
    for field in fields(messages.CandidateInit):
        assert f"`{field}`" in section("trickle")


def test_all_sections_of_messages_are_about_messages() -> None:
    titles = re.findall(r"^#### (\w+)$", WEBSOCKET, re.MULTILINE)
    assert set(titles) == {*MESSAGES, *OBJECTS}


def test_every_literal_value_is_told() -> None:
    for literal, title in (
        (messages.Source, "add_track"),
        (messages.Source, "Track"),
        (messages.Kind, "add_track"),
        (messages.Kind, "Track"),
        (messages.Target, "media_state"),
        (messages.Target, "trickle"),
        (messages.SubscriptionReason, "subscription_changed"),
        (messages.Quality, "connection_quality"),
        (messages.EstimateMode, "Media"),
        (messages.Cause, "ReceivedTrack"),
        (Mode, "RecordingRequest"),
        (Layout, "RecordingRequest"),
        (Format, "RecordingRequest"),
        (Storage, "RecordingRequest"),
        (Mode, "RoomRecording"),
        (State, "States"),
        (OutputState, "Output"),
    ):
        for value in filter(None, get_args(literal)):
            assert f"`{value}`" in section(title), f"{value} in {title}"
    for kind, field, title in (
        (messages.SubscriptionChanged, "state", "subscription_changed"),
        (messages.MediaState, "state", "media_state"),
    ):
        for value in get_args(kind.__annotations__[field]):
            assert f"`{value}`" in section(title), f"{value} in {title}"


def test_error_names_are_all_told() -> None:
    assert list(table("Errors")) == sorted(messages.ERROR_NAMES)


def test_disconnect_reasons_are_all_told() -> None:
    assert set(table("Disconnect reasons")) == set(messages.DISCONNECT_REASONS)


def test_close_codes_are_all_told() -> None:
    told = {row[0]: code for code, row in table("Close codes").items() if row[0]}
    assert told == {reason: str(code) for reason, code in messages.CLOSE_CODES.items()}


def test_grants_are_all_told() -> None:
    grants = {field.encode_name: field.default for field in msgspec.structs.fields(VideoGrant)}
    told = {name: row[0] for name, row in table("Access tokens").items()}
    assert set(told) == set(grants)
    for name, default in grants.items():
        if isinstance(default, bool):
            assert told[name] == str(default).lower(), name


def test_settings_are_real_and_their_defaults_right() -> None:
    config = Config()
    told = re.findall(
        r"`((?:max_\w+|\w+_(?:timeout|period)))` (?:seconds )?\((\d+)( [KM]iB)?", TEXT
    )
    assert len(told) > 12
    units = {"": 1, " KiB": 1 << 10, " MiB": 1 << 20}
    for name, number, unit in told:
        assert getattr(config, name) == int(number) * units[unit], name
    for name in re.findall(r"`(max_\w+)`", TEXT):
        assert hasattr(config, name), name


def received_tracks() -> Iterator[tuple[dict[str, Any], int]]:
    """(received track, bit/s of the path) of all examples, JSON's and HTTP's."""
    for block in re.findall(r"^\{.*\"history\".*\}$", TEXT, re.MULTILINE):
        message = json.loads(block)
        media = message.get("status", message)
        for track in media["tracks"]:
            yield track, media["estimate"]


def test_reasons_in_examples_are_in_the_servers_words() -> None:
    found = list(received_tracks())
    assert len(found) == 2
    for track, estimate in found:
        layers = [
            Layer(one["spatial"], one["temporal"], on_the_wire("video", one["bitrate"], one["fps"]))
            for one in track["layers"]
        ]
        for choice, available in (
            (track, estimate),
            *[(one, one["estimate"]) for one in track["history"]],
        ):
            chosen = track["layers"].index(choice["chosen"])
            following = layers[chosen + 1]
            decision = Decision(
                "", layers[chosen], choice["cause"], layers[-1].bitrate, following, available
            )
            assert choice["reason"] == decision.reason


def test_links_lead_somewhere() -> None:
    titles = re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    for link in re.findall(r"\]\(#([^)]*)\)", TEXT):
        assert link in anchors


def test_http_comes_last() -> None:
    headings = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)
    assert headings[-1] == "HTTP"


# -- errors are raised by names that are told


def raised_names() -> Iterator[tuple[str, str]]:
    """(place, name) of every error of ours that the code gives a name by hand."""
    bases = ("SfuError", "LocalError", "LimitError", "RemoteError", "ParseError")
    for package in ("sfu", "signaling", "recorder"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and getattr(node.func, "id", "") in bases:
                    for keyword in node.keywords:
                        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant):
                            yield f"{path.name}:{node.lineno}", str(keyword.value.value)


def test_errors_have_names_that_are_told() -> None:
    names = list(raised_names())
    assert len(names) > 20
    assert [place for place in names if place[1] not in messages.ERROR_NAMES] == []
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.SfuError):
            assert kind.default_name in messages.ERROR_NAMES
