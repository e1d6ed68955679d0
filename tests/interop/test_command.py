"""The command that users run, as a process of its own."""

from tests.support.clients import clients_of
from tests.support.media import PictureTrack, ToneTrack, picture
from tests.support.polling import until
from tests.support.server import server_process


async def test_command_serves_a_room_until_it_is_told_to_stop() -> None:
    async with server_process() as server, clients_of(server.url) as clients:
        publisher = await clients.join("kitchen", "ann")
        subscriber = await clients.join("kitchen", "ben")
        video, audio = await publisher.publish(PictureTrack(), ToneTrack())
        sink = await subscriber.received(video)
        luma = picture()
        await until(lambda: sink.psnr(luma) > 30, "a good picture")
        await subscriber.received(audio)

        assert await server.stop() == 0

        for client in (publisher, subscriber):
            await client.wait_for("disconnected", reason="server_shutdown")
            assert client.close_code == 4004
    assert "Traceback" not in server.output
