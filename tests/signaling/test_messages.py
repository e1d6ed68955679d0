"""Messages between JSON and types."""

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec import UNSET, structs

from recorder.values import OutputStatus, RecordingRequest
from sfu.config import IceServer
from sfu.errors import ParseError, RemoteError
from sfu.room.permissions import SOURCES
from signaling import messages
from signaling.messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    decode,
    encode,
    request_id,
    snake_case,
)
from signaling.schema import json_schema

PERMISSIONS = messages.PermissionsInfo(
    can_publish=True,
    can_subscribe=True,
    can_publish_data=True,
    can_publish_sources=("camera",),
    can_update_own_metadata=False,
    hidden=False,
    recorder=False,
    can_record=False,
)
TRACK = messages.TrackInfo(
    sid="TR_1",
    kind="video",
    source="camera",
    name="",
    muted=False,
    width=0,
    height=65535,
    mime_type="",
)
PARTICIPANT = messages.ParticipantInfo(
    sid="PA_1",
    identity="ann",
    name="Ann",
    metadata="",
    attributes={"a": "b"},
    permissions=PERMISSIONS,
    joined_at=1.5,
    tracks=(TRACK,),
)
ROOM = messages.RoomInfo(sid="RM_1", name="r", metadata="", created_at=1.0, num_participants=1)
LAYER = messages.LayerInfo(
    spatial=1, temporal=2, rid="h", width=640, height=360, bitrate=500_000, fps=7.5
)
MEDIA = messages.MediaInfo(
    estimate=800_000,
    mode="transport_cc",
    round_trip=0.05,
    loss=0.01,
    queue_delay=0.002,
    sending=540_000,
    wanted=1_740_000,
    quality="good",
    tracks=(
        messages.ReceivedTrackInfo(
            track="TR_1",
            participant="PA_1",
            identity="ann",
            kind="video",
            source="camera",
            settings=messages.SettingsInfo(
                visible=True,
                width=1280,
                height=720,
                fps=0.0,
                priority=0,
                layer=None,
                temporal=None,
                paused=False,
            ),
            layers=(LAYER,),
            wanted=LAYER,
            chosen=LAYER,
            current=None,
            cause="bandwidth",
            reason="r",
            history=(
                messages.ChoiceInfo(
                    at=1.5, wanted=None, chosen=None, cause="hidden", reason="r", estimate=None
                ),
            ),
        ),
    ),
    estimates=(
        messages.EstimateInfo(at=1.5, estimate=None),
        messages.EstimateInfo(at=2.5, estimate=800_000),
    ),
)
ROOM_RECORDING = messages.RoomRecordingInfo(
    id="RC_1", mode="tracks", state="active", started_by="ann", started_at=1.5, error=""
)
RECORDING = messages.RecordingInfo(
    id="RC_1",
    room="r",
    mode="composite",
    layout="grid",
    hls=False,
    state="failed",
    started_by="",
    started_at=1.5,
    ended_at=2.5,
    duration=1.0,
    bytes=10**12,
    tracks=1,
    gaps=1,
    dropped=1,
    recovered=True,
    warning="w",
    error="e",
    outputs=(OutputStatus(url="rtmp://a/b"),),
)
ICE = (IceServer(("stun:a",)), IceServer(("turn:b",), "u", "c"))
SERVER: list[messages.Event] = [
    messages.Ok(id=1),
    messages.Ok(),
    messages.Error(id=2, error="conflict", message="m"),
    messages.Error(error="internal_error", message="m"),
    messages.Joined(
        id=3,
        participant=PARTICIPANT,
        room=ROOM,
        participants=(PARTICIPANT,),
        recordings=(ROOM_RECORDING,),
        ice_servers=ICE,
        grace_period=15.0,
        server=messages.ServerInfo(version="1"),
        resume_secret="s",
        resumed=False,
    ),
    messages.TrackAdded(track=TRACK, cid="c"),
    messages.PublisherAnswer(sdp="v=0"),
    messages.RecordingStarted(recording=RECORDING),
    messages.RecordingList(recordings=(RECORDING, structs.replace(RECORDING, ended_at=None))),
    messages.RecordingList(recordings=()),
    messages.RecordingChanged(recording=ROOM_RECORDING),
    messages.Pong(time=1.0),
    messages.ParticipantJoined(participant=PARTICIPANT),
    messages.ParticipantUpdated(participant=PARTICIPANT),
    messages.ParticipantLeft(participant="PA_1", identity="ann", reason="left"),
    messages.TrackPublished(participant="PA_1", track=TRACK),
    messages.TrackUnpublished(participant="PA_1", track="TR_1"),
    messages.TrackUpdated(participant="PA_1", track=TRACK),
    messages.SubscriberOffer(
        offer=1,
        sdp="v=0",
        tracks={"0": messages.OfferedTrack(participant="PA_1", track="TR_1")},
    ),
    messages.SubscriptionChanged(track="TR_1", state="paused", reason="muted", detail="d"),
    messages.SpeakersChanged(speakers=(messages.SpeakerInfo(participant="PA_1", level=0.5),)),
    messages.ConnectionQuality(participant="PA_1", quality="good", score=4.1),
    messages.LayersWanted(track="TR_1", layers=(messages.WantedLayer(rid="q", active=False),)),
    messages.LayersWanted(
        track="TR_1", layers=(messages.WantedLayer(rid="", active=True, spatial=1),)
    ),
    messages.MediaReport(status=MEDIA),
    messages.MediaReport(status=structs.replace(MEDIA, estimate=None, mode="none", tracks=())),
    messages.Data(participant="", identity="", topic="t", payload=b"\0\xff", reliable=True),
    messages.MediaState(target="publisher", state="failed", reason="r"),
    messages.RoomUpdated(room=ROOM),
    messages.Disconnected(reason="removed", message="m"),
]
CLIENT: list[messages.Request] = [
    messages.Join(id=0, token="t", room="r", identity="i", attributes={"a": "b"}),
    messages.Join(),
    messages.Resume(id=2**53 - 1, sid="PA_1", secret="s"),
    messages.AddTrack(kind="audio", source="screen_share_audio", width=65535),
    messages.AddTrack(
        kind="video",
        layers=(
            messages.AnnouncedLayer(rid="q", width=320, height=180, bitrate=150_000),
            messages.AnnouncedLayer(rid="a-B_9"),
            messages.AnnouncedLayer(),
        ),
    ),
    messages.RemoveTrack(track="TR_1"),
    messages.PublisherOffer(sdp="v=0", tracks={"0": "TR_1"}),
    messages.SubscriberAnswer(offer=1, sdp="v=0"),
    messages.Trickle(target="publisher"),
    messages.Trickle(target="subscriber", candidate=messages.CandidateInit(sdp_m_line_index=1)),
    messages.RestartIce(),
    messages.Mute(track="TR_1", muted=True),
    messages.Subscribe(tracks=["TR_1"]),
    messages.Unsubscribe(tracks=[]),
    messages.TrackSettings(track="TR_1"),
    messages.TrackSettings(
        track="TR_1",
        visible=False,
        width=65535,
        height=1,
        fps=7.5,
        priority=255,
        layer=0,
        temporal=7,
        paused=True,
    ),
    messages.WatchMedia(),
    messages.WatchMedia(enabled=False),
    messages.UpdateSelf(name="", attributes={"a": ""}),
    messages.SendData(payload=b"\0\xff", destinations=["ann"], reliable=False),
    messages.StartRecording(),
    messages.StartRecording(
        id=5,
        options=RecordingRequest(
            mode="composite", identities=("ann",), layout="screen", outputs=("srt://a:9",)
        ),
    ),
    messages.StopRecording(recording="RC_1"),
    messages.ListRecordings(),
    messages.Leave(),
    messages.Ping(id=5),
]


def test_the_samples_have_every_message() -> None:
    assert {type(message) for message in CLIENT} == set(CLIENT_MESSAGES)
    assert {type(message) for message in SERVER} == set(SERVER_MESSAGES)


@pytest.mark.parametrize("message", CLIENT, ids=lambda message: type(message).__name__)
def test_requests_survive_the_way(message: messages.Request) -> None:
    assert decode(encode(message)) == message
    assert decode(encode(message).encode()) == message


@pytest.mark.parametrize("message", [*CLIENT, *SERVER], ids=lambda m: type(m).__name__)
def test_what_we_write_fits_the_schema(message: messages.Request | messages.Event) -> None:
    document = json.loads(encode(message))
    assert document["type"] == snake_case(type(message).__name__)
    jsonschema.validate(document, json_schema())
    schema = json_schema()
    part = {"$ref": f"#/$defs/{type(message).__name__}", "$defs": schema["$defs"]}
    jsonschema.validate(document, part)


def test_the_schema_is_a_schema_and_refuses_what_is_wrong() -> None:
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for wrong in ({}, {"type": "teapot"}, {"type": "mute", "track": "TR_1"}, [], 5):
        assert not validator.is_valid(wrong)


def test_the_schema_takes_further_types() -> None:
    class Extra(messages.Shared, frozen=True, kw_only=True):
        track: messages.TrackInfo

    assert "Extra" in json_schema([Extra])["$defs"]


def test_an_id_that_was_not_given_is_left_out() -> None:
    assert encode(messages.Ok()) == '{"type":"ok"}'
    assert encode(messages.Ok(id=0)) == '{"type":"ok","id":0}'


def test_defaults_of_a_bare_join() -> None:
    message = decode('{"type":"join"}')
    assert isinstance(message, messages.Join)
    assert (message.auto_subscribe, message.version, message.id) == (True, 1, UNSET)


def test_candidates_are_read_as_browsers_write_them() -> None:
    message = decode(
        '{"type":"trickle","target":"publisher","candidate":{"candidate":"c","sdpMid":"0",'
        '"sdpMLineIndex":0,"usernameFragment":null,"foundation":"1"}}'
    )
    assert isinstance(message, messages.Trickle)
    assert message.candidate == messages.CandidateInit(
        candidate="c", sdp_mid="0", sdp_m_line_index=0
    )


def test_unknown_fields_are_ignored() -> None:
    assert decode('{"type":"ping","id":1,"color":{"of":["money"]}}') == messages.Ping(id=1)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('{"type":"teapot","id":3}', "Invalid value 'teapot'"),
        ('{"id":3}', "missing required field `type`"),
        ('{"type":"mute","id":3,"track":"TR_1"}', "missing required field `muted`"),
        ('{"type":"mute","id":3,"track":5,"muted":true}', "`$.track`"),
        ('{"type":"add_track","id":3,"kind":"smell"}', "`$.kind`"),
        ('{"type":"add_track","id":3,"kind":"video","width":65536}', "`$.width`"),
        ('{"type":"add_track","id":3,"kind":"video","height":-1}', "`$.height`"),
        ('{"type":"subscribe","id":3,"tracks":"TR_1"}', "`$.tracks`"),
        ('{"type":"send_data","id":3,"payload":"@"}', "`$.payload`"),
        ('{"type":"restart_ice","id":3,"target":"publisher"}', "`$.target`"),
        ('{"type":"join","id":3,"attributes":{"a":1}}', "`$.attributes[...]`"),
        ('{"type":"track_settings","id":3}', "missing required field `track`"),
        ('{"type":"track_settings","id":3,"track":"T","visible":1}', "`$.visible`"),
        ('{"type":"track_settings","id":3,"track":"T","width":-1}', "`$.width`"),
        ('{"type":"track_settings","id":3,"track":"T","width":1.5}', "`$.width`"),
        ('{"type":"track_settings","id":3,"track":"T","height":65536}', "`$.height`"),
        ('{"type":"track_settings","id":3,"track":"T","fps":-0.1}', "`$.fps`"),
        ('{"type":"track_settings","id":3,"track":"T","fps":1e9}', "`$.fps`"),
        ('{"type":"track_settings","id":3,"track":"T","priority":300}', "`$.priority`"),
        ('{"type":"track_settings","id":3,"track":"T","priority":-1}', "`$.priority`"),
        ('{"type":"track_settings","id":3,"track":"T","layer":8}', "`$.layer`"),
        ('{"type":"track_settings","id":3,"track":"T","temporal":-1}', "`$.temporal`"),
        ('{"type":"track_settings","id":3,"track":"T","paused":null}', "`$.paused`"),
        ('{"type":"watch_media","id":3,"enabled":"yes"}', "`$.enabled`"),
        ('{"type":"start_recording","id":3,"options":{"mode":"tape"}}', "`$.options.mode`"),
        ('{"type":"start_recording","id":3,"options":{"mod":"tracks"}}', "unknown field `mod`"),
        ('{"type":"start_recording","id":3,"options":{"tracks":"TR_1"}}', "`$.options.tracks`"),
        ('{"type":"stop_recording","id":3}', "missing required field `recording`"),
        ('{"type":"add_track","id":3,"kind":"video","layers":[{},{},{},{}]}', "`$.layers`"),
        (
            '{"type":"add_track","id":3,"kind":"video","layers":[{"rid":"a b"}]}',
            "`$.layers[0].rid`",
        ),
        (
            '{"type":"add_track","id":3,"kind":"video","layers":[{"bitrate":-1}]}',
            "`$.layers[0].bitrate`",
        ),
    ],
)
def test_what_is_no_message_is_refused_with_its_place(text: str, part: str) -> None:
    with pytest.raises(RemoteError, match="Not a message of this protocol") as refused:
        decode(text)
    assert refused.value.name == "bad_request"
    assert part in refused.value.message
    assert request_id(text) == 3


@pytest.mark.parametrize("number", [-1, 2**53, 1.5, "1", True, [], 10**400])
def test_ids_are_integers_that_javascript_has(number: Any) -> None:
    text = json.dumps({"type": "ping", "id": number})
    with pytest.raises((ParseError, RemoteError)):
        decode(text)
    assert request_id(text) is UNSET


@pytest.mark.parametrize(
    "text",
    ["", "{", "nope", '{"type":"ping"} x', '"\\ud800"', "\ud800", "\x00", "{'a':1}", "NaN"],
)
def test_what_is_not_json_is_malformed(text: str) -> None:
    with pytest.raises(ParseError) as refused:
        decode(text)
    assert refused.value.name == "malformed"
    assert request_id(text) is UNSET


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"type":"ping","x":', '{"type":"ping","x":['])
def test_deep_nesting_is_refused(opening: str) -> None:
    with pytest.raises((ParseError, RemoteError)):
        decode(opening * 100_000)


def test_sources_are_those_of_the_room() -> None:
    assert messages.Source.__args__ == SOURCES  # type: ignore[attr-defined]


def test_every_disconnect_reason_has_its_close_code_and_sentence() -> None:
    from signaling.notices import SENTENCES

    assert set(SENTENCES) == set(messages.DISCONNECT_REASONS)
    assert set(messages.DISCONNECT_REASONS) <= set(messages.CLOSE_CODES)
    codes = list(messages.CLOSE_CODES.values())
    assert len(codes) == len(set(codes))
    assert all(code == 1000 or 4000 <= code <= 4999 for code in codes)


def test_representation_has_no_secrets() -> None:
    for message in (
        messages.Join(id=1, token="hidden"),
        messages.Resume(sid="PA_1", secret="hidden", token="hidden"),
    ):
        assert "hidden" not in repr(message)
        assert "token='***'" in repr(message)
        assert messages.decode(msgspec.json.encode(message).decode()) == message
    assert "token=''" in repr(messages.Join())
