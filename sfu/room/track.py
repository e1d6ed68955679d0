"""One published track: where its packets come from and who gets them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sfu.forward.fanout import Fanout
from sfu.room.permissions import Source
from sfu.stream.inbound import InboundStream
from sfu.wire.parameters import Codec, Kind
from sfu.wire.rtp import RtpPacket

if TYPE_CHECKING:
    from sfu.room.participant import Participant

# A stream that was replaced may come back (a sender that restarts its first encoder): we follow it
# when the present one has been silent for this long.
SILENCE_BEFORE_RETURN = 0.5  # s
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
        codec: Of the packets that arrive, None before the first.
        participant: Its publisher.
        streams: By SSRC, those that packets came from.
        active_ssrc: The stream that is forwarded, None before the first packet.
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
        on_codec: Callable[[Track], None],
    ) -> None:
        self.sid = sid
        self.kind: Kind = kind
        self.source: Source = source
        self.name = name
        self.width = width
        self.height = height
        self.muted = muted
        self.participant = participant
        self.codec: Codec | None = None
        self.streams: dict[int, InboundStream] = {}
        self.active_ssrc: int | None = None
        self.fanout = Fanout(participant.room.endpoint.report)
        self._on_codec = on_codec
        self._extensions: tuple[tuple[int, str], ...] = ()
        self._want_key_frame: Callable[[InboundStream, float], None] | None = None
        self._last_packet = 0.0
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

    def add_stream(self, stream: InboundStream) -> None:
        """Packets will come from this stream."""
        self.streams[stream.ssrc] = stream

    def remove_stream(self, stream: InboundStream) -> None:
        """The publisher said goodbye to this stream."""
        self.streams.pop(stream.ssrc, None)
        self._restarts.pop(stream.ssrc, None)
        if self.active_ssrc == stream.ssrc:
            self.active_ssrc = None
            self.fanout.pause()

    def remove_streams(self) -> None:
        """Nothing comes any more, for now."""
        self.streams = {}
        self._restarts.clear()
        self.active_ssrc = None
        self.fanout.pause()

    def receive(self, stream: InboundStream, packets: Sequence[RtpPacket], *, now: float) -> None:
        """Forward packets, at least one, that arrived on `stream`."""
        ssrc = stream.ssrc
        if self.muted or ssrc not in self.streams:
            return
        if ssrc != self.active_ssrc:
            # The newest stream wins: senders change their SSRC, and never go back at once.
            known = self.active_ssrc in self.streams
            newest = ssrc == next(reversed(self.streams))
            if not known or newest or now - self._last_packet > SILENCE_BEFORE_RETURN:
                self.active_ssrc = ssrc
        if ssrc == self.active_ssrc:
            self._last_packet = now
            if stream.restarts != self._restarts.get(ssrc, 0):
                self._restarts[ssrc] = stream.restarts
                self.fanout.restart()
            self.codec = stream.codec
            if self.codec != self._told and now - self._told_at >= CODEC_INTERVAL:
                self._told, self._told_at = self.codec, now
                self._on_codec(self)
        self.fanout.forward(packets, self._extensions, now=now)

    def set_muted(self, muted: bool, *, now: float) -> None:
        """Stop forwarding, or go on with a key frame."""
        self.muted = muted
        self.fanout.pause()
        if not muted and self.kind == "video":
            self.request_key_frame(now=now)

    # -- the sinks' side (TrackSource)

    def request_key_frame(self, *, now: float) -> None:
        """Ask the publisher for one, unless that was done a moment ago."""
        stream = self._active_stream()
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

    def sent_extensions(self) -> tuple[tuple[int, str], ...]:
        """(id, URI) of the header extensions that subscribers get too."""
        return self._extensions

    def _active_stream(self) -> InboundStream | None:
        if self.active_ssrc is not None:
            return self.streams.get(self.active_ssrc)
        return next(reversed(self.streams.values()), None)
