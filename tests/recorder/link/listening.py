"""The recorder's end of a link, in the test: what was said, and what came of each track."""

from collections import defaultdict

from recorder.link.framing import JSON, PACKETS, MessageReader, read_packets, read_reference
from recorder.link.link_buffer import LinkBuffer
from recorder.link.messages import CodecIs, ToRecorder, TrackCame, decode_to_recorder
from recorder.values import RecordedPacket, Reference
from sfu.wire.parameters import Codec


class Listening:
    """Reads what is written into a link.

    Attributes:
        link: Where to write.
        said: All messages but those about codecs, in order.
        packets: By track sid.
        references: By track sid.
    """

    def __init__(self) -> None:
        self.link = LinkBuffer(lambda: None)
        self.said: list[ToRecorder] = []
        self.packets: defaultdict[str, list[RecordedPacket]] = defaultdict(list)
        self.references: defaultdict[str, list[Reference]] = defaultdict(list)
        self._reader = MessageReader()
        self._codecs: dict[int, Codec] = {}
        self._sids: dict[int, str] = {}

    def read(self) -> "Listening":
        """Take all that waits."""
        for type_, body in self._reader.receive(self.link.take()):
            if type_ == JSON:
                self._hear(decode_to_recorder(body))
            elif type_ == PACKETS:
                handle, _, packets = read_packets(body, self._codecs)
                self.packets[self._sids[handle]] += packets
            else:
                handle, reference = read_reference(body)
                self.references[self._sids[handle]].append(reference)
        return self

    def heard(self, kind: type) -> list[ToRecorder]:
        """Messages of one kind, until now."""
        self.read()
        return [message for message in self.said if isinstance(message, kind)]

    def _hear(self, message: ToRecorder) -> None:
        if isinstance(message, CodecIs):
            self._codecs[message.handle] = message.codec
            return
        self.said.append(message)
        if isinstance(message, TrackCame):
            self._sids[message.handle] = message.track.sid
