"""What publishers are told of their layers, from what subscribers could show."""

import pytest

from sfu.room.dynacast import STOP_DELAY, Dynacast
from sfu.room.events import LayersWanted
from sfu.room.media_settings import TrackSettings
from sfu.stream.inbound import InboundStream
from sfu.stream.sender_report import SenderClock
from sfu.timers import Timers
from sfu.wire.parameters import VP8, VP9
from sfu.wire.rtp import RtpPacket
from tests.support.virtual_room import VirtualServer

SIZES = ((320, 180), (640, 360), (1280, 720))


def key_frame(layers: int, *, scale: int = 1) -> bytes:
    """Payload that begins a VP9 key frame with so many spatial layers (RFC 9628 4.2)."""
    sizes = b"".join(
        (pixels // scale).to_bytes(2, "big") for size in SIZES[:layers] for pixels in size
    )
    return b"\xaa\x01\x00\x00" + bytes([(layers - 1) << 5 | 0x10]) + sizes + bytes(40)


class Stage:
    """A VP9 track, and what its publisher hears."""

    def __init__(self, *rids: str) -> None:
        alice = VirtualServer().join("alice").participant
        self.track = alice.add_track(kind="video", source="camera", now=0.0)
        self.timers = Timers()
        self.heard: list[list[tuple[bool, int | None]]] = []
        self.dynacast = Dynacast(self.track, timers=self.timers, tell=self._hear)
        self.packets = 0
        self.streams = [
            InboundStream(
                ssrc=ssrc,
                kind="video",
                codecs={96: VP8 if rids else VP9},
                nack=True,
                cache_size=64,
                sender_clock=SenderClock(wall_offset=0.0),
                rid=rid,
            )
            for ssrc, rid in enumerate(rids or ("",), 1)
        ]
        for stream in self.streams:
            self.track.add_stream(stream)

    def _hear(self, event: LayersWanted) -> None:
        self.heard.append([(layer.active, layer.spatial) for layer in event.layers])

    def send(self, layers: int, *, now: float, scale: int = 1) -> None:
        """The publisher sends a key frame with so many layers."""
        (stream,) = self.streams
        self.packets += 1
        packet = RtpPacket(96, self.packets, 3000 * self.packets, stream.ssrc, b"")
        packet.payload = key_frame(layers, scale=scale)
        assert stream.receive(packet, now=now)
        self.track.receive(stream, [packet], now=now)
        self.dynacast.update(now)

    def show(self, who: str, width: int, *, now: float) -> None:
        """A subscriber shows it in this width."""
        settings = TrackSettings(width=width, height=width * 9 // 16)
        self.dynacast.wish(who, self.track.encodings.spatial_for(settings, 0), now=now)


def test_spatial_layers_that_nobody_could_show_are_told_after_a_while() -> None:
    stage = Stage()
    stage.dynacast.wish("bob", 7, now=0.0)
    stage.send(3, now=0.0)
    stage.show("bob", 320, now=1.0)
    stage.show("carol", 640, now=1.0)
    stage.timers.handle_timer(now=1.0 + STOP_DELAY - 0.1)
    assert stage.heard == [], "tiles change their size"
    stage.timers.handle_timer(now=1.0 + STOP_DELAY)
    assert stage.heard == [[(True, 1)]]
    stage.dynacast.wish("carol", None, now=5.0)
    stage.timers.handle_timer(now=5.0 + STOP_DELAY)
    assert stage.heard[1:] == [[(True, 0)]]
    stage.dynacast.wish("bob", None, now=9.0)
    stage.timers.handle_timer(now=9.0 + STOP_DELAY)
    assert stage.heard[2:] == [[(False, None)]]


@pytest.mark.parametrize("scale", [1, 2])
def test_a_layer_that_is_not_sent_any_more_can_be_wished_for(scale: int) -> None:
    stage = Stage()
    stage.send(3, now=0.0)
    stage.show("bob", 320, now=1.0)
    stage.timers.handle_timer(now=4.0)
    stage.send(1, now=4.0, scale=scale)
    stage.show("bob", 640 // scale, now=5.0)
    assert stage.heard[1:] == [[(True, 1)]], "at once"
    stage.show("bob", 1280 // scale, now=6.0)
    assert stage.heard[2:] == [[(True, None)]]


def test_what_was_possible_is_known_after_the_publisher_has_connected_anew() -> None:
    stage = Stage()
    stage.send(3, now=0.0)
    stage.show("bob", 320, now=1.0)
    stage.timers.handle_timer(now=4.0)
    stage.track.remove_streams()
    stage.dynacast.repeat()
    assert stage.heard == [[(True, 0)], [(True, 0)]]


def test_nothing_is_told_where_all_layers_are_wanted_or_there_is_one() -> None:
    stage = Stage()
    stage.dynacast.wish("bob", 7, now=0.0)
    stage.send(3, now=0.0)
    stage.show("bob", 1280, now=1.0)
    stage.timers.handle_timer(now=9.0)
    single = Stage()
    single.send(1, now=0.0)
    single.show("bob", 20, now=1.0)
    single.timers.handle_timer(now=9.0)
    assert stage.heard == single.heard == []


def test_layers_that_are_streams_of_their_own_are_told_one_by_one() -> None:
    stage = Stage("q", "h", "f")
    stage.dynacast.wish("bob", 1, now=1.0)
    stage.timers.handle_timer(now=1.0 + STOP_DELAY)
    stage.dynacast.wish("bob", 2, now=4.0)
    off, on = (False, None), (True, None)
    assert stage.heard == [[on, on, off], [on, on, on]]
