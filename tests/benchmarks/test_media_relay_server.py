from benchmarks.namespaces import loopback
from benchmarks.servers import media_relay_server
from tests.support.clients import clients_of
from tests.support.media import PictureTrack, picture
from tests.support.polling import until


async def test_viewer_sees_what_is_published() -> None:
    luma = picture()
    with media_relay_server(loopback().server, port=0) as server:
        async with clients_of(server.url) as clients:
            publisher = clients.whip("room")
            await publisher.publish(PictureTrack(luma), codec="video/VP8")
            viewer = clients.whep("room")
            await viewer.watch("video")
            await until(lambda: viewer.sinks["video"].frames, "a decoded frame")
            assert viewer.sinks["video"].psnr(luma) > 25
