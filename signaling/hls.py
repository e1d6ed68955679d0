"""Live composites as HLS: playlists and segments of a recording (PROTOCOL.md, "Recordings").

Players cannot add headers to the requests for segments, so the token may be in the query of the
playlist's address; it is passed on to what the playlist names.
"""

import asyncio
import re
from urllib.parse import quote

from aiohttp import hdrs, web

from recorder.live.hls import HLS_FOLDER
from sfu.errors import LocalError, RemoteError
from signaling.auth import Access, authorize
from signaling.file_response import PartialFileResponse
from signaling.keys import CONFIG, SERVER
from signaling.tokens import verify

PATH = "/api/v1/recordings/{recording}/hls/{name}"
PLAYLIST = "application/vnd.apple.mpegurl"  # RFC 8216 4
CONTENT_TYPES = {".m3u8": PLAYLIST, ".m4s": "video/iso.segment", ".mp4": "video/mp4"}
NAME = re.compile(r"[a-z]+(-\d+)?\.(m3u8|m4s|mp4)")
ATTRIBUTE = re.compile(r'URI="([^"]+)"')


def routes() -> list[web.RouteDef]:
    """`/api/v1/recordings/{recording}/hls/…`."""
    return [web.get(PATH, _file)]


async def _file(request: web.Request) -> web.StreamResponse:
    token = request.query.get("token", "")
    access = _access(request, token)
    manager = request.app[SERVER].recordings
    recording = manager.get(request.match_info["recording"])
    _require_watch(access, recording.room)
    if recording.ended:  # what was recorded is for those who may record
        raise LocalError("The live stream has ended.", name="recording_not_found")
    name = request.match_info["name"]
    if not NAME.fullmatch(name):
        raise LocalError(f"There is no {name!r} here.", name="recording_not_found")
    path = await manager.path(recording.id, f"{HLS_FOLDER}/{name}")
    content_type = CONTENT_TYPES[path.suffix]
    if content_type != PLAYLIST:
        # Segments never change; they are for those only who have shown a token.
        headers = {hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: "private, max-age=3600"}
        return PartialFileResponse(path, headers=headers)
    text = await asyncio.to_thread(path.read_text)
    return web.Response(
        text=_with_token(text, token) if token else text,
        content_type=PLAYLIST,
        headers={hdrs.CACHE_CONTROL: "no-store"},
    )


def _access(request: web.Request, token: str) -> Access:
    """Who asks: by the header, else by the query."""
    if hdrs.AUTHORIZATION in request.headers or not token:
        return authorize(request)
    config = request.app[CONFIG]
    if config.dev and not config.api_key:
        return Access(None)
    return Access(verify(token, api_key=config.api_key, api_secret=config.api_secret))


def _require_watch(access: Access, room: str) -> None:
    """Who may record a room, or receive its media in it, may watch what is made of it."""
    try:
        access.require_record(room)
    except RemoteError:
        access.require_subscribe(room)


def _with_token(playlist: str, token: str) -> str:
    """The playlist with the token in each address that it names."""
    query = f"?token={quote(token, safe='')}"
    lines = [
        line + query if line and not line.startswith("#") else line for line in playlist.split("\n")
    ]
    return ATTRIBUTE.sub(lambda found: f'URI="{found[1]}{query}"', "\n".join(lines))
