"""What one m-line sends again: what was lost, and what probes whether more goes through."""

from collections.abc import Sequence

from sfu.forward.fanout import TrackSource
from sfu.forward.lane import Lane
from sfu.forward.layout import HeaderLayout, Template
from sfu.forward.munger import SequenceMunger
from sfu.forward.projection.base import NO_PATCH, Patch, PlainProjection, Projection
from sfu.forward.resends import Resends
from sfu.forward.run import single_run
from sfu.wire.extensions import encode_abs_send_time
from sfu.wire.rtp import RtpPacket

PADDING = 255  # bytes, the most that a packet can have
PROBE_EXCESS = 1.2  # of the bytes that are missing, for the last packet
PROBE_REACH = 64  # packets; older ones would look like a stall to the receiver


class Repair:
    """Retransmissions of one m-line, over RTX (RFC 4588) or as plain repetitions.

    Attributes:
        projection: What was sent looked as this one made it.
        counts: What was sent again, and what could not be.
    """

    def __init__(
        self,
        sequence: SequenceMunger,
        *,
        layout: HeaderLayout,
        ssrc: int,
        rtx_ssrc: int | None,
        lane: Lane,
        first_sequence_number: int,
    ) -> None:
        """Nothing was sent yet; `sequence` numbers what will be. The rest as for `Forwarder`."""
        self.projection: Projection = PlainProjection()
        self.counts = Resends()
        self._sequence = sequence
        self._layout = layout
        self._ssrc = ssrc
        self._rtx_ssrc = rtx_ssrc
        self._lane = lane
        self._rtx_sequence = first_sequence_number
        self._extensions: tuple[tuple[int, str], ...] = ()
        self._plain_from = sequence.next

    def renegotiate(self, layout: HeaderLayout) -> None:
        """The m-line has another layout: what was sent before would look otherwise now."""
        self._layout = layout
        self._plain_from = self._sequence.next

    def note_extensions(self, extensions: tuple[tuple[int, str], ...]) -> None:
        """What was sent with others would not look the same any more."""
        if extensions != self._extensions:
            self._extensions = extensions
            self._plain_from = max(self._plain_from, self._sequence.next)

    def answer(
        self,
        lost: Sequence[int],
        source: TrackSource,
        target: tuple[int, int],
        *,
        oldest: int,
        round_trip: float,
        now: float,
    ) -> float:
        """Send again what is still cached, as far as the path takes it besides the media.

        Args:
            lost: 16-bit sequence numbers, as we sent them.
            source: Of the media.
            target: Spatial and temporal layer that are sent.
            oldest: Index, as sent, of the first packet that is of use.
            round_trip: Seconds, 0 while unknown.
            now: Monotonic seconds.

        Returns:
            Seconds until the path would have taken the rest.
        """
        counts, budget = self.counts, self._lane.repair_budget
        extensions = source.sent_extensions()
        left = 0
        for sequence_number in lost:
            sent = self._sequence.unwrap(sequence_number)
            if sent < oldest or not counts.may(sent, round_trip, now=now):
                continue
            origin = self._sequence.reverse(sent)
            packet = source.cached_packet(origin[0], origin[1]) if origin else None
            patch: Patch | None = None
            if packet is not None:
                patch = self.projection.accept(packet, spatial=target[0], temporal=target[1])
            if origin is None or packet is None or patch is None:
                counts.not_found += 1
                continue
            if left or not budget.take(packet.size, now=now):
                left += packet.size
            elif self.send(packet, patch, sent, origin[2], extensions, now=now):
                counts.note(sent, now=now)
            else:
                counts.not_found += 1
        return budget.time(left) if left else 0.0

    def send(
        self,
        packet: RtpPacket,
        patch: Patch,
        sent: int,
        timestamp_offset: int,
        extensions: tuple[tuple[int, str], ...],
        *,
        now: float,
        cluster: int = 0,
    ) -> bool:
        """Send a packet again that was sent under this index; False when it cannot be."""
        template = self._layout.template(packet, extensions, descriptor=patch.descriptor)
        if template is None:
            return False
        data = patched(template, patch)
        rtx_payload_type = self._layout.rtx.get(data[1] & 0x7F)
        if rtx_payload_type is None or self._rtx_ssrc is None:
            # Plain retransmission: the same packet, to the last bit (see `HeaderLayout`), or none.
            self.note_extensions(extensions)
            if sent < self._plain_from or patch.marker or patch.descriptor is not None:
                return False
            again = single_run(packet, bytes(data), sent, 0)
            return self._lane.send((again, (0, timestamp_offset, self._ssrc, None)), now=now)
        start = template.payload_offset
        data[start:start] = (sent & 0xFFFF).to_bytes(2)
        data[1] = (data[1] & 0x80) | rtx_payload_type
        if template.send_time_offset:
            offset = template.send_time_offset
            data[offset : offset + 3] = encode_abs_send_time(now)
        again = single_run(packet, bytes(data), self._rtx_sequence, template.sequence_offset)
        self._rtx_sequence += 1
        numbers = (0, timestamp_offset, self._rtx_ssrc, None)
        return self._lane.send((again, numbers), now=now, cluster=cluster)

    # -- probes

    def repeat(
        self,
        size: int,
        cluster: int,
        source: TrackSource,
        target: tuple[int, int],
        *,
        now: float,
    ) -> int:
        """Send packets of the last moment again for a probe; returns bytes sent, 0 without RTX."""
        if self._rtx_ssrc is None:
            return 0
        extensions = source.sent_extensions()
        total = 0
        sent = self._sequence.next
        while total < size and sent > self._sequence.next - PROBE_REACH:
            sent -= 1
            origin = self._sequence.reverse(sent)
            packet = source.cached_packet(origin[0], origin[1]) if origin else None
            if origin is None or packet is None or not packet.payload:
                continue
            if packet.size > PROBE_EXCESS * (size - total):
                continue  # a thin path would take long over what is not needed
            patch = self.projection.accept(packet, spatial=target[0], temporal=target[1])
            if patch is not None and self.send(
                packet, patch, sent, origin[2], extensions, now=now, cluster=cluster
            ):
                total += packet.size
        return total

    def pad(self, size: int, cluster: int, *, now: float) -> int:
        """Send packets of padding alone (RFC 3550 5.1) over RTX: there they leave no gap.

        Returns:
            Bytes sent, 0 without RTX.
        """
        payload_type = next(iter(self._layout.rtx.values()), None)
        if self._rtx_ssrc is None or payload_type is None:
            return 0
        empty = RtpPacket(payload_type, 0, 0, self._rtx_ssrc, b"")
        numbers = (0, 0, self._rtx_ssrc, None)
        total = 0
        while total < size:
            header, sequence_offset = self._layout.padding_header(payload_type, now)
            data = header + bytes(PADDING - 1) + bytes((PADDING,))
            padding = single_run(empty, data, self._rtx_sequence, sequence_offset)
            self._rtx_sequence += 1
            if not self._lane.send((padding, numbers), now=now, cluster=cluster):
                break
            total += PADDING
        return total


def patched(template: Template, patch: Patch) -> bytearray:
    """The packet with what its projection wants changed."""
    data = bytearray(template.data)
    if patch is not NO_PATCH:
        start = template.payload_offset
        for offset, value in patch.payload:
            position = start + offset
            data[position : position + len(value)] = value
        if patch.marker:
            data[1] |= 0x80
    return data
