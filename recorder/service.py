"""The recorder process: reads the link, and gives each recording what is its own."""

import socket
import threading
from collections.abc import Callable

from recorder.link.framing import (
    JSON,
    PACKETS,
    REFERENCE,
    MessageReader,
    message,
    read_packets,
    read_reference,
)
from recorder.link.messages import (
    CodecIs,
    MediaMissed,
    ParticipantCame,
    ParticipantGone,
    RecordingOrder,
    SpeakersAre,
    StartRecording,
    StopRecording,
    TextSent,
    ToServer,
    TrackCame,
    TrackGone,
    TrackMuted,
    decode_to_recorder,
    encode,
)
from recorder.recording_thread import RecordingThread, Step
from recorder.values import TrackInfo
from recorder.worker import RecordingWorker
from sfu.errors import ParseError
from sfu.wire.parameters import Codec

READ_SIZE = 1 << 18  # bytes
MAX_UNSENT = 1 << 20  # bytes of statuses for a server that does not read; then they are dropped

# Makes the worker of an order: (order, Unix seconds less monotonic seconds, whether it is resumed).
MakeWorker = Callable[[RecordingOrder, float, bool], RecordingWorker]


class ServerLink:
    """Sends messages to the server, from any thread, without ever waiting for it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        self._unsent = b""

    def tell(self, said: ToServer) -> None:
        """Send a message, or what is left of earlier ones; statuses come again."""
        with self._lock:
            if len(self._unsent) < MAX_UNSENT:
                self._unsent += message(JSON, encode(said))
            try:
                sent = self._socket.send(self._unsent, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError:  # the server is gone, which reading tells
                sent = len(self._unsent)
            self._unsent = self._unsent[sent:]


class Service:
    """Serves one server until that ends the link, or is gone; then all recordings are finished.

    Args:
        connection: The link.
        make_worker: Makes what records; called in the recording's thread.
    """

    def __init__(self, connection: socket.socket, make_worker: MakeWorker) -> None:
        self._socket = connection
        self._make_worker = make_worker
        self._server = ServerLink(connection)
        self._recordings: dict[str, RecordingThread] = {}
        self._tracks: dict[int, tuple[str, TrackInfo]] = {}
        self._codecs: dict[int, Codec] = {}

    def run(self) -> None:
        """Returns when all is finished.

        Raises:
            ParseError: The server sends what makes no sense; all is finished nevertheless.
        """
        reader = MessageReader()
        try:
            while data := self._receive():
                for type_, body in reader.receive(data):
                    self._take(type_, body)
        finally:
            for recording in self._recordings.values():
                recording.stop("server_gone")
            for recording in self._recordings.values():
                recording.join()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(READ_SIZE)
        except ConnectionError:
            return b""

    def _take(self, type_: int, body: memoryview) -> None:
        if type_ == PACKETS:
            handle, arrival, packets = read_packets(body, self._codecs)
            recording, track = self._of(handle)
            if recording is not None and packets:
                recording.put_packets(track.sid, track.kind, packets, arrival=arrival)
        elif type_ == REFERENCE:
            handle, reference = read_reference(body)
            recording, track = self._of(handle)
            sid = track.sid
            if recording is not None:
                recording.put(lambda worker: worker.refer(sid, reference))
        elif type_ == JSON:
            self._hear(body)

    def _of(self, handle: int) -> tuple[RecordingThread | None, TrackInfo]:
        known = self._tracks.get(handle)
        if known is None:
            raise ParseError(f"There is no track {handle}.")
        return self._recordings.get(known[0]), known[1]

    def _hear(self, body: memoryview) -> None:
        said = decode_to_recorder(body)
        if isinstance(said, CodecIs):
            self._codecs[said.handle] = said.codec
        elif isinstance(said, StartRecording):
            self._start(said)
        elif isinstance(said, StopRecording):
            if said.recording in self._recordings:
                self._recordings[said.recording].stop(said.reason)
        else:
            step = self._step(said)
            recording = self._recordings.get(said.recording)
            if recording is not None:
                recording.put(step)

    def _step(
        self,
        said: ParticipantCame
        | ParticipantGone
        | TrackCame
        | TrackGone
        | TrackMuted
        | SpeakersAre
        | TextSent
        | MediaMissed,
    ) -> Step:
        """What a worker is told of this."""
        match said:
            case ParticipantCame(_, participant, time):
                return lambda worker: worker.add_participant(participant, time=time)
            case ParticipantGone(_, sid, time):
                return lambda worker: worker.remove_participant(sid, time=time)
            case TrackCame(recording, handle, track, time):
                self._tracks[handle] = recording, track
                return lambda worker: worker.add_track(track, time=time)
            case TrackGone(_, handle, time):
                _, gone = self._tracks.pop(handle)
                return lambda worker: worker.remove_track(gone.sid, time=time)
            case TrackMuted(_, sid, muted, time):
                return lambda worker: worker.set_muted(sid, muted, time=time)
            case SpeakersAre(_, identities, time):
                return lambda worker: worker.set_speakers(identities, time=time)
            case TextSent(_, identity, topic, text, time):
                return lambda worker: worker.add_message(identity, topic, text, time=time)
            case MediaMissed(_, handle, start, end):
                _, missed = self._of(handle)
                return lambda worker: worker.note_gap(missed.sid, start, end)

    def _start(self, said: StartRecording) -> None:
        order, wall_offset, resume = said.order, said.wall_offset, said.resume
        self._recordings = {
            recording: thread for recording, thread in self._recordings.items() if not thread.ended
        }
        self._recordings[order.id] = RecordingThread(
            order.id,
            lambda: self._make_worker(order, wall_offset, resume),
            self._server.tell,
            wall_offset=wall_offset,
        )
