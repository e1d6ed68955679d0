"""A camera as browsers send it: up to three VP8 encodings, which react to what they are told."""

from collections import OrderedDict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from sfu.wire.rtcp import Nack, PictureLossIndication, RtcpPacket, SenderReport
from tests.support.media_sender import MID, REPAIRED_RID, RID, MediaSender, Outgoing
from tests.support.vp8_encoder import Vp8Encoder

CLOCK = 90_000
KEY_FRAME_FACTOR = 5.0  # bytes of a key frame to those of a mean frame
KEY_FRAME_INTERVAL = 0.3  # s; browsers answer no more requests than that
PAY_BACK = 0.15  # of each following frame, until a key frame's surplus is paid for
SIZE_SPREAD = 0.15  # standard deviation of frame sizes
ENCODER_DELAY = (0.008, 0.020)  # s from capture to the first packet
PACING = 2.5  # times the bit rate at which packets leave at most
PACING_INTERVAL = 0.005  # s
SLOWEST = 100_000  # bit/s; so that what is left over leaves when all layers are switched off
IDENTIFIED = 100  # packets at a stream's start that tell MID and RID
REMEMBERED = 600  # packets kept to be sent again
MINIMUM_PART = 0.35  # of a layer's bit rate, below which it is switched off
RETURN_MARGIN = 1.2  # times that minimum, before it is switched on again


@dataclass(frozen=True)
class LayerSpec:
    """One encoding that is offered.

    Attributes:
        rid: Its name.
        bitrate: Bit/s at most, without packet headers.
        width: Pixels.
        height: Pixels.
        minimum: Bit/s, below which it is not worth sending.
    """

    rid: str
    bitrate: float
    width: int
    height: int

    @property
    def minimum(self) -> float:
        return MINIMUM_PART * self.bitrate


LAYERS = (
    LayerSpec("q", 150_000, 320, 180),
    LayerSpec("h", 500_000, 640, 360),
    LayerSpec("f", 1_700_000, 1280, 720),
)


class _Layer:
    """One encoding as it is sent."""

    def __init__(
        self, number: int, spec: LayerSpec, ssrc: int, temporal_layers: int, random: Random
    ) -> None:
        self.spec = spec
        self.ssrc = ssrc
        self.rtx_ssrc = ssrc + 0x1000
        self.encoder = Vp8Encoder(
            number, spec.width, spec.height, temporal_layers=temporal_layers, random=random
        )
        self.target = 0.0  # bit/s; 0 for off
        self.key_wanted = True
        self.last_key = float("-inf")
        self.surplus = 0.0  # bytes that key frames took beyond the rate
        self.sequence_number = random.randrange(0x8000)
        self.rtx_sequence_number = random.randrange(0x8000)
        self.timestamp_offset = random.randrange(1 << 32)
        self.remembered: OrderedDict[int, Outgoing] = OrderedDict()
        self.frames = self.key_frames = self.packets = self.octets = 0

    def timestamp(self, time: float) -> int:
        return (self.timestamp_offset + round(time * CLOCK)) & 0xFFFFFFFF


class SimulcastSender:
    """Captures at a steady rate, encodes every layer that is wanted and affordable, and paces.

    Args:
        sender: Over which it is sent.
        mid: Of its m-line.
        layers: What is offered, ascending; one without simulcast.
        ssrc: Of the first layer; those of the others follow, retransmissions are 0x1000 higher.
        seed: The same seed makes the same frames.
        temporal_layers: 1, 2 or 3.
        fps: Frames a second.
        payload_type: Of VP8.
        rtx_payload_type: Of its retransmissions.

    Attributes:
        muted: Whether nothing is captured.
        retransmitted: Packets sent again.
        requests: Key frames that were asked for.
    """

    def __init__(
        self,
        sender: MediaSender,
        *,
        mid: str,
        ssrc: int,
        seed: int,
        layers: Sequence[LayerSpec] = LAYERS,
        temporal_layers: int = 1,
        fps: float = 30.0,
        payload_type: int = 96,
        rtx_payload_type: int = 97,
    ) -> None:
        random = Random(seed)
        self.muted = False
        self.retransmitted = self.requests = 0
        self._sender = sender
        self._time = sender.time
        self._mid = mid.encode()
        self._fps = fps
        self._payload_type = payload_type
        self._rtx_payload_type = rtx_payload_type
        self._random = random
        self._layers = [
            _Layer(i, spec, ssrc + i, temporal_layers, random) for i, spec in enumerate(layers)
        ]
        self._by_ssrc = {layer.ssrc: layer for layer in self._layers}
        self._wanted = {spec.rid for spec in layers}
        self._bitrate = 0.0
        self._paced: deque[Outgoing] = deque()
        self._pacing = False
        sender.add(self)

    @property
    def ssrcs(self) -> tuple[int, ...]:
        """Of the layers."""
        return tuple(layer.ssrc for layer in self._layers)

    @property
    def share(self) -> float:
        """Weight in the division of the uplink: what it would like to send."""
        return sum(layer.spec.bitrate for layer in self._layers)

    @property
    def sending(self) -> tuple[str, ...]:
        """RIDs of the layers that are encoded now."""
        return tuple(layer.spec.rid for layer in self._layers if layer.target)

    def frames(self, rid: str) -> int:
        """How many frames of this layer were encoded."""
        return next(layer.frames for layer in self._layers if layer.spec.rid == rid)

    def start(self) -> None:
        self._capture()

    # -- what it is told

    def set_wanted(self, rids: Collection[str]) -> None:
        """Encode these layers only (dynacast); one that comes back begins with a key frame."""
        self._wanted = set(rids)
        self._allocate()

    def set_bitrate(self, bitrate: float) -> None:
        """Bit/s for all layers together; the lower ones are served first."""
        self._bitrate = bitrate
        self._allocate()

    def _allocate(self) -> None:
        left = self._bitrate
        for i, layer in enumerate(self._layers):
            spec = layer.spec
            needed = spec.minimum if layer.target or not i else RETURN_MARGIN * spec.minimum
            before = layer.target
            # A browser sends its lowest layer however little there is.
            affordable = left >= needed or not i
            layer.target = (
                max(min(left, spec.bitrate), 0.2 * spec.bitrate)
                if affordable and spec.rid in self._wanted
                else 0.0
            )
            if layer.target and not before:
                layer.key_wanted = True
                layer.surplus = 0.0
            left -= layer.target

    def receive_rtcp(self, packet: RtcpPacket) -> None:
        if isinstance(packet, PictureLossIndication):
            self.requests += 1
            self._by_ssrc[packet.media_ssrc].key_wanted = True
        elif isinstance(packet, Nack):
            layer = self._by_ssrc[packet.media_ssrc]
            lost = [layer.remembered.get(number) for number in packet.lost]
            again = [self._retransmission(layer, one) for one in lost if one is not None]
            self.retransmitted += len(again)
            if again:
                self._sender.send(again)

    def _retransmission(self, layer: _Layer, packet: Outgoing) -> Outgoing:
        """RFC 4588 section 4."""
        number = layer.rtx_sequence_number
        layer.rtx_sequence_number = (number + 1) & 0xFFFF
        return packet._replace(
            payload_type=self._rtx_payload_type,
            ssrc=layer.rtx_ssrc,
            sequence_number=number,
            payload=packet.sequence_number.to_bytes(2) + packet.payload,
            extensions={MID: self._mid, REPAIRED_RID: layer.spec.rid.encode()},
        )

    def reports(self) -> list[SenderReport]:
        ntp, now = self._sender.ntp(), self._time.now
        return [
            SenderReport(layer.ssrc, ntp, layer.timestamp(now), layer.packets, layer.octets)
            for layer in self._layers
            if layer.packets
        ]

    # -- what it sends

    def _capture(self) -> None:
        now = self._time.now
        if not self.muted:
            delay = self._random.uniform(*ENCODER_DELAY)
            self._time.call_later(delay, partial(self._encode, now))
        self._time.call_at(now + 1 / self._fps, self._capture)

    def _encode(self, captured: float) -> None:
        for layer in self._layers:
            if layer.target:
                self._encode_layer(layer, captured)
        if not self._pacing:
            self._pace()

    def _encode_layer(self, layer: _Layer, captured: float) -> None:
        key = layer.key_wanted and captured - layer.last_key >= KEY_FRAME_INTERVAL
        mean = layer.target / 8 / self._fps
        size = mean * layer.encoder.weight(key=key) * self._random.gauss(1, SIZE_SPREAD)
        if key:
            layer.key_wanted = False
            layer.last_key = captured
            layer.key_frames += 1
            layer.surplus += (KEY_FRAME_FACTOR - 1) * mean
            size *= KEY_FRAME_FACTOR
        elif layer.surplus > 0:
            layer.surplus -= PAY_BACK * size
            size *= 1 - PAY_BACK
        layer.frames += 1
        payloads = layer.encoder.encode(max(int(size), 40), key=key, captured=captured)
        timestamp = layer.timestamp(captured)
        for i, payload in enumerate(payloads, 1):
            identified = layer.packets < IDENTIFIED
            packet = Outgoing(
                self._payload_type,
                layer.sequence_number,
                timestamp,
                layer.ssrc,
                payload,
                i == len(payloads),
                {MID: self._mid, RID: layer.spec.rid.encode()} if identified else {},
            )
            layer.remembered[layer.sequence_number] = packet
            if len(layer.remembered) > REMEMBERED:
                layer.remembered.popitem(last=False)
            layer.sequence_number = (layer.sequence_number + 1) & 0xFFFF
            layer.packets += 1
            layer.octets += len(payload)
            self._paced.append(packet)

    def _pace(self) -> None:
        """Send what the pacer allows for its next interval."""
        paced = self._paced
        self._pacing = bool(paced)
        if not paced:
            return
        rate = PACING * max(sum(layer.target for layer in self._layers), SLOWEST)
        allowed = rate * PACING_INTERVAL / 8
        packets = []
        while paced and allowed > 0:
            packets.append(paced.popleft())
            allowed -= len(packets[-1].payload)
        self._sender.send(packets)
        self._time.call_later(PACING_INTERVAL, self._pace)
