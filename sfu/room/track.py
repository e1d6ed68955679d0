"""One published track: where its packets come from and who gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sfu.forward.fanout import Fanout
from sfu.room.encodings import Encodings
from sfu.room.media_settings import LayerInfo
from sfu.room.operating_points import OperatingPoints
from sfu.room.permissions import Source
from sfu.stream.inbound import InboundStream
from sfu.wire.parameters import Codec, Extension, Kind
from sfu.wire.rtp import RtpPacket
from sfu.wire.sequence import timestamp_distance

if TYPE_CHECKING:
    from sfu.room.participant import Participant

CODEC_INTERVAL = 1.0  # s; whoever changes its codec with every packet is not told of so often


class Track:
    """A track is announced first, and gets its streams when media is negotiated.

    Attributes:
        sid: "TR_…".
        kind: "audio" or "video".
        source: What it shows or lets hear.
        name: Chosen by its publisher.
        width: Pixels, 0 while unknown.
        height: Pixels, 0 while unknown.
        muted: Whether the publisher, or an administrator, has muted it.
        gated: Whether others are louder, so that only sinks get it; see `Floor`.
        codec: Of the packets that arrive, None before the first.
        participant: Its publisher.
        encodings: The streams that packets came from, by layer.
        points: What can be sent of it, and what that takes.
        fanout: Who gets the packets.
    """

    def __init__(
        self,
        *,
        sid: str,
        kind: Kind,
        source: Source,
        name: str,
        width: int,
        height: int,
        muted: bool,
        participant: Participant,
        layers: Sequence[LayerInfo] = (),
        on_codec: Callable[[Track], None],
        on_layers: Callable[[Track, float], None],
    ) -> None:
        self.sid = sid
        self.kind: Kind = kind
        self.source: Source = source
        self.name = name
        self.width = width
        self.height = height
        self.muted = muted
        self.gated = False
        self.participant = participant
        self.codec: Codec | None = None
        self.encodings = Encodings(layers)
        self.fanout = Fanout(participant.room.endpoint.report)
        self.points = OperatingPoints(self)
        self._on_codec = on_codec
        self._on_layers = on_layers
        self._extensions: tuple[tuple[int, str], ...] = ()
        self._level_id = 0  # of the audio levels, where this is a voice
        self._want_key_frame: Callable[[InboundStream, float], None] | None = None
        self._told: Codec | None = None
        self._told_at = float("-inf")
        self._restarts: dict[int, int] = {}

    @property
    def mime_type(self) -> str:
        """For example "video/VP8"; empty until media flows."""
        return self.codec.mime_type if self.codec else ""

    # -- the source's side

    def bind(
        self,
        extensions: tuple[tuple[int, str], ...],
        want_key_frame: Callable[[InboundStream, float], None],
    ) -> None:
        """Media was negotiated.

        Args:
            extensions: (id, URI) of the header extensions that go on to subscribers.
            want_key_frame: Called with a stream and `now` when one is needed.
        """
        self._extensions = extensions
        self._want_key_frame = want_key_frame
        if self.kind == "audio" and self.source != "screen_share_audio":
            ids = [identifier for identifier, uri in extensions if uri == Extension.AUDIO_LEVEL]
            self._level_id = ids[0] if ids else 0

    @property
    def streams(self) -> dict[int, InboundStream]:
        """By SSRC, those that packets came from."""
        return self.encodings.streams

    def add_stream(self, stream: InboundStream) -> None:
        """Packets will come from this stream."""
        self.encodings.add(stream)

    def remove_stream(self, stream: InboundStream) -> None:
        """The publisher said goodbye to this stream."""
        self._restarts.pop(stream.ssrc, None)
        if self.encodings.remove(stream.ssrc):
            self.fanout.look_again()

    def remove_streams(self) -> None:
        """Nothing comes any more, for now."""
        self.encodings.clear()
        self._restarts.clear()
        self.fanout.pause()

    def receive(self, stream: InboundStream, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Forward packets, at least one, that arrived on `stream`."""
        ssrc = stream.ssrc
        if self.muted or ssrc not in self.encodings.streams:
            return
        if self._level_id:
            self.participant.room.floor.hear(self, packets, self._level_id, now=now)
        active, new = self.encodings.arrived(stream, packets[0].timestamp, now)
        if active:
            # The size of a layer is known from its key frames.
            if (new or packets[0].key_frame) and (self.encodings.sort() or new):
                self.fanout.look_again()
                self.points.expire()
                self._on_layers(self, now)
            if len(self.encodings.ordered) > 1 and self.encodings.watch(now):
                self.points.expire()
                self._on_layers(self, now)
            if stream.restarts != self._restarts.get(ssrc, 0):
                self._restarts[ssrc] = stream.restarts
                self.fanout.restart()
            self.codec = stream.codec
            if self.codec != self._told and now - self._told_at >= CODEC_INTERVAL:
                self._told, self._told_at = self.codec, now
                self._on_codec(self)
        if self.gated:
            self.fanout.feed_sinks(packets, now=now)
        else:
            self.fanout.forward(packets, self._extensions, now=now)

    def set_gated(self, gated: bool) -> None:
        """Send nothing, or go on, as a sender that is silent does (RFC 3551 4.1).

        Sequence numbers have no gap, timestamps go on: no decoder takes it for loss.
        """
        self.gated = gated
        self.points.expire()
        if gated:
            self.fanout.pause()

    def set_muted(self, muted: bool, *, now: float) -> None:
        """Stop forwarding, or go on with a key frame."""
        self.muted = muted
        self.fanout.pause()
        self.participant.room.floor.leave(self, now=now)
        if not muted and self.kind == "video":
            self.fanout.request_key_frames(now=now)

    # -- the sinks' side (TrackSource)

    def ssrc_of(self, spatial: int) -> int | None:
        """The stream that carries this spatial layer, or the best there is in its place."""
        return self.encodings.ssrc_of(spatial)

    def spatial_of(self, ssrc: int) -> int:
        """The spatial layer that this stream is, 0 where it is the only one."""
        return self.encodings.spatial_of(ssrc)

    def is_live(self, ssrc: int, *, now: float) -> bool:
        """Whether packets of this stream came lately."""
        stream = self.encodings.streams.get(ssrc)
        return stream is not None and stream.bitrate.active(now)

    def request_key_frame(self, spatial: int, *, now: float) -> None:
        """Ask the publisher for one of this layer, unless that was done a moment ago."""
        ssrc = self.encodings.ssrc_of(spatial)
        streams = self.encodings.streams
        stream = streams.get(ssrc) if ssrc is not None else next(reversed(streams.values()), None)
        if stream is not None and self._want_key_frame is not None and not self.muted:
            self._want_key_frame(stream, now)

    def cached_packet(self, ssrc: int, index: int) -> RtpPacket | None:
        """A packet that was received lately."""
        stream = self.streams.get(ssrc)
        return stream.cache.get(index) if stream else None

    def reference(self, ssrc: int, *, now: float) -> tuple[float, int] | None:
        """(Wall-clock seconds, RTP timestamp) of the same moment; None while unknown."""
        stream = self.streams.get(ssrc)
        return stream.clock.reference(now=now) if stream else None

    def recent(self, spatial: int, *, now: float) -> Sequence[RtpPacket]:
        """The packets since the last key frame of this layer; none where that is long ago."""
        stream = self.encodings.streams.get(self.encodings.ssrc_of(spatial) or -1)
        return stream.recent(now=now) if stream is not None and not self.muted else []

    def captured(self, ssrc: int, timestamp: int, codec: Codec, *, now: float) -> float | None:
        """When this was captured, wall-clock seconds as the sender reports them; None unknown."""
        stream = self.encodings.streams.get(ssrc)
        if stream is None or not stream.clock.reported:
            return None
        reference = stream.clock.reference(now=now)
        if reference is None:
            return None
        seconds, at = reference
        return seconds + timestamp_distance(timestamp, at) / codec.clock_rate

    def sent_extensions(self) -> tuple[tuple[int, str], ...]:
        """(id, URI) of the header extensions that subscribers get too."""
        return self._extensions
