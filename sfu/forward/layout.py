"""How one group of subscribers wants its packets written, and the templates made for it."""

from collections.abc import Mapping
from struct import Struct
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from sfu.wire.extensions import encode_abs_send_time, encode_header_extensions
from sfu.wire.parameters import OPUS, RED, Codec, Extension, SendParameters
from sfu.wire.payload import picture_id_widener
from sfu.wire.payload.frame import DescribedFrame, FrameInfo, Vp8Frame, Vp9Frame
from sfu.wire.payload.opus import red_primary
from sfu.wire.rtp import RtpPacket

_HEADER = Struct("!BBHII").pack
_BARE_HEADER_SIZE = 12
_MAX_COPIES = 64  # sets of ids that publishers use; all browsers together have a few

# What a publisher says about its media that a subscriber needs too. All else in a header extension
# concerns one hop alone.
FORWARDED_EXTENSIONS = (
    Extension.AUDIO_LEVEL,
    Extension.VIDEO_ORIENTATION,
    Extension.PLAYOUT_DELAY,
    Extension.DEPENDENCY_DESCRIPTOR,
)


Picture = tuple[int, int, int, int, int]
"""(where a picture's number stands, the number, its bit mask, where TL0PICIDX stands or 0, that).

For VP8 and VP9 the number is the picture id of 15 bits, under the dependency descriptor the frame
number of 16 bits. Offsets are those in the whole packet.
"""


class Template(NamedTuple):
    """One packet as every subscriber of a layout gets it, but for its numbers.

    Attributes:
        data: RTP header and payload; sequence number, timestamp and SSRC are still the source's.
        sequence_offset: Where the transport-wide sequence number stands, 0 for nowhere.
        send_time_offset: Where the absolute send time stands, 0 for nowhere.
        payload_offset: Where the payload begins.
        picture: The numbers in it that name its picture; None for none.
    """

    data: bytes
    sequence_offset: int
    send_time_offset: int
    payload_offset: int
    picture: Picture | None


class HeaderLayout:
    """Payload types and extension ids that a group of subscribers shares.

    Equal layouts are one object (`LayoutTable`), so that a packet is written once for all of them.
    """

    __slots__ = (
        "__weakref__",
        "_copies",
        "_descriptor_id",
        "extensions",
        "mixed",
        "payload_types",
        "rtx",
    )

    def __init__(self, parameters: SendParameters) -> None:
        self.payload_types: Mapping[Codec, int] = dict(parameters.payload_types)
        self.rtx: Mapping[int, int] = dict(parameters.rtx)
        # RFC 8285 4.3: ids above 14 need the two-byte form.
        extensions = {
            uri: identifier
            for uri, identifier in parameters.extensions.items()
            if identifier <= 14 or parameters.mixed
        }
        if parameters.nack and not parameters.rtx.keys() >= set(parameters.payload_types.values()):
            # Without RTX we repeat the very same packet under the same SRTP index. It must be the
            # same to the last bit: AES-GCM does not survive two messages under one nonce
            # (RFC 7714 8.1), so nothing in it may differ from one transmission to the next.
            extensions.pop(Extension.TRANSPORT_SEQUENCE_NUMBER, None)
        self.extensions: Mapping[str, int] = extensions
        self.mixed = parameters.mixed
        self._descriptor_id = extensions.get(Extension.DEPENDENCY_DESCRIPTOR)
        self._copies: dict[tuple[tuple[int, str], ...], tuple[tuple[int, int], ...]] = {}

    def supports(self, codec: Codec) -> bool:
        """Whether packets of this codec can be written in this layout."""
        return codec in self.payload_types or (codec == RED and OPUS in self.payload_types)

    def template(
        self,
        packet: RtpPacket,
        sent_extensions: tuple[tuple[int, str], ...],
        *,
        descriptor: bytes | None = None,
    ) -> Template | None:
        """Write `packet` for this layout.

        Args:
            packet: A packet whose codec is known.
            sent_extensions: (id, URI) of those among `FORWARDED_EXTENSIONS` that the publisher
                negotiated.
            descriptor: Dependency descriptor to send in place of the packet's own.

        Returns:
            None where the layout has no payload type for the codec.
        """
        codec = packet.codec
        if codec is None:
            return None
        payload = packet.payload
        payload_type = self.payload_types.get(codec)
        if payload_type is None:
            if codec != RED or OPUS not in self.payload_types:
                return None
            # RFC 2198: who cannot take the redundancy gets the primary encoding alone.
            payload_type = self.payload_types[OPUS]
            primary = red_primary(payload)
            if primary is None:
                return None
            payload = primary[1]
        frame = packet.frame
        elements: list[tuple[int, bytes]] = []
        extensions = self.extensions
        sequence_offset = send_time_offset = 0
        # The extensions that are patched per subscriber come first: their place never varies.
        if sequence_id := extensions.get(Extension.TRANSPORT_SEQUENCE_NUMBER):
            elements.append((sequence_id, b"\0\0"))
        if send_time_id := extensions.get(Extension.ABS_SEND_TIME):
            elements.append((send_time_id, encode_abs_send_time(packet.arrival)))
        if packet.extensions and sent_extensions:
            copies = self._copies.get(sent_extensions)
            if copies is None:
                if len(self._copies) >= _MAX_COPIES:
                    self._copies.clear()
                copies = self._copies[sent_extensions] = tuple(
                    (source, extensions[uri])
                    for source, uri in sent_extensions
                    if uri in extensions
                )
            for source, target in copies:
                value = packet.extensions.get(source)
                if value is not None:
                    if target == self._descriptor_id:
                        if frame.__class__ is Vp8Frame or frame.__class__ is Vp9Frame:
                            continue  # we follow the payload's own numbers, and change those alone
                        value = descriptor or value
                    elements.append((target, value))
        csrcs = packet.csrcs
        first = 0x80 | (len(csrcs) >> 2)
        block = b""
        if elements:
            block = encode_header_extensions(elements, mixed=self.mixed)
        if block:
            first |= 0x10
            element_header = 1 if block[0] == 0xBE else 2
            position = _BARE_HEADER_SIZE + len(csrcs) + 4 + element_header
            if sequence_id:
                sequence_offset = position
                position += 2 + element_header
            if send_time_id:
                send_time_offset = position
        picture: Picture | None = None
        if frame.__class__ is Vp8Frame or frame.__class__ is Vp9Frame:
            payload, picture = _name_picture(payload, codec, frame)
        header = _HEADER(
            first,
            (0x80 if packet.marker else 0) | payload_type,
            packet.sequence_number,
            packet.timestamp,
            packet.ssrc,
        )
        header += csrcs + block
        length = len(header)
        if picture is not None:
            place, number, mask, tl0_place, tl0 = picture
            picture = (length + place, number, mask, tl0_place and length + tl0_place, tl0)
        elif frame.__class__ is DescribedFrame and block:
            picture = self._name_frame(frame, elements, block, length - len(block))
        return Template(header + payload, sequence_offset, send_time_offset, length, picture)

    def padding_header(self, payload_type: int, now: float) -> tuple[bytes, int]:
        """The header of a packet of padding, and where its transport-wide number stands (or 0)."""
        elements: list[tuple[int, bytes]] = []
        sequence_id = self.extensions.get(Extension.TRANSPORT_SEQUENCE_NUMBER)
        if sequence_id:
            elements.append((sequence_id, b"\0\0"))
        if send_time_id := self.extensions.get(Extension.ABS_SEND_TIME):
            elements.append((send_time_id, encode_abs_send_time(now)))
        block = encode_header_extensions(elements, mixed=self.mixed)
        first = 0xA0 | (0x10 if block else 0)
        header = _HEADER(first, payload_type, 0, 0, 0) + block
        if not sequence_id or not block:
            return header, 0
        return header, _BARE_HEADER_SIZE + 4 + (1 if block[0] == 0xBE else 2)

    def _name_frame(
        self, frame: DescribedFrame, elements: list[tuple[int, bytes]], block: bytes, start: int
    ) -> Picture | None:
        """The frame number in the dependency descriptor of a block that begins at `start`."""
        element_header = 1 if block[0] == 0xBE else 2
        position = start + 4
        for identifier, value in elements:
            position += element_header
            if identifier == self._descriptor_id:
                return position + 1, frame.number & 0xFFFF, 0xFFFF, 0, 0
            position += len(value)
        return None


def _name_picture(
    payload: bytes, codec: Codec, frame: FrameInfo | None
) -> tuple[bytes, Picture | None]:
    """The payload with a picture id of 15 bits, and where in it that and TL0PICIDX stand."""
    if isinstance(frame, Vp8Frame):
        place, tl0_place = frame.offset, frame.offset + 2
    elif isinstance(frame, Vp9Frame) and frame.identified:
        place, tl0_place = 1, 4  # layer indices are between
    else:
        return payload, None
    if not place:
        return payload, None
    if not frame.wide:
        widen = picture_id_widener(codec)
        if widen is not None:
            payload = widen(payload)
    tl0 = frame.tl0
    return payload, (place, frame.picture & 0x7FFF, 0x7FFF, tl0_place if tl0 >= 0 else 0, tl0)


class LayoutTable:
    """All layouts in use, each once; one that nobody uses any more is forgotten."""

    def __init__(self) -> None:
        self._layouts: WeakValueDictionary[object, HeaderLayout] = WeakValueDictionary()

    def layout(self, parameters: SendParameters) -> HeaderLayout:
        """The layout of an m-line that was negotiated so."""
        key = (
            _items(parameters.payload_types),
            _items(parameters.rtx),
            _items(parameters.extensions),
            parameters.mixed,
            parameters.nack,
        )
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = HeaderLayout(parameters)
        return layout


def _items(mapping: Mapping[Any, int]) -> frozenset[object]:
    return frozenset(mapping.items())


def forwarded_extensions(extensions: Mapping[int, str]) -> tuple[tuple[int, str], ...]:
    """Of a publisher's extensions (id → URI), those that subscribers get too."""
    return tuple(
        (identifier, uri)
        for identifier, uri in sorted(extensions.items())
        if uri in FORWARDED_EXTENSIONS
    )
