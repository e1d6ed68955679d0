"""`aiosfu record` against a real server."""

import asyncio
import getpass
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from recorder.values import OutputStatus
from signaling.cli import main
from signaling.messages import RecordingFileInfo, RecordingInfo
from signaling.record.display import Lines, lines, size, table, time
from tests.support.clients import Client, access_token, clients_of
from tests.support.polling import until
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

RECORDING = RecordingInfo(
    id="RC_1",
    room="a",
    mode="composite",
    layout="grid",
    hls=True,
    state="active",
    started_by="ann",
    started_at=1.0,
    ended_at=None,
    duration=3725.5,
    bytes=12_345_678,
    tracks=1,
    gaps=2,
    dropped=0,
    recovered=False,
    warning="only 90 MiB are left",
    error="",
    outputs=(OutputStatus("rtmp://host/***", "reconnecting", retries=2, error="refused"),),
)


class Command:
    """The command as its own process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    @classmethod
    async def start(cls, *arguments: str, **environment: str) -> "Command":
        return cls(
            await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", "from signaling.cli import main; main()", "record"),
                *arguments,
                env={**os.environ, **environment},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        )

    async def end(self) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        output, errors = await asyncio.wait_for(self.process.communicate(), 60)
        assert self.process.returncode is not None
        assert b"Traceback" not in errors, errors.decode()
        return self.process.returncode, output.decode(), errors.decode()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    async with running_server(
        api_key=API_KEY, api_secret=API_SECRET, recordings_dir=str(tmp_path)
    ) as server:
        yield server


@pytest.fixture
async def alice(server: RunningServer) -> AsyncIterator[Client]:
    async with clients_of(server.url) as clients:
        yield await clients.join(token=access_token("alice", room="a", roomJoin=True))


def is_told(client: Client, state: str) -> dict[str, Any] | None:
    for event in client.events:
        if event["type"] == "recording_changed" and event["recording"]["state"] == state:
            return dict(event["recording"])
    return None


async def test_ctrl_c_ends_the_recording_and_the_files_are_listed(
    server: RunningServer, alice: Client
) -> None:
    keys = ("--api-key", API_KEY, "--api-secret", API_SECRET)
    command = await Command.start("a", "--url", server.url, "--by", "Desk", *keys)
    active = await until(lambda: is_told(alice, "active"), "it is recorded", deadline=30.0)
    assert active["started_by"] == "Desk"
    command.process.send_signal(signal.SIGINT)
    code, output, errors = await command.end()
    assert code == 0
    assert "manifest.json" in output
    told = [line.split()[1] for line in errors.splitlines() if line[0] in "○●◐✓"]
    assert told[0] == "starting"
    assert told[-1] == "complete"
    assert is_told(alice, "complete")


async def test_it_ends_by_itself_after_a_while_and_tells_as_json(
    server: RunningServer, alice: Client
) -> None:
    token = access_token("ann", room="a", roomRecord=True)
    command = await Command.start(
        *("a", "--url", server.url, "--token", token, "--duration", "1", "--json", "--quiet")
    )
    code, output, errors = await command.end()
    assert (code, errors) == (0, "")
    recording = json.loads(output)
    assert (recording["state"], recording["started_by"]) == ("complete", "ann")


@pytest.mark.parametrize("kind", ["token", "secret"])
async def test_secrets_come_from_the_environment_too(
    server: RunningServer, alice: Client, kind: str
) -> None:
    secrets = {"AIOSFU_API_KEY": API_KEY, "AIOSFU_API_SECRET": API_SECRET}
    if kind == "token":
        secrets = {"AIOSFU_TOKEN": access_token("ann", room="a", roomRecord=True)}
    command = await Command.start("a", "--url", server.url, "--duration", "1", **secrets)
    assert (await command.end())[0] == 0


async def test_a_server_without_tokens_is_told_who_it_is(tmp_path: Path) -> None:
    async with (
        running_server(recordings_dir=str(tmp_path)) as server,
        clients_of(server.url) as clients,
    ):
        bob = await clients.join("a", "bob")
        for by, told in ((("--by", "Desk"), "Desk"), ((), getpass.getuser())):
            command = await Command.start("a", "--url", server.url, "--duration", "1", *by)
            assert (await command.end())[0] == 0
            complete = [one for one in bob.events if one["type"] == "recording_changed"][-1]
            assert complete["recording"]["started_by"] == told


async def test_what_the_server_refuses_is_one_line(server: RunningServer, alice: Client) -> None:
    for arguments, sentence in (
        (("b", "--token", access_token("ann", room="b", roomRecord=True)), "no room 'b'"),
        (("a", "--token", access_token("ann", room="a")), "roomRecord"),
        (("a",), "access token is needed"),
    ):
        command = await Command.start(*arguments, "--url", server.url)
        code, output, errors = await command.end()
        assert (code, output) == (2, "")
        assert errors.startswith("Error: ")
        assert sentence in errors
        assert len(errors.splitlines()) == 1


async def test_a_server_that_is_not_there_is_one_line() -> None:
    command = await Command.start("a", "--url", "http://127.0.0.1:9")
    code, _, errors = await command.end()
    assert code == 2
    assert errors.startswith("Error: http://127.0.0.1:9: ")
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--size", "big"), "write it like 1280x720"),
        (("--duration", "soon"), "write 90s, 15m or 2h"),
        (("--mode", "tape"), "tape"),
        (("--fps", "0"), "fps"),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...], sentence: str) -> None:
    result = CliRunner().invoke(main, ["record", "a", *arguments])
    assert result.exit_code == 2
    assert sentence in result.output


def test_a_recording_in_lines() -> None:
    assert lines(RECORDING) == [
        "● active  1:02:05  12.3 MB  1 track  2 gaps",
        "  rtmp://host/***  reconnecting, 2 times connected again: refused",
        "  warning: only 90 MiB are left",
    ]
    stream = io.StringIO()
    display = Lines(stream)
    display.show(RECORDING)
    display.show(RECORDING)
    assert len(stream.getvalue().splitlines()) == 3, "what is the same is told once"


def test_files_in_a_table() -> None:
    files = [
        RecordingFileInfo(name="ann-camera.mkv", bytes=2_000_000, sha256="", duration=61.0),
        RecordingFileInfo(name="manifest.json", bytes=999, sha256="", duration=0.0),
    ]
    assert table(files) == ["  ann-camera.mkv     2.0 MB  0:01:01", "  manifest.json       999 B"]
    assert [size(count) for count in (0, 1000, 10**9, 10**12)] == [
        "0 B",
        "1.0 kB",
        "1.0 GB",
        "1.0 TB",
    ]
    assert time(59.9) == "0:00:59"
