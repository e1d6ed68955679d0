"""Recordings by HTTP: start, look at, stop, download and delete (PROTOCOL.md, "Recordings")."""

from urllib.parse import quote

import msgspec
from aiohttp import hdrs, web
from msgspec import Struct

from recorder.manager import RecordingManager
from recorder.recording import Recording
from recorder.values import RecordingRequest
from sfu.errors import LocalError, ParseError, RemoteError
from signaling.auth import Access, authorize
from signaling.bodies import read_text
from signaling.file_response import PartialFileResponse
from signaling.keys import CONFIG, SERVER
from signaling.limits import check_names
from signaling.messages import RecordingFileInfo, RecordingInfo
from signaling.recording_descriptions import describe_file, describe_recording

API = "/api/v1"
JSON = "application/json"
NOBODY = "api"  # who starts recordings without saying who they are
# What is not here is for other programs than browsers, or for nobody.
CONTENT_TYPES = {
    ".json": JSON,
    ".mkv": "video/matroska",  # RFC 9559
    ".mp4": "video/mp4",
    ".webm": "video/webm",
}


class RecordingsOfRoom(Struct, frozen=True):
    """Answer of `GET /api/v1/rooms/{room}/recordings`, the newest first."""

    recordings: list[RecordingInfo]


class RecordingFiles(Struct, frozen=True):
    """Answer of `GET /api/v1/recordings/{recording}/files`."""

    files: list[RecordingFileInfo]


class StoredFile(Struct, frozen=True):
    """Where a file that is in a store alone can be read, for those who cannot follow a redirect."""

    url: str


TYPES = (RecordingsOfRoom, RecordingFiles, RecordingInfo, RecordingRequest, StoredFile)


def routes() -> list[web.RouteDef]:
    """`/api/v1/rooms/{room}/recordings` and `/api/v1/recordings/…`."""
    of_room = f"{API}/rooms/{{room}}/recordings"
    recording = f"{API}/recordings/{{recording}}"
    return [
        web.get(of_room, _list),
        web.post(of_room, _start),
        web.get(recording, _get),
        web.delete(recording, _delete),
        web.post(f"{recording}/stop", _stop),
        web.get(f"{recording}/files", _files),
        web.get(f"{recording}/files/{{name:.+}}", _download),
    ]


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        content_type=JSON,
        headers={hdrs.CACHE_CONTROL: "no-store"},
    )


def _manager(request: web.Request) -> RecordingManager:
    return request.app[SERVER].recordings


async def _list(request: web.Request) -> web.Response:
    room = request.match_info["room"]
    authorize(request).require_record(room)
    found = _manager(request).of_room(room)
    return _json(RecordingsOfRoom([describe_recording(one) for one in found]))


async def _start(request: web.Request) -> web.Response:
    name = request.match_info["room"]
    access = authorize(request)
    access.require_record(name)
    limit = request.app[CONFIG].max_message_size
    text = await read_text(request, media_type=JSON, limit=limit)
    try:
        wanted = msgspec.json.decode(text, type=RecordingRequest)
    except msgspec.ValidationError as error:
        raise RemoteError(f"The body does not ask for a recording: {error}.") from None
    except msgspec.DecodeError as error:
        raise ParseError(f"The body is not JSON: {error}.") from None
    room = request.app[SERVER].rooms.get(name)
    if room is None:
        raise LocalError(f"There is no room {name!r}.", name="room_not_found")
    recording = _manager(request).start(room, wanted, by=_starter(request, access))
    response = _json(describe_recording(recording), status=201)
    mount = request.rel_url.raw_path.partition("/rooms/")[0]
    response.headers[hdrs.LOCATION] = f"{mount}/recordings/{recording.id}"
    return response


def _starter(request: web.Request, access: Access) -> str:
    """Who is told to have started it: the token's identity; without a token, whoever it says."""
    by = access.identity
    if access.token is None:
        by = request.query.get("by", "")
        check_names(request.app[CONFIG], by=by)
    return by or NOBODY


async def _get(request: web.Request) -> web.Response:
    return _json(describe_recording(_recording(request)))


async def _stop(request: web.Request) -> web.Response:
    return _json(describe_recording(_manager(request).stop(_recording(request).id)))


async def _delete(request: web.Request) -> web.Response:
    await _manager(request).delete(_recording(request).id)
    return web.Response(status=204)


async def _files(request: web.Request) -> web.Response:
    files = await _manager(request).files(_recording(request).id)
    return _json(RecordingFiles([describe_file(one) for one in files]))


async def _download(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    manager, recording = _manager(request), _recording(request)
    try:
        path = await manager.path(recording.id, name)
    except LocalError:  # the store has it, or nobody
        url = await manager.url(recording.id, name)
        if JSON in request.headers.get(hdrs.ACCEPT, ""):
            return _json(StoredFile(url))
        raise web.HTTPTemporaryRedirect(url) from None
    content_type = CONTENT_TYPES.get(path.suffix.lower(), "application/octet-stream")
    return PartialFileResponse(  # it knows of ranges and of conditions
        path,
        headers={
            hdrs.CONTENT_TYPE: content_type,
            hdrs.CONTENT_DISPOSITION: f"attachment; filename*=UTF-8''{quote(path.name, safe='')}",
            hdrs.CACHE_CONTROL: "private, no-cache",  # it may still grow
        },
    )


def _recording(request: web.Request) -> Recording:
    """The recording that the path names, for those who may record its room.

    Raises:
        LocalError: "recording_not_found".
        RemoteError: "not_allowed".
    """
    access: Access = authorize(request)
    recording = _manager(request).get(request.match_info["recording"])
    access.require_record(recording.room)
    return recording
