"""Sessions against real rooms: requests, replies, and what everyone is told."""

import base64
import json
import time
from typing import Any

import jwt
import pytest

from sfu.config import Config, IceServer
from sfu.errors import LimitError, LocalError, RemoteError
from sfu.room.events import ChannelMessage, MediaStateChanged
from signaling import messages
from signaling.session_log import COMPLAINT_BURST
from tests.support.descriptions import sample
from tests.support.sessions import Message, SessionClient, SessionServer

KEY, SECRET = "key", "0123456789abcdef0123456789abcdef"
CLOSED = Config(api_key=KEY, api_secret=SECRET)


def token(identity: str = "ann", room: str = "room", **claims: Any) -> str:
    video = {"roomJoin": True, "room": room, **claims.pop("video", {})}
    claims = {"iss": KEY, "sub": identity, "exp": time.time() + 60, "video": video, **claims}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def types(client: SessionClient, start: int = 0) -> list[str]:
    return [message["type"] for message in client.sent[start:]]


def publish(client: SessionClient) -> dict[str, str]:
    """Announce one audio and one video track, and offer them; mid → sid."""
    tracks = {
        "0": client.request("add_track", kind="audio", source="microphone")["track"]["sid"],
        "1": client.request("add_track", kind="video", source="camera")["track"]["sid"],
    }
    reply = client.request("publisher_offer", sdp=sample("chrome_publish"), tracks=tracks)
    assert reply["type"] == "publisher_answer"
    return tracks


def encoded(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


# -- joining


def test_who_joins_gets_a_snapshot_and_the_others_are_told() -> None:
    server = SessionServer(
        Config(dev=True, grace_period=7.0, ice_servers=(IceServer(("stun:a",)),))
    )
    ann = server.join("ann", name="Ann", metadata="m", attributes={"role": "host"})
    tracks = publish(ann)
    bob = server.join("bob")
    joined = bob.joined
    assert joined["participant"]["identity"] == joined["participant"]["name"] == "bob"
    assert joined["room"]["name"] == "room"
    assert joined["room"]["num_participants"] == 2
    assert joined["ice_servers"] == [{"urls": ["stun:a"]}]
    assert joined["grace_period"] == 7.0
    assert joined["resumed"] is False
    (other,) = joined["participants"]
    assert (other["sid"], other["name"], other["metadata"]) == (ann.sid, "Ann", "m")
    assert other["attributes"] == {"role": "host"}
    assert [track["sid"] for track in other["tracks"]] == list(tracks.values())
    assert ann.heard("participant_joined") == [
        {"type": "participant_joined", "participant": joined["participant"]}
    ]
    assert ann.heard("room_updated")[-1]["room"]["num_participants"] == 2


def test_with_dev_an_identity_is_made_up_and_a_room_is_needed() -> None:
    server = SessionServer()
    first, second = server.client(), server.client()
    assert first.refused("join") == "bad_request"
    first.request("join", room="room")
    second.request("join", room="room")
    identities = {c.joined["participant"]["identity"] for c in (first, second)}
    assert len(identities) == 2


def test_with_dev_and_without_a_key_tokens_are_not_looked_at() -> None:
    server = SessionServer()
    ann = server.join("ann", token="a word that some client insists on")
    ann.lose()
    ann.resume(token="another")


def test_with_dev_and_a_key_a_token_counts_where_it_is_given() -> None:
    server = SessionServer(Config(dev=True, api_key=KEY, api_secret=SECRET))
    server.join("bob")
    client = server.client()
    assert client.refused("join", room="room", token="nonsense") == "unauthorized"
    client.request("join", token=token("ann"))
    assert client.joined["participant"]["identity"] == "ann"


def test_a_token_says_who_and_where() -> None:
    server = SessionServer(CLOSED)
    client = server.client()
    assert client.refused("join", room="room", identity="ann") == "unauthorized"
    assert client.refused("join", token=token() + "x") == "unauthorized"
    assert client.refused("join", token=token(), room="vault") == "not_allowed"
    assert client.refused("join", token=token(), identity="bob") == "not_allowed"
    assert client.refused("join", token=token(video={"roomJoin": False})) == "not_allowed"
    assert client.refused("join", token=token("")) == "unauthorized"
    assert client.refused("add_track", kind="audio") == "not_joined"
    assert not len(server.rooms)
    client.request("join", token=token(), room="room", identity="ann")
    assert client.joined["participant"]["identity"] == "ann"


def test_a_token_describes_the_participant() -> None:
    server = SessionServer(CLOSED)
    text = token(name="Ann", metadata="m", attributes={"a": "1"})
    client = server.client()
    client.request("join", token=text, name="Boss", metadata="x", attributes={"a": "2"})
    mine = client.joined["participant"]
    assert (mine["name"], mine["metadata"], mine["attributes"]) == ("Ann", "m", {"a": "1"})
    assert mine["permissions"]["can_update_own_metadata"] is False


def test_who_may_change_its_description_may_join_with_another() -> None:
    server = SessionServer(CLOSED)
    text = token(
        name="Ann", metadata="m", attributes={"a": "1"}, video={"canUpdateOwnMetadata": True}
    )
    client = server.client()
    client.request("join", token=text, name="Boss", attributes={"b": "2"})
    mine = client.joined["participant"]
    assert (mine["name"], mine["metadata"]) == ("Boss", "m")
    assert mine["attributes"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"room": "r" * 257}, "too_large"),
        ({"identity": "i" * 257}, "too_large"),
        ({"name": "n" * 257}, "too_large"),
        ({"metadata": "m" * 16385}, "too_large"),
        ({"metadata": "é" * 8193}, "too_large"),
        ({"attributes": {"a": "v" * 16384}}, "too_large"),
        ({"attributes": {str(number): "" for number in range(65)}}, "too_large"),
        ({"version": 2}, "bad_request"),
        ({"version": 0}, "bad_request"),
    ],
)
def test_joins_that_ask_for_too_much(fields: Message, name: str) -> None:
    server = SessionServer()
    client = server.client()
    assert client.refused("join", **{"room": "room", "identity": "ann", **fields}) == name
    client.request("join", room="room", identity="ann")
    assert client.joined


def test_full_rooms_and_servers_say_so_and_another_try_may_work() -> None:
    server = SessionServer(Config(dev=True, max_participants=1, max_rooms=1))
    ann, bob = server.join("ann"), server.client()
    assert bob.refused("join", room="room", identity="bob") == "room_full"
    assert bob.refused("join", room="other", identity="bob") == "server_full"
    ann.request("leave")
    assert bob.request("join", room="room", identity="bob")["type"] == "joined"


def test_joining_twice_is_refused() -> None:
    ann = SessionServer().join("ann")
    assert ann.refused("join", room="other") == "already_joined"
    assert (
        ann.refused("resume", sid=ann.sid, secret=ann.joined["resume_secret"]) == "already_joined"
    )


def test_the_same_identity_replaces_the_first() -> None:
    server = SessionServer()
    first, watcher = server.join("ann"), server.join("bob")
    second = server.join("ann")
    assert first.sent[-1]["type"] == "disconnected"
    assert first.sent[-1]["reason"] == "duplicate_identity"
    assert first.closed == ["duplicate_identity"]
    assert [m["reason"] for m in watcher.heard("participant_left")] == ["duplicate_identity"]
    assert second.request("ping")["type"] == "pong"
    before = len(first.sent)
    first.session.receive('{"type":"ping"}')
    assert len(first.sent) == before, "nobody is there any more"
    assert len(server.members) == 2


def test_hidden_participants_are_not_told_of() -> None:
    server = SessionServer(CLOSED)
    ann, spy = server.client(), server.client()
    ann.request("join", token=token("ann"))
    spy.request("join", token=token("spy", video={"hidden": True}))
    assert [other["identity"] for other in spy.joined["participants"]] == ["ann"]
    assert spy.joined["room"]["num_participants"] == 1
    bob = server.client()
    bob.request("join", token=token("bob"))
    assert [other["identity"] for other in bob.joined["participants"]] == ["ann"]
    assert not ann.heard("participant_joined")[0]["participant"]["permissions"]["hidden"]
    spy.request("leave")
    assert not ann.heard("participant_left")


# -- leaving


def test_who_leaves_is_answered_and_the_others_are_told() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    before = len(ann.sent)
    assert ann.request("leave")["type"] == "ok"
    assert types(ann, before) == ["ok"]
    assert ann.closed == ["left"]
    assert bob.heard("participant_left") == [
        {"type": "participant_left", "participant": ann.sid, "identity": "ann", "reason": "left"}
    ]
    assert len(server.members) == 1


def test_one_may_leave_before_joining() -> None:
    client = SessionServer().client()
    assert client.request("leave")["type"] == "ok"
    assert client.closed == ["left"]


@pytest.mark.parametrize("reason", ["removed", "room_deleted", "server_shutdown"])
def test_who_is_put_out_is_told_why(reason: str) -> None:
    server = SessionServer()
    ann = server.join("ann")
    if reason == "removed":
        ann.participant.room.remove("ann", reason=reason, now=server.now())
    else:
        server.rooms.close(reason=reason, now=server.now())
    assert ann.sent[-1]["type"] == "disconnected"
    assert (ann.sent[-1]["reason"], ann.closed) == (reason, [reason])
    assert not len(server.members)


def test_a_session_that_ends_before_joining_is_told_why() -> None:
    server = SessionServer()
    client = server.client()
    client.session.end("signaling_timeout")
    client.session.end("server_shutdown")
    assert [m["reason"] for m in client.sent] == ["signaling_timeout"]
    assert client.closed == ["signaling_timeout"]


# -- losing the connection


def test_who_loses_the_connection_stays_for_the_grace_period() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    ann.lose()
    bob.run(14.9)
    assert not bob.heard("participant_left")
    bob.run(0.2)
    assert [m["reason"] for m in bob.heard("participant_left")] == ["signaling_timeout"]
    assert len(server.members) == 1
    client = server.client()
    secret = ann.joined["resume_secret"]
    assert client.refused("resume", sid=ann.sid, secret=secret) == "resume_failed"


def test_resuming_tells_why_tracks_are_paused() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    track = publish(ann)["0"]
    subscriptions = bob.participant.subscriptions
    subscription = subscriptions.get(track)
    assert subscription
    bob.lose()
    reason = "paused: 240 kb/s available, the lowest layer needs 310"
    subscriptions.change(subscription, "paused", "bandwidth", reason)
    told = {m["track"]: m for m in bob.resume().heard("subscription_changed")}
    assert (told[track]["reason"], told[track]["detail"]) == ("bandwidth", reason)


def test_resuming_gives_the_room_as_it_is_now_and_a_new_offer() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    tracks = publish(ann)
    bob.run(0.1)
    bob.lose()
    before = len(bob.sent)
    carl = server.join("carl")
    ann.request("mute", track=tracks["1"], muted=True)
    ann.request("update_self", name="Anna")
    again = bob.resume()
    assert len(bob.sent) == before
    assert again.joined["resumed"] is True
    assert again.sid == bob.sid
    assert again.joined["resume_secret"] == bob.joined["resume_secret"]
    assert {other["identity"] for other in again.joined["participants"]} == {"ann", "carl"}
    told = next(o for o in again.joined["participants"] if o["identity"] == "ann")
    assert told["name"] == "Anna"
    assert [track["muted"] for track in told["tracks"]] == [False, True]
    assert types(again) == ["joined", "subscription_changed", "subscription_changed"]
    assert {m["track"]: (m["state"], m["reason"]) for m in again.heard("subscription_changed")} == {
        tracks["0"]: ("paused", ""),
        tracks["1"]: ("paused", "muted"),
    }
    again.run(0.2)
    (offer,) = again.heard("subscriber_offer")
    assert offer["offer"] == bob.heard("subscriber_offer")[-1]["offer"] + 1
    assert not carl.heard("participant_left")
    again.run(60)
    assert again.participant.present
    assert not again.closed


def test_resuming_tells_the_state_of_the_peer_connections() -> None:
    server = SessionServer()
    ann = server.join("ann")
    publish(ann)
    ann.lose()
    peer = ann.participant.publisher
    assert peer is not None
    server.core.endpoint.close_peer(peer, now=server.now())
    again = ann.resume()
    assert again.heard("media_state") == [
        {"type": "media_state", "target": "publisher", "state": "closed", "reason": ""}
    ]


def test_a_resumed_publisher_may_offer_again() -> None:
    server = SessionServer()
    ann = server.join("ann")
    tracks = publish(ann)
    peer = ann.participant.publisher
    ann.lose()
    again = ann.resume()
    reply = again.request("publisher_offer", sdp=sample("chrome_publish"), tracks=tracks)
    assert reply["type"] == "publisher_answer"
    assert again.participant.publisher is peer


def test_resuming_takes_over_a_connection_that_only_seems_open() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    again = ann.resume()
    assert ann.closed == ["resumed_elsewhere"]
    assert not ann.heard("disconnected")
    ann.lose()
    bob.request("send_data", payload=encoded(b"hello"))
    assert not ann.heard("data")
    assert len(again.heard("data")) == 1
    again.run(60)
    assert not bob.heard("participant_left")
    assert again.request("ping")["type"] == "pong"


def test_one_may_resume_again_and_again() -> None:
    server = SessionServer()
    client = server.join("ann")
    for _ in range(5):
        client.lose()
        client.run(10)
        client = client.resume()
    client.run(100)
    assert client.participant.present
    client.lose()
    client.run(16)
    assert not server.members


@pytest.mark.parametrize("wrong", ["secret", "sid", "both", "empty", "letters"])
def test_resuming_needs_sid_and_secret(wrong: str) -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    ann.lose()
    secret, others = ann.joined["resume_secret"], bob.joined["resume_secret"]
    sid, secret = {
        "secret": (ann.sid, others),
        "sid": (bob.sid, secret),
        "both": ("PA_nobody", "guess"),
        "empty": (ann.sid, ""),
        "letters": (ann.sid, "é" * 22),
    }[wrong]
    client = server.client()
    assert client.refused("resume", sid=sid, secret=secret) == "resume_failed"
    assert client.request("join", room="room", identity="carl")["type"] == "joined"


def test_a_token_that_is_given_to_resume_must_be_right() -> None:
    server = SessionServer(CLOSED)
    ann = server.client()
    ann.request("join", token=token("ann"))
    ann.lose()
    key = {"sid": ann.sid, "secret": ann.joined["resume_secret"]}
    client = server.client()
    assert client.refused("resume", **key, token="nonsense") == "unauthorized"
    assert client.refused("resume", **key, token=token(exp=1000) + "x") == "unauthorized"
    assert client.refused("resume", **key, token=token("bob")) == "resume_failed"
    assert client.refused("resume", **key, token=token("ann", "vault")) == "resume_failed"
    assert client.request("resume", **key, token=token("ann"))["resumed"] is True
    assert server.client().request("resume", **key, token=token("ann", exp=1000))["resumed"]


def test_nobody_resumes_who_has_left_or_was_put_out() -> None:
    server = SessionServer()
    ann, bob, carl = server.join("ann"), server.join("bob"), server.join("carl")
    ann.request("leave")
    carl.lose()
    bob.participant.room.remove("bob", reason="removed", now=server.now())
    carl.participant.room.remove("carl", reason="removed", now=server.now())
    for gone in (ann, bob, carl):
        key = {"sid": gone.sid, "secret": gone.joined["resume_secret"]}
        assert server.client().refused("resume", **key) == "resume_failed"
    server.time.run(20)
    assert not server.members


# -- publishing


def test_a_track_is_announced_offered_muted_and_removed() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    added = ann.request(
        "add_track",
        kind="video",
        source="screen_share",
        name="slides",
        width=1920,
        height=1080,
        muted=True,
        cid="mine",
    )
    assert (added["type"], added["cid"]) == ("track_added", "mine")
    track = added["track"]
    assert track == {
        "sid": track["sid"],
        "kind": "video",
        "source": "screen_share",
        "name": "slides",
        "muted": True,
        "width": 1920,
        "height": 1080,
        "mime_type": "",
    }
    assert bob.heard("track_published") == [
        {"type": "track_published", "participant": ann.sid, "track": track}
    ]
    assert ann.request("mute", track=track["sid"], muted=False)["type"] == "ok"
    unmuted = {**track, "muted": False}
    for client in (ann, bob):
        assert client.heard("track_updated") == [
            {"type": "track_updated", "participant": ann.sid, "track": unmuted}
        ]
    assert ann.request("remove_track", track=track["sid"])["type"] == "ok"
    assert bob.heard("track_unpublished") == [
        {"type": "track_unpublished", "participant": ann.sid, "track": track["sid"]}
    ]
    assert ann.refused("remove_track", track=track["sid"]) == "track_not_found"


def test_tracks_of_others_are_not_ones_own() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    sid = ann.request("add_track", kind="audio")["track"]["sid"]
    assert bob.refused("mute", track=sid, muted=True) == "track_not_found"
    assert bob.refused("remove_track", track=sid) == "track_not_found"
    reply = bob.request("publisher_offer", sdp=sample("chrome_publish"), tracks={"0": sid})
    assert reply["error"] == "track_not_found"


@pytest.mark.parametrize(
    ("grants", "kind", "source", "name"),
    [
        ({"canPublish": False}, "audio", "microphone", "not_allowed"),
        ({"hidden": True}, "audio", "microphone", "not_allowed"),
        ({"canPublishSources": ["microphone"]}, "video", "camera", "not_allowed"),
        ({"canPublishSources": ["microphone"]}, "video", "unknown", "not_allowed"),
        ({"canPublishSources": ["microphone"]}, "audio", "microphone", ""),
        ({}, "video", "screen_share", ""),
    ],
)
def test_publishing_needs_the_right_to(grants: Message, kind: str, source: str, name: str) -> None:
    client = SessionServer(CLOSED).client()
    client.request("join", token=token(video=grants))
    reply = client.request("add_track", kind=kind, source=source)
    assert reply.get("error", "") == name


def test_tracks_and_their_names_are_bounded() -> None:
    ann = SessionServer(Config(dev=True, max_tracks=2)).join("ann")
    assert ann.refused("add_track", kind="audio", name="n" * 257) == "too_large"
    assert ann.refused("add_track", kind="audio", cid="n" * 257) == "too_large"
    for _ in range(2):
        ann.request("add_track", kind="audio")
    assert ann.refused("add_track", kind="audio") == "too_many_tracks"


@pytest.mark.parametrize(
    ("sdp", "name"),
    [("", "malformed"), ("v=0\r\n", "negotiation_failed"), ("m=" * 300_000, "malformed")],
)
def test_offers_that_are_none_are_refused(sdp: str, name: str) -> None:
    ann = SessionServer().join("ann")
    assert ann.refused("publisher_offer", sdp=sdp) == name


def test_an_m_line_without_a_track_is_refused_and_nothing_is_changed() -> None:
    ann = SessionServer().join("ann")
    sid = ann.request("add_track", kind="audio")["track"]["sid"]
    reply = ann.request("publisher_offer", sdp=sample("chrome_publish"), tracks={"0": sid})
    assert (reply["error"], "add_track" in reply["message"]) == ("bad_request", True)
    assert ann.participant.publisher is None


def test_trickled_candidates_are_accepted() -> None:
    ann = SessionServer().join("ann")
    candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.1 1 typ host", "sdpMid": "0"}
    assert ann.request("trickle", target="publisher", candidate=candidate)["type"] == "ok"
    assert ann.request("trickle", target="subscriber", candidate=None)["type"] == "ok"


# -- receiving


def test_tracks_are_offered_and_answered() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    tracks = publish(ann)
    second = ann.request("add_track", kind="video")["track"]["sid"]
    bob.run(0.1)
    (offer,) = bob.heard("subscriber_offer")
    assert offer["tracks"] == {
        str(mid): {"participant": ann.sid, "track": sid}
        for mid, sid in enumerate((*tracks.values(), second))
    }
    for sid in (*tracks.values(), second):
        assert f"a=msid:{ann.sid} {sid}\r\n" in offer["sdp"]
    answer = {"offer": offer["offer"], "sdp": sample("chrome_answer")}
    assert bob.refused("subscriber_answer", **{**answer, "offer": 7}) == "conflict"
    assert bob.request("subscriber_answer", **answer)["type"] == "ok"
    assert bob.refused("subscriber_answer", **answer) == "conflict"
    # In the sample the browser has stopped its last m-line.
    assert {m["track"]: (m["state"], m["reason"]) for m in bob.heard("subscription_changed")} == {
        tracks["0"]: ("active", ""),
        tracks["1"]: ("active", ""),
        second: ("failed", "codec_unsupported"),
    }


def test_changes_wait_while_an_offer_is_in_flight() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    publish(ann)
    ann.request("add_track", kind="video")
    bob.run(1)
    sid = ann.request("add_track", kind="audio")["track"]["sid"]
    bob.run(1)
    (offer,) = bob.heard("subscriber_offer")
    bob.request("subscriber_answer", offer=offer["offer"], sdp=sample("chrome_answer"))
    bob.run(1)
    _, second = bob.heard("subscriber_offer")
    assert second["offer"] == offer["offer"] + 1
    assert second["tracks"]["3"]["track"] == sid


def test_without_auto_subscribe_tracks_are_chosen() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob", auto_subscribe=False)
    tracks = publish(ann)
    bob.run(1)
    assert not bob.heard("subscriber_offer")
    assert bob.refused("subscribe", tracks=[tracks["0"], "TR_none"]) == "track_not_found"
    bob.run(1)
    assert not bob.heard("subscriber_offer")
    assert bob.request("subscribe", tracks=[tracks["0"]] * 3)["type"] == "ok"
    bob.run(1)
    (offer,) = bob.heard("subscriber_offer")
    assert [carried["track"] for carried in offer["tracks"].values()] == [tracks["0"]]
    assert bob.request("unsubscribe", tracks=[tracks["0"]])["type"] == "ok"
    told = bob.sent[-1]
    assert (told["type"], told["track"]) == ("subscription_changed", tracks["0"])
    assert (told["state"], told["reason"]) == ("paused", "unsubscribed")


def test_receiving_needs_the_right_to() -> None:
    server = SessionServer(CLOSED)
    ann, bob = server.client(), server.client()
    ann.request("join", token=token("ann"))
    bob.request("join", token=token("bob", video={"canSubscribe": False}))
    sid = ann.request("add_track", kind="audio")["track"]["sid"]
    assert bob.refused("subscribe", tracks=[sid]) == "not_allowed"
    bob.run(1)
    assert not bob.heard("subscriber_offer")


def test_lists_are_bounded() -> None:
    ann = SessionServer().join("ann")
    many = [str(number) for number in range(1025)]
    assert ann.refused("subscribe", tracks=many) == "too_large"
    assert ann.refused("unsubscribe", tracks=many) == "too_large"
    assert ann.refused("send_data", payload="", destinations=many) == "too_large"


def test_ice_of_the_subscriber_is_restarted_by_a_new_offer() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    assert bob.refused("restart_ice", target="subscriber") == "negotiation_failed"
    publish(ann)
    ann.request("add_track", kind="video")
    bob.run(1)
    (first,) = bob.heard("subscriber_offer")
    bob.request("subscriber_answer", offer=first["offer"], sdp=sample("chrome_answer"))
    reply_at = len(bob.sent)
    assert bob.request("restart_ice", target="subscriber")["type"] == "ok"
    assert types(bob, reply_at) == ["ok", "subscriber_offer"]

    def credentials(offer: Message) -> set[str]:
        return {line for line in offer["sdp"].split("\r\n") if line.startswith("a=ice-ufrag")}

    assert credentials(first) != credentials(bob.sent[-1])


def test_states_of_the_peer_connections_are_told() -> None:
    ann = SessionServer().join("ann")
    ann.participant.notify(MediaStateChanged("publisher", "failed", "no packets"))
    assert ann.sent[-1] == {
        "type": "media_state",
        "target": "publisher",
        "state": "failed",
        "reason": "no packets",
    }


def test_a_publisher_that_never_comes_is_told_so() -> None:
    ann = SessionServer().join("ann")
    publish(ann)
    ann.run(40)
    assert [m["state"] for m in ann.heard("media_state")] == ["failed"]


# -- oneself


def test_one_may_describe_oneself_anew() -> None:
    server = SessionServer()
    ann, bob = server.join("ann", attributes={"a": "1", "b": "2"}), server.join("bob")
    assert ann.request("update_self", attributes={"a": "", "c": "3"})["type"] == "ok"
    ann.request("update_self", name="Ann", metadata="m")
    for client in (ann, bob):
        told = client.heard("participant_updated")[-1]["participant"]
        assert told["attributes"] == {"b": "2", "c": "3"}
        assert (told["name"], told["metadata"]) == ("Ann", "m")


def test_describing_oneself_is_bounded_and_needs_the_right_to() -> None:
    ann = SessionServer().join("ann")
    assert ann.refused("update_self", name="n" * 257) == "too_large"
    assert ann.refused("update_self", metadata="m" * 16385) == "too_large"
    many = {str(number): "v" for number in range(65)}
    assert ann.refused("update_self", attributes=many) == "too_large"
    client = SessionServer(CLOSED).client()
    client.request("join", token=token())
    assert client.refused("update_self", name="Boss") == "not_allowed"


# -- data


def test_data_goes_to_everyone_else_or_to_some() -> None:
    server = SessionServer()
    ann, bob, carl = server.join("ann"), server.join("bob"), server.join("carl")
    assert ann.request("send_data", payload=encoded(b"\0\xff"), topic="t")["type"] == "ok"
    expected = {
        "type": "data",
        "participant": ann.sid,
        "identity": "ann",
        "topic": "t",
        "payload": encoded(b"\0\xff"),
        "reliable": True,
    }
    assert bob.heard("data") == carl.heard("data") == [expected]
    assert not ann.heard("data")
    ann.request("send_data", payload="", destinations=["carl", "nobody"], reliable=False)
    assert len(bob.heard("data")) == 1
    assert carl.heard("data")[-1]["reliable"] is False


def test_the_server_may_send_data_too() -> None:
    ann = SessionServer().join("ann")
    ann.participant.room.send_data(None, b"hello")
    assert ann.heard("data") == [
        {
            "type": "data",
            "participant": "",
            "identity": "",
            "topic": "",
            "payload": encoded(b"hello"),
            "reliable": True,
        }
    ]


def test_data_is_bounded_and_needs_the_right_to() -> None:
    server = SessionServer(CLOSED)
    ann, bob = server.client(), server.client()
    ann.request("join", token=token("ann"))
    bob.request("join", token=token("bob", video={"canPublishData": False}))
    assert bob.refused("send_data", payload="") == "not_allowed"
    assert ann.refused("send_data", payload=encoded(bytes(32769))) == "too_large"
    assert ann.refused("send_data", payload="", topic="t" * 257) == "too_large"
    assert ann.request("send_data", payload=encoded(bytes(32768)))["type"] == "ok"


def test_data_has_a_rate_that_a_resume_does_not_reset() -> None:
    server = SessionServer(Config(dev=True, max_data_rate=10))
    ann = server.join("ann")
    for _ in range(20):
        assert ann.request("send_data", payload="")["type"] == "ok"
    assert ann.refused("send_data", payload="") == "rate_limited"
    ann.lose()
    again = ann.resume()
    assert again.refused("send_data", payload="") == "rate_limited"
    again.run(1)
    replies = [again.request("send_data", payload="")["type"] for _ in range(11)]
    assert replies == ["ok"] * 10 + ["error"]


class Channels:
    """Data channels whose far end is this test."""

    def __init__(self) -> None:
        self.open = True
        self.sent: list[tuple[Message, bool]] = []

    def send(self, text: str, *, reliable: bool) -> bool:
        if self.open:
            self.sent.append((json.loads(text), reliable))
        return self.open

    def close(self) -> None:
        self.open = False


def test_data_takes_the_data_channel_while_that_is_open() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    channels = bob.participant.channels = Channels()
    ann.request("send_data", payload=encoded(b"1"), reliable=False)
    ((message, reliable),) = channels.sent
    assert (message["type"], message["payload"], reliable) == ("data", encoded(b"1"), False)
    assert not bob.heard("data")
    channels.open = False
    ann.request("send_data", payload=encoded(b"2"))
    assert [m["payload"] for m in bob.heard("data")] == [encoded(b"2")]


def test_an_offer_with_an_application_line_opens_data_channels() -> None:
    server = SessionServer()
    ann = server.join("ann")
    assert ann.request("publisher_offer", sdp=sample("chrome_data"))["type"] == "publisher_answer"
    assert server.opened == [ann.participant]


def test_data_channels_carry_send_data_without_replies() -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    before = len(ann.sent)
    ann.participant.notify(ChannelMessage('{"type":"send_data","payload":"aGk=","id":1}', True))
    assert bob.heard("data")[0]["payload"] == "aGk="
    assert len(ann.sent) == before


def test_what_data_channels_may_not_carry_is_refused_over_the_websocket() -> None:
    server = SessionServer()
    ann = server.join("ann")
    for text, name in (
        ('{"type":"leave","id":1}', "bad_request"),
        ('{"type":"teapot"}', "bad_request"),
        ("junk", "malformed"),
        ('{"type":"send_data","payload":"","topic":"%s"}' % ("t" * 257), "too_large"),
    ):
        ann.participant.notify(ChannelMessage(text, reliable=True))
        assert ann.sent[-1]["error"] == name
    assert ann.participant.present


def test_rubbish_on_data_channels_is_not_answered_for_ever() -> None:
    ann = SessionServer().join("ann")
    for _ in range(1000):
        ann.participant.notify(ChannelMessage("junk", reliable=True))
    assert len(ann.heard("error")) == COMPLAINT_BURST


# -- errors


def test_pong_tells_the_time() -> None:
    server = SessionServer()
    reply = server.client().request("ping")
    assert reply["time"] == pytest.approx(server.now() + 1_700_000_000.0)


@pytest.mark.parametrize(
    "request_type",
    [
        messages.snake_case(kind.__name__)
        for kind in messages.CLIENT_MESSAGES
        if kind not in (messages.Join, messages.Resume, messages.Leave, messages.Ping)
    ],
)
def test_nearly_everything_needs_a_room(request_type: str) -> None:
    fields: Message = {
        "track": "TR_1",
        "tracks": {} if request_type == "publisher_offer" else [],
        "sdp": "",
        "offer": 1,
        "kind": "audio",
        "target": "subscriber",
        "muted": True,
        "payload": "",
        "recording": "RC_1",
    }
    assert SessionServer().client().refused(request_type, **fields) == "not_joined"


@pytest.mark.parametrize(
    ("text", "name"),
    [("junk", "malformed"), ('{"type":"teapot","id":4}', "bad_request"), ("[]", "bad_request")],
)
def test_what_is_no_message_is_answered_with_its_id_if_it_has_one(text: str, name: str) -> None:
    client = SessionServer().client()
    client.session.receive(text)
    (reply,) = client.sent
    assert reply["error"] == name
    assert reply.get("id") == (4 if "4" in text else None)


def test_requests_without_an_id_get_replies_without_one() -> None:
    client = SessionServer().client()
    client.session.receive('{"type":"ping"}')
    assert "id" not in client.sent[0]


def test_a_fault_of_ours_costs_one_request_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")
    ann.participant.tracks = None  # type: ignore[assignment]
    assert ann.refused("add_track", kind="audio") == "internal_error"
    assert "Traceback" in caplog.text
    assert "TypeError" in caplog.text
    assert "identity='ann'" in caplog.text
    ann.participant.tracks = {}
    assert ann.request("add_track", kind="audio")["type"] == "track_added"
    assert not bob.closed


def test_a_fault_while_one_is_told_something_does_not_hit_who_caused_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = SessionServer()
    ann, bob = server.join("ann"), server.join("bob")

    class Broken:
        def send(self, text: str, *, reliable: bool) -> bool:
            raise ZeroDivisionError

    bob.participant.channels = Broken()
    assert ann.request("send_data", payload="")["type"] == "ok"
    assert bob.heard("error")[0]["error"] == "internal_error"
    assert "ZeroDivisionError" in caplog.text


def test_an_offer_that_cannot_be_made_is_told_as_an_error() -> None:
    server = SessionServer(Config(dev=True, max_pending_transports=1))
    ann, bob = server.join("ann"), server.join("bob")
    publish(ann)
    bob.run(0.1)
    assert [m["error"] for m in bob.heard("error")] == ["server_full"]


def test_refused_messages_are_answered_by_name() -> None:
    client = SessionServer().client()
    client.session.refuse(LimitError("slow down", name="rate_limited"), '{"id":9}')
    client.session.refuse(RemoteError("text please"))
    client.session.refuse(LocalError("no"), "junk")
    assert [(m["error"], m.get("id")) for m in client.sent] == [
        ("rate_limited", 9),
        ("bad_request", None),
        ("bad_request", None),
    ]


def test_comings_and_goings_are_logged_and_secrets_are_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    server = SessionServer(CLOSED)
    client = server.client()
    wrong, right = token() + "wrong", token()
    client.refused("join", token=wrong)
    client.request("join", token=right)
    client.request("add_track", kind="audio", source="microphone")
    client.lose()
    again = client.resume(token=right)
    assert again.refused("publisher_offer", sdp="junk") == "malformed"
    again.request("leave")
    lines = [record.getMessage() for record in caplog.records]
    for part in (
        "request failed remote='198.51.100.7' request='join' error='unauthorized'",
        "participant joined",
        "track published",
        "signaling lost",
        "participant resumed",
        "request='publisher_offer' error='malformed'",
        "participant left",
    ):
        assert any(part in line for line in lines), part
    assert any("room='room' identity='ann'" in line for line in lines)
    for secret in (wrong, right, client.joined["resume_secret"], SECRET):
        assert secret not in caplog.text


def test_refusals_are_not_logged_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    client = SessionServer().client()
    for _ in range(1000):
        client.session.receive("junk")
    assert len(caplog.records) == COMPLAINT_BURST
