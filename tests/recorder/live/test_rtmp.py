"""Pushing to Debian's nginx with its RTMP module, and to servers that are not well."""

import socket
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from recorder.live.addresses import parse_address
from recorder.live.output import Output, OutputError
from recorder.live.rtmp import RtmpConnection
from tests.recorder.live import silent_server
from tests.recorder.live.composites import FPS, Composite, encode_composite
from tests.recorder.live.rtmp_server import RtmpServer
from tests.support.polling import until

Outputs = Callable[..., Output]


def frames(path: Path) -> tuple[int, float]:
    """How many pictures a file has, and how many seconds of sound."""
    with av.open(str(path)) as container:
        pictures = sum(1 for _ in container.decode(video=0))
    with av.open(str(path)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    return pictures, samples / 48000


def push(address: str, composite: Composite) -> None:
    connection = RtmpConnection(parse_address(address), composite.streams)
    for packet in composite.packets:
        connection.write(packet)
    connection.close(finish=True)


async def test_everything_arrives_and_can_be_decoded(
    rtmp_server: RtmpServer, composite: Composite, output: Outputs
) -> None:
    address = parse_address(rtmp_server.url("key?token=secret"))
    one = output(lambda: RtmpConnection(address, composite.streams))
    await until(lambda: one.status().state == "active", "connected")
    one.put(composite.packets)
    one.close()
    one.join()
    assert one.status().state == "ended"
    assert one.status().dropped == 0
    await until(lambda: rtmp_server.files(), "nginx has a file")
    rtmp_server.stop()
    pictures, seconds = frames(rtmp_server.files()[0])
    assert pictures == composite.frames
    assert seconds == pytest.approx(composite.seconds, abs=0.1)


async def test_connects_again_and_goes_on_at_a_key_frame(
    rtmp_server: RtmpServer, composite: Composite, output: Outputs
) -> None:
    address = parse_address(rtmp_server.url("key"))
    one = output(lambda: RtmpConnection(address, composite.streams))
    await until(lambda: one.status().state == "active", "connected")
    half = len(composite.packets) // 3
    one.put(composite.packets[:half])
    await until(lambda: rtmp_server.files(), "nginx has a file")
    rtmp_server.stop()
    await until(lambda: one.status().state == "reconnecting", "it notices")
    assert "hung up" in one.status().error or "broke" in one.status().error
    await rtmp_server.start()
    await until(lambda: one.status().state == "active", "connected again")
    assert one.status().retries >= 1
    one.put(composite.packets[half:])
    one.close()
    one.join()
    await until(lambda: len(rtmp_server.files()) == 2, "nginx has another file")
    rtmp_server.stop()
    pictures, _ = frames(rtmp_server.files()[1])
    assert pictures == composite.frames - 2 * FPS  # from the second key frame on
    assert one.status().dropped == 0


async def test_a_name_that_is_taken_is_told(rtmp_server: RtmpServer, composite: Composite) -> None:
    address = parse_address(rtmp_server.url("key"))
    first = RtmpConnection(address, composite.streams)
    with pytest.raises(OutputError, match=r"The server refuses: .*[Pp]ublishing"):
        RtmpConnection(address, composite.streams)
    first.close(finish=True)


async def test_pings_are_answered(rtmp_server: RtmpServer, composite: Composite) -> None:
    # The server asks each second, and hangs up on those who do not answer within 30 s: what is
    # seen here is the answer itself, in what the session wants to send.
    connection = RtmpConnection(parse_address(rtmp_server.url("key")), composite.streams)
    session = connection._session
    sent: list[bytes] = []
    take = session.take
    session.take = lambda: sent.append(take()) or sent[-1]  # type: ignore[method-assign,func-returns-value]

    def ponged() -> bool:
        connection.poll()
        return any(b"\x00\x07" in data[12:14] for data in sent)

    await until(ponged, "a ping was answered")
    connection.close(finish=True)


async def test_an_unknown_application_is_told(
    rtmp_server: RtmpServer, composite: Composite
) -> None:
    address = parse_address(rtmp_server.url("key").replace("/live/", "/nowhere/"))
    with pytest.raises(OutputError, match=r"refuses|hung up"):
        RtmpConnection(address, composite.streams)


def test_a_server_that_is_not_there_is_told(composite: Composite) -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    with pytest.raises(OutputError, match="cannot be reached: Connection refused"):
        RtmpConnection(parse_address(f"rtmp://127.0.0.1:{port}/live/key"), composite.streams)


def test_a_server_of_something_else_is_told(composite: Composite) -> None:
    with silent_server.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        address = parse_address(f"rtmp://127.0.0.1:{port}/live/key")
        with pytest.raises(OutputError, match="does not speak RTMP"):
            RtmpConnection(address, composite.streams)


def test_a_server_that_hangs_stops_nothing_else(composite: Composite, output: Outputs) -> None:
    with silent_server.answering(b"") as port:
        address = parse_address(f"rtmp://127.0.0.1:{port}/live/key")
        one = output(lambda: RtmpConnection(address, composite.streams))
        turns = 0
        while turns < 1000:  # other threads run while it waits for the server
            one.put(composite.packets)
            turns += 1
        assert one.status().state == "connecting"


def test_formats_that_flv_cannot_hold_are_refused_for_good(rtmp_server: RtmpServer) -> None:
    webm = encode_composite(0.2, video="vp8", audio="opus")
    with pytest.raises(OutputError, match=r"FLV cannot hold vp8 and opus") as caught:
        RtmpConnection(parse_address(rtmp_server.url("key")), webm.streams)
    assert caught.value.permanent


async def test_sound_alone_arrives(rtmp_server: RtmpServer) -> None:
    mix = encode_composite(2, video=None)
    push(rtmp_server.url("mix"), mix)
    await until(lambda: rtmp_server.files(), "nginx has a file")
    rtmp_server.stop()
    with av.open(str(rtmp_server.files()[0])) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    assert samples / 48000 == pytest.approx(2, abs=0.1)


async def test_over_tls(
    rtmp_server: RtmpServer,
    composite: Composite,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    certificate = silent_server.make_certificate(tmp_path)
    with silent_server.tls_relay(certificate, rtmp_server.port) as port:
        address = f"rtmps://localhost:{port}/live/key"
        with pytest.raises(OutputError, match="certificate is not valid"):
            push(address, composite)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        push(address, composite)
    await until(lambda: rtmp_server.files(), "nginx has a file")
    rtmp_server.stop()
    pictures, _ = frames(rtmp_server.files()[-1])
    assert pictures == composite.frames
