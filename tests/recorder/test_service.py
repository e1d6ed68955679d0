"""The recorder process's inside over a real socket: threads, bounds, ends."""

import errno
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from recorder import recording_thread
from recorder.files.disk import DiskFullError
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.folders import folder_of
from recorder.link.framing import JSON, PACKET, PACKETS, MessageReader, message, reference_message
from recorder.link.link_buffer import LinkBuffer
from recorder.link.messages import (
    KeyFrameWanted,
    ParticipantCame,
    StartRecording,
    StatusIs,
    StopRecording,
    ToServer,
    TrackCame,
    decode_to_server,
)
from recorder.recording_thread import NO_SPACE, TOO_SLOW
from recorder.service import Service
from recorder.track_recording import TrackRecording
from recorder.values import ParticipantInfo, RecordingStatus, Reference, TrackInfo
from sfu.wire.parameters import VP8
from tests.recorder.files.probe import decode
from tests.recorder.link.orders import order
from tests.recorder.media.packetizer import encode_video, video_packets

TRACK = TrackInfo("TR_v", "PA_ann", "ann", "video", "camera")
OFFSET = time.time() - time.monotonic()


def eventually(condition: Callable[[], object], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Server:
    """The server's end of the link."""

    def __init__(self, connection: socket.socket) -> None:
        self.link = LinkBuffer(lambda: None)
        self.heard: list[ToServer] = []
        self.service: Service
        self._socket = connection
        self._reader = MessageReader()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def flush(self) -> None:
        self._socket.sendall(self.link.take())

    def start(self, wanted, *, handle: int = 0, track: TrackInfo = TRACK) -> None:
        self.link.tell(StartRecording(wanted, OFFSET))
        self.link.tell(ParticipantCame(wanted.id, ParticipantInfo("PA_ann", "ann"), time.time()))
        self.link.tell(TrackCame(wanted.id, handle, track, time.time()))
        self.flush()

    def send(self, packets, *, handle: int = 0) -> None:
        number = self.link.codec(packets[0].codec)
        body = struct.pack("!IHd", handle, len(packets), time.monotonic())
        for p in packets:
            flags = p.marker | p.key_frame << 1
            body += PACKET.pack(p.index, p.ssrc, p.timestamp, number, flags, len(p.payload))
            body += p.payload
        data = message(PACKETS, body)
        self.link.append((data,), len(data))
        self.flush()

    def refer(self, packet, *, handle: int = 0) -> None:
        reference = Reference(packet.ssrc, time.time(), packet.timestamp, True)
        data = reference_message(handle, reference)
        self.link.append((data,), len(data))
        self.flush()

    def statuses(self, recording: str = "RC_1") -> list[RecordingStatus]:
        found = [said.status for said in self.heard if isinstance(said, StatusIs)]
        return [status for status in found if status.id == recording]

    def stop(self, recording: str = "RC_1") -> None:
        self.link.tell(StopRecording(recording, "stopped"))
        self.flush()

    def hang_up(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def join(self) -> None:
        self._thread.join()
        self._socket.close()

    def _read(self) -> None:
        while data := self._socket.recv(65536):
            for type_, body in self._reader.receive(data):
                assert type_ == JSON
                self.heard.append(decode_to_server(body))


@contextmanager
def serving(make_worker) -> Iterator[Server]:
    """A service in a thread; it ends with the link."""
    ours, theirs = socket.socketpair()
    server = Server(ours)

    server.service = Service(theirs, make_worker)

    def run() -> None:
        with theirs:
            server.service.run()

    service = threading.Thread(target=run)
    service.start()
    try:
        yield server
    finally:
        server.hang_up()
        service.join(20)
        server.join()
        assert not service.is_alive()


def real(wanted, wall_offset, resume):
    return TrackRecording(wanted, wall_offset=wall_offset, resume=resume)


def test_a_recording_begins_tells_how_it_goes_and_ends(tmp_path):
    wanted = order(tmp_path, started_at=time.time())
    with serving(real) as server:
        server.start(wanted)
        video = video_packets(VP8, encode_video(VP8, 30))
        server.refer(video[0][0])
        eventually(lambda: KeyFrameWanted("RC_1", "TR_v") in server.heard)
        for packets in video:
            server.send(packets)
        eventually(lambda: server.statuses()[-1].bytes > 10_000)
        server.stop()
        eventually(lambda: server.statuses()[-1].state == "complete")
    states = [status.state for status in server.statuses()]
    assert sorted(set(states), key=states.index) == ["active", "finishing", "complete"]
    manifest = ManifestFile(folder_of(wanted) / FILE_NAME).load()
    (segment,) = manifest.segments()
    assert len(decode(folder_of(wanted) / segment.file)) == 30


def test_files_are_finished_when_the_server_is_gone(tmp_path):
    wanted = [order(tmp_path, f"RC_{number}", started_at=time.time()) for number in range(2)]
    with serving(real) as server:
        video = video_packets(VP8, encode_video(VP8, 30))
        for handle, one in enumerate(wanted):
            server.start(one, handle=handle)
            server.refer(video[0][0], handle=handle)
            for packets in video:
                server.send(packets, handle=handle)
    for one in wanted:
        manifest = ManifestFile(folder_of(one) / FILE_NAME).load()
        assert (manifest.state, manifest.end_reason) == ("complete", "server_gone")
        (segment,) = manifest.segments()
        assert len(decode(folder_of(one) / segment.file)) == 30
        assert server.statuses(one.id)[-1].state == "complete"


def test_one_that_cannot_begin_says_why_and_others_go_on(tmp_path):
    with serving(real) as server:
        server.start(order(tmp_path, "RC_1", free_space=1 << 62))
        server.start(order(tmp_path, "RC_2", template="{recording}"), handle=1)
        server.start(order(tmp_path, "RC_3"), handle=2)
        eventually(lambda: server.statuses("RC_3"))
        eventually(lambda: server.statuses("RC_1") and server.statuses("RC_2"))
        server.send(video_packets(VP8, encode_video(VP8, 1))[0])  # nobody is there to take them
        server.stop("RC_3")
        eventually(lambda: server.statuses("RC_3")[-1].state == "complete")
    (full,) = server.statuses("RC_1")
    assert (full.state, full.error) == ("failed", NO_SPACE)
    (wrong,) = server.statuses("RC_2")
    assert wrong.state == "failed"
    assert "{recording}" in wrong.error


def test_a_disk_that_becomes_full_ends_the_recording_with_what_was_kept(small_disk):
    wanted = order(small_disk, started_at=time.time(), free_space=2 << 20)
    with serving(real) as server:
        server.start(wanted)
        video = video_packets(VP8, encode_video(VP8, 60))
        begun = time.monotonic()
        server.refer(replace(video[0][0], timestamp=0))
        index = 0
        while not server.statuses() or server.statuses()[-1].state != "failed":
            for picture in video:
                timestamp = round((time.monotonic() - begun) * VP8.clock_rate)
                packets = [
                    replace(packet, index=index + position, timestamp=timestamp)
                    for position, packet in enumerate(picture)
                ]
                server.send(packets)
                index += len(packets)
            time.sleep(0.5)  # as fast as no camera, but not faster than the disk
            assert time.monotonic() < begun + 30
    assert any("MiB are left" in status.warning for status in server.statuses())
    last = server.statuses()[-1]
    assert last.error.startswith(f"{NO_SPACE}; kept: 1 files")
    assert last.warning == "", "it has come to pass"
    manifest = ManifestFile(folder_of(wanted) / FILE_NAME).load()
    assert (manifest.state, manifest.errors) == ("failed", [NO_SPACE])
    (segment,) = manifest.segments()
    assert segment.bytes == last.bytes > 1 << 20
    assert len(decode(folder_of(wanted) / segment.file)) > 60


class Slow(TrackRecording):
    """On a disk that stands still as long as the test wants."""

    def __init__(self, *arguments, go_on: threading.Event, **more) -> None:
        super().__init__(*arguments, **more)
        self.gaps: list[tuple[float, float]] = []
        self._go_on = go_on

    def receive(self, sid, packets, *, now) -> None:
        self._go_on.wait()
        super().receive(sid, packets, now=now)

    def note_gap(self, sid, start, end) -> None:
        self.gaps.append((start, end))
        super().note_gap(sid, start, end)


def test_what_a_slow_disk_does_not_take_is_dropped_until_a_key_frame(tmp_path, monkeypatch):
    monkeypatch.setitem(recording_thread.LIMITS, "video", 150_000)
    go_on = threading.Event()
    made: list[Slow] = []

    def slow(wanted, wall_offset, resume):
        made.append(Slow(wanted, wall_offset=wall_offset, resume=resume, go_on=go_on))
        return made[-1]

    wanted = order(tmp_path, started_at=time.time())
    with serving(slow) as server:
        server.start(wanted)
        video = video_packets(VP8, encode_video(VP8, 60))
        server.refer(video[0][0])
        begun = time.time()
        for packets in video[:40]:
            server.send(packets)
        eventually(lambda: server.service._recordings)
        queue = server.service._recordings["RC_1"]
        # All have been read: they wait, but for the one that is being written, or were dropped.
        eventually(lambda: queue._dropped + sum(size > 0 for _, size in queue._queue) == 39)
        go_on.set()
        eventually(lambda: not queue._bytes)
        for packets in video[50:]:
            server.send(packets)
        eventually(lambda: made[0].gaps)
        server.stop()
        eventually(lambda: server.statuses()[-1].state == "complete")
    ((start, end),) = made[0].gaps
    assert begun <= start < end <= time.time()
    last = server.statuses()[-1]
    assert last.dropped > 5
    assert last.warning == TOO_SLOW
    manifest = ManifestFile(folder_of(wanted) / FILE_NAME).load()
    (segment,) = manifest.segments()
    frames = decode(folder_of(wanted) / segment.file)
    assert 5 < len(frames) == 50 - last.dropped
    assert manifest.tracks[0].gaps


class Failing(TrackRecording):
    """On a disk that becomes full, or a bug."""

    error: Exception

    def tick(self, *, now) -> None:
        super().tick(now=now)
        if self._tracks and self._tracks["TR_v"].reader.stats.frames > 20:
            raise self.error


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EIO, "Input/output error", "/srv/a"), "the disk failed: Input/output error"),
        (None, NO_SPACE),
        (KeyError("bug"), "the recorder has a fault: KeyError"),
    ],
)
def test_one_that_fails_keeps_what_there_is(tmp_path, capfd, error, reason):
    Failing.error = error or DiskFullError(tmp_path)

    def failing(wanted, wall_offset, resume):
        return Failing(wanted, wall_offset=wall_offset, resume=resume)

    wanted = order(tmp_path, started_at=time.time())
    with serving(failing) as server:
        server.start(wanted)
        video = video_packets(VP8, encode_video(VP8, 30))
        server.refer(video[0][0])
        for packets in video:
            server.send(packets)
        eventually(lambda: server.statuses() and server.statuses()[-1].state == "failed")
    assert server.statuses()[-1].error == f"{reason}; kept: 1 files, 1 s"
    manifest = ManifestFile(folder_of(wanted) / FILE_NAME).load()
    assert (manifest.state, manifest.errors) == ("failed", [reason])
    (segment,) = manifest.segments()
    assert len(decode(folder_of(wanted) / segment.file)) > 20
    assert ("Traceback" in capfd.readouterr().err) == isinstance(error, KeyError)
