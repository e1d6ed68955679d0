"""The README's programs run, and its commands exist."""

import re
from pathlib import Path

from aiohttp import ClientSession, web
from click.testing import CliRunner

from signaling.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


async def test_the_mounted_application_serves_the_page_and_knows_its_rooms() -> None:
    (program,) = blocks("python")
    # The README's own ports may be taken on the machine that tests.
    program = program.replace("dev=True", "dev=True, udp_port=0, tcp_port=0")
    names: dict[str, object] = {"__name__": "example"}
    exec(compile(program, "README.md", "exec"), names)
    app = names["app"]
    assert isinstance(app, web.Application)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ClientSession() as http:
            async with http.get(f"{url}/") as response:
                assert await response.json() == {}
            async with http.ws_connect(f"{url}/calls/ws") as socket:
                await socket.send_json({"type": "join", "room": "kitchen", "identity": "ann"})
                assert (await socket.receive_json())["type"] == "joined"
                async with http.get(f"{url}/") as response:
                    assert await response.json() == {"kitchen": ["ann"]}
            for page in ("/calls/", "/calls/r/my%20room?token=x"):
                async with http.get(url + page) as response:
                    assert response.content_type == "text/html"
                    text = await response.text()
                for asset in re.findall(r'(?:src|href)="(/[^"]+)"', text):
                    assert asset.startswith("/calls/assets/")
                    async with http.get(url + asset) as response:
                        assert response.status == 200
    finally:
        await runner.cleanup()


def test_the_token_command_is_as_written() -> None:
    (command,) = re.findall(r"aiosfu (token (?:.|\n)*?--show)", README)
    words = command.replace("\\\n", " ").replace('"$AIOSFU_API_SECRET"', "s" * 32).split()
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    assert "kitchen" in result.output
