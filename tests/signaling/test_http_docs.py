"""PROTOCOL.md tells of every route, with an example that fits it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from recorder.values import RecordingRequest
from signaling import http_api, recordings_api
from signaling.app import create_app
from signaling.messages import (
    ERROR_NAMES,
    MediaInfo,
    ParticipantInfo,
    RecordingInfo,
    RoomInfo,
    TrackInfo,
)
from signaling.problems import STATUS, Problem
from signaling.sdpfrag import parse_fragment

PROTOCOL = Path(__file__).parents[2] / "PROTOCOL.md"
HTTP = PROTOCOL.read_text(encoding="utf-8").partition("\n## HTTP\n")[2]

API = "/api/v1"
BODIES = {
    "GET /healthz": http_api.Health,
    f"GET {API}/schema.json": dict,
    f"GET {API}/ice-servers": http_api.IceServerList,
    f"GET {API}/rooms": http_api.RoomList,
    f"GET {API}/rooms/{{room}}": RoomInfo,
    f"GET {API}/rooms/{{room}}/participants": http_api.ParticipantList,
    f"GET {API}/rooms/{{room}}/participants/{{identity}}": ParticipantInfo,
    f"GET {API}/rooms/{{room}}/participants/{{identity}}/media": MediaInfo,
    f"GET {API}/rooms/{{room}}/participants/{{identity}}/tracks": http_api.TrackList,
    f"PATCH {API}/rooms/{{room}}/participants/{{identity}}/tracks/{{track}}": TrackInfo,
    f"GET {API}/rooms/{{room}}/recordings": recordings_api.RecordingsOfRoom,
    f"POST {API}/rooms/{{room}}/recordings": RecordingInfo,
    f"GET {API}/recordings/{{recording}}": RecordingInfo,
    f"POST {API}/recordings/{{recording}}/stop": RecordingInfo,
    f"GET {API}/recordings/{{recording}}/files": recordings_api.RecordingFiles,
}


@dataclass
class Example:
    """One `http` block: a request and its response."""

    section: str
    request: str
    request_body: str
    status: str
    headers: dict[str, str]
    body: str


def examples() -> Iterator[Example]:
    for section in re.split(r"^#### ", HTTP, flags=re.MULTILINE)[1:]:
        for block in re.findall(r"```http\n(.*?)```", section, re.DOTALL):
            parts = re.split(r"^(?=\d{3} )", block, maxsplit=1, flags=re.MULTILINE)
            request, response = (part.partition("\n\n") for part in parts)
            first, *lines = response[0].strip().splitlines()
            headers = dict(line.split(": ", 1) for line in lines)
            yield Example(
                section.splitlines()[0],
                request[0].splitlines()[0],
                request[2].strip(),
                first,
                headers,
                response[2].strip(),
            )


EXAMPLES = list(examples())


def app() -> web.Application:
    return create_app(dev=True)


def routes() -> set[str]:
    found = set()
    for route in app().router.routes():
        assert route.resource is not None
        # What is below a directory is described as one path.
        path = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.resource.canonical)
        if route.method != "HEAD":
            found.add(f"{route.method} {path}")
    return found


def test_every_route_has_a_section_and_every_section_a_route() -> None:
    headings = re.findall(r"^#### ((?:[A-Z]+) /.*)$", HTTP, re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert set(headings) == routes()


@pytest.mark.parametrize("route", sorted(routes()))
def test_every_route_has_an_example(route: str) -> None:
    assert any(example.section == route for example in EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.section)
def test_example_fits_its_route(example: Example) -> None:
    method, path = example.section.split(" ")
    pattern = "".join(
        r"[^/?]+" if part.startswith("{") else re.escape(part)
        for part in re.split(r"(\{\w+\})", path)
    )
    said = re.fullmatch(rf"([A-Z]+) {pattern}(\?\S+)?", example.request)
    assert said is not None, example.request
    assert said[1] == method or (said[1], method) == ("HEAD", "GET")
    code, _, phrase = example.status.partition(" ")
    assert HTTPStatus(int(code)).phrase == phrase
    if example.headers.get("Content-Type") == "application/json":
        msgspec.json.decode(example.body, type=BODIES[example.section])
    elif example.section in BODIES:
        pytest.fail("the example has no body")
    if example.section.startswith("POST") and example.request_body.startswith("{"):
        msgspec.json.decode(example.request_body, type=RecordingRequest)
    if example.request_body.startswith("a="):
        parse_fragment(example.request_body)


def test_example_of_an_error() -> None:
    block = re.search(r"application/problem\+json\n\n(\{.*\})", HTTP)
    assert block is not None
    problem = msgspec.json.decode(block[1], type=Problem)
    assert STATUS[problem.error] == problem.status


def test_every_error_stands_in_the_row_of_its_status() -> None:
    # These belong to a WebSocket's session, and are never the answer to a request.
    sessions = {"already_joined", "not_joined", "resume_failed"}
    for name in set(ERROR_NAMES) - sessions:
        rows = [row for row in HTTP.splitlines() if row.startswith("|") and f"`{name}`" in row]
        assert any(str(STATUS[name]) in row.split("|")[1] for row in rows), name
