"""HLS over HTTP: who may watch, and what players are told."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from recorder.files.manifest import Composite, Manifest
from recorder.files.manifest_file import FILE_NAME, ManifestFile
from recorder.folder_lock import FolderLock
from recorder.live.hls import HLS_FOLDER
from recorder.values import State
from signaling.tokens import AccessToken, VideoGrant, mint
from tests.support.server import API_KEY, API_SECRET, RunningServer, running_server

PLAYLIST = '#EXTM3U\n#EXT-X-MAP:URI="init-0.mp4"\n#EXTINF:2.000,\nsegment-00000000.m4s\n'
CREDENTIALS = {"api_key": API_KEY, "api_secret": API_SECRET}


def make_recording(root: Path, recording: str, state: State) -> Path:
    """A composite of room "room"; returns its folder."""
    folder = root / "room" / recording
    hls = folder / HLS_FOLDER
    hls.mkdir(parents=True)
    manifest = Manifest(
        id=recording,
        room="room",
        mode="composite",
        state=state,
        started_at=0.0,
        started="1970-01-01T00:00:00Z",
        composite=Composite("grid", 320, 180, 15),
    )
    ManifestFile(folder / FILE_NAME).save(manifest)
    return folder


def token(**grant: object) -> str:
    return mint(AccessToken(identity="ann", video=VideoGrant(**grant)), **CREDENTIALS)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RunningServer]:
    live = make_recording(tmp_path, "RC_1", "active")
    for folder in (live, make_recording(tmp_path, "RC_ended", "complete")):
        hls = folder / HLS_FOLDER
        (hls / "live.m3u8").write_text(PLAYLIST)
        (hls / "segment-00000000.m4s").write_bytes(b"segment")
        (hls / "init-0.mp4").write_bytes(b"init")
    settings = {**CREDENTIALS, "cors_origins": ("https://player.example",)}
    with FolderLock(live):  # somebody makes it
        async with running_server(recordings_dir=str(tmp_path), **settings) as server:
            yield server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def url(server: RunningServer, name: str) -> str:
    return f"{server.url}/api/v1/recordings/RC_1/hls/{name}"


async def test_types_and_caching(server: RunningServer, http: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"Bearer {token(room_join=True, room='room')}"}
    expected = {
        "live.m3u8": ("application/vnd.apple.mpegurl", "no-store"),
        "segment-00000000.m4s": ("video/iso.segment", "private, max-age=3600"),
        "init-0.mp4": ("video/mp4", "private, max-age=3600"),
    }
    for name, (content_type, caching) in expected.items():
        async with http.get(url(server, name), headers=headers) as answer:
            assert answer.status == 200
            assert answer.content_type == content_type
            assert answer.headers["Cache-Control"] == caching
    async with http.get(url(server, "live.m3u8"), headers=headers) as answer:
        assert await answer.text() == PLAYLIST


async def test_a_token_in_the_query_is_passed_on(
    server: RunningServer, http: aiohttp.ClientSession
) -> None:
    query = f"?token={token(room_record=True, room='room')}"
    async with http.get(url(server, "live.m3u8") + query) as answer:
        text = await answer.text()
    assert f'URI="init-0.mp4{query}"' in text
    assert text.splitlines()[-1] == f"segment-00000000.m4s{query}"
    async with http.get(url(server, text.splitlines()[-1])) as answer:
        assert await answer.read() == b"segment"


@pytest.mark.parametrize(
    ("grant", "status"),
    [
        (None, 401),
        ({"room_join": True, "room": "other"}, 403),
        ({"room_join": True, "room": "room", "can_subscribe": False}, 403),
        ({"room_join": True, "room": "room"}, 200),
        ({"room_record": True, "room": "room"}, 200),
        ({"room_record": True, "room": "other"}, 403),
    ],
)
async def test_who_may_watch(
    server: RunningServer,
    http: aiohttp.ClientSession,
    grant: dict[str, object] | None,
    status: int,
) -> None:
    query = "" if grant is None else f"?token={token(**grant)}"
    async with http.get(url(server, "live.m3u8") + query) as answer:
        assert answer.status == status


@pytest.mark.parametrize("grant", ["room_join", "room_record"])
async def test_nobody_watches_what_has_ended(
    server: RunningServer, http: aiohttp.ClientSession, grant: str
) -> None:
    query = f"?token={token(room='room', **{grant: True})}"
    for name in ("live.m3u8", "segment-00000000.m4s"):
        address = url(server, name).replace("RC_1", "RC_ended")
        async with http.get(address + query) as answer:
            assert answer.status == 404


async def test_nothing_else_of_the_recording_is_given_out(
    server: RunningServer, http: aiohttp.ClientSession
) -> None:
    query = f"?token={token(room_record=True, room='room')}"
    for name in (
        "..%2Fmanifest.json",
        "%2e%2e%2fmanifest.json",
        ".live.m3u8",
        "none.m3u8",
        "a.txt",
    ):
        async with http.get(url(server, name) + query) as answer:
            assert answer.status == 404, name


async def test_pages_of_allowed_origins_may_play_it(
    server: RunningServer, http: aiohttp.ClientSession
) -> None:
    query = f"?token={token(room_join=True, room='room')}"
    origin = {"Origin": "https://player.example"}
    async with http.get(url(server, "live.m3u8") + query, headers=origin) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://player.example"
